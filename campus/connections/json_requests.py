"""Requests to interfaces that answer in JSON, with errors that an administrator can act on."""

from collections.abc import Mapping
from typing import TypeVar
from urllib.parse import urlencode, urlsplit

import msgspec

from campus.common.outgoing_http import Answer, OutgoingError
from campus.connections.quota import request

T = TypeVar("T")

MAX_BYTES = 64 * 2**20
TOTAL_SECONDS = 60.0
TOO_MANY_REQUESTS = 429


class RefusedError(OutgoingError):
    """The server has answered that it does not do it."""

    def __init__(self, message: str, /, *, status: int, final: bool = False, **values: object) -> None:
        super().__init__(message, final=final, status=status, **values)
        self.status = status


def ask(
    method: str, url: str, *, headers: Mapping[str, str] | None = None, form: Mapping[str, object] | None = None
) -> Answer:
    """The answer of a server that did what it was asked. Raises OutgoingError: it is final where a person has to change
    something.
    """
    sent = {"Accept": "application/json", **(headers or {})}
    body = None
    if form is not None:
        sent["Content-Type"] = "application/x-www-form-urlencoded"
        body = urlencode({name: str(value) for name, value in form.items()}).encode()
    answer = request(method, url, headers=sent, body=body, max_bytes=MAX_BYTES, total_seconds=TOTAL_SECONDS)
    check_status(url, answer)
    return answer


def check_status(url: str, answer: Answer) -> None:
    """Raises RefusedError where the server did not do it."""
    if answer.is_success:
        return
    status, host = answer.status, urlsplit(url).hostname
    if status == TOO_MANY_REQUESTS or b"Rate Limit Exceeded" in answer.body[:1000]:
        raise RefusedError("“{host}” asks for fewer requests at a time ({status}).", status=status, host=host)
    if status == 401:
        raise RefusedError(
            "“{host}” does not accept the secret ({status}): it is wrong, has expired or was withdrawn. Enter "
            "a new one.",
            status=status,
            host=host,
            final=True,
        )
    if status == 403:
        raise RefusedError(
            "The secret does not allow this at “{host}” ({status}).", status=status, host=host, final=True
        )
    if status == 404:
        raise RefusedError(
            "“{host}” does not know what was asked for ({status}). Compare the address and the ids.",
            status=status,
            host=host,
            final=True,
        )
    if 300 <= status < 400:
        raise RefusedError(
            "“{host}” has moved to another address ({status}). Enter that one.", status=status, host=host, final=True
        )
    raise RefusedError("“{host}” answered {status}.", status=status, host=host, final=400 <= status < 500)


def read_json(url: str, answer: Answer, kind: type[T]) -> T:
    """The answer, of that type. Raises OutgoingError where it is something else."""
    try:
        return msgspec.json.decode(answer.body, type=kind, strict=False)
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError) as error:
        raise OutgoingError(
            "“{host}” answered with something other than expected. Compare the address, and what the service is; or it "
            "is under maintenance.",
            host=urlsplit(url).hostname,
        ) from error
