"""What a platform offers to its tools: access tokens, members of courses (NRPS 2.0), and a gradebook (AGS 2.0)."""

import json
import re
from collections.abc import Iterator
from datetime import datetime
from typing import Any, Final
from urllib.parse import urlencode, urljoin, urlsplit, urlunsplit

import msgspec
from django.utils import timezone

from campus.common.errors import UserError
from campus.common.outgoing_http import Answer, OutgoingError
from campus.connections.adapters import MarkRefused
from campus.connections.json_requests import read_json
from campus.connections.lti.keys import sign
from campus.connections.lti.settings import hosts_of
from campus.connections.models import Connection
from campus.connections.quota import request

MEMBERS_SCOPE: Final = "https://purl.imsglobal.org/spec/lti-nrps/scope/contextmembership.readonly"
LINE_ITEM_SCOPE: Final = "https://purl.imsglobal.org/spec/lti-ags/scope/lineitem"
SCORE_SCOPE: Final = "https://purl.imsglobal.org/spec/lti-ags/scope/score"
RESULT_SCOPE: Final = "https://purl.imsglobal.org/spec/lti-ags/scope/result.readonly"
MARK_SCOPES: Final = (LINE_ITEM_SCOPE, SCORE_SCOPE, RESULT_SCOPE)

MEMBERS_TYPE: Final = "application/vnd.ims.lti-nrps.v2.membershipcontainer+json"
LINE_ITEM_TYPE: Final = "application/vnd.ims.lis.v2.lineitem+json"
LINE_ITEMS_TYPE: Final = "application/vnd.ims.lis.v2.lineitemcontainer+json"
SCORE_TYPE: Final = "application/vnd.ims.lis.v1.score+json"
RESULTS_TYPE: Final = "application/vnd.ims.lis.v2.resultcontainer+json"

RESOURCE_ID: Final = "rollcall-attendance"  # by which our line item is found again
MAX_SCORE: Final = 100
MAX_PAGES: Final = 1000
MAX_PAGE_BYTES: Final = 32 * 2**20
PAGE_MEMBERS: Final = 500
PASSING: Final = {408, 425, 429}
MAX_CLOCK_SECONDS: Final = 60
_NEXT: Final = re.compile(r'<([^>]+)>\s*;[^,]*rel="?next"?')


class Gone(UserError):
    """What is at this address was deleted there."""


class _Members(msgspec.Struct):
    members: list[dict[str, Any]]


class _LineItem(msgspec.Struct, rename="camel"):
    id: str = ""
    resource_id: str | None = None


class _Result(msgspec.Struct, rename="camel"):
    user_id: str = ""
    result_score: float | None = None
    result_maximum: float | None = None


class _Token(msgspec.Struct):
    access_token: str = ""
    error: str = ""
    error_description: str = ""


