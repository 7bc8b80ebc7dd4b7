"""The resources: of what SCIM knows of people, names, addresses and whether they are here; nothing else is kept.

Microsoft Entra ID departs from the standard in some ways, which POLICY tolerates.
"""

from typing import Annotated, Any, ClassVar, Final, cast

from pydantic import Field
from scim2_models import (
    AuthenticationScheme,
    Bulk,
    CaseExact,
    ChangePassword,
    ComplexAttribute,
    Context,
    Email,
    ETag,
    Filter,
    GroupMembership,
    Meta,
    Mutability,
    Name,
    Patch,
    Reference,
    Required,
    Resource,
    ResourceType,
    Schema,
    ScimPolicy,
    ServiceProviderConfig,
    Sort,
    Uniqueness,
)
from scim2_models.urn import URN

from campus.identity.models import ProvisionedGroup, ProvisionedUser
from campus.identity.provisioning import Person

MAX_RESULTS: Final = 500
POLICY: Final = ScimPolicy(
    unknown=ScimPolicy.Unknown.ignore,
    remove_value_as_filter=ScimPolicy.RemoveValue.apply,
    unmatched_path_filter=ScimPolicy.UnmatchedPathFilter.create,
)


class User(Resource[Any]):
    __schema__ = URN("urn:ietf:params:scim:schemas:core:2.0:User")

    user_name: Annotated[str | None, Uniqueness.server, Required.true] = None
    name: Name | None = None
    Name: ClassVar[type] = Name
    display_name: str | None = None
    active: bool | None = None
    emails: list[Email] | None = None
    Emails: ClassVar[type] = Email
    groups: Annotated[list[GroupMembership] | None, Mutability.read_only] = None
    Groups: ClassVar[type] = GroupMembership


class Member(ComplexAttribute):
    value: Annotated[str | None, Mutability.immutable, CaseExact.true] = None
    ref: Annotated[Reference[User] | None, Mutability.immutable] = Field(
        None, serialization_alias="$ref", validation_alias="$ref"
    )


class Group(Resource[Any]):
    __schema__ = URN("urn:ietf:params:scim:schemas:core:2.0:Group")

    display_name: Annotated[str | None, Required.true] = None
    members: list[Member] | None = None
    Members: ClassVar[type] = Member


def etag(row: ProvisionedUser | ProvisionedGroup) -> str:
    return f'W/"{row.version}"'


def _meta(row: ProvisionedUser | ProvisionedGroup, kind: str, base: str) -> Meta:
    return Meta(
        resource_type=kind,
        created=row.created_at,
        last_modified=row.changed_at,
        location=f"{base}/{kind}s/{row.pk}",
        version=etag(row),
    )


def to_user(row: ProvisionedUser, base: str) -> User:
    """The resource, as a provider reads it."""
    user = User.model_validate({**row.attributes, "userName": row.user_name}, scim_policy=POLICY)
    if user.active is not None or not row.active:
        user.active = row.active
    user.id, user.external_id, user.meta = str(row.pk), row.external_id or None, _meta(row, "User", base)
    user.groups = [
        GroupMembership.model_validate(
            {"value": str(group.pk), "display": group.display_name, "$ref": f"{base}/Groups/{group.pk}"}
        )
        for group in row.groups.all()
    ] or None
    return user


def to_group(row: ProvisionedGroup, base: str, *, with_members: bool = True) -> Group:
    """The resource, as a provider reads it."""
    members = row.members.values_list("pk", flat=True) if with_members else []
    return Group(
        id=str(row.pk),
        external_id=row.external_id or None,
        meta=_meta(row, "Group", base),
        display_name=row.display_name,
        members=[Member.model_validate({"value": str(key), "$ref": f"{base}/Users/{key}"}) for key in members] or None,
    )


def read_person(user: User) -> Person:
    """What of the resource is kept, and what of it the account gets."""
    emails = user.emails or []
    primary = next((email for email in emails if email.primary), emails[0] if emails else None)
    name = user.name or Name()
    given, family = name.given_name or "", name.family_name or ""
    if not (given or family):
        given, _space, family = (user.display_name or name.formatted or "").rpartition(" ")
    kept = user.model_dump(scim_ctx=Context.RESOURCE_CREATION_REQUEST)
    return Person(
        user_name=cast(str, user.user_name),
        external_id=user.external_id or "",
        given_name=given,
        family_name=family,
        email=str(primary.value or "") if primary else "",
        active=user.active,
        attributes={key: kept[key] for key in ("name", "displayName", "emails", "active") if key in kept},
    )


def service_provider_config(base: str) -> ServiceProviderConfig:
    """What this server can do."""
    return ServiceProviderConfig(
        patch=Patch(supported=True),
        bulk=Bulk(supported=False, max_operations=0, max_payload_size=0),
        filter=Filter(supported=True, max_results=MAX_RESULTS),
        change_password=ChangePassword(supported=False),
        sort=Sort(supported=False),
        etag=ETag(supported=True),
        authentication_schemes=[
            AuthenticationScheme(
                type=AuthenticationScheme.Type.oauthbearertoken,
                name="Bearer token",
                description="A token that an administrator makes for the sign-in.",
            )
        ],
        meta=Meta(resource_type="ServiceProviderConfig", location=f"{base}/ServiceProviderConfig"),
    )


def resource_types(base: str) -> list[ResourceType]:
    """Of which kinds the resources are."""
    kinds = [ResourceType.from_resource(User), ResourceType.from_resource(Group)]
    for kind in kinds:
        kind.meta = Meta(resource_type="ResourceType", location=f"{base}/ResourceTypes/{kind.id}")
    return kinds


def schemas(base: str) -> list[Schema]:
    """What the resources consist of."""
    found = [User.to_schema(), Group.to_schema()]
    for schema in found:
        schema.meta = Meta(resource_type="Schema", location=f"{base}/Schemas/{schema.id}")
    return found
