"""Windows shares."""

import errno
from collections.abc import Iterator

import smbclient
from fsspec.implementations.smb import SMBFileSystem
from smbprotocol.exceptions import AccessDenied, LogonFailure, SMBAuthenticationError

from campus.cctv.egress_policy import Address
from campus.cctv.models import Source
from workers.stores.base import CONNECT_SECONDS, Entry, Store, is_plain_name, join_path, parse_time
from workers.stores.errors import AccessRefused, ErrorClass, FileBeingWritten, StoreNotFound, classify_system_error

STATUS_SHARING_VIOLATION = 0xC0000043
STATUS_ACCESS_DENIED = 0xC0000022
STATUS_LOGON_FAILURE = 0xC000006D


class Smb(Store):
    """A Windows share: the first part of the path is the share's name."""

    # Other clients may read and delete the file meanwhile, but not write into it.
    open_options = {"share_access": "rd"}

    def __init__(self, address: Address, source: Source, password: str, *, learn_host_key: bool = False) -> None:
        self.server, self.port = address.host, address.port
        try:
            fs = SMBFileSystem(
                address.host,
                address.port,
                source.username or None,
                password or None,
                timeout=CONNECT_SECONDS,
                skip_instance_cache=True,
            )
        except Exception:
            self.close()  # otherwise smbclient would use the failed session again
            raise
        self.fs, self.root = fs, address.path.rstrip("/")

    def list_folder(self, folder: str) -> Iterator[Entry]:
        """One request for the whole folder; fsspec sends one for each file."""
        for entry in smbclient.scandir(self._unc(folder), port=self.port):
            if is_plain_name(entry.name) and not entry.is_symlink():
                info = entry.smb_info
                yield Entry(
                    path=join_path(folder, entry.name),
                    is_folder=entry.is_dir(),
                    size=info.end_of_file,
                    modified=parse_time(info.last_write_time),
                )

    def read(self, path: str, offset: int) -> Iterator[bytes]:
        try:
            yield from super().read(path, offset)
        except OSError as error:
            if getattr(error, "ntstatus", None) == STATUS_SHARING_VIOLATION:
                raise FileBeingWritten from error
            raise

    def _unc(self, path: str) -> str:
        return f"//{self.server}{self.full_path(path)}".replace("/", "\\")

    def close(self) -> None:
        smbclient.delete_session(self.server, port=self.port)

    @staticmethod
    def classify_error(error: BaseException) -> ErrorClass | None:
        if isinstance(error, SMBAuthenticationError | LogonFailure | AccessDenied):
            return AccessRefused
        if getattr(error, "ntstatus", None) in (STATUS_ACCESS_DENIED, STATUS_LOGON_FAILURE):
            return AccessRefused
        if isinstance(error, OSError) and error.errno == errno.ENOENT:
            return StoreNotFound
        return classify_system_error(error)