class PlatformSession:
    """Requests to one platform, with an access token for these scopes, which is fetched anew when it has expired.

    All methods raise OutgoingError where the platform can't be used now, and UserError where somebody has to change
    something.
    """

    def __init__(self, connection: Connection, *scopes: str) -> None:
        self._settings, self._scopes = connection.settings, scopes
        self._hosts = hosts_of(connection.settings)
        self._token = ""

    def members(self, url: str) -> Iterator[dict[str, Any]]:
        """All members of a course, page by page."""
        following = _with_query(url, limit=PAGE_MEMBERS)
        for _page in range(MAX_PAGES):
            answer = self.call("GET", following, accept=MEMBERS_TYPE)
            yield from read_json(following, answer, _Members).members
            found = _NEXT.search(answer.headers.get("link", ""))
            if not found:
                return
            following = urljoin(following, found[1])
        raise OutgoingError("The platform's roster does not end.", final=True)

    def is_line_item(self, url: str) -> bool:
        """Whether it is there still: people may delete it."""
        try:
            self.call("GET", url, accept=LINE_ITEM_TYPE)
        except Gone:
            return False
        return True

    def find_line_item(self, line_items: str, label: str) -> str:
        """The address of our line item among those of the course; it is made where there is none."""
        url = _with_query(line_items, resource_id=RESOURCE_ID)
        for item in read_json(url, self.call("GET", url, accept=LINE_ITEMS_TYPE), list[_LineItem]):
            if item.resource_id == RESOURCE_ID and item.id:
                return item.id
        body = {"label": label, "scoreMaximum": MAX_SCORE, "resourceId": RESOURCE_ID, "tag": "attendance"}
        made = self.call("POST", line_items, accept=LINE_ITEM_TYPE, content=LINE_ITEM_TYPE, body=body)
        item = read_json(line_items, made, _LineItem)
        if not item.id:
            raise UserError("The platform made a line item and did not give its address.")
        return item.id

    def put_score(self, line_item: str, *, user: str, score: tuple[str, str] | None, at: datetime) -> bool:
        """Have a score stand there, or none. False: the platform has a score with the same or a later time.

        Raises MarkRefused where it does not take this one.
        """
        body: dict[str, Any] = {
            "userId": user,
            "timestamp": at.isoformat(timespec="milliseconds"),
            "activityProgress": "Completed" if score else "Initialized",
            "gradingProgress": "FullyGraded" if score else "NotReady",
        }
        if score:
            body |= {"scoreGiven": float(score[0]), "scoreMaximum": float(score[1])}
        answer = self._send("POST", _below(line_item, "scores"), "*/*", SCORE_TYPE, body)
        if answer.status == 409:
            return False
        self._refuse(answer, line_item, MarkRefused)
        return True

    def result(self, line_item: str, *, user: str) -> tuple[float, float] | None:
        """The score that stands there, and its maximum; None for none."""
        url = _with_query(_below(line_item, "results"), user_id=user)
        for row in read_json(url, self.call("GET", url, accept=RESULTS_TYPE), list[_Result]):
            if row.user_id == user and row.result_score is not None:
                return row.result_score, row.result_maximum or MAX_SCORE
        return None

    def call(self, method: str, url: str, *, accept: str, content: str = "", body: object = None) -> Answer:
        """The answer to a request that has gone well."""
        answer = self._send(method, url, accept, content, body)
        self._refuse(answer, url, UserError)
        return answer

    def fetch_token(self) -> str:
        """A new access token (1EdTech Security Framework 1.0, section 4.1)."""
        url = self._settings["token_url"]
        client = self._settings["client_id"]
        audience = self._settings.get("token_audience") or url
        form = {
            "grant_type": "client_credentials",
            "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
            "client_assertion": sign({"iss": client, "sub": client, "aud": audience}),
            "scope": " ".join(self._scopes),
        }
        headers = {"Content-Type": "application/x-www-form-urlencoded", "Accept": "application/json"}
        answer = request("POST", url, headers=headers, body=urlencode(form).encode())
        _check_passing(answer, url)
        try:
            told = read_json(url, answer, _Token)
        except OutgoingError:  # a page for people, such as that of a wrong address
            told = _Token()
        if not told.access_token:
            raise _no_token(answer, (told.error_description or told.error)[:200])
        return told.access_token

    def _send(self, method: str, url: str, accept: str, content: str, body: object) -> Answer:
        host = urlsplit(url).netloc
        if host not in self._hosts:  # the token is for the platform alone
            raise UserError(
                "“{host}” is not among the hosts of this platform. Add it to them if it is.", host=host[:200]
            )
        fresh = not self._token
        self._token = self._token or self.fetch_token()
        for is_last in (fresh, True):
            headers = {"Authorization": f"Bearer {self._token}", "Accept": accept}
            if body is not None:
                headers["Content-Type"] = content
            answer = request(
                method,
                url,
                headers=headers,
                body=None if body is None else json.dumps(body).encode(),
                max_bytes=MAX_PAGE_BYTES,
            )
            if answer.status != 401 or is_last:
                break
            self._token = self.fetch_token()  # the one before has expired
        if answer.is_success and answer.body.lstrip()[:1] == b"<":
            raise OutgoingError(
                "“{host}” answered with a page for people in place of data. Compare the address; or it is under "
                "maintenance.",
                host=host,
            )
        return answer

    def _refuse(self, answer: Answer, url: str, error: type[UserError]) -> None:
        if answer.is_success:
            return
        _check_passing(answer, url)
        if answer.status == 401:
            self._token = ""
            raise UserError("The platform does not accept its own access token. Try again later.")
        if error is UserError and answer.status in (404, 410):
            raise Gone("What was at {url} is not there any more.", url=url[:200])
        raise error(
            "The platform refuses it ({status} {why}).",
            status=answer.status,
            why=" ".join(answer.body[:200].decode(errors="replace").split()),
        )


def _check_passing(answer: Answer, url: str) -> None:
    if answer.status >= 500 or answer.status in PASSING or 300 <= answer.status < 400:
        raise OutgoingError("“{host}” answered {status}.", host=urlsplit(url).netloc, status=answer.status)


def _no_token(answer: Answer, why: str) -> UserError:
    ahead = round((answer.date - timezone.now()).total_seconds()) if answer.date else 0
    if abs(ahead) > MAX_CLOCK_SECONDS:
        return UserError(
            "The platform gives no access token ({status} {why}). Its clock is {seconds} seconds ahead of this "
            "server's. Set both clocks by NTP.",
            status=answer.status,
            why=why,
            seconds=ahead,
        )
    return UserError(
        "The platform gives no access token ({status} {why}). Compare the client ID, the access token URL and "
        "the keyset there, and both clocks.",
        status=answer.status,
        why=why,
    )


def _below(url: str, name: str) -> str:
    """The address of a part of a line item, whose own address may have a query."""
    parts = urlsplit(url)
    return urlunsplit(parts._replace(path=f"{parts.path.rstrip('/')}/{name}"))


def _with_query(url: str, **values: object) -> str:
    return f"{url}{'&' if urlsplit(url).query else '?'}{urlencode(values)}"
