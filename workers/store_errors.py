"""What went wrong with a server, in a sentence for people. Its own words are left out: they may hold anything."""

import errno
import logging
from collections.abc import Iterator
from http import HTTPStatus

from recognition.messages import Message

log = logging.getLogger(__name__)

# Classes of errors, by name: a library is imported by its own kind of source only, since all of them together take 30 MB.
HOST_KEY = {"BadHostKeyException", "WrongHostKey"}
CERTIFICATE = {"SSLCertVerificationError"}
REFUSED = {"AuthenticationException", "SMBAuthenticationError", "LogonFailure", "AccessDenied", "PermissionError"}
LATE = {"TimeoutError", "FSTimeoutError", "TimeoutException"}
BROKEN = {
    "ConnectionError", "EOFError", "NoValidConnectionsError", "ClientConnectionError", "ClientPayloadError", "TransportError",
    "HTTPClientError",
}  # fmt: skip
MISSING = {"FileNotFoundError"}

REFUSED_STATUS = (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN)
REFUSED_NTSTATUS = (0xC0000022, 0xC000006D)  # access denied, logon failure
FTP_LOGIN, FTP_FILE = "530", "550"


def explain(error: Exception) -> Message:
    """The sentence. What it says is found in the error or in what caused it."""
    if _is(error, HOST_KEY):
        return Message(
            "The server's host key is another one than before. If it was really changed, empty the field “host key” and test again."
        )
    if _is(error, CERTIFICATE):
        return Message("The server's certificate is not one that we trust. Ask the administrator.")
    if _refused(error):
        return Message("The server refuses us: the user name or the password is wrong, or this folder is not for us.")
    if _is(error, LATE):
        return Message("The server did not answer in time.")
    if _is(error, BROKEN):
        return Message("The connection to the server was refused, or it broke.")
    if gone(error):
        return Message("The server has no such folder or file. Check the path of the address.")
    log.warning("An answer of a server could not be understood", exc_info=error)
    return Message("The server's answer could not be understood ({kind}).", kind=type(error).__name__)


def gone(error: Exception) -> bool:
    """Whether the server was reached, and says that there is no such file."""
    missing = _is(error, MISSING) or any(
        getattr(one, "errno", None) == errno.ENOENT
        or _status(one) in (HTTPStatus.NOT_FOUND, HTTPStatus.GONE)
        or _ftp(one) == FTP_FILE
        for one in _chain(error)
    )
    return missing and not _refused(error) and not _is(error, BROKEN | LATE)


def _refused(error: Exception) -> bool:
    return _is(error, REFUSED) or any(
        _status(one) in REFUSED_STATUS or getattr(one, "ntstatus", None) in REFUSED_NTSTATUS or _ftp(one) == FTP_LOGIN
        for one in _chain(error)
    )


def _is(error: Exception, names: set[str]) -> bool:
    return any(kind.__name__ in names for one in _chain(error) for kind in type(one).__mro__)


def _ftp(error: BaseException) -> str:
    """The number that an FTP server refuses with."""
    return str(error)[:3] if type(error).__name__ == "error_perm" else ""


def _status(error: BaseException) -> int | None:
    """Of an answer by HTTP, as each library keeps it."""
    answer = getattr(error, "response", None)
    if isinstance(answer, dict):
        status: int | None = answer.get("ResponseMetadata", {}).get("HTTPStatusCode")
        return status
    return getattr(error, "status", None) or getattr(error, "status_code", None)


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__
