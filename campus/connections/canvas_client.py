"""Canvas's REST API as far as it is about who is enrolled, and the marks of one assignment."""

import re
from collections.abc import Iterator
from typing import TypeVar
from urllib.parse import quote, urlencode, urljoin, urlsplit

import msgspec

from campus.common.outgoing_http import OutgoingError
from campus.connections.json_requests import ask, read_json

T = TypeVar("T")

PAGE_ROWS = 100  # the most that Canvas gives
MAX_PAGES = 1000
_NEXT = re.compile(r'<([^>]+)>\s*;\s*rel="next"')


class CanvasUser(msgspec.Struct):
    id: int
    name: str = ""
    sortable_name: str = ""
    sis_user_id: str | None = None
    login_id: str | None = None
    email: str | None = None


class CanvasEnrolment(msgspec.Struct):
    """A student in a section of a course there."""

    user: CanvasUser
    sis_section_id: str | None = None


class CanvasCourse(msgspec.Struct):
    id: int
    name: str = ""


class CanvasAssignment(msgspec.Struct):
    id: int
    name: str = ""
    grading_type: str = ""
    points_possible: float | None = None


class CanvasSubmission(msgspec.Struct):
    user_id: int
    score: float | None = None


class Canvas:
    """A Canvas site, by the access token of a user there. Every method raises OutgoingError."""

    def __init__(self, address: str, token: str) -> None:
        self._address = address.rstrip("/")
        self._headers = {"Authorization": f"Bearer {token}"}

    def user_name(self) -> str:
        """Whose token it is."""
        return self._one("GET", "users/self", CanvasUser).name

    def course(self, course: int) -> CanvasCourse:
        return self._one("GET", f"courses/{course}", CanvasCourse)

    def students(self, course: int) -> Iterator[CanvasEnrolment]:
        """The students who are actively enrolled; one who is in two sections comes twice."""
        values = {"type[]": "StudentEnrollment", "state[]": "active"}
        return self._all(f"courses/{course}/enrollments", list[CanvasEnrolment], values)

    def find_assignment(self, course: int, name: str) -> CanvasAssignment | None:
        """The first assignment of that very name."""
        found = self._all(f"courses/{course}/assignments", list[CanvasAssignment], {"search_term": name})
        return min((row for row in found if row.name == name), key=lambda row: row.id, default=None)

    def assignment(self, course: int, pk: int) -> CanvasAssignment:
        return self._one("GET", f"courses/{course}/assignments/{pk}", CanvasAssignment)

    def add_assignment(self, course: int, name: str) -> CanvasAssignment:
        """A new assignment of 100 points, shown in per cent, for which nothing is handed in."""
        values = {"name": name, "grading_type": "percent", "points_possible": 100, "published": "true"}
        form: dict[str, object] = {f"assignment[{key}]": value for key, value in values.items()}
        form["assignment[submission_types][]"] = "none"
        return self._one("POST", f"courses/{course}/assignments", CanvasAssignment, form)

    def scores(self, course: int, assignment: int) -> dict[int, float | None]:
        """The score of each student there, by the user's id."""
        rows = self._all(f"courses/{course}/assignments/{assignment}/submissions", list[CanvasSubmission], {})
        return {row.user_id: row.score for row in rows}

    def set_percent(self, course: int, assignment: int, user: int, percent: str) -> CanvasSubmission:
        """Write a student's mark, such as “87.5”, in place of the one that is there; "" takes it away."""
        form: dict[str, object] = {"submission[posted_grade]": f"{percent}%" if percent else ""}
        path = f"courses/{course}/assignments/{assignment}/submissions/{user}"
        return self._one("PUT", path, CanvasSubmission, form)

    def _one(self, method: str, path: str, kind: type[T], form: dict[str, object] | None = None) -> T:
        url = f"{self._address}/api/v1/{quote(path)}"
        return read_json(url, ask(method, url, headers=self._headers, form=form), kind)

    def _all(self, path: str, kind: type[list[T]], values: dict[str, str]) -> Iterator[T]:
        """All pages. The address of the next one is Canvas's own; the token goes to no other site."""
        url = f"{self._address}/api/v1/{quote(path)}?{urlencode({**values, 'per_page': PAGE_ROWS})}"
        for _number in range(MAX_PAGES):
            answer = ask("GET", url, headers=self._headers)
            yield from read_json(url, answer, kind)
            found = _NEXT.search(answer.headers.get("link", ""))
            if not found:
                return
            following = urljoin(url, found[1])
            if urlsplit(following)[:2] != urlsplit(url)[:2]:
                raise OutgoingError("“{host}” leads to another site.", host=urlsplit(url).hostname, final=True)
            url = following
        raise OutgoingError("The list of “{host}” does not end.", host=urlsplit(url).hostname, final=True)
