"""What can go wrong with a store, each with a sentence for people.

A server's own words are left out, since they may contain anything.
"""

import ssl
from collections.abc import Iterator

from campus.common.errors import UserError
from recognition.messages import Message


class StoreUnavailable(UserError):
    """The store cannot be reached or read now."""

    default_message = Message()

    def __init__(self, message: Message | None = None) -> None:
        super().__init__(message or self.default_message)


class HostKeyChanged(StoreUnavailable):
    default_message = Message(
        "The server's host key is another one than before. "
        "If it was really changed, empty the field “host key” and test again."
    )


class CertificateNotTrusted(StoreUnavailable):
    default_message = Message("The server's certificate is not one that we trust. Ask the administrator.")


class AccessRefused(StoreUnavailable):
    default_message = Message(
        "The server refuses us: the user name or the password is wrong, or this folder is not for us."
    )


class StoreTimedOut(StoreUnavailable):
    default_message = Message("The server did not answer in time.")


class ConnectionBroken(StoreUnavailable):
    default_message = Message("The connection to the server was refused, or it broke.")


class StoreNotFound(StoreUnavailable):
    """The store was reached, and has no such folder or file."""

    default_message = Message("The server has no such folder or file. Check the path of the address.")


class FileBeingWritten(UserError):
    """Another process has the file open for writing."""

    def __init__(self) -> None:
        super().__init__("The file is still being written.")


ErrorClass = type[StoreUnavailable]
# An error may have several causes: people are shown the first of these that is among them.
BY_PRECEDENCE: tuple[ErrorClass, ...] = (
    HostKeyChanged,
    CertificateNotTrusted,
    AccessRefused,
    StoreTimedOut,
    ConnectionBroken,
    StoreNotFound,
)


def classify_system_error(error: BaseException) -> ErrorClass | None:
    """What an error of Python's own classes means."""
    match error:
        case ssl.SSLCertVerificationError():
            return CertificateNotTrusted
        case PermissionError():
            return AccessRefused
        case TimeoutError():
            return StoreTimedOut
        case ConnectionError() | EOFError():
            return ConnectionBroken
        case FileNotFoundError():
            return StoreNotFound
    return None


def with_causes(error: BaseException | None) -> Iterator[BaseException]:
    """The error, what caused it, what caused that, and so on."""
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__
