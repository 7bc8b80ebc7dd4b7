"""A registry's OneRoster 1.2 rostering service (REST, with OAuth 2 client credentials)."""

import base64
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import TypeVar
from urllib.parse import quote, urlencode

import msgspec
from django.utils import timezone

from campus.common.outgoing_http import OutgoingError
from campus.common.visible_text import remove_invisible
from campus.connections.json_requests import RefusedError, ask, read_json
from campus.connections.oneroster_contents import (
    MAX_ENTRIES,
    MAX_PROBLEMS,
    STUDENT_ROLES,
    TEACHER_ROLES,
    Registry,
    RegistryClass,
    RegistryEnrolment,
    RegistryPerson,
    RegistryTerm,
)
from recognition.messages import Message

SERVICE = "/ims/oneroster/rostering/v1p2"
SCOPE = (
    "https://purl.imsglobal.org/spec/or/v1p2/scope/roster-core.readonly "
    "https://purl.imsglobal.org/spec/or/v1p2/scope/roster.readonly"
)
PAGE_ROWS = 1000
MAX_TEXT_CHARACTERS = 1_000

RowT = TypeVar("RowT", bound="_Row")


class _Row(msgspec.Struct, kw_only=True, rename="camel"):
    sourced_id: str
    status: str = "active"


class _Reference(msgspec.Struct, rename="camel", frozen=True):
    sourced_id: str = ""


class _Session(_Row, kw_only=True, rename="camel"):
    title: str = ""
    start_date: str = ""
    end_date: str = ""


class _Course(_Row, kw_only=True, rename="camel"):
    title: str = ""
    course_code: str = ""


class _Class(_Row, kw_only=True, rename="camel"):
    title: str = ""
    class_code: str | None = None
    location: str | None = None
    course: _Reference = _Reference()
    terms: list[_Reference] = []


class _User(_Row, kw_only=True, rename="camel"):
    enabled_user: str | bool = "true"
    username: str | None = None
    identifier: str | None = None
    email: str | None = None
    given_name: str = ""
    family_name: str = ""


class _Enrolment(_Row, kw_only=True, rename="camel"):
    role: str = ""
    user: _Reference = _Reference()
    of_class: _Reference = msgspec.field(default=_Reference(), name="class")
    begin_date: str | None = None
    end_date: str | None = None


class _Token(msgspec.Struct):
    access_token: str


# The collections that are read, and what is asked of each row: no address, no phone, no password.
COLLECTIONS: dict[str, type[_Row]] = {
    "academicSessions": _Session,
    "courses": _Course,
    "classes": _Class,
    "users": _User,
    "enrollments": _Enrolment,
}


