"""A registry's OneRoster 1.2 rostering service (REST, with OAuth 2 client credentials)."""

import base64
from collections.abc import Iterator
from datetime import date, datetime
from typing import TypeVar
from urllib.parse import quote, urlencode

import msgspec

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

    def has_changed(self, since: datetime) -> bool:
        """Whether any row has changed or is to be deleted since then."""
        condition = f"dateLastModified>'{since:%Y-%m-%dT%H:%M:%S.000Z}'"
        return any(
            self._page(name, kind, {"filter": condition, "limit": 1, "offset": 0, "fields": "sourcedId,status"})
            for name, kind in COLLECTIONS.items()
        )

    def registry(self) -> Registry:
        """All that the registry has."""
        found = Registry()
        for session in self._rows("academicSessions", _Session):
            first, last = _day(session.start_date, found), _day(session.end_date, found)
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
                        _day(enrolment.end_date, found),
                    )
                )
        return found

    def _rows(self, name: str, kind: type[RowT]) -> Iterator[RowT]:
        """The rows that are not to be deleted, page by page."""
        seen: set[str] = set()
        fields = ",".join(field.encode_name for field in msgspec.structs.fields(kind))
        for offset in range(0, MAX_ENTRIES, PAGE_ROWS):
            page = self._page(name, kind, {"limit": PAGE_ROWS, "offset": offset, "fields": fields})
            fresh = [row for row in page if row.sourced_id not in seen]
            seen.update(row.sourced_id for row in fresh)
            yield from (row for row in fresh if row.status.lower() != "tobedeleted")
            if len(page) < PAGE_ROWS or not fresh:
                return
        raise OutgoingError("The registry has more than {n} {name}.", n=MAX_ENTRIES, name=name, final=True)

    def _page(self, name: str, kind: type[RowT], values: dict[str, object]) -> list[RowT]:
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
        return read_json(url, answer, dict[str, list[kind]]).get(name, [])  # type: ignore[valid-type]

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


def _clean(text: str | None) -> str:
    return remove_invisible((text or "")[:MAX_TEXT_CHARACTERS])
