"""How people come from a platform: the login that it initiates, and the launch, which is checked in every respect.

1EdTech Security Framework 1.0, section 5.1; LTI Core 1.3, section 5.
"""

import secrets
import time
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from urllib.parse import urlencode, urlsplit

from django.core import signing
from django.utils import timezone

from campus.connections.lti.keys import LaunchError, verify
from campus.connections.models import Connection
from campus.identity.one_time import use_once
from campus.identity.sign_in import Assertion

CLAIM: Final = "https://purl.imsglobal.org/spec/lti/claim/"
DEEP_LINKING: Final = "https://purl.imsglobal.org/spec/lti-dl/claim/"
NRPS: Final = "https://purl.imsglobal.org/spec/lti-nrps/claim/namesroleservice"
AGS: Final = "https://purl.imsglobal.org/spec/lti-ags/claim/endpoint"
MEMBERSHIP: Final = "http://purl.imsglobal.org/vocab/lis/v2/membership#"

PERSON_CLAIMS: Final = ("sub", "name", "given_name", "family_name", "email", "preferred_username")
STATE_SECONDS: Final = 600
STATE_SALT: Final = "rollcall.lti-state"
STATE_COOKIE: Final = "lti-"  # and the beginning of the state: several tabs may launch at once
LEEWAY_SECONDS: Final = 60
MAX_AGE: Final = timedelta(hours=1)  # of a token: until then its nonce is remembered
MAX_VALUES: Final = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Login:
    """Where the browser goes next, and the cookie by which it is known when it comes back."""

    address: str
    cookie: str
    value: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Launch:
    """A launch that was checked. `claims` are those of its token."""

    connection: Connection
    claims: dict[str, Any]

    @property
    def is_instructor(self) -> bool:
        return bool(self.roles & {"Instructor", "Administrator"})

    @property
    def is_deep_linking(self) -> bool:
        return self.claims[f"{CLAIM}message_type"] == "LtiDeepLinkingRequest"

    @property
    def target(self) -> str:
        """The address that was meant."""
        return str(self.claims.get(f"{CLAIM}target_link_uri") or "")

    @property
    def roles(self) -> set[str]:
        """In the course there, without their vocabulary: Instructor, Learner, …"""
        return {role.removeprefix(MEMBERSHIP) for role in _texts(self.claims.get(f"{CLAIM}roles"))}

    def part(self, claim: str) -> dict[str, Any]:
        """A claim that is an object; empty where it is none."""
        value = self.claims.get(claim)
        return value if isinstance(value, dict) else {}

    @property
    def assertion(self) -> Assertion:
        """Who has come, for the one way in."""
        claims = {name: _texts(self.claims.get(name)) for name in PERSON_CLAIMS}
        lis = self.part(f"{CLAIM}lis")
        claims["lis_person_sourcedid"] = _texts(lis.get("person_sourcedid"))
        ext = self.part(f"{CLAIM}ext")  # Moodle's
        claims["ext_user_username"] = _texts(ext.get("user_username"))
        claims["user_id"] = [self.claims["sub"]]
        claims["student_number"] = claims.get(self.connection.settings["number_from"], [])
        claims["roles"] = sorted(self.roles)
        claims |= {f"custom.{name}": _texts(value) for name, value in self.part(f"{CLAIM}custom").items()}
        known = {name: values for name, values in list(claims.items())[:MAX_VALUES] if values}
        return Assertion(issuer=self.claims["iss"], subject=self.claims["sub"], claims=known)


def find_platform(issuer: str, client_id: str) -> Connection:
    """The active connection to the platform. Raises LaunchError."""
    rows = Connection.objects.filter(kind=Connection.Kind.LTI, settings__issuer=issuer)
    if client_id:
        rows = rows.filter(settings__client_id=client_id)
    found = list(rows.filter(active=True)[:2]) or list(rows[:1])
    if len(found) > 1:
        raise LaunchError("Several connections have the issuer “{issuer}”: a client ID has to come.", issuer=issuer)
    if not found:
        raise LaunchError(
            "No connection has the issuer “{issuer}” and the client ID “{client}”. Compare them with the platform's.",
            issuer=issuer[:200],
            client=client_id[:200] or "-",
        )
    if not found[0].active:
        raise LaunchError("The connection “{name}” is switched off.", name=found[0].name)
    return found[0]


