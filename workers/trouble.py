"""What went wrong with a server, in a sentence for people. Its own words are left out: they may hold anything."""

import errno
import ftplib
import logging
import ssl
from collections.abc import Iterator
from http import HTTPStatus

import aiohttp
import botocore.exceptions
import httpx
import paramiko
from django.utils.translation import gettext as _
from fsspec.exceptions import FSTimeoutError
from smbprotocol.exceptions import AccessDenied, LogonFailure, SMBAuthenticationError

from workers.stores.sftp import WrongHostKey

log = logging.getLogger(__name__)

REFUSED_STATUS = (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN)
REFUSED_NTSTATUS = (0xC0000022, 0xC000006D)  # access denied, logon failure
FTP_LOGIN, FTP_FILE = "530", "550"


def explain(error: Exception) -> str:
    """The sentence. What it says is found in the error or in what caused it."""
    causes = list(chain(error))
    if any(isinstance(one, paramiko.BadHostKeyException | WrongHostKey) for one in causes):
        return _("The server's host key is another one than before. If it was really changed, empty the field “host key” and test again.")
    if any(isinstance(one, ssl.SSLCertVerificationError) for one in causes):
        return _("The server's certificate is not one that we trust. Ask the administrator.")
    if any(_refused(one) for one in causes):
        return _("The server refuses us: the user name or the password is wrong, or this folder is not for us.")
    if any(isinstance(one, TimeoutError | FSTimeoutError | httpx.TimeoutException) for one in causes):
        return _("The server did not answer in time.")
    if any(_broken(one) for one in causes):
        return _("The connection to the server was refused, or it broke.")
    if gone(error):
        return _("The server has no such folder or file. Check the path of the address.")
    log.warning("An answer of a server could not be understood", exc_info=error)
    return _("The server's answer could not be understood (%(kind)s).") % {"kind": type(error).__name__}


def gone(error: Exception) -> bool:
    """Whether the server was reached, and says that there is no such file."""
    causes = list(chain(error))
    return any(_missing(one) for one in causes) and not any(_refused(one) or _broken(one) for one in causes)


def _missing(error: BaseException) -> bool:
    return (
        getattr(error, "errno", None) == errno.ENOENT
        or isinstance(error, FileNotFoundError)
        or _status(error) in (HTTPStatus.NOT_FOUND, HTTPStatus.GONE)
        or (isinstance(error, ftplib.error_perm) and str(error).startswith(FTP_FILE))
    )


def _refused(error: BaseException) -> bool:
    return (
        isinstance(error, paramiko.AuthenticationException | SMBAuthenticationError | LogonFailure | AccessDenied | PermissionError)
        or (isinstance(error, ftplib.error_perm) and str(error).startswith(FTP_LOGIN))
        or _status(error) in REFUSED_STATUS
        or getattr(error, "ntstatus", None) in REFUSED_NTSTATUS
    )


def _broken(error: BaseException) -> bool:
    network = (ConnectionError, EOFError, TimeoutError, paramiko.ssh_exception.NoValidConnectionsError, aiohttp.ClientConnectionError)
    return isinstance(error, (*network, aiohttp.ClientPayloadError, httpx.TransportError, botocore.exceptions.HTTPClientError))


def _status(error: BaseException) -> int | None:
    """Of an answer by HTTP, as each library keeps it."""
    if isinstance(error, aiohttp.ClientResponseError):
        return error.status
    if isinstance(error, botocore.exceptions.ClientError):
        return error.response.get("ResponseMetadata", {}).get("HTTPStatusCode")
    return getattr(error, "status_code", None)


def chain(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__
