"""Dynamic registration: a platform and Rollcall tell each other what they need (LTI Dynamic Registration 1.0).

Whoever has the address that an administrator has made may register one platform within a day. What comes of it is a
connection that is switched off: a person looks at it and switches it on.
"""

import hashlib
import json
import secrets
from datetime import timedelta
from typing import Any, Final
from urllib.parse import urlsplit

from django.contrib.auth.models import User
from django.db import transaction
from django.utils import timezone

from campus.accounts.institution import institution_name
from campus.audit.models import Action
from campus.audit.services import record_event
from campus.common.errors import UserError
from campus.common.outgoing_http import Answer
from campus.connections.lti.platform_services import MARK_SCOPES, MEMBERS_SCOPE
from campus.connections.lti.settings import LtiSettings
from campus.connections.models import Connection, RegistrationLink
from campus.connections.quota import request
from campus.identity.models import IdentityProvider

LINK_LIFETIME: Final = timedelta(days=1)
PLATFORM: Final = "https://purl.imsglobal.org/spec/lti-platform-configuration"
TOOL: Final = "https://purl.imsglobal.org/spec/lti-tool-configuration"


def create_registration_link(*, user: User) -> str:
    """What is secret in an address by which one platform may register within a day."""
    RegistrationLink.objects.filter(expires_at__lt=timezone.now()).delete()
    secret = secrets.token_urlsafe(32)
    expires_at = timezone.now() + LINK_LIFETIME
    RegistrationLink.objects.create(key=_digest(secret), created_by=user, expires_at=expires_at)
    return secret


def register(*, secret: str, configuration_url: str, token: str, addresses: dict[str, str]) -> Connection:
    """Register at the platform; the connection is switched off. `addresses` are ours: `site`, `login`, `launch` and
    `keys`. Raises UserError.
    """
    valid = RegistrationLink.objects.filter(key=_digest(secret), expires_at__gt=timezone.now())
    if not valid.exists():
        raise UserError("This address was used, or has expired. An administrator makes another one.")
    configuration = _object(request("GET", configuration_url), configuration_url)
    issuer = str(configuration.get("issuer", ""))
    if urlsplit(issuer).netloc != urlsplit(configuration_url).netloc:
        raise UserError(
            "The platform calls itself “{issuer}”, and its configuration is at “{url}”: these are two hosts.",
            issuer=issuer[:200],
            url=configuration_url[:200],
        )
    endpoint = str(configuration.get("registration_endpoint", ""))
    if urlsplit(endpoint).netloc != urlsplit(issuer).netloc:
        raise UserError("The platform's address for registrations is at another host: {url}.", url=endpoint[:200])
    if not valid.delete()[0]:  # of two who have the address, one registers
        raise UserError("This address was used, or has expired. An administrator makes another one.")
    headers = {"Content-Type": "application/json", "Accept": "application/json"}
    if token:
        headers["Authorization"] = f"Bearer {token}"
    body = json.dumps(_tool(addresses)).encode()
    told = _object(request("POST", endpoint, headers=headers, body=body), endpoint)
    deployment = told.get(TOOL, {}).get("deployment_id") if isinstance(told.get(TOOL), dict) else None
    form = LtiSettings(
        {
            "issuer": issuer,
            "client_id": told.get("client_id"),
            "deployment_ids": [deployment] if isinstance(deployment, str) else [],
            "auth_login_url": configuration.get("authorization_endpoint"),
            "token_url": configuration.get("token_endpoint"),
            "jwks_url": configuration.get("jwks_uri"),
            "token_audience": configuration.get("authorization_server", ""),
        }
    )
    if not form.is_valid():
        raise UserError("What the platform says of itself lacks: {fields}.", fields=", ".join(form.errors))
    platform = configuration.get(PLATFORM)
    family = str(platform.get("product_family_code", "LTI"))[:40] if isinstance(platform, dict) else "LTI"
    return add_platform(name=f"{family} {urlsplit(issuer).netloc}", settings=form.cleaned_data)


@transaction.atomic
def add_platform(*, name: str, settings: dict[str, Any]) -> Connection:
    """A connection to a platform, switched off, and the rules by which people sign in who come from it."""
    free = name = name[:80]
    number = 1
    while Connection.objects.filter(name=free).exists():
        number += 1
        free = f"{name} ({number})"
    connection = Connection(kind=Connection.Kind.LTI, name=free, settings=settings)
    connection.sign_in = create_sign_in(connection)
    connection.save()
    record_event(None, Action.CHANGED_SETTINGS, about=f"connection {connection.pk} registered by its platform")
    return connection


def create_sign_in(connection: Connection) -> IdentityProvider:
    """The rules by which people sign in who come from the platform: an administrator completes them."""
    return IdentityProvider.objects.create(
        kind=IdentityProvider.Kind.LTI,
        slug=f"lti-{connection.pk.hex[:12]}",
        name=connection.name,
        active=True,
        for_staff=True,
        for_students=True,
        student_number_claim="student_number",
    )


def _tool(addresses: dict[str, str]) -> dict[str, Any]:
    """What Rollcall says of itself."""
    label = f"Rollcall, {institution_name()}"
    return {
        "application_type": "web",
        "response_types": ["id_token"],
        "grant_types": ["implicit", "client_credentials"],
        "initiate_login_uri": addresses["login"],
        "redirect_uris": [addresses["launch"]],
        "client_name": label,
        "jwks_uri": addresses["keys"],
        "token_endpoint_auth_method": "private_key_jwt",
        "scope": " ".join((*MARK_SCOPES, MEMBERS_SCOPE)),
        TOOL: {
            "domain": urlsplit(addresses["site"]).netloc,
            "target_link_uri": addresses["launch"],
            "claims": ["iss", "sub", "name", "given_name", "family_name", "email"],
            "messages": [
                {"type": "LtiResourceLinkRequest", "target_link_uri": addresses["launch"], "label": label},
                {"type": "LtiDeepLinkingRequest", "target_link_uri": addresses["launch"], "label": label},
            ],
        },
    }


def _object(answer: Answer, url: str) -> dict[str, Any]:
    try:
        value = json.loads(answer.body)
    except (ValueError, RecursionError):
        value = None
    if not answer.is_success or not isinstance(value, dict):
        raise UserError(
            "“{host}” answered {status} to the registration: {why}",
            host=urlsplit(url).netloc,
            status=answer.status,
            why=" ".join(answer.body[:200].decode(errors="replace").split()),
        )
    return value


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()
