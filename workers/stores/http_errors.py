"""What errors of the libraries for HTTP mean."""

from http import HTTPStatus

import aiohttp
import httpx

from workers.stores.errors import (
    AccessRefused,
    ConnectionBroken,
    ErrorClass,
    StoreNotFound,
    StoreTimedOut,
    classify_system_error,
)


def classify_http_error(error: BaseException) -> ErrorClass | None:
    """What an error of aiohttp means."""
    if isinstance(error, aiohttp.ClientResponseError):
        return classify_status(error.status)
    # First, because some of aiohttp's classes are also Python's: those for certificates and timeouts.
    system_error = classify_system_error(error)
    if system_error is None and isinstance(error, aiohttp.ClientConnectionError | aiohttp.ClientPayloadError):
        return ConnectionBroken
    return system_error


def classify_status(status: int | None) -> ErrorClass | None:
    """What an HTTP status means."""
    if status in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN):
        return AccessRefused
    if status in (HTTPStatus.NOT_FOUND, HTTPStatus.GONE):
        return StoreNotFound
    return None


def classify_httpx_error(error: BaseException) -> ErrorClass | None:
    """What an error of httpx means."""
    match error:
        case httpx.TimeoutException():
            return StoreTimedOut
        case httpx.TransportError():
            return ConnectionBroken
    return classify_system_error(error)
