"""A registry that speaks OneRoster 1.2: the same rows by REST (rostering service, OAuth 2 client credentials) and as a
zip of CSV files. Written from https://www.imsglobal.org/spec/oneroster/v1p2."""

import base64
import csv
import io
import itertools
import re
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from tests.servers.rest import Asked, Faults, Reply, rest_server

CLIENT, SECRET = "rollcall", "oneroster-secret-55"
SERVICE = "/ims/oneroster/rostering/v1p2"
SCOPE = "https://purl.imsglobal.org/spec/or/v1p2/scope/roster.readonly"
LONG_AGO = "2026-01-01T00:00:00.000Z"
COLUMNS = {
    "orgs": "sourcedId,status,dateLastModified,name,type,identifier,parentSourcedId",
    "academicSessions": "sourcedId,status,dateLastModified,title,type,startDate,endDate,parentSourcedId,schoolYear",
    "courses": "sourcedId,status,dateLastModified,schoolYearSourcedId,title,courseCode,grades,orgSourcedId,subjects,"
    "subjectCodes",
    "classes": "sourcedId,status,dateLastModified,title,grades,courseSourcedId,classCode,classType,location,"
    "schoolSourcedId,termSourcedIds,subjects,subjectCodes,periods",
    "users": "sourcedId,status,dateLastModified,enabledUser,username,userIds,givenName,familyName,middleName,"
    "identifier,email,sms,phone,agentSourcedIds,grades,password,userMasterIdentifier,resourceSourcedIds,"
    "preferredGivenName,preferredMiddleName,preferredFamilyName,primaryOrgSourcedId,pronouns",
    "roles": "sourcedId,status,dateLastModified,userSourcedId,roleType,role,beginDate,endDate,orgSourcedId,"
    "userProfileSourcedId",
    "enrollments": "sourcedId,status,dateLastModified,classSourcedId,schoolSourcedId,userSourcedId,role,primary,"
    "beginDate,endDate",
}


