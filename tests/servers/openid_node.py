"""oidc-provider, a certified OpenID provider on Node.js. `npm ci` in its folder installs it."""

import json
from pathlib import Path
from typing import Any

from tests.servers.stores import FileServer, needed

FOLDER = Path(__file__).parent / "openid_provider"


class NodeOpenIDProvider(FileServer):
    """It knows one client, which is registered with it as OpenID Connect Dynamic Client Registration has it."""

    def __init__(self, folder: Path, client: dict[str, Any]) -> None:
        super().__init__(folder)
        self.client = client
        self.issuer = f"http://localhost:{self.port}"

    def command(self) -> list[str]:
        # Its own Node.js: Debian's may be too old for it.
        node = needed(str(FOLDER / "node_modules" / ".bin" / "node"), f"npm ci in {FOLDER.name}")
        return [node, str(FOLDER / "server.js"), str(self.port), json.dumps(self.client)]
