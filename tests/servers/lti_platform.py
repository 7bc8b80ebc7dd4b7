"""A learning platform with LTI 1.3 Advantage on loopback: logins, launches, access tokens, members (NRPS 2.0), and a
gradebook (AGS 2.0), after the published specifications. It can be away, slow, or forget the tokens that it gave.

`Lti1p3Platform` is the same with the keys, tokens and launches of the library lti1p3platform.
"""

import json
import secrets
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from html import escape
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlsplit

from joserfc import jwt
from joserfc.jwk import KeySet, RSAKey

CLAIM = "https://purl.imsglobal.org/spec/lti/claim/"
AGS_SCOPE = "https://purl.imsglobal.org/spec/lti-ags/scope/"
NRPS_SCOPE = "https://purl.imsglobal.org/spec/lti-nrps/scope/contextmembership.readonly"
MEMBERSHIP = "http://purl.imsglobal.org/vocab/lis/v2/membership#"
PAGE = 1000


@cache
def first_key() -> RSAKey:
    """That of all platforms, since making one takes a while."""
    return RSAKey.generate_key(2048, private=True, auto_kid=True)


@dataclass
class Platform:
    """One course of it, with its members by their ids. `scores` has what stands in each line item, by user; `posts`
    each score that was sent.
    """

    client_id: str = "rollcall"
    deployment: str = "1"
    context: str = "course-7"
    members: dict[str, dict[str, Any]] = field(default_factory=dict)
    line_items: dict[str, dict[str, Any]] = field(default_factory=dict)
    scores: dict[str, dict[str, dict[str, Any]]] = field(default_factory=dict)
    posts: list[dict[str, Any]] = field(default_factory=list)
    requests: Counter = field(default_factory=Counter)
    tool_keys: dict[str, Any] = field(default_factory=dict)
    registrations: list[dict[str, Any]] = field(default_factory=list)
    chosen: list[str] = field(default_factory=list)  # the answers to deep linking
    status: int = 0  # that every service answers with, such as 503
    pause: float = 0  # before each answer
    clock: float = 0  # seconds by which it is ahead
    scores_per_token: int = 0  # after so many, a token has expired
    lose_answers: bool = False  # to scores: they are kept, and the connection breaks
    port: int = 0

    def __post_init__(self) -> None:
        self.key = first_key()
        self.tokens: dict[str, tuple[set[str], int]] = {}
        self.used_assertions: set[str] = set()
        self.lock = threading.Lock()

    @property
    def issuer(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def settings(self) -> dict[str, Any]:
        """What a tool has to know."""
        return {
            "issuer": self.issuer,
            "client_id": self.client_id,
            "deployment_ids": [self.deployment],
            "auth_login_url": f"{self.issuer}/auth",
            "token_url": f"{self.issuer}/token",
            "jwks_url": f"{self.issuer}/jwks",
            "token_audience": "",
            "hosts": [],
            "number_from": "lis_person_sourcedid",
            "mark": "percent",
            "label": "Attendance",
        }

    def add_member(self, user: str, name: str, number: str, role: str = "Learner", **more: Any) -> None:
        given, _space, family = name.rpartition(" ")
        person = {"user_id": user, "name": name, "given_name": given, "family_name": family}
        roles = [MEMBERSHIP + role]
        self.members[user] = {**person, "lis_person_sourcedid": number, "roles": roles, "status": "Active", **more}

    # What is signed.

    def jwks(self) -> dict[str, Any]:
        return {"keys": [self.key.as_dict(private=False, use="sig", alg="RS256")]}

    def launch_claims(self, user: str, nonce: str, target: str, **claims: Any) -> dict[str, Any]:
        member, now = self.members[user], int(time.time() + self.clock)
        course = f"{self.issuer}/{self.context}"
        scopes = ["lineitem", "score", "result.readonly"]
        return {
            "iss": self.issuer,
            "aud": self.client_id,
            "sub": user,
            "nonce": nonce,
            "iat": now,
            "exp": now + 300,
            **{name: member[name] for name in ("name", "given_name", "family_name", "email") if name in member},
            f"{CLAIM}version": "1.3.0",
            f"{CLAIM}message_type": "LtiResourceLinkRequest",
            f"{CLAIM}deployment_id": self.deployment,
            f"{CLAIM}target_link_uri": target,
            f"{CLAIM}roles": member["roles"],
            f"{CLAIM}context": {"id": self.context, "label": "CS 101", "title": "Programming"},
            f"{CLAIM}resource_link": {"id": "link-1"},
            f"{CLAIM}lis": {"person_sourcedid": member["lis_person_sourcedid"]},
            "https://purl.imsglobal.org/spec/lti-nrps/claim/namesroleservice": {
                "context_memberships_url": f"{course}/members",
                "service_versions": ["2.0"],
            },
            "https://purl.imsglobal.org/spec/lti-ags/claim/endpoint": {
                "scope": [AGS_SCOPE + name for name in scopes],
                "lineitems": f"{course}/lineitems?type=7",
            },
            **claims,
        }

    def sign(self, claims: dict[str, Any]) -> str:
        return jwt.encode({"alg": "RS256", "kid": self.key.kid}, claims, self.key)

    def check_assertion(self, form: dict[str, str]) -> str:
        """The error in a request for a token; "" for none."""
        try:
            claims = jwt.decode(form["client_assertion"], KeySet.import_key_set(self.tool_keys)).claims  # type: ignore[arg-type]
        except Exception as error:
            return type(error).__name__
        now = time.time() + self.clock
        if claims["jti"] in self.used_assertions:
            return "jti used"
        self.used_assertions.add(claims["jti"])
        is_own = claims["iss"] == claims["sub"] == self.client_id and claims["aud"] == f"{self.issuer}/token"
        return "" if is_own and claims["iat"] - 30 <= now <= claims["exp"] + 30 else "claims"

    def make_token(self, scope: str) -> str:
        token = secrets.token_urlsafe(16)
        self.tokens[token] = (set(scope.split()), 0)
        return token

    def may(self, token: str, scope: str) -> bool:
        scopes, used = self.tokens.get(token, (set(), 0))
        if self.scores_per_token and used >= self.scores_per_token:
            return False
        self.tokens[token] = (scopes, used + 1)
        return scope in scopes

    # What is asked for.

    def answer(self, handler: BaseHTTPRequestHandler, body: bytes) -> None:
        parts = urlsplit(handler.path)
        query = {name: values[0] for name, values in parse_qs(parts.query).items()}
        with self.lock:
            self.requests[f"{handler.command} {parts.path}"] += 1
        time.sleep(self.pause)
        match parts.path.strip("/").split("/"):
            case ["jwks"]:
                send_answer(handler, 200, self.jwks())
            case ["auth"]:
                self._authenticate(handler, query)
            case ["launch-link"]:
                send_answer(
                    handler, 200, f'<p><a href="{escape(query["to"])}" target="_blank">Rollcall</a></p>', "text/html"
                )
            case ["chosen"]:
                self.chosen.append(dict(parse_qsl(body.decode()))["JWT"])
                send_answer(handler, 200, "<p>The link is there.</p>", "text/html")
            case [".well-known", "openid-configuration"]:
                send_answer(handler, 200, self._configuration())
            case ["register"]:
                self._register(handler, json.loads(body))
            case _ if self.status:
                send_answer(handler, self.status, {"error": "away"})
            case ["token"]:
                self._token(handler, dict(parse_qsl(body.decode())))
            case [self.context, "members"]:
                self._members(handler, int(query.get("page", 0)))
            case [self.context, "lineitems"]:
                self._line_items(handler, query, body)
            case [self.context, "lineitems", item]:
                self._one_line_item(handler, item)
            case [self.context, "lineitems", item, "scores"]:
                self._score(handler, item, json.loads(body))
            case [self.context, "lineitems", item, "results"]:
                self._results(handler, item, query)
            case _:
                send_answer(handler, 404, {})

    def _authenticate(self, handler: BaseHTTPRequestHandler, query: dict[str, str]) -> None:
        """The form that the browser sends to the tool."""
        hint = dict(parse_qsl(query.get("lti_message_hint", "")))
        claims = self.launch_claims(query["login_hint"], query["nonce"], hint.get("target", query["redirect_uri"]))
        if hint.get("deep") == "yes":
            claims[f"{CLAIM}message_type"] = "LtiDeepLinkingRequest"
            claims["https://purl.imsglobal.org/spec/lti-dl/claim/deep_linking_settings"] = {
                "deep_link_return_url": f"{self.issuer}/chosen",
                "accept_types": ["ltiResourceLink"],
                "accept_presentation_document_targets": ["window"],
                "data": "kept",
            }
        fields = {"id_token": self.sign(claims), "state": query["state"]}
        inputs = "".join(f'<input name="{name}" value="{escape(value)}">' for name, value in fields.items())
        form = f'<form method="post" action="{escape(query["redirect_uri"])}">{inputs}<button>Go on</button></form>'
        send_answer(handler, 200, form, "text/html")

    def _configuration(self) -> dict[str, Any]:
        return {
            "issuer": self.issuer,
            "authorization_endpoint": f"{self.issuer}/auth",
            "token_endpoint": f"{self.issuer}/token",
            "jwks_uri": f"{self.issuer}/jwks",
            "registration_endpoint": f"{self.issuer}/register",
            "https://purl.imsglobal.org/spec/lti-platform-configuration": {"product_family_code": "testlms"},
        }

    def _register(self, handler: BaseHTTPRequestHandler, tool: dict[str, Any]) -> None:
        if handler.headers["Authorization"] != "Bearer registration-token":
            return send_answer(handler, 401, {})
        self.registrations.append(tool)
        configuration = "https://purl.imsglobal.org/spec/lti-tool-configuration"
        told = {**tool, "client_id": self.client_id}
        told[configuration] = {**tool[configuration], "deployment_id": self.deployment}
        return send_answer(handler, 200, told)

    def _token(self, handler: BaseHTTPRequestHandler, form: dict[str, str]) -> None:
        if form["grant_type"] != "client_credentials" or (error := self.check_assertion(form)):
            return send_answer(handler, 400, {"error": "invalid_client", "error_description": error})
        token = self.make_token(form["scope"])
        return send_answer(handler, 200, {"access_token": token, "token_type": "bearer", "expires_in": 3600})

    def _is_allowed(self, handler: BaseHTTPRequestHandler, scope: str) -> bool:
        token = handler.headers["Authorization"].removeprefix("Bearer ")
        with self.lock:
            if self.may(token, scope):
                return True
        send_answer(handler, 401, {"error": "invalid_token"})
        return False

    def _members(self, handler: BaseHTTPRequestHandler, page: int) -> None:
        if not self._is_allowed(handler, NRPS_SCOPE):
            return
        rows = list(self.members.values())
        url = f"{self.issuer}/{self.context}/members"
        link = f'<{url}?page={page + 1}>; rel="next"' if len(rows) > (page + 1) * PAGE else ""
        content = "application/vnd.ims.lti-nrps.v2.membershipcontainer+json"
        body = {"id": url, "context": {"id": self.context}, "members": rows[page * PAGE : (page + 1) * PAGE]}
        send_answer(handler, 200, body, content, Link=link)

    def _line_items(self, handler: BaseHTTPRequestHandler, query: dict[str, str], body: bytes) -> None:
        if not self._is_allowed(handler, f"{AGS_SCOPE}lineitem"):
            return None
        if handler.command == "GET":
            wanted = query.get("resource_id")
            found = [item for item in self.line_items.values() if wanted in (None, item.get("resourceId"))]
            return send_answer(handler, 200, found)
        with self.lock:
            number = f"item-{len(self.scores) + 1}"
            self.scores[number] = {}
            address = f"{self.issuer}/{self.context}/lineitems/{number}?type=7"
            self.line_items[number] = {**json.loads(body), "id": address}
        return send_answer(handler, 201, self.line_items[number])

    def _one_line_item(self, handler: BaseHTTPRequestHandler, item: str) -> None:
        if self._is_allowed(handler, f"{AGS_SCOPE}lineitem"):
            found = self.line_items.get(item)
            send_answer(handler, 200 if found else 404, found or {})

    def _score(self, handler: BaseHTTPRequestHandler, item: str, score: dict[str, Any]) -> None:
        if not self._is_allowed(handler, f"{AGS_SCOPE}score"):
            return None
        assert handler.headers["Content-Type"] == "application/vnd.ims.lis.v1.score+json"
        if item not in self.line_items:
            return send_answer(handler, 404, {})
        if score["userId"] not in self.members:
            return send_answer(handler, 422, {"error": "no such user"})
        with self.lock:
            stands = self.scores[item].get(score["userId"])
            if stands and datetime.fromisoformat(score["timestamp"]) < datetime.fromisoformat(stands["timestamp"]):
                return send_answer(handler, 409, {"error": "older"})
            self.scores[item][score["userId"]] = score
            self.posts.append(score)
        if self.lose_answers:
            handler.connection.close()
            return None
        return send_answer(handler, 200, {})

    def _results(self, handler: BaseHTTPRequestHandler, item: str, query: dict[str, str]) -> None:
        if not self._is_allowed(handler, f"{AGS_SCOPE}result.readonly"):
            return
        wanted = query.get("user_id")
        rows = []
        for user, score in self.scores[item].items():
            if wanted in (None, user):
                given = {"resultScore": score.get("scoreGiven"), "resultMaximum": score.get("scoreMaximum")}
                rows.append({"userId": user, **{name: value for name, value in given.items() if value is not None}})
        send_answer(handler, 200, rows)

    def marks(self) -> dict[str, float]:
        """What stands in the only line item, in per cent, by user."""
        [scores] = self.scores.values()
        return {
            user: round(100 * score["scoreGiven"] / score["scoreMaximum"], 1)
            for user, score in scores.items()
            if "scoreGiven" in score
        }


def send_answer(
    handler: BaseHTTPRequestHandler, status: int, body: Any, content: str = "application/json", **headers: str
) -> None:
    data = body.encode() if isinstance(body, str) else json.dumps(body).encode()
    handler.send_response(status)
    handler.send_header("Content-Type", content)
    handler.send_header("Content-Length", str(len(data)))
    for name, value in headers.items():
        if value:
            handler.send_header(name, value)
    handler.end_headers()
    handler.wfile.write(data)


@contextmanager
def lti_platform(platform: Platform, port: int = 0) -> Iterator[Platform]:
    """The platform, while it answers on a port of loopback."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"] or 0))
            with suppress(OSError):
                platform.answer(self, body)

        do_POST = do_GET  # noqa: N815

        def date_time_string(self, timestamp: float | None = None) -> str:
            return super().date_time_string(time.time() + platform.clock)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
    server.daemon_threads = True
    platform.port = server.server_port
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield platform
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
