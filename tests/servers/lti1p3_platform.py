"""The platform on loopback with the keys, launches, tokens and deep links of the library lti1p3platform."""

from html import escape
from http.server import BaseHTTPRequestHandler
from typing import Any
from urllib.parse import parse_qsl

from joserfc.jwk import RSAKey
from lti1p3platform.ltiplatform import LTI1P3PlatformConfAbstract
from lti1p3platform.message_launch import LTIAdvantageMessageLaunchAbstract
from lti1p3platform.registration import Registration
from lti1p3platform.request import Request

from tests.servers.lti_platform import CLAIM, Platform, send_answer


class _Request(Request):
    def build_metadata(self, request: Any) -> Any:
        return {"method": "GET", "get_data": request, "form_data": {}, "headers": {}, "path": "/auth"}


class _Launch(LTIAdvantageMessageLaunchAbstract):
    def render_launch_form(self, launch_data: dict[str, Any], **kwargs: Any) -> dict[str, Any]:
        return launch_data


class _Configuration(LTI1P3PlatformConfAbstract):
    def init_platform_config(self, **kwargs: Any) -> None:
        self._registration = kwargs["registration"]

    def get_registration_by_params(self, **kwargs: Any) -> Registration:
        return self._registration


class Lti1p3Platform(Platform):
    """See the module. `tool` has the addresses at which the tool is launched."""

    tool = "http://testserver/lti/launch/"

    def configuration(self) -> LTI1P3PlatformConfAbstract:
        key: RSAKey = self.key
        registration = (
            Registration()
            .set_iss(self.issuer)
            .set_client_id(self.client_id)
            .set_deployment_id(self.deployment)
            .set_launch_url(self.tool)
            .set_deeplink_launch_url(self.tool)
            .set_platform_public_key(key.as_pem(private=False).decode())
            .set_platform_private_key(key.as_pem(private=True).decode())
            .set_tool_key_set(self.tool_keys)
        )
        return _Configuration(registration=registration)

    def jwks(self) -> dict[str, Any]:
        return dict(self.configuration().get_jwks())

    def check_assertion(self, form: dict[str, str]) -> str:
        try:
            self.given = self.configuration().get_access_token(form)
        except Exception as error:
            return type(error).__name__
        return ""

    def make_token(self, scope: str) -> str:
        return self.given["access_token"]

    def may(self, token: str, scope: str) -> bool:
        return self.configuration().validate_token(token, allowed_scopes=[scope])

    def _authenticate(self, handler: BaseHTTPRequestHandler, query: dict[str, str]) -> None:
        hint = dict(parse_qsl(query.get("lti_message_hint", "")))
        member, url = self.members[query["login_hint"]], f"{self.issuer}/{self.context}"
        launch = _Launch(_Request(query), self.configuration())
        launch.set_user_data(member["user_id"], member["roles"], member["name"])
        launch.set_launch_context_claim(self.context, None, "Programming", "CS 101")
        launch.set_resource_link_claim("link-1")
        launch.set_extra_claims({f"{CLAIM}lis": {"person_sourcedid": member["lis_person_sourcedid"]}})
        launch.set_ags(f"{url}/lineitems?type=7")
        launch.set_nrps(f"{url}/members")
        if hint.get("deep") == "yes":
            launch.set_dl(f"{self.issuer}/chosen", extra_data={"kept": 1})
        fields = launch.lti_launch()
        inputs = "".join(f'<input name="{name}" value="{escape(str(value))}">' for name, value in fields.items())
        send_answer(handler, 200, f'<form method="post" action="{self.tool}">{inputs}</form>', "text/html")
