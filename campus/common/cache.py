"""Answers that many people ask for at once."""

from collections.abc import Callable
from typing import TypeVar

from django.core.cache import cache

T = TypeVar("T")

REFRESH_SECONDS = 2
EXPIRY_SECONDS = 60


def coalesce(key: str, make: Callable[[], T]) -> T:
    """What `make` gives, made anew by one of those who ask every two seconds.

    The others get what there is, without waiting.
    """
    found: T | None = cache.get(key)
    if cache.add(f"{key}-turn", True, REFRESH_SECONDS) or found is None:
        found = make()
        cache.set(key, found, EXPIRY_SECONDS)
    return found
