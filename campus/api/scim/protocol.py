"""Answers SCIM requests: reads and writes the provider's own people and groups, and nothing of other providers."""

from collections.abc import Callable, Iterable
from typing import Any, Final, NoReturn
from uuid import UUID

from django.db import transaction
from django.db.models import QuerySet
from django.utils.http import parse_etags
from rest_framework.request import Request
from rest_framework.response import Response
from scim2_models import (
    Context,
    Error,
    InvalidFilterException,
    InvalidValueException,
    ListResponse,
    PatchOp,
    Resource,
    ResourceType,
    ResponseParameters,
    Schema,
    SCIMException,
    SearchRequest,
)
from scim2_models.path import CompareOperator, Comparison

from campus.api.scim.resources import (
    MAX_RESULTS,
    POLICY,
    Group,
    User,
    etag,
    read_person,
    resource_types,
    schemas,
    service_provider_config,
    to_group,
    to_user,
)
from campus.common.errors import UserError
from campus.identity.models import IdentityProvider, ProvisionedGroup, ProvisionedUser
from campus.identity.provisioning import (
    Conflict,
    change_user,
    note_refusal,
    provision_user,
    remove_group,
    remove_user,
    write_group,
)

DEFAULT_COUNT: Final = 100
READ_ONLY: Final = ("id", "meta", "groups")
SEARCH: Final = ".search"  # a query by POST, in the place of an id
RESPONSE_PARAMETERS: Final = ("attributes", "excludedAttributes")
USER_FILTERS: Final = {"username": "user_name_key", "externalid": "external_id", "id": "pk"}
GROUP_FILTERS: Final = {"displayname": "display_name", "externalid": "external_id", "id": "pk"}


class ScimError(SCIMException):
    """An error with a status of its own."""

    def __init__(self, status: int, detail: str, scim_type: str = "") -> None:
        super().__init__(detail=detail)
        self.status, self.scim_type = status, scim_type


def answer_error(error: Any) -> Response:
    """Of what was raised while a request was answered: a ValidationError of pydantic, or a SCIMException."""
    scim = isinstance(error, SCIMException)
    body = error.to_error() if scim else Error.from_validation_errors(error)[0]
    return Response(body.model_dump(), status=body.status)


