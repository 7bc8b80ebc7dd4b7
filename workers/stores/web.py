"""Web servers that list their files."""

import re
import ssl
from collections.abc import Iterator
from html import unescape
from http import HTTPStatus
from urllib.parse import quote, unquote, urljoin

import aiohttp
from fsspec.implementations.http import HTTPFileSystem

from campus.cctv.egress_policy import Address
from campus.cctv.models import Source
from campus.common.errors import UserError
from workers.stores.base import CHUNK_BYTES, CONNECT_SECONDS, READ_SECONDS, Entry, Store, is_plain_name, join_path
from workers.stores.errors import ErrorClass
from workers.stores.http_errors import classify_http_error
from workers.stores.login import aiohttp_middlewares

LINK = re.compile(r"""\bhref=["']?([^"'<>\s]{1,2000})""", re.IGNORECASE)
MAX_PAGE_BYTES = 4 * 1024 * 1024


class Web(Store):
    """A web server that lists its files: the links of an HTML page. The size of each file takes a request."""

    def __init__(self, address: Address, source: Source, password: str, *, learn_host_key: bool = False) -> None:
        fs = HTTPFileSystem(
            encoded=True,
            skip_instance_cache=True,
            use_listings_cache=False,
            ssl=ssl.create_default_context(),
            client_kwargs={
                "auto_decompress": False,
                "headers": {"Accept-Encoding": "identity", "User-Agent": "Rollcall"},
                "middlewares": aiohttp_middlewares(source.username, password) if source.username else (),
                "timeout": aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_SECONDS, sock_read=READ_SECONDS),
                "trust_env": False,
            },
        )
        self.fs, self.root = fs, (address.origin + quote(address.path)).rstrip("/")

    def full_path(self, path: str) -> str:
        return f"{self.root}/{quote(path)}"

    def list_folder(self, folder: str) -> Iterator[Entry]:
        base = self.full_path(folder).rstrip("/") + "/"
        for url in self._links(base):
            name = unquote(url.removeprefix(base).rstrip("/"))
            # Links to other folders or servers, or that sort the list ("?C=N;O=D"), are not files.
            if url.startswith(base) and is_plain_name(name) and not {"?", "#"} & set(url):
                yield Entry(path=join_path(folder, name), is_folder=url.endswith("/"))

    def _links(self, url: str) -> set[str]:
        """The links of a page. fsspec would read a page of any size, with patterns that a hostile page makes slow."""
        page = bytearray()
        with self.fs.open(url, "rb", block_size=0) as file:
            while chunk := file.read(CHUNK_BYTES):
                page += chunk
                if len(page) > MAX_PAGE_BYTES:
                    raise UserError(
                        "The server's list of files is too long to be read. Narrow the address down to a folder."
                    )
        return {urljoin(url, unescape(link)) for link in LINK.findall(page.decode(errors="replace"))}

    def read(self, path: str, offset: int) -> Iterator[bytes]:
        headers = {"Range": f"bytes={offset}-"} if offset else {}
        with self.fs.open(self.full_path(path), "rb", block_size=0, headers=headers) as file:
            is_partial = file.r.status == HTTPStatus.PARTIAL_CONTENT
            if is_partial and not file.r.headers.get("Content-Range", "").startswith(f"bytes {offset}-"):
                raise UserError("The server sent another part of the file than was asked for.")
            skipped_bytes = 0 if is_partial else offset  # a server without range requests sends the whole file
            while chunk := file.read(CHUNK_BYTES):
                if rest := chunk[skipped_bytes:]:
                    yield rest
                skipped_bytes = max(0, skipped_bytes - len(chunk))

    def close(self) -> None:
        if self.fs._session:
            self.fs.close_session(self.fs.loop, self.fs._session)

    @staticmethod
    def classify_error(error: BaseException) -> ErrorClass | None:
        return classify_http_error(error)
