"""LTI as a kind of connection: rosters by NRPS, marks by AGS, for courses that an instructor has linked."""

from collections.abc import Iterator
from contextlib import contextmanager
from math import isclose
from typing import Any

from django.db.models import F

from campus.common.errors import UserError
from campus.connections.adapters import MarkRefused, MarkSender, Member, WantedMark
from campus.connections.lti.keys import fetch_platform_keys
from campus.connections.lti.launch import MEMBERSHIP
from campus.connections.lti.platform_services import (
    LINE_ITEM_SCOPE,
    MARK_SCOPES,
    MEMBERS_SCOPE,
    RESULT_SCOPE,
    PlatformSession,
)
from campus.connections.lti.settings import LtiSettings
from campus.connections.marks import signed_off_tallies
from campus.connections.models import Connection, CourseLink, MarkDelivery
from campus.connections.services import remember
from recognition.messages import Message

SHARE_TOLERANCE = 0.0006  # between the share that was sent and the one that is read back, which may be rounded


class LtiAdapter:
    """See `Adapter`. The settings of a link: `members_url`, `line_items_url`, `line_item_url`, and `scopes` of AGS."""

    settings_form = LtiSettings

    def check(self, connection: Connection) -> Message:
        keys = fetch_platform_keys(connection)
        PlatformSession(connection, MEMBERS_SCOPE).fetch_token()
        return Message("The platform has {n} keys, and gives an access token.", n=len(keys["keys"]))

    def fetch_roster(self, link: CourseLink) -> list[Member]:
        url = link.settings.get("members_url")
        if not url:
            raise UserError(
                "The platform has offered no roster for {course}. Allow “Names and Role Provisioning” there, and have "
                "an instructor open the link once more.",
                course=link.linked_course().code,
            )
        field = link.connection.settings["number_from"]
        members = PlatformSession(link.connection, MEMBERS_SCOPE).members(url)
        students = (member for member in members if _is_active_learner(member))
        return list({member["user_id"]: _member(member, field) for member in students}.values())

    def wanted_marks(self, link: CourseLink) -> Iterator[WantedMark]:
        in_points = link.connection.settings["mark"] == "points"
        for student, person, tally in signed_off_tallies(link):
            percent = f"{100 * (tally.share or 0):.1f}/100"
            value = f"{tally.points.normalize():f}/{tally.max_points.normalize():f}" if in_points else percent
            yield WantedMark(student_id=student, remote_person=person, value=value)

    @contextmanager
    def open_sender(self, link: CourseLink) -> Iterator[MarkSender]:
        settings = link.settings
        scopes = [scope for scope in MARK_SCOPES if scope in settings.get("scopes", [])]
        known, line_items = settings.get("line_item_url", ""), settings.get("line_items_url", "")
        may_make = bool(line_items) and LINE_ITEM_SCOPE in scopes
        if link.course and not (known or may_make):
            raise UserError(
                "The platform has offered no gradebook for {course}. Allow “Assignment and Grade Services” there, and "
                "have an instructor open the link once more.",
                course=link.course.code,
            )
        session = PlatformSession(link.connection, *scopes)
        line_item = known
        if may_make and not (known and session.is_line_item(known)):
            line_item = ""  # so nothing stands there any more
        if link.course and not line_item:
            line_item = session.find_line_item(line_items, link.connection.settings["label"])
            _keep_line_item(link, line_item)
        yield LtiSender(session, line_item, may_read=RESULT_SCOPE in scopes)


def _keep_line_item(link: CourseLink, line_item: str) -> None:
    """Nothing stands in a new one yet."""
    remember(link, line_item_url=line_item)
    link.marks.exclude(value="", student=None).update(
        state=MarkDelivery.State.WAITING, version=F("version") + 1, confirmed_version=0, confirmed_value=""
    )


class LtiSender:
    """See `MarkSender`. A score has the time at which it came to be wanted: the platform refuses an older one.

    Without a line item nothing stands there.
    """

    def __init__(self, session: PlatformSession, line_item: str, *, may_read: bool) -> None:
        self._session, self._line_item, self._may_read = session, line_item, may_read

    def read(self, mark: MarkDelivery) -> str | None:
        if not self._line_item:
            return ""
        if not self._may_read:
            return None
        stands = self._session.result(self._line_item, user=mark.remote_person)
        if stands is None:
            return ""
        score = _score(mark.value)
        is_same = score and isclose(
            stands[0] / stands[1], float(score[0]) / float(score[1]), rel_tol=0, abs_tol=SHARE_TOLERANCE
        )
        return mark.value if is_same else f"{stands[0]:g}/{stands[1]:g}"

    def send(self, mark: MarkDelivery) -> None:
        if not self._line_item:
            return
        score = _score(mark.value)
        is_taken = self._session.put_score(self._line_item, user=mark.remote_person, score=score, at=mark.changed_at)
        if not is_taken and self.read(mark) not in (mark.value, None):
            raise MarkRefused("Somebody has changed this mark there since, and the platform keeps the later one.")


def _score(value: str) -> tuple[str, str] | None:
    """Score and maximum of a mark such as "87.5/100"; None for no mark."""
    given, _slash, maximum = value.partition("/")
    return (given, maximum) if maximum else None


def _is_active_learner(member: dict[str, Any]) -> bool:
    roles = {str(role).removeprefix(MEMBERSHIP) for role in member.get("roles") or ()}
    is_active = member.get("status", "Active") == "Active"
    return is_active and "Learner" in roles and isinstance(member.get("user_id"), str) and bool(member["user_id"])


def _member(member: dict[str, Any], number_field: str) -> Member:
    given, family, name, email, number = (
        " ".join(str(member.get(field) or "").split())[:200]
        for field in ("given_name", "family_name", "name", "email", number_field)
    )
    return Member(
        remote_id=member["user_id"],
        number=number[:40],
        name=name or f"{given} {family}".strip(),
        surname=family,
        email=email,
    )