class Collection:
    """The resources of one kind that belong to a provider. `base` is the address of the service."""

    model: type[Resource[Any]]
    filters: dict[str, str]

    def __init__(self, provider: IdentityProvider, base: str) -> None:
        self.provider, self.base = provider, base

    def rows(self) -> QuerySet[Any]:
        raise NotImplementedError

    def dump(self, row: Any, *, parameters: Any = None) -> Resource[Any]:
        raise NotImplementedError

    def write(self, resource: Any, row: Any | None) -> Any:
        """Make the row, or change it. Raises UserError."""
        raise NotImplementedError

    def remove(self, row: Any) -> None:
        raise NotImplementedError

    # Requests.

    def query(self, given: Any) -> Response:
        """A page of the list, of those that fit a filter."""
        search = SearchRequest[self.model].model_validate(  # type: ignore[name-defined]
            given, scim_ctx=Context.SEARCH_REQUEST, scim_policy=POLICY
        )
        rows = self._filtered(search.filter.ast if search.filter else None)
        total, start = rows.count(), search.start_index_0 or 0
        count = min(DEFAULT_COUNT if search.count is None else search.count, MAX_RESULTS)
        page = [self.dump(row, parameters=search) for row in rows[start : start + count]]
        answer = ListResponse[self.model](  # type: ignore[name-defined]
            total_results=total, start_index=start + 1, items_per_page=len(page), resources=page
        )
        return Response(answer.model_dump(scim_ctx=Context.RESOURCE_QUERY_RESPONSE, response_parameters=search))

    def retrieve(self, request: Request, key: str) -> Response:
        """One resource, or 304 where the client knows it as it is."""
        row = self._find(key)
        if etag(row) in parse_etags(request.headers.get("If-None-Match", "")):
            return Response(status=304, headers={"ETag": etag(row)})
        return self._respond(request, row, Context.RESOURCE_QUERY_RESPONSE)

    def create(self, request: Request) -> Response:
        """Make a resource."""
        given = request.data
        if isinstance(given, dict):  # what only the server writes is ignored (RFC 7644, section 3.3)
            given = {name: value for name, value in given.items() if name.lower() not in READ_ONLY}
        resource = self.model.model_validate(given, scim_ctx=Context.RESOURCE_CREATION_REQUEST, scim_policy=POLICY)
        row = self._write(resource, None)
        return self._respond(request, row, Context.RESOURCE_CREATION_RESPONSE, status=201)

    def replace(self, request: Request, key: str) -> Response:
        """Write the whole resource (PUT)."""
        with transaction.atomic():
            row = self._lock(request, key)
            resource = self.model.model_validate(
                request.data, scim_ctx=Context.RESOURCE_REPLACEMENT_REQUEST, scim_policy=POLICY
            )
            resource.replace(self.dump(row))
            row = self._write(resource, row)
        return self._respond(request, row, Context.RESOURCE_REPLACEMENT_RESPONSE)

    def patch(self, request: Request, key: str) -> Response:
        """Change some of it."""
        with transaction.atomic():
            row = self._lock(request, key)
            change = PatchOp[self.model].model_validate(  # type: ignore[name-defined]
                request.data, scim_ctx=Context.RESOURCE_PATCH_REQUEST, scim_policy=POLICY
            )
            resource = self.dump(row)
            if change.patch(resource, scim_policy=POLICY):
                row = self._write(resource, row)
        return self._respond(request, row, Context.RESOURCE_PATCH_RESPONSE)

    def delete(self, request: Request, key: str) -> Response:
        """Take the resource away."""
        with transaction.atomic():
            row = self._lock(request, key)
            self._run(lambda: self.remove(row), row)
        return Response(status=204)

    # Helpers.

    def _filtered(self, node: Any) -> QuerySet[Any]:
        if node is None:
            return self.rows()
        name = str(node.attr_path).rpartition(":")[2].lower() if isinstance(node, Comparison) else ""
        if not isinstance(node, Comparison) or node.op != CompareOperator.eq or name not in self.filters:
            raise InvalidFilterException(
                detail=f"Only “eq” of one of these is supported: {', '.join(sorted(self.filters))}."
            )
        value = str(node.value)
        if name == "id":
            return self.rows().filter(pk=_uuid(value)) if _uuid(value) else self.rows().none()
        return self.rows().filter(**{self.filters[name]: value.casefold() if name == "username" else value})

    def _find(self, key: str, *, lock: bool = False) -> Any:
        rows = self.rows().select_for_update(of=("self",)) if lock else self.rows()
        row = rows.filter(pk=_uuid(key)).first() if _uuid(key) else None
        if row is None:
            raise ScimError(404, f"Resource {key} not found.")
        return row

    def _lock(self, request: Request, key: str) -> Any:
        row = self._find(key, lock=True)
        wanted = parse_etags(request.headers.get("If-Match", ""))
        if wanted and wanted != ["*"] and etag(row) not in wanted:
            raise ScimError(412, "The resource has changed meanwhile.")
        return row

    def _write(self, resource: Any, row: Any | None) -> Any:
        return self._run(lambda: self.write(resource, row), row)

    def _run(self, action: Callable[[], Any], row: Any | None) -> Any:
        try:
            return action()
        except Conflict as error:
            raise ScimError(409, str(error), "uniqueness") from error
        except UserError as error:
            self._refuse(row, error)

    def _refuse(self, row: Any | None, error: UserError) -> NoReturn:
        raise InvalidValueException(detail=str(error)) from error

    def _respond(self, request: Request, row: Any, context: Context, status: int = 200) -> Response:
        parameters = ResponseParameters[self.model].model_validate(  # type: ignore[name-defined]
            {
                name: request.query_params[name]
                for name in ("attributes", "excludedAttributes")
                if name in request.query_params
            },
            scim_policy=POLICY,
        )
        resource = self.dump(self.rows().get(pk=row.pk), parameters=parameters)
        return Response(
            resource.model_dump(scim_ctx=context, response_parameters=parameters),
            status=status,
            headers={"ETag": etag(row), "Location": resource.meta.location},  # type: ignore[union-attr,dict-item]
        )


