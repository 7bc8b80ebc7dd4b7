"""WebDAV."""

import ssl
from collections.abc import Iterator
from urllib.parse import quote

import httpx
from webdav4.fsspec import WebdavFileSystem

from campus.cctv.egress_policy import Address
from campus.cctv.models import Source
from workers.stores.base import CONNECT_SECONDS, READ_SECONDS, Found, found, sound
from workers.stores.login import Login
from workers.stores.web import Web


class WebDav(Web):
    """WebDAV: its lists say all about a file, and it is read as any file of a web server."""

    def __init__(self, address: Address, source: Source, password: str) -> None:
        super().__init__(address, source, password)
        self.dav = WebdavFileSystem(
            self.root + "/",
            auth=Login(source.username, password) if source.username else None,
            retry=False,
            timeout=httpx.Timeout(READ_SECONDS, connect=CONNECT_SECONDS),
            trust_env=False,
            verify=ssl.create_default_context(),
            skip_instance_cache=True,
        )

    def entries(self, folder: str) -> Iterator[Found]:
        for info in self.dav.ls(quote(folder), detail=True):
            last = self.last_part(info)
            if sound(last):
                yield found(f"{folder}/{last}" if folder else last, info)

    def look_at(self, path: str) -> Found:
        return found(path, self.dav.info(quote(path)))

    def close(self) -> None:
        self.dav.client.http.close()
        super().close()