@dataclass
class OneRosterSite:
    """What the registry holds: rows by the name of their file, with the columns of the CSV binding."""

    rows: dict[str, dict[str, dict[str, str]]] = field(default_factory=lambda: {name: {} for name in COLUMNS})
    secret: str = SECRET
    token_uses: int = 1_000_000  # after which a token has expired
    most_rows: int = 10_000  # in an answer
    says_total: bool = True
    faults: Faults = field(default_factory=Faults)
    asked: list[str] = field(default_factory=list)
    _tokens: dict[str, int] = field(default_factory=dict)
    _numbers: "itertools.count[int]" = field(default_factory=lambda: itertools.count(1))

    def __post_init__(self) -> None:
        self.put("orgs", "org-1", name="Test University", type="school", identifier="TU")

    def put(self, kind: str, pk: str, modified: str = LONG_AGO, **values: str) -> None:
        row = self.rows[kind].get(pk, {"status": "active"})
        self.rows[kind][pk] = row | {"sourcedId": pk, "dateLastModified": modified} | values

    def add_term(self, pk: str, title: str, first_day: str, last_day: str) -> None:
        self.put("academicSessions", pk, title=title, type="term", startDate=first_day, endDate=last_day)

    def add_class(self, pk: str, code: str, title: str, term: str) -> None:
        self.put("courses", f"course-{pk}", title=title, courseCode=code, orgSourcedId="org-1")
        values = {"courseSourcedId": f"course-{pk}", "classType": "scheduled", "schoolSourcedId": "org-1"}
        self.put("classes", pk, title=title, classCode=code, termSourcedIds=term, **values)

    def add_person(self, number: str, name: str, role: str = "student") -> str:
        first, _space, last = name.rpartition(" ")
        values = {"username": f"u{number}", "identifier": number, "email": f"u{number}@example.org"}
        self.put("users", f"user-{number}", enabledUser="true", givenName=first, familyName=last, **values)
        ids = {"userSourcedId": f"user-{number}", "orgSourcedId": "org-1"}
        self.put("roles", f"role-{number}", roleType="primary", role=role, **ids)
        return f"user-{number}"

    def enrol(self, person: str, of_class: str, role: str = "student", **values: str) -> str:
        pk = f"{person}@{of_class}"
        ids = {"userSourcedId": person, "classSourcedId": of_class, "schoolSourcedId": "org-1"}
        self.put("enrollments", pk, role=role, primary="true" if role == "teacher" else "false", **ids, **values)
        return pk

    def zip(self) -> bytes:
        """The export as CSV files."""
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
            properties = {"manifest.version": "1.0", "oneroster.version": "1.2"}
            properties |= {f"file.{name}": "bulk" for name in COLUMNS} | {"file.demographics": "absent"}
            archive.writestr("manifest.csv", _csv(["propertyName", "value"], list(properties.items())))
            for name, columns in COLUMNS.items():
                header = columns.split(",")
                rows = [[row.get(column, "") for column in header] for row in self.rows[name].values()]
                archive.writestr(f"{name}.csv", _csv(header, rows))
        return buffer.getvalue()

    def answer(self, asked: Asked) -> Reply:
        self.asked.append(f"{asked.method} {asked.path}")
        if asked.path == "/token":
            return self._token(asked)
        token = asked.headers.get("Authorization", "").removeprefix("Bearer ")
        if self._tokens.get(token, 0) < 1:
            return Reply(_problem("Unauthorized"), 401)
        self._tokens[token] -= 1
        found = re.fullmatch(SERVICE + "/(terms|academicSessions|courses|classes|users|enrollments|orgs)", asked.path)
        if not found:
            return Reply(_problem("unknownobject"), 404)
        kind = "academicSessions" if found[1] == "terms" else found[1]
        rows = list(self.rows[kind].values())
        if condition := asked.query.get("filter"):
            since = re.fullmatch(r"dateLastModified>'([^']+)'", condition)
            if not since:
                return Reply(_problem("invalid_filter_field"), 400)
            rows = [row for row in rows if row["dateLastModified"] > since[1]]
        offset, limit = int(asked.query.get("offset", 0)), min(int(asked.query.get("limit", 100)), self.most_rows)
        names = set(asked.query.get("fields", "").split(",")) - {""}
        page = [_as_object(kind, row) for row in rows[offset : offset + limit]]
        page = [{key: value for key, value in row.items() if not names or key in names} for row in page]
        return Reply({found[1]: page}, headers={"X-Total-Count": str(len(rows))} if self.says_total else {})

    def _token(self, asked: Asked) -> Reply:
        wanted = base64.b64encode(f"{CLIENT}:{self.secret}".encode()).decode()
        if asked.headers.get("Authorization") != f"Basic {wanted}":
            return Reply({"error": "invalid_client"}, 401)
        if asked.form.get("grant_type") != "client_credentials" or SCOPE not in asked.form.get("scope", ""):
            return Reply({"error": "invalid_scope"}, 400)
        token = f"token-{next(self._numbers)}"
        self._tokens[token] = self.token_uses
        return Reply({"access_token": token, "token_type": "bearer", "expires_in": 3600, "scope": SCOPE})


def _as_object(kind: str, row: dict[str, str]) -> dict[str, Any]:
    """A row in the JSON binding, where references are objects."""
    values: dict[str, Any] = {key: value for key, value in row.items() if not key.endswith(("SourcedId", "SourcedIds"))}
    for name in ("course", "school", "user", "class", "org"):
        if reference := row.get(f"{name}SourcedId"):
            values[name] = {"href": f"{SERVICE}/{name}/{reference}", "sourcedId": reference, "type": name}
    if kind == "classes":
        terms = row["termSourcedIds"].split(",")
        values["terms"] = [{"href": "", "sourcedId": term, "type": "academicSession"} for term in terms]
    return values


def _problem(code: str) -> dict[str, object]:
    return {"imsx_codeMajor": "failure", "imsx_severity": "error", "imsx_description": code}


def _csv(header: list[str], rows: Any) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\r\n").writerows([header, *rows])
    return text.getvalue()


@contextmanager
def oneroster(site: OneRosterSite) -> Iterator[str]:
    """The registry's address."""
    with rest_server(site.answer, site.faults) as address:
        yield address
