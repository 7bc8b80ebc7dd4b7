"""Whatever is sent to whatever address, the server does not break."""

import re
from collections.abc import Iterator
from http import HTTPMethod, HTTPStatus
from uuid import UUID

import pytest
from django.core.cache import cache
from django.db import transaction
from django.test import Client

from campus.common import jobs
from tests.campus.conftest import World
from tests.campus.permissions import VERBS, Route, address, people, routes, things

JSON = "application/json"
FORM = "application/x-www-form-urlencoded"
MULTIPART = "multipart/form-data; boundary=x"
BODIES = [
    (JSON, b"[" * 100_000),
    (JSON, b'{"a":' * 50_000 + b"1" + b"}" * 50_000),
    (JSON, b"[" * 900 + b"]" * 900),
    (JSON, b'{"a": "' + b"x" * 3_000_000 + b'"}'),
    (JSON, b"9" * 5000),
    (JSON, b'"\\ud800"'),
    (JSON, b"\xff\xfe\x00"),
    (JSON, b"NaN"),
    (JSON, b"[[], 1e999, null]"),
    (JSON, b"null"),
    ("application/json; charset=utf-99", b"{}"),
    (FORM, b"a=%00&" * 2000),
    (MULTIPART, b"--x"),
    ("multipart/form-data", b"--x"),
    (MULTIPART, b'--x\r\nContent-Disposition: form-data; name="file"; filename=""\r\n\r\n\r\n--x--\r\n'),
    ("application/xml", b"<!DOCTYPE a [<!ENTITY b SYSTEM 'file:///etc/passwd'>]><a>&b;</a>"),
]
KEYS = ["assign/x", "x", "0", "-1", "9" * 40, "_5F", "%00", "a%2Fb", "%F0%9F%98%80", str(UUID(int=0))]
FIRST_FAULT = 500
DISK_FULL = 507


@pytest.fixture(autouse=True)
def no_broker(settings) -> Iterator[None]:
    settings.BROKER_URL = "redis://127.0.0.1:1/0"
    jobs.producer.cache_clear()
    yield
    jobs.producer.cache_clear()


def breaks(client: Client, verb: HTTPMethod, where: str, kind: str = JSON, body: bytes = b"", **headers: str) -> bool:
    cache.clear()
    with transaction.atomic():
        response = client.generic(verb, where, body, content_type=kind, headers={"Tus-Resumable": "1.0.0"} | headers)
        transaction.set_rollback(True)
    return response.status_code >= FIRST_FAULT and response.status_code != DISK_FULL


def api_routes() -> list[Route]:
    """All but the stream of events, which closes the connection to the database when it ends."""
    return [route for route in routes() if route.pattern.startswith("/api/") and not route.name.endswith("events")]


def takes(client: Client, verb: HTTPMethod, where: str) -> bool:
    """Whether the address knows the verb: where it does not, neither body nor headers are read."""
    with transaction.atomic():
        response = client.generic(verb, where, b"{}", content_type=JSON, headers={"Tus-Resumable": "1.0.0"})
        transaction.set_rollback(True)
    return response.status_code != HTTPStatus.METHOD_NOT_ALLOWED


def test_no_body_breaks_the_api(world: World) -> None:
    keys, client = things(world), people(world)["registrar"]
    broken = [
        f"{verb} {route.pattern}: {kind} {body[:20]!r}"
        for route in api_routes()
        for verb in VERBS[1:4]
        if takes(client, verb, address(route, keys))
        for kind, body in BODIES
        if breaks(client, verb, address(route, keys), kind, body)
    ]
    assert not broken, "\n".join(broken)


def test_no_header_breaks_the_api(world: World) -> None:
    keys, client = things(world), people(world)["registrar"]
    names = ["Idempotency-Key", "If-Match", "If-None-Match", "Range", "Accept-Language", "Upload-Offset"]
    broken = [
        f"{verb} {route.pattern}: {value!r}"
        for route in api_routes()
        for verb in VERBS
        if takes(client, verb, address(route, keys))
        for value in ("", "x" * 300, "\xff", '"')
        if breaks(client, verb, address(route, keys), JSON, b"{}", **dict.fromkeys(names, value))
    ]
    assert not broken, "\n".join(broken)


def test_no_key_breaks_the_admin(world: World) -> None:
    client = people(world)["administrator"]
    client.defaults.pop("HTTP_AUTHORIZATION")
    admin = [route for route in routes() if route.name.startswith("admin:") and "object_id" in route.converters]
    broken = [
        where
        for route in admin
        for key in KEYS
        if breaks(client, HTTPMethod.GET, where := re.sub("<(path:)?object_id>", key, route.pattern))
    ]
    assert not broken, "\n".join(broken)


def test_what_django_refuses_gets_a_page_that_says_why(client: Client, settings) -> None:
    settings.ALLOWED_HOSTS, settings.DEBUG = ["attendance.example.org"], False
    response = client.get("/login/", headers={"Host": "elsewhere.example.net"})
    assert response.status_code == HTTPStatus.BAD_REQUEST
    assert b"Open the site by its own address" in response.content