class Refused(Exception):
    """A change of an account that is refused, once what was begun is rolled back."""

    def __init__(self, row: ProvisionedUser, error: UserError) -> None:
        super().__init__()
        self.row, self.error = row, error


class Users(Collection):
    model, filters = User, USER_FILTERS

    def rows(self) -> QuerySet[ProvisionedUser]:
        return self.provider.provisioned_users.select_related("user", "provider").prefetch_related("groups")

    def dump(self, row: ProvisionedUser, *, parameters: Any = None) -> User:
        return to_user(row, self.base)

    def write(self, resource: User, row: ProvisionedUser | None) -> ProvisionedUser:
        person = read_person(resource)
        if row is None:
            return provision_user(provider=self.provider, person=person)
        change_user(row=row, person=person)
        return row

    def remove(self, row: ProvisionedUser) -> None:
        remove_user(row=row)

    def _refuse(self, row: Any | None, error: UserError) -> NoReturn:
        if row is None:
            super()._refuse(row, error)
        raise Refused(row, error)


class Groups(Collection):
    model, filters = Group, GROUP_FILTERS

    def rows(self) -> QuerySet[ProvisionedGroup]:
        return self.provider.provisioned_groups.select_related("provider")

    def dump(self, row: ProvisionedGroup, *, parameters: Any = None) -> Group:
        names = [str(path).lower() for path in getattr(parameters, "excluded_attributes", None) or []]
        return to_group(row, self.base, with_members="members" not in names)

    def write(self, resource: Group, row: ProvisionedGroup | None) -> ProvisionedGroup:
        return write_group(
            provider=self.provider,
            display_name=resource.display_name or "",
            external_id=resource.external_id or "",
            members=_member_ids(resource),
            group=row,
        )

    def remove(self, row: ProvisionedGroup) -> None:
        remove_group(group=row)


COLLECTIONS: Final[dict[str, type[Collection]]] = {"Users": Users, "Groups": Groups}


def answer(request: Request, provider: IdentityProvider, base: str, kind: str, key: str) -> Response:
    """Answer a request for resources: GET, POST, PUT, PATCH or DELETE."""
    collection = COLLECTIONS[kind](provider, base)
    if not key:
        return collection.create(request) if request.method == "POST" else collection.query(request.query_params.dict())
    if key == SEARCH:
        return collection.query(request.data)
    methods: dict[str, Callable[[Request, str], Response]] = {
        "GET": collection.retrieve,
        "PUT": collection.replace,
        "PATCH": collection.patch,
        "DELETE": collection.delete,
    }
    try:
        return methods[str(request.method)](request, key)
    except Refused as refused:
        note_refusal(provider, refused.row, refused.error)
        return answer_error(ScimError(403, str(refused.error)))


def describe(kind: str, key: str, base: str) -> Response:
    """What the service can do, and of what its resources consist."""
    if kind == "ServiceProviderConfig":
        return Response(service_provider_config(base).model_dump(scim_ctx=Context.RESOURCE_QUERY_RESPONSE))
    found: Iterable[Any] = resource_types(base) if kind == "ResourceTypes" else schemas(base)
    if key:
        one = next((resource for resource in found if resource.id == key), None)
        if one is None:
            raise ScimError(404, f"Resource {key} not found.")
        return Response(one.model_dump(scim_ctx=Context.RESOURCE_QUERY_RESPONSE))
    resources = list(found)
    kinds: Any = ListResponse[ResourceType] if kind == "ResourceTypes" else ListResponse[Schema]
    answer = kinds(total_results=len(resources), start_index=1, items_per_page=len(resources), resources=resources)
    return Response(answer.model_dump(scim_ctx=Context.RESOURCE_QUERY_RESPONSE))


def _member_ids(group: Group) -> set[str]:
    members = {member.value or "" for member in group.members or []}
    for value in members:
        if not _uuid(value):
            raise InvalidValueException(detail=f"There is no user {value}.")
    return members


def _uuid(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None
