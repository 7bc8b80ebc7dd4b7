"""Web servers with a list of files."""

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
from workers.stores.base import CHUNK, CONNECT_SECONDS, READ_SECONDS, Found, Store, sound
from workers.stores.login import logins

LINK = re.compile(r"""\bhref=["']?([^"'<>\s]{1,2000})""", re.IGNORECASE)
MOST_PAGE = 4 * 1024 * 1024


class Web(Store):
    """A web server's list of files: links of an HTML page. Each file is asked for its size."""

    def __init__(self, address: Address, source: Source, password: str) -> None:
        fs = HTTPFileSystem(
            encoded=True,
            skip_instance_cache=True,
            use_listings_cache=False,
            ssl=ssl.create_default_context(),
            client_kwargs={
                "auto_decompress": False,
                "headers": {"Accept-Encoding": "identity", "User-Agent": "Rollcall"},
                "middlewares": logins(source.username, password) if source.username else (),
                "timeout": aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_SECONDS, sock_read=READ_SECONDS),
                "trust_env": False,
            },
        )
        super().__init__(fs, address.origin + quote(address.path))

    def name(self, path: str) -> str:
        return f"{self.root}/{quote(path)}"

    def entries(self, folder: str) -> Iterator[Found]:
        base = self.name(folder).rstrip("/") + "/"
        for url in self._links(base):
            last = unquote(url.removeprefix(base).rstrip("/"))
            # Links that lead up or away, or that sort the page ("?C=N;O=D"), are no files.
            if url.startswith(base) and sound(last) and not {"?", "#"} & set(url):
                yield Found(f"{folder}/{last}" if folder else last, url.endswith("/"))

    def _links(self, url: str) -> set[str]:
        """fsspec reads a page of any length, with expressions that a page can be written against."""
        page = bytearray()
        with self.fs.open(url, "rb", block_size=0) as file:
            while chunk := file.read(CHUNK):
                page += chunk
                if len(page) > MOST_PAGE:
                    raise UserError(
                        "The server's list of files is longer than any that is read. Narrow the address down to a folder."
                    )
        return {urljoin(url, unescape(link)) for link in LINK.findall(page.decode(errors="replace"))}

    def read(self, path: str, offset: int) -> Iterator[bytes]:
        with self.fs.open(
            self.name(path), "rb", block_size=0, headers={"Range": f"bytes={offset}-"} if offset else {}
        ) as file:
            partial = file.r.status == HTTPStatus.PARTIAL_CONTENT
            if partial and not file.r.headers.get("Content-Range", "").startswith(f"bytes {offset}-"):
                raise UserError("The server sent another part of the file than was asked for.")
            skip = 0 if partial else offset  # a server that knows no parts sends all of it
            while chunk := file.read(CHUNK):
                if rest := chunk[skip:]:
                    yield rest
                skip = max(0, skip - len(chunk))

    def close(self) -> None:
        if self.fs._session:
            self.fs.close_session(self.fs.loop, self.fs._session)