def start_login(parameters: dict[str, str], launch_address: str) -> Login:
    """The answer to a login that a platform initiates. Raises LaunchError."""
    connection = find_platform(parameters.get("iss", ""), parameters.get("client_id", ""))
    if not parameters.get("login_hint"):
        raise LaunchError("The platform's request lacks login_hint.")
    state, nonce = secrets.token_urlsafe(32), secrets.token_urlsafe(32)
    query = {
        "scope": "openid",
        "response_type": "id_token",
        "response_mode": "form_post",
        "prompt": "none",
        "client_id": connection.settings["client_id"],
        "redirect_uri": launch_address,
        "login_hint": parameters["login_hint"],
        "state": state,
        "nonce": nonce,
    }
    if hint := parameters.get("lti_message_hint"):
        query["lti_message_hint"] = hint
    endpoint = connection.settings["auth_login_url"]
    return Login(
        address=f"{endpoint}{'&' if urlsplit(endpoint).query else '?'}{urlencode(query)}",
        cookie=cookie_name(state),
        value=signing.dumps({"state": state, "nonce": nonce, "connection": str(connection.pk)}, salt=STATE_SALT),
    )


def cookie_name(state: str) -> str:
    """The cookie that belongs to a state."""
    return STATE_COOKIE + "".join(letter for letter in state[:12] if letter.isalnum())


def read_launch(token: str, state: str, cookie: str) -> Launch:
    """The launch that the browser brings. It can't be brought again. Raises LaunchError or OutgoingError."""
    try:
        begun = signing.loads(cookie, salt=STATE_SALT, max_age=STATE_SECONDS)
    except signing.BadSignature:
        begun = {}
    if not state or begun.get("state") != state:
        raise LaunchError(
            "This browser has not begun this launch, or it took longer than ten minutes. Open the link on the "
            "platform again. If that does not help: the browser must accept cookies of this site."
        )
    connection = Connection.objects.filter(pk=begun["connection"], active=True).first()
    if connection is None:
        raise LaunchError("The connection was switched off meanwhile.")
    claims = dict(verify(connection, token).claims)
    _check_claims(connection, claims, begun["nonce"])
    if not use_once("lti", connection.pk, begun["nonce"], until=timezone.now() + MAX_AGE + timedelta(minutes=2)):
        raise LaunchError("This launch was used before. Open the link on the platform again.")
    return Launch(connection=connection, claims=claims)


def _check_claims(connection: Connection, claims: dict[str, Any], nonce: str) -> None:
    settings = connection.settings
    _check("iss", settings["issuer"], claims.get("iss"))
    audience = _texts(claims.get("aud"))
    if settings["client_id"] not in audience:
        _check("aud", settings["client_id"], ", ".join(audience))
    if len(audience) > 1 or "azp" in claims:
        _check("azp", settings["client_id"], claims.get("azp"))
    _check("nonce", nonce, claims.get("nonce"))
    _check_times(claims)
    if not isinstance(claims.get("sub"), str) or not claims["sub"]:
        raise LaunchError("The launch names nobody (sub). Anonymous launches are not accepted.")
    _check("version", "1.3.0", claims.get(f"{CLAIM}version"))
    kind = claims.get(f"{CLAIM}message_type")
    if kind not in ("LtiResourceLinkRequest", "LtiDeepLinkingRequest"):
        raise LaunchError("Messages of the type “{kind}” are not answered.", kind=str(kind)[:100])
    deployment = claims.get(f"{CLAIM}deployment_id")
    if deployment not in settings["deployment_ids"]:
        raise LaunchError(
            "The deployment ID “{received}” is not among those of the connection “{name}”. Add it if it is yours.",
            received=str(deployment)[:200],
            name=connection.name,
        )


def _check(claim: str, expected: str, received: object) -> None:
    if received != expected:
        raise LaunchError(
            "The launch's “{claim}” is not right. Expected: “{expected}”. Received: “{received}”.",
            claim=claim,
            expected=expected,
            received=str(received)[:200],
        )


def _check_times(claims: dict[str, Any]) -> None:
    now = time.time()
    issued, ends = (_seconds(claims.get(name)) for name in ("iat", "exp"))
    if issued - LEEWAY_SECONDS > now or issued < now - MAX_AGE.total_seconds() or ends + LEEWAY_SECONDS < now:
        raise LaunchError(
            "The launch is from {issued} and ends at {ends}; here it is {now}. Compare the clocks of both servers.",
            issued=_moment(issued),
            ends=_moment(ends),
            now=timezone.now(),
        )


def _seconds(value: object) -> float:
    return float(value) if isinstance(value, int | float) and 0 < value < 1e11 else 0.0


def _moment(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, timezone.get_current_timezone())


def _texts(value: object) -> list[str]:
    """What is text in a claim, as a list of limited length."""
    if isinstance(value, bool):
        return ["true" if value else "false"]
    if isinstance(value, str | int):
        return [str(value)[:500]] if value != "" else []
    if isinstance(value, list):
        return [text for one in value[:MAX_VALUES] for text in _texts(one)]
    return []