class OneRoster:
    """The service of a registry. `address` is that in front of /ims/oneroster/…, `token_url` where tokens are given.

    Every method raises OutgoingError.
    """

    def __init__(self, address: str, token_url: str, client: str, secret: str) -> None:
        self._address, self._token_url = address.rstrip("/") + SERVICE, token_url
        self._login = base64.b64encode(f"{quote(client, safe='')}:{quote(secret, safe='')}".encode()).decode()
        self._token = ""
        self.seconds_ahead = 0.0  # of the registry's clock, as it last was

    def has_changed(self, since: datetime) -> bool:
        """Whether any row has changed or is to be deleted since then, by the registry's clock."""
        condition = f"dateLastModified>'{since.astimezone(UTC):%Y-%m-%dT%H:%M:%S.000Z}'"
        return any(
            self._page(name, kind, {"filter": condition, "limit": 1, "offset": 0, "fields": "sourcedId,status"})[0]
            for name, kind in COLLECTIONS.items()
        )

    def registry(self) -> Registry:
        """All that the registry has."""
        found = Registry()
        for session in self._rows("academicSessions", _Session):
            first, last = _day(session.start_date, found), _last_day(session.end_date, found)
            if first and last:
                found.terms.append(RegistryTerm(session.sourced_id, _clean(session.title), first, last))
        courses = {row.sourced_id: row for row in self._rows("courses", _Course)}
        for row in self._rows("classes", _Class):
            course = courses.get(row.course.sourced_id)
            found.classes.append(
                RegistryClass(
                    row.sourced_id,
                    _clean(row.class_code or (course.course_code if course else "")),
                    _clean(row.title or (course.title if course else "")),
                    [term.sourced_id for term in row.terms],
                    _clean(row.location),
                )
            )
        for user in self._rows("users", _User):
            if str(user.enabled_user).lower() != "false":
                texts = (user.username, user.identifier, user.email, user.given_name, user.family_name)
                found.people.append(RegistryPerson(user.sourced_id, *map(_clean, texts)))
        for enrolment in self._rows("enrollments", _Enrolment):
            role = enrolment.role.lower()
            if role in STUDENT_ROLES | TEACHER_ROLES:
                found.enrolments.append(
                    RegistryEnrolment(
                        enrolment.user.sourced_id,
                        enrolment.of_class.sourced_id,
                        role in STUDENT_ROLES,
                        _day(enrolment.begin_date, found),
                        _last_day(enrolment.end_date, found),
                    )
                )
        return found

    def _rows(self, name: str, kind: type[RowT]) -> Iterator[RowT]:
        """The rows that are not to be deleted, page by page; a registry may give fewer at a time than it is asked for.

        Each page begins with the last row of the one before. Where it does not, rows have come and gone meanwhile, and
        others are given twice or never: an error, since whoever is missing would be taken off a roster.
        """
        seen: dict[str, None] = {}
        fields = ",".join(field.encode_name for field in msgspec.structs.fields(kind))
        last, n = "", 0
        total: int | None = None
        while n < MAX_ENTRIES:
            page, count = self._page(name, kind, {"limit": PAGE_ROWS, "offset": max(n - 1, 0), "fields": fields})
            if n and [row.sourced_id for row in page] == list(seen):
                return  # all again, by a registry that knows no offset
            goes_on = not n or (page and page.pop(0).sourced_id == last and count == total)
            if not goes_on or any(row.sourced_id in seen for row in page) or (not page and n < (count or 0)):
                raise OutgoingError("The registry's {name} have changed while they were read.", name=name)
            yield from (row for row in page if row.status.lower() != "tobedeleted")
            seen |= dict.fromkeys(row.sourced_id for row in page)
            n, total = n + len(page), count
            if not page or n == total:
                return
            last = page[-1].sourced_id
        raise OutgoingError("The registry has more than {n} {name}.", n=MAX_ENTRIES, name=name, final=True)

    def _page(self, name: str, kind: type[RowT], values: dict[str, object]) -> tuple[list[RowT], int | None]:
        """Rows, and how many there are in all, if the registry says so."""
        url = f"{self._address}/{name}?{urlencode(values)}"
        if not self._token:
            self._token = self._new_token()
        try:
            answer = ask("GET", url, headers={"Authorization": f"Bearer {self._token}"})
        except RefusedError as error:
            if error.status != 401:
                raise
            self._token = self._new_token()  # the one before has expired
            answer = ask("GET", url, headers={"Authorization": f"Bearer {self._token}"})
        if answer.date:
            self.seconds_ahead = (answer.date - timezone.now()).total_seconds()
        rows = read_json(url, answer, dict[str, msgspec.Raw]).get(name, msgspec.Raw(b"null"))
        total = answer.headers.get("x-total-count", "")
        found = read_json(url, replace(answer, body=bytes(rows)), list[kind])  # type: ignore[valid-type]
        return found, int(total) if total.isdecimal() else None

    def _new_token(self) -> str:
        form = {"grant_type": "client_credentials", "scope": SCOPE}
        answer = ask("POST", self._token_url, headers={"Authorization": f"Basic {self._login}"}, form=form)
        return read_json(self._token_url, answer, _Token).access_token


def _day(text: str | None, found: Registry) -> date | None:
    try:
        return date.fromisoformat(text[:10]) if text else None
    except ValueError:
        if len(found.problems) < MAX_PROBLEMS:
            found.problems.append(Message("“{text}” is not a date like 2026-09-30.", text=(text or "")[:40]))
        return None


def _last_day(text: str | None, found: Registry) -> date | None:
    """The standard names the day after the last one."""
    day = _day(text, found)
    return day - timedelta(days=1) if day and day > date.min else None


def _clean(text: str | None) -> str:
    return remove_invisible((text or "")[:MAX_TEXT_CHARACTERS])
