"""One computation shared by many requests for the same answer."""

from collections.abc import Callable
from typing import TypeVar

from django.core.cache import cache

T = TypeVar("T")

REFRESH_SECONDS = 2
EXPIRY_SECONDS = 60


def coalesce(key: str, make: Callable[[], T]) -> T:
    """The cached result of `make`, at most a few seconds old while it is in demand.

    One caller every REFRESH_SECONDS computes it again; all others get the stored result without waiting.
    """
    value: T | None = cache.get(key)
    if cache.add(f"{key}-turn", True, REFRESH_SECONDS) or value is None:
        value = make()
        cache.set(key, value, EXPIRY_SECONDS)
    return value
