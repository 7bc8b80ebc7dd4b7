"""A cache in Redis that goes on in this process's memory while Redis is away or full: people can still log in."""

import logging
import time
from typing import Any

import redis
from django.core.cache.backends.locmem import LocMemCache
from django.core.cache.backends.redis import RedisCache

log = logging.getLogger(__name__)

RETRY_SECONDS = 10.0


class FallbackRedisCache(RedisCache):
    """Django's cache in Redis, with one in memory behind it. Limits on attempts are then those of each process."""

    retry_at = 0.0  # for all threads

    def __init__(self, server: str, params: dict[str, Any]) -> None:
        super().__init__(server, params)
        self._memory = LocMemCache(f"instead of {server}", {})

    def add(self, *args: Any, **kwargs: Any) -> Any:
        return self._call("add", *args, **kwargs)

    def get(self, *args: Any, **kwargs: Any) -> Any:
        return self._call("get", *args, **kwargs)

    def set(self, *args: Any, **kwargs: Any) -> Any:
        return self._call("set", *args, **kwargs)

    def delete(self, *args: Any, **kwargs: Any) -> Any:
        return self._call("delete", *args, **kwargs)

    def incr(self, *args: Any, **kwargs: Any) -> Any:
        return self._call("incr", *args, **kwargs)

    def clear(self) -> Any:
        return self._call("clear")

    def _call(self, method: str, *args: Any, **kwargs: Any) -> Any:
        if time.monotonic() >= FallbackRedisCache.retry_at:
            try:
                return getattr(super(), method)(*args, **kwargs)
            except redis.RedisError as error:
                log.warning("The cache in Redis cannot be used for now: %s", error)
                FallbackRedisCache.retry_at = time.monotonic() + RETRY_SECONDS
        return getattr(self._memory, method)(*args, **kwargs)
