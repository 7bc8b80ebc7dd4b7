"""While Redis is away, people log in and look, and wrong passwords are still counted."""

import time
from collections.abc import Iterator
from typing import Any

import pytest
from django.core.cache import cache
from django.test import Client
from django.urls import reverse

from campus.accounts.signin import MAX_ATTEMPTS
from campus.common.fallback_cache import FallbackRedisCache
from tests.campus import factories


@pytest.fixture(autouse=True)
def redis_is_away(settings: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    settings.CACHES = {
        "default": {
            "BACKEND": "campus.common.fallback_cache.FallbackRedisCache",
            "LOCATION": "redis://127.0.0.1:1/1",  # nobody listens there
        }
    }
    monkeypatch.setattr(FallbackRedisCache, "retry_at", 0.0)
    yield
    cache.clear()


def test_redis_is_not_asked_again_for_a_while() -> None:
    assert cache.add("key", 1)
    assert FallbackRedisCache.retry_at > time.monotonic()
    assert (cache.get("key"), cache.incr("key"), cache.add("key", 5)) == (1, 2, False)
    cache.delete("key")
    assert cache.get("key", "gone") == "gone"


@pytest.mark.django_db
def test_people_can_log_in_and_are_limited(client: Client, settings: Any) -> None:
    user = factories.registrar(password="the right password")
    answers = [
        client.post(reverse("login"), {"username": user.username, "password": password})
        for password in ["wrong", "the right password"]
    ]
    assert [answer.status_code for answer in answers] == [200, 302]
    assert client.get(reverse("health")).status_code in (200, 503)
    other = Client()
    for _ in range(MAX_ATTEMPTS):
        other.post(reverse("login"), {"username": user.username, "password": "wrong"})
    refused = other.post(reverse("login"), {"username": user.username, "password": "the right password"})
    assert "Too many wrong passwords" in refused.text
