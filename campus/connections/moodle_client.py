"""Moodle's web services as far as they are about attendance (mod_attendance) and who is enrolled."""

from collections.abc import Iterator
from typing import Any, TypeVar
from urllib.parse import urlsplit

import msgspec

from campus.common.outgoing_http import OutgoingError
from campus.connections.json_requests import ask, read_json

T = TypeVar("T")

PATH = "/webservice/rest/server.php"
FUNCTIONS = (
    "core_webservice_get_site_info",
    "core_enrol_get_enrolled_users",
    "core_course_get_contents",
    "mod_attendance_add_attendance",
    "mod_attendance_get_sessions",
    "mod_attendance_get_session",
    "mod_attendance_add_session",
    "mod_attendance_update_user_status",
)
PAGE_USERS = 1000
MAX_USERS = 100_000
USER_FIELDS = "id,username,firstname,lastname,fullname,idnumber,email,roles"
# Errors of Moodle's web services that no other try changes.
TOKEN_ERRORS = {"invalidtoken", "invalidtimedtoken"}
FINAL_ERRORS = TOKEN_ERRORS | {
    "accessexception",
    "nopermissions",
    "invalidrecord",
    "invalidparameter",
    "servicenotavailable",
}


class _Fault(msgspec.Struct):
    exception: str = ""
    errorcode: str = ""
    message: str = ""


class MoodleRole(msgspec.Struct):
    shortname: str = ""


class MoodleUser(msgspec.Struct):
    """Somebody enrolled in a course there. First and last name are for those who may see full names."""

    id: int
    fullname: str = ""
    firstname: str = ""
    lastname: str = ""
    username: str = ""
    idnumber: str = ""
    email: str = ""
    roles: list[MoodleRole] = []

    @property
    def is_student(self) -> bool:
        return any(role.shortname == "student" for role in self.roles)


class MoodleStatus(msgspec.Struct):
    id: int
    acronym: str
    description: str = ""
    visible: int = 1
    deleted: int = 0


class MoodleLog(msgspec.Struct):
    studentid: int
    statusid: int


class MoodleSession(msgspec.Struct):
    """A session of an attendance activity: `sessdate` and `duration` are in seconds; `users` are those on its list."""

    id: int
    sessdate: int
    duration: int
    groupid: int = 0
    statusset: int = 0
    statuses: list[MoodleStatus] = []
    attendance_log: list[MoodleLog] = []
    users: list[MoodleUser] = []

    def status_of(self, acronym: str) -> MoodleStatus | None:
        """The status of the session's set with this acronym."""
        usable = (status for status in self.statuses if not status.deleted)
        return next((status for status in usable if status.acronym.casefold() == acronym.casefold()), None)


class MoodleFunction(msgspec.Struct):
    name: str


class MoodleSite(msgspec.Struct):
    """Who the token is of, and what it may call."""

    sitename: str
    userid: int
    release: str = ""
    functions: list[MoodleFunction] = []

    @property
    def missing_functions(self) -> list[str]:
        return sorted(set(FUNCTIONS) - {function.name for function in self.functions})


class _Session(msgspec.Struct):
    sessionid: int


class _Activity(msgspec.Struct):
    attendanceid: int


class _Module(msgspec.Struct):
    modname: str
    instance: int = 0


class _Section(msgspec.Struct):
    modules: list[_Module] = []


