"""Answers are strict where a site has TLS, whatever they are; test_permissions.py looks at those of all addresses."""

from typing import Any

from django.test import Client

from tests.campus.conftest import World
from tests.campus.security_headers import HASH_WORKER, find_header_faults


def test_pages_errors_and_files_are_strict_on_a_site_with_tls(world: World, settings: Any) -> None:
    settings.SECURE_HSTS_SECONDS = 365 * 24 * 3600
    settings.SECURE_HSTS_INCLUDE_SUBDOMAINS = settings.SECURE_HSTS_PRELOAD = True
    settings.SESSION_COOKIE_SECURE = settings.CSRF_COOKIE_SECURE = True
    settings.WHITENOISE_USE_FINDERS = settings.WHITENOISE_AUTOREFRESH = True
    client = Client(enforce_csrf_checks=True)
    answers = [
        client.get("/login/", secure=True),
        client.get("/nowhere/", secure=True),
        client.post("/login/", secure=True),  # without a token against forgery
        client.put("/api/v1/courses/", secure=True),
        client.get("/static/web/icon.svg", secure=True),
        client.get(HASH_WORKER, secure=True),
        client.get("/static/../settings.py", secure=True),
    ]
    client.force_login(world.own)
    answers += [client.get(where, secure=True) for where in ("/", f"/photos/{world.photo.pk}/", "/admin/")]
    assert [answer.status_code for answer in answers] == [200, 404, 403, 401, 200, 200, 404, 200, 200, 302]
    for answer in answers:
        assert find_header_faults(answer, answer.request["PATH_INFO"]) == []
        assert answer.headers["Strict-Transport-Security"] == "max-age=31536000; includeSubDomains; preload"
    assert (client.cookies["csrftoken"]["secure"], client.cookies["csrftoken"]["samesite"]) == (True, "Lax")
