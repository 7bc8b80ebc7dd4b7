"""How a browser launches from a platform: it follows what both sides tell it."""

import re
from html import unescape
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import httpx
from django.test import Client

from tests.servers.lti_platform import Platform

LAUNCH = "http://testserver/lti/launch/"


def begin(client: Client, platform: Platform, user: str, *, target: str = LAUNCH, deep: bool = False) -> Any:
    """The answer to the login that the platform initiates."""
    hint = urlencode({"target": target, "deep": "yes" if deep else ""})
    given = {
        "iss": platform.issuer,
        "client_id": platform.client_id,
        "login_hint": user,
        "lti_message_hint": hint,
        "target_link_uri": target,
    }
    return client.post("/lti/login/", given)


def form_fields(page: str) -> dict[str, str]:
    """The fields of the form on a page."""
    return {name: unescape(value) for name, value in re.findall(r'name="([^"]+)" value="([^"]*)"', page)}


def authenticate(begun: Any) -> dict[str, str]:
    """What the platform has the browser send to the tool."""
    assert begun.status_code == 302, begun.content.decode()
    return form_fields(httpx.get(begun.headers["Location"]).text)


def launch(client: Client, platform: Platform, user: str, **options: Any) -> Any:
    """The answer to the launch of a member."""
    return client.post("/lti/launch/", authenticate(begin(client, platform, user, **options)))


def query_of(address: str) -> dict[str, str]:
    return dict(parse_qsl(urlsplit(address).query))