class Moodle:
    """A Moodle site, by the token of a user there. Every method raises OutgoingError. The token is in the body of each
    request, so that no log of addresses has it.
    """

    def __init__(self, address: str, token: str) -> None:
        self._url, self._token = address.rstrip("/") + PATH, token

    def site(self) -> MoodleSite:
        return self._call("core_webservice_get_site_info", MoodleSite)

    def enrolled_users(self, course: int) -> Iterator[MoodleUser]:
        """All who are actively enrolled in a course, page by page in the order of their ids.

        A page has fewer than were asked for where the token's owner may not see some of them. A full one begins the
        next with its last: if it does not, somebody came or left meanwhile, and somebody else was passed over.
        """
        first = 0
        last: int | None = None
        while first < MAX_USERS:
            users = self._users(course, first)
            if last is not None and (not users or users.pop(0).id != last):
                raise OutgoingError(
                    "The course's list in “{host}” has changed while it was read. It is read again later.",
                    host=urlsplit(self._url).hostname,
                )
            if not users:
                return
            yield from users
            is_full = len(users) == PAGE_USERS - (last is not None)
            first, last = first + PAGE_USERS - is_full, users[-1].id if is_full else None
        raise OutgoingError("The course has more than {n} people.", n=MAX_USERS, final=True)

    def _users(self, course: int, first: int) -> list[MoodleUser]:
        options: dict[str, object] = {"onlyactive": 1, "limitfrom": first, "limitnumber": PAGE_USERS}
        options |= {"sortby": "id", "userfields": USER_FIELDS}
        values: dict[str, object] = {"courseid": course}
        for number, (name, value) in enumerate(options.items()):
            values |= {f"options[{number}][name]": name, f"options[{number}][value]": value}
        return self._call("core_enrol_get_enrolled_users", list[MoodleUser], **values)

    def first_activity(self, course: int) -> int | None:
        """The id of the course's first attendance activity; None without one."""
        values: dict[str, object] = {"courseid": course}
        values |= {"options[0][name]": "modname", "options[0][value]": "attendance"}
        sections = self._call("core_course_get_contents", list[_Section], **values)
        modules = (module for section in sections for module in section.modules)
        return next((module.instance for module in modules if module.modname == "attendance"), None)

    def add_activity(self, course: int, name: str) -> int:
        """The id of a new attendance activity, which Moodle gives its default statuses."""
        values: dict[str, object] = {"courseid": course, "name": name, "intro": "", "groupmode": 0}
        return self._call("mod_attendance_add_attendance", _Activity, **values).attendanceid

    def sessions(self, attendance: int) -> list[MoodleSession]:
        """The sessions of an attendance activity."""
        return self._call("mod_attendance_get_sessions", list[MoodleSession], attendanceid=attendance)

    def session(self, pk: int) -> MoodleSession:
        return self._call("mod_attendance_get_session", MoodleSession, sessionid=pk)

    def add_session(self, attendance: int, *, starts_at: int, seconds: int, description: str) -> int:
        """The id of a new session for all groups, which is in no calendar of Moodle's."""
        values: dict[str, object] = {"attendanceid": attendance, "description": description, "sessiontime": starts_at}
        values |= {"duration": seconds, "groupid": 0, "addcalendarevent": 0}
        return self._call("mod_attendance_add_session", _Session, **values).sessionid

    def set_status(self, session: MoodleSession, student: int, status: MoodleStatus, taken_by: int) -> None:
        """Write the status of a student, in place of the one that is there."""
        values: dict[str, object] = {"sessionid": session.id, "studentid": student, "takenbyid": taken_by}
        values |= {"statusid": status.id, "statusset": session.statusset}
        self._call("mod_attendance_update_user_status", Any, **values)

    def _call(self, function: str, kind: type[T], **values: object) -> T:
        form = {"wstoken": self._token, "wsfunction": function, "moodlewsrestformat": "json", **values}
        answer = ask("POST", self._url, form=form)
        if answer.body.lstrip()[:1] == b"{":
            fault = read_json(self._url, answer, _Fault)
            if fault.exception or fault.errorcode:
                raise _error(self._url, function, fault)
        return read_json(self._url, answer, kind)


def _error(url: str, function: str, fault: _Fault) -> OutgoingError:
    host = urlsplit(url).hostname
    if fault.errorcode in TOKEN_ERRORS:
        return OutgoingError(
            "“{host}” does not accept the token: it is wrong, has expired or was withdrawn. Make a new one in Moodle, "
            "and enter it.",
            host=host,
            final=True,
        )
    if fault.errorcode == "accessexception":
        return OutgoingError(
            "“{host}” does not allow {function}. Add it to the external service in Moodle.",
            host=host,
            function=function,
            final=True,
        )
    return OutgoingError(
        "“{host}” refused {function}: {why}",
        host=host,
        function=function,
        why=fault.message[:200] or fault.errorcode[:60],
        final=fault.errorcode in FINAL_ERRORS,
    )
