"""The endpoints of SCIM, for programs with a token of a provider."""

from typing import Any, cast

from django.utils.translation import gettext as _
from rest_framework import exceptions
from rest_framework.authentication import BaseAuthentication
from rest_framework.parsers import BaseParser
from rest_framework.permissions import BasePermission
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from campus.api.parsers import JSONParser
from campus.common.site_address import site_address
from campus.identity.models import ScimToken
from campus.identity.provisioning import authenticate_scim_token

MEDIA_TYPE = "application/scim+json"
PREFIX = "/scim/v2"


class ScimTokenAuthentication(BaseAuthentication):
    """`Authorization: Bearer ...`. There is no user: the provider itself changes accounts."""

    def authenticate(self, request: Request) -> tuple[None, ScimToken] | None:
        kind, _space, secret = request.headers.get("Authorization", "").strip().partition(" ")
        token = authenticate_scim_token(secret=secret.strip()) if kind.lower() == "bearer" else None
        if token is None:
            raise exceptions.AuthenticationFailed(_("This token is wrong or revoked. Make a new one in the admin."))
        return None, token

    def authenticate_header(self, request: Request) -> str:
        return 'Bearer realm="Rollcall SCIM"'


class HasScimToken(BasePermission):
    def has_permission(self, request: Request, view: APIView) -> bool:
        return isinstance(request.auth, ScimToken)


class ScimParser(JSONParser):
    media_type = MEDIA_TYPE


class ScimRenderer(JSONRenderer):
    media_type = MEDIA_TYPE


class ScimView(APIView):
    authentication_classes = [ScimTokenAuthentication]
    permission_classes = [HasScimToken]
    parser_classes: list[type[BaseParser]] = [ScimParser, JSONParser]
    renderer_classes = [ScimRenderer]
    schema = None  # SCIM describes itself

    def get_exception_handler(self) -> Any:
        return _answer_exception


class Resources(ScimView):
    """A list of people or groups."""

    def get(self, request: Request, kind: str, key: str = "") -> Response:
        from campus.api.scim import protocol

        token = cast(ScimToken, request.auth)  # HasScimToken has let it through
        return protocol.answer(request, token.provider, site_address(request) + PREFIX, kind, key)

    post = get


class OneResource(Resources):
    """One of them."""

    put = patch = delete = Resources.get
    http_method_names = ["get", "put", "patch", "delete", "head", "options"]


class Search(Resources):
    """A list, asked for by POST: what is looked for stands in no log of addresses."""

    http_method_names = ["post", "options"]


class Description(ScimView):
    """What the service can do."""

    def get(self, request: Request, kind: str, key: str = "") -> Response:
        from campus.api.scim import protocol

        return protocol.describe(kind, key, site_address(request) + PREFIX)


class NotOffered(exceptions.APIException):
    status_code = 501
    default_detail = "Search in /Users or /Groups: a search over both at once is not offered."


class SearchEverything(ScimView):
    def post(self, request: Request) -> Response:
        raise NotOffered


class Unknown(ScimView):
    """Everything else below the address."""

    def get(self, request: Request, rest: str) -> Response:
        raise exceptions.NotFound

    post = put = patch = delete = get


def _answer_exception(error: Exception, _context: dict[str, Any]) -> Response | None:
    """As RFC 7644 has errors, section 3.12."""
    from pydantic import ValidationError
    from scim2_models import SCIMException

    from campus.api.scim import protocol

    if isinstance(error, (ValidationError, SCIMException)):
        return protocol.answer_error(error)
    if isinstance(error, exceptions.APIException):
        answer = protocol.answer_error(protocol.ScimError(error.status_code, str(error.detail)))
        if header := getattr(error, "auth_header", None):
            answer["WWW-Authenticate"] = header
        return answer
    return None
