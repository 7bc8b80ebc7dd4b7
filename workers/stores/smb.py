"""Windows shares."""

from collections.abc import Iterator

import smbclient
from fsspec.implementations.smb import SMBFileSystem

from campus.cctv.egress_policy import Address
from campus.cctv.models import Source
from workers.stores.base import CONNECT_SECONDS, Found, Store, Writing, moment, sound

SHARING_VIOLATION = 0xC0000043


class Smb(Store):
    """A Windows share: the first part of the path is the share's name."""

    # Others may read it and delete it meanwhile. Who writes into it, or would, is in the way.
    opening = {"share_access": "rd"}

    def __init__(self, address: Address, source: Source, password: str) -> None:
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
            self.close()  # else what is left of it would be used again
            raise
        super().__init__(fs, address.path)

    def entries(self, folder: str) -> Iterator[Found]:
        """All about a folder's files at once; fsspec asks for each."""
        for entry in smbclient.scandir(self._unc(folder), port=self.port):
            if sound(entry.name) and not entry.is_symlink():
                info = entry.smb_info
                yield Found(
                    f"{folder}/{entry.name}" if folder else entry.name,
                    entry.is_dir(),
                    info.end_of_file,
                    moment(info.last_write_time),
                )

    def read(self, path: str, offset: int) -> Iterator[bytes]:
        try:
            yield from super().read(path, offset)
        except OSError as error:
            if getattr(error, "ntstatus", None) == SHARING_VIOLATION:
                raise Writing("The file is still being written.") from error
            raise

    def _unc(self, path: str) -> str:
        return f"//{self.server}{self.name(path)}".replace("/", "\\")

    def close(self) -> None:
        smbclient.delete_session(self.server, port=self.port)
