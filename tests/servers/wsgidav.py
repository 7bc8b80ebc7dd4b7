"""WsgiDAV on cheroot: a server that asks for Digest, as recorders of cameras do, once as list of links and once as
WebDAV.
"""

import json
import sys

from tests.servers.stores import FileServer


class DigestWeb(FileServer):
    """Its list of links; `DigestDav` is its WebDAV."""

    kind = "http"

    @property
    def address(self) -> str:
        return f"http://localhost:{self.port}/files"

    def command(self) -> list[str]:
        config = {
            "host": "127.0.0.1",
            "port": self.port,
            "server": "cheroot",
            "provider_mapping": {"/files": {"root": str(self.files), "readonly": True}},
            "http_authenticator": {"accept_basic": False, "accept_digest": True, "default_to_digest": True},
            "simple_dc": {"user_mapping": {"*": {self.username: {"password": self.password}}}},
        }
        (self.folder / "wsgidav.json").write_text(json.dumps(config))
        return [sys.executable, "-m", "wsgidav.server.server_cli", "--config", str(self.folder / "wsgidav.json")]


class DigestDav(DigestWeb):
    kind = "webdav"
