"""An OpenID provider on loopback that signs what the test says, wrong tokens too. It checks what is asked of it as a
provider does: the client's secret, PKCE, and that a code is used once.
"""

import base64
import json
import secrets
import ssl
import time
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

from joserfc import jwt
from joserfc.jwk import KeySet, RSAKey

CLIENT, SECRET = "rollcall", "a secret: of the client"


class OpenIDPeer:
    """`claims` are added to each ID token, and take the place of what is in it; None takes one out."""

    def __init__(self) -> None:
        self.issuer = ""
        self.keys = [RSAKey.generate_key(2048, {"kid": "first"})]
        self.published: list[RSAKey] = []  # instead of the newest key
        self.claims: dict[str, Any] = {}
        self.user_info: dict[str, Any] = {}
        self.clock = 0.0  # how far it is ahead
        self.requests: list[str] = []
        self.codes: dict[str, dict[str, str]] = {}
        self.algorithm = "RS256"
        self.metadata_changes: dict[str, Any] = {}

    def authorize(self, address: str) -> str:
        """The person signs in at this address; returns the one to which the browser is sent back."""
        wish = {name: values[0] for name, values in parse_qs(urlsplit(address).query).items()}
        assert (wish["response_type"], wish["code_challenge_method"]) == ("code", "S256")
        code = secrets.token_hex(8)
        self.codes[code] = wish
        return f"{wish['redirect_uri']}?{urlencode({'code': code, 'state': wish['state'], 'iss': self.issuer})}"

    def sign(self, claims: dict[str, Any], kind: str = "JWT") -> str:
        """A token with the newest key."""
        key, header = self.keys[-1], {"alg": self.algorithm, "typ": kind, "kid": self.keys[-1].kid}
        if self.algorithm == "none":
            parts = (base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=") for part in (header, claims))
            return b".".join((*parts, b"")).decode()
        return jwt.encode(header, claims, key)

    def id_token(self, nonce: str) -> str:
        now = time.time() + self.clock
        claims = {"iss": self.issuer, "aud": CLIENT, "sub": "s-1", "iat": now, "exp": now + 300, "nonce": nonce}
        merged = {**claims, "auth_time": int(now), **self.claims}
        return self.sign({name: value for name, value in merged.items() if value is not None})

    def logout_token(self, **changes: Any) -> str:
        """A logout token for the person, with what else is said."""
        claims = {
            "iss": self.issuer,
            "aud": CLIENT,
            "iat": time.time() + self.clock,
            "jti": secrets.token_hex(8),
            "events": {"http://schemas.openid.net/event/backchannel-logout": {}},
            **changes,
        }
        return self.sign({name: value for name, value in claims.items() if value is not None}, "logout+jwt")

    def answer(self, method: str, path: str, headers: Any, body: str) -> tuple[int, dict[str, Any]]:
        self.requests.append(path)
        if path == "/.well-known/openid-configuration":
            names = ("authorization", "token", "userinfo", "end_session")
            metadata = {f"{name}_endpoint": f"{self.issuer}/{name}" for name in names}
            known = {"issuer": self.issuer, "jwks_uri": f"{self.issuer}/jwks", "response_types_supported": ["code"]}
            merged = {**metadata, **known, "code_challenge_methods_supported": ["S256"], **self.metadata_changes}
            return 200, {name: value for name, value in merged.items() if value is not None}
        if path == "/jwks":
            return 200, dict(KeySet([*(self.published or self.keys[-1:])]).as_dict(private=False))
        if path == "/userinfo" and headers.get("Authorization") == "Bearer access":
            return 200, {"sub": self.claims.get("sub", "s-1"), **self.user_info}
        if path == "/token" and method == "POST":
            return self.exchange({name: values[0] for name, values in parse_qs(body).items()}, headers)
        return 404, {}

    def exchange(self, form: dict[str, str], headers: Any) -> tuple[int, dict[str, Any]]:
        pair = base64.b64decode(headers.get("Authorization", "Basic ").partition(" ")[2]).decode()
        if pair != "rollcall:a%20secret%3A%20of%20the%20client":
            return 401, {"error": "invalid_client"}
        wish = self.codes.pop(form["code"], None)
        digest = base64.urlsafe_b64encode(sha256(form.get("code_verifier", "").encode()).digest()).rstrip(b"=").decode()
        if wish is None or wish["code_challenge"] != digest or wish["redirect_uri"] != form["redirect_uri"]:
            return 400, {"error": "invalid_grant"}
        return 200, {"access_token": "access", "token_type": "Bearer", "id_token": self.id_token(wish["nonce"])}


@contextmanager
def openid_peer(certificate: tuple[Path, Path] | None = None) -> Iterator[OpenIDPeer]:
    """The provider, by https with a certificate (its file and that of its key), else by http."""
    peer = OpenIDPeer()

    class Handler(BaseHTTPRequestHandler):
        def handle_any(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", "0"))).decode()
            if urlsplit(self.path).path == "/authorization":
                self.send_back()
                return
            status, answer = peer.answer(self.command, urlsplit(self.path).path, self.headers, body)
            content = json.dumps(answer).encode()
            self.send_response_only(status)
            self.send_header("Date", self.date_time_string(int(time.time() + peer.clock)))
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def send_back(self) -> None:
            """Whoever comes with a browser is signed in at once."""
            self.send_response_only(302)
            self.send_header("Location", peer.authorize(self.path))
            self.end_headers()

        do_GET = do_POST = handle_any  # noqa: N815

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    if certificate:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*certificate)
        server.socket = context.wrap_socket(server.socket, server_side=True)
    peer.issuer = f"{'https' if certificate else 'http'}://localhost:{server.server_port}"
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield peer
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
