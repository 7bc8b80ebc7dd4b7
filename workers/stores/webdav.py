"""WebDAV."""

import ssl
from collections.abc import Iterator
from urllib.parse import quote

import httpx
import webdav4.client
from webdav4.fsspec import WebdavFileSystem

from campus.cctv.egress_policy import Address
from campus.cctv.models import Source
from workers.stores.base import CONNECT_SECONDS, READ_SECONDS, Entry, entry_from_info, is_plain_name, join_path
from workers.stores.errors import ErrorClass
from workers.stores.http_errors import classify_http_error, classify_httpx_error, classify_status
from workers.stores.login import HttpxLogin
from workers.stores.web import Web


class WebDav(Web):
    """WebDAV. Its lists have the size and time of each file; a file is read as from any web server."""

    def __init__(self, address: Address, source: Source, password: str, *, learn_host_key: bool = False) -> None:
        super().__init__(address, source, password)
        self.dav = WebdavFileSystem(
            self.root + "/",
            auth=HttpxLogin(source.username, password) if source.username else None,
            retry=False,
            timeout=httpx.Timeout(READ_SECONDS, connect=CONNECT_SECONDS),
            trust_env=False,
            verify=ssl.create_default_context(),
            skip_instance_cache=True,
        )

    def list_folder(self, folder: str) -> Iterator[Entry]:
        for info in self.dav.ls(quote(folder), detail=True):
            name = self.name_of(info)
            if is_plain_name(name):
                yield entry_from_info(join_path(folder, name), info)

    def stat(self, path: str) -> Entry:
        return entry_from_info(path, self.dav.info(quote(path)))

    def close(self) -> None:
        self.dav.client.http.close()
        super().close()

    @staticmethod
    def classify_error(error: BaseException) -> ErrorClass | None:
        if isinstance(error, webdav4.client.HTTPError):
            return classify_status(error.status_code)
        return classify_httpx_error(error) or classify_http_error(error)
