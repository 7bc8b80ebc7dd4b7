"""A Canvas, as far as its REST API for enrolments, assignments and marks goes:
https://developerdocs.instructure.com/services/canvas."""

import itertools
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from tests.servers.rest import Asked, Faults, Reply, rest_server

TOKEN = "canvas~token-91bc"


@dataclass
class CanvasSite:
    """What the site holds of its one course, 42."""

    users: list[dict[str, Any]] = field(default_factory=list)
    assignments: dict[int, dict[str, Any]] = field(default_factory=dict)
    scores: dict[tuple[int, int], float | None] = field(default_factory=dict)  # by assignment and user
    token: str = TOKEN
    limited: int = 0  # so many requests are above the rate
    lose_new_assignment: bool = False
    faults: Faults = field(default_factory=Faults)
    asked: list[str] = field(default_factory=list)
    address: str = ""
    _ids: "itertools.count[int]" = field(default_factory=lambda: itertools.count(100))

    def add_student(self, number: str, name: str, **values: Any) -> int:
        first, _space, last = name.rpartition(" ")
        user: dict[str, Any] = {
            "id": next(self._ids),
            "name": name,
            "sortable_name": f"{last}, {first}",
            "short_name": name,
            "sis_user_id": number,
            "login_id": f"u{number}",
            "email": f"u{number}@example.org",
        }
        self.users.append(user | values)
        return int(user["id"])

    def marks(self) -> dict[str, float | None]:
        """The score of each student, by the SIS id."""
        numbers = {user["id"]: user["sis_user_id"] for user in self.users}
        return {numbers[user]: score for (_assignment, user), score in sorted(self.scores.items())}

    def answer(self, asked: Asked) -> Reply:
        self.asked.append(f"{asked.method} {asked.path}")
        if asked.headers.get("Authorization") != f"Bearer {self.token}":
            return Reply({"errors": [{"message": "Invalid access token."}]}, 401)
        if self.limited:
            self.limited -= 1
            return Reply(b"403 Forbidden (Rate Limit Exceeded)", 403, {"X-Rate-Limit-Remaining": "0.0"})
        if asked.path == "/api/v1/users/self":
            return Reply({"id": 1, "name": "Rollcall", "sortable_name": "Rollcall"})
        if asked.path == "/api/v1/courses/42" and asked.method == "GET":
            return Reply({"id": 42, "name": "Databases", "course_code": "CS 42", "workflow_state": "available"})
        if asked.path == "/api/v1/courses/42/enrollments":
            rows = [
                {"id": user["id"], "user_id": user["id"], "type": "StudentEnrollment", "enrollment_state": "active"}
                | {"course_section_id": 1, "sis_section_id": user.get("section"), "user": user}
                | {"sis_user_id": user["sis_user_id"]}
                for user in self.users
            ]
            return self._page(asked, rows)
        if asked.path == "/api/v1/courses/42/assignments":
            return self._assignments(asked)
        if found := re.fullmatch(r"/api/v1/courses/42/assignments/(\d+)(.*)", asked.path):
            assignment = int(found[1])
            if assignment not in self.assignments:
                return Reply({"errors": [{"message": "The specified resource does not exist."}]}, 404)
            return self._of_assignment(asked, assignment, found[2])
        return Reply({"errors": [{"message": "The specified resource does not exist."}]}, 404)

    def _assignments(self, asked: Asked) -> Reply:
        if asked.method == "GET":
            term = asked.query.get("search_term", "").lower()
            return self._page(asked, [row for row in self.assignments.values() if term in row["name"].lower()])
        pk = next(self._ids)
        if self.lose_new_assignment:
            self.lose_new_assignment, self.faults.lose = False, 1
        names = ("name", "grading_type", "points_possible", "published")
        values = {name: asked.form.get(f"assignment[{name}]", "") for name in names}
        values["points_possible"] = float(values["points_possible"] or 0)  # type: ignore[assignment]
        self.assignments[pk] = {"id": pk, "course_id": 42, **values}
        return Reply(self.assignments[pk], 201)

    def _of_assignment(self, asked: Asked, assignment: int, rest: str) -> Reply:
        if not rest:
            return Reply(self.assignments[assignment])
        if rest == "/submissions":
            rows = [
                {"user_id": user["id"], "assignment_id": assignment, "score": self.scores.get((assignment, user["id"]))}
                for user in self.users
            ]
            return self._page(asked, rows)
        found = re.fullmatch(r"/submissions/(\d+)", rest)
        if not found or asked.method != "PUT":
            return Reply({"errors": [{"message": "The specified resource does not exist."}]}, 404)
        user = int(found[1])
        if user not in {row["id"] for row in self.users}:
            return Reply({"errors": [{"message": "The specified resource does not exist."}]}, 404)
        grade = asked.form["submission[posted_grade]"]
        points = self.assignments[assignment]["points_possible"]
        score = None if not grade else float(grade.rstrip("%")) * (points / 100 if grade.endswith("%") else 1)
        self.scores[assignment, user] = score
        return Reply({"user_id": user, "assignment_id": assignment, "score": score, "grade": grade})

    def _page(self, asked: Asked, rows: list[dict[str, Any]]) -> Reply:
        """Pages are linked by addresses that nobody may guess."""
        size = min(int(asked.query.get("per_page", 10)), 100)
        number = int(asked.query.get("page", "bookmark:0").partition(":")[2])
        more = (number + 1) * size < len(rows)
        address = f"{self.address}{asked.path}?page=bookmark:{number + 1}&per_page={size}"
        headers = {"Link": f'<{address}>; rel="next",<{self.address}{asked.path}>; rel="first"'} if more else {}
        return Reply(rows[number * size : (number + 1) * size], headers=headers)


@contextmanager
def canvas(site: CanvasSite) -> Iterator[str]:
    """The site's address."""
    with rest_server(site.answer, site.faults) as address:
        site.address = address
        yield address
