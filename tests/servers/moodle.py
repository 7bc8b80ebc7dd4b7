"""A Moodle with the activity Attendance, as far as its web services go: https://docs.moodle.org/dev/Web_services, and
mod_attendance's own functions."""

import itertools
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from tests.servers.rest import Asked, Faults, Reply, rest_server

TOKEN = "moodle-token-7f3a"
ACRONYMS = ("P", "L", "E", "A")


@dataclass
class MoodleSite:
    """What the site holds. `users` are enrolled in course 7, whose attendance activity is 3, if it is there."""

    users: list[dict[str, Any]] = field(default_factory=list)
    sessions: dict[int, dict[str, Any]] = field(default_factory=dict)
    logs: dict[tuple[int, int], int] = field(default_factory=dict)  # the status of a student in a session
    log_ids: dict[tuple[int, int], int] = field(default_factory=dict)
    token: str = TOKEN
    has_activity: bool = True
    acronyms: dict[int, tuple[str, ...]] = field(default_factory=lambda: {0: ACRONYMS})  # of each status set
    faults: Faults = field(default_factory=Faults)
    lose_answer_of: str = ""  # once
    called: list[str] = field(default_factory=list)
    queries: list[str] = field(default_factory=list)
    hidden: set[int] = field(default_factory=set)  # users whose details the token's owner may not see
    full_names: bool = True  # whether the token's owner may see first and last names
    shown: dict[tuple[int, int], int] | None = None  # what is read in place of `logs`: a copy that lags behind
    _ids: "itertools.count[int]" = field(default_factory=lambda: itertools.count(100))

    def add_student(self, number: str, name: str, **values: Any) -> int:
        first, _space, last = name.rpartition(" ")
        user: dict[str, Any] = {
            "id": next(self._ids),
            "username": f"u{number}",
            "firstname": first,
            "lastname": last,
            "fullname": name,
            "email": f"u{number}@example.org",
            "idnumber": number,
            "groups": [],
            "roles": [{"roleid": 5, "name": "", "shortname": "student", "sortorder": 0}],
        }
        self.users.append(user | values)
        return int(user["id"])

    def add_session(self, starts_at: int, duration: int = 5400, **values: Any) -> int:
        pk = next(self._ids)
        session: dict[str, Any] = {
            "id": pk,
            "attendanceid": 3,
            "groupid": 0,
            "sessdate": starts_at,
            "duration": duration,
        }
        session |= {"lasttaken": 0, "lasttakenby": 0, "timemodified": int(time.time()), "description": ""}
        session |= {"descriptionformat": 1, "studentscanmark": 0, "absenteereport": 1, "autoassignstatus": 0}
        session |= {"preventsharedip": 0, "preventsharediptime": 0, "statusset": 0, "includeqrcode": 0, "courseid": 7}
        self.sessions[pk] = session | values
        return pk

    def statuses(self, number: int) -> list[dict[str, Any]]:
        names = self.acronyms[number]
        return [
            {"id": 10 * (number + 1) + n, "attendanceid": 3, "acronym": acronym, "description": acronym}
            | {"grade": 2.0, "visible": 1, "deleted": 0, "setnumber": number}
            for n, acronym in enumerate(names)
        ]

    def marks(self) -> dict[str, str]:
        """The acronym that each student has, by the ID number; of all sessions together."""
        numbers = {user["id"]: user["idnumber"] for user in self.users}
        acronyms = {row["id"]: row["acronym"] for number in self.acronyms for row in self.statuses(number)}
        return {numbers[student]: acronyms[status] for (_session, student), status in sorted(self.logs.items())}

    def answer(self, asked: Asked) -> Reply:
        if asked.path != "/webservice/rest/server.php":
            return Reply(b"<html>Not found</html>", 404)
        self.queries.append("&".join(asked.query))
        values = dict(asked.query) | asked.form
        function = values.get("wsfunction", "")
        self.called.append(function)
        if values.get("wstoken") != self.token:
            return _exception("invalidtoken", "Invalid token - token not found", "moodle_exception")
        method = getattr(self, f"_{function}", None)
        if method is None:
            return _exception("accessexception", "Access control exception", "webservice_access_exception")
        if function == self.lose_answer_of:
            self.lose_answer_of, self.faults.lose = "", 1
        return Reply(method(values))

    def _core_webservice_get_site_info(self, _values: dict[str, str]) -> object:
        names = [name[1:] for name in dir(self) if re.match("_(core|mod)_", name)]
        functions = [{"name": name, "version": "2026041300"} for name in names]
        return {
            "sitename": "Test Moodle",
            "username": "rollcall",
            "userid": 2,
            "functions": functions,
            "release": "5.0",
        }

    def _core_enrol_get_enrolled_users(self, values: dict[str, str]) -> object:
        if values["courseid"] != "7":
            return _exception("invalidrecord", "Can't find data record in database table course.", "dml_exception").body
        options = {values[key]: values[key.replace("[name]", "[value]")] for key in values if key.endswith("[name]")}
        first = int(options.get("limitfrom", 0))
        page = self.users[first : first + int(options.get("limitnumber", 0) or len(self.users))]
        names = set(options["userfields"].split(",")) - (set() if self.full_names else {"firstname", "lastname"})
        return [{name: user[name] for name in names} for user in page if user["id"] not in self.hidden]

    def _core_course_get_contents(self, values: dict[str, str]) -> object:
        assert values["options[0][value]"] == "attendance"
        module = {"id": 30, "name": "Attendance", "instance": 3, "modname": "attendance", "modplural": "Attendances"}
        return [{"id": 1, "name": "General", "section": 0, "modules": [module] if self.has_activity else []}]

    def _mod_attendance_add_attendance(self, values: dict[str, str]) -> object:
        assert values["courseid"] == "7"
        assert not self.has_activity, "there is one already"
        self.has_activity = True
        return {"attendanceid": 3}

    def _mod_attendance_add_session(self, values: dict[str, str]) -> object:
        pk = self.add_session(int(values["sessiontime"]), int(values["duration"]), description=values["description"])
        return {"sessionid": pk}

    def _mod_attendance_get_sessions(self, values: dict[str, str]) -> object:
        return [
            self._mod_attendance_get_session({"sessionid": str(pk)})
            for pk, session in self.sessions.items()
            if str(session["attendanceid"]) == values["attendanceid"]
        ]

    def _mod_attendance_get_session(self, values: dict[str, str]) -> Any:
        session = self.sessions[int(values["sessionid"])]
        logs = [
            {"studentid": student, "statusid": str(status), "remarks": "", "id": str(self.log_ids[pk, student])}
            for (pk, student), status in (self.logs if self.shown is None else self.shown).items()
            if pk == session["id"]
        ]
        users = [{name: user[name] for name in ("id", "firstname", "lastname")} for user in self.users]
        statuses = self.statuses(session["statusset"])
        return session | {"statuses": statuses, "attendance_log": logs, "users": users}

    def _mod_attendance_update_user_status(self, values: dict[str, str]) -> object:
        session = self.sessions[int(values["sessionid"])]
        status = int(values["statusid"])
        allowed = {row["id"] for row in self.statuses(session["statusset"])}
        if int(values["statusset"]) != session["statusset"] or status not in allowed:
            return _exception("invalidparameter", "Invalid status", "invalid_parameter_exception").body
        key = session["id"], int(values["studentid"])
        self.logs[key] = status
        self.log_ids.setdefault(key, next(self._ids))
        session |= {"lasttaken": int(time.time()), "lasttakenby": int(values["takenbyid"])}
        return "OK"


def _exception(code: str, message: str, name: str) -> Reply:
    return Reply({"exception": name, "errorcode": code, "message": message})


@contextmanager
def moodle(site: MoodleSite) -> Iterator[str]:
    """The site's address."""
    with rest_server(site.answer, site.faults) as address:
        yield address
