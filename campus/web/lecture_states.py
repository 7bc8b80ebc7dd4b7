"""How far the attendance of lectures is, and what is to be done next about each."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from django.db import models
from django.db.models import Count, Exists, OuterRef, Q, QuerySet, Subquery
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from campus.academics.models import Lecture
from campus.accounts.roles import AnyUser, is_auditor
from campus.attendance.models import AttendanceRecord, SignOff, Status
from campus.attendance.selectors import is_held, unmarked_records
from campus.attendance.statuses import ATTENDED, status_definitions
from campus.cctv.models import Collection
from campus.recordings.models import Recording
from campus.recordings.selectors import OPEN_STATES, uploads_for


class LectureState(models.TextChoices):
    CANCELLED = "cancelled", gettext_lazy("cancelled")
    SIGNED_OFF = "signed_off", gettext_lazy("signed off")
    IN_PROGRESS = "in_progress", gettext_lazy("in progress")
    TO_CHECK = "to_check", gettext_lazy("recording to check")
    TO_CONFIRM = "to_confirm", gettext_lazy("to confirm")
    UNMARKED = "unmarked", gettext_lazy("roll not finished")
    PROVISIONAL = "provisional", gettext_lazy("provisional")
    COUNTED = "counted", gettext_lazy("counted")
    UPLOADING = "uploading", gettext_lazy("uploading")
    COLLECTING = "collecting", gettext_lazy("footage expected")
    FAILED = "failed", gettext_lazy("recording failed")
    UPCOMING = "upcoming", gettext_lazy("upcoming")
    NOW = "now", gettext_lazy("now")
    NO_RECORDING = "no_recording", gettext_lazy("no recording")


# The colours of the chips.
VARIANTS = {
    LectureState.SIGNED_OFF: "success",
    LectureState.IN_PROGRESS: "info",
    LectureState.TO_CHECK: "warning",
    LectureState.TO_CONFIRM: "warning",
    LectureState.UNMARKED: "warning",
    LectureState.PROVISIONAL: "info",
    LectureState.COUNTED: "success",
    LectureState.UPLOADING: "info",
    LectureState.COLLECTING: "info",
    LectureState.FAILED: "danger",
    LectureState.NOW: "info",
    LectureState.NO_RECORDING: "warning",
}
AWAITING_RECORDING = {LectureState.UPLOADING, LectureState.FAILED, LectureState.NOW, LectureState.NO_RECORDING}


@dataclass(frozen=True, slots=True, kw_only=True)
class LectureRow:
    """A lecture in a list. `state` is how far its attendance is, in a few words, and `variant` the colour of its chip;
    `action` is what its reader should do next, at `action_url`, both empty where there is nothing. `attended` of
    `student_count` students attended; None where attendance has not been taken.
    """

    lecture: Lecture
    url: str
    state: str
    variant: str
    action: str
    action_url: str
    attended: int | None
    student_count: int | None
    awaits_recording: bool


def records_to_confirm() -> QuerySet[AttendanceRecord]:
    """Those that a person is asked about."""
    return AttendanceRecord.without_excuses.filter(machine_status=Status.TO_CONFIRM, override_status="")


def lecture_rows(
    user: AnyUser, lectures: QuerySet[Lecture], limit: int | None = None, start: int = 0
) -> list[LectureRow]:
    """`limit` of the lectures, which the user may see, or all of them. The number of queries is fixed."""
    codes = [code for code, status in status_definitions().items() if status.is_attended]
    attended = Q(override_status__in=codes) | Q(override_status="", machine_status__in=ATTENDED)
    uploads = uploads_for(user).filter(lecture=OuterRef("pk"), recording=None, expires_at__gt=timezone.now())
    collections = Collection.objects.filter(lecture=OuterRef("pk"), state__in=Collection.OPEN_STATES)
    found = (
        lectures.select_related("course", "room")
        .prefetch_related("recordings")
        .annotate(
            to_confirm=count_of_lecture(records_to_confirm()),
            signed=Exists(SignOff.objects.filter(lecture=OuterRef("pk"))),
            held=is_held(),
            unmarked=count_of_lecture(unmarked_records()),
            attended=count_of_lecture(AttendanceRecord.without_excuses.filter(attended)),
            student_count=count_of_lecture(AttendanceRecord.without_excuses.all()),
            uploading=Exists(uploads),
            collecting=Exists(collections),
        )
    )
    return list(_rows(found[start : limit and start + limit], can_write=not is_auditor(user)))


def count_of_lecture(records: QuerySet[Any]) -> Subquery:
    """An annotation of lectures: how many of the records each has; None for none."""
    of_lecture = records.filter(lecture=OuterRef("pk")).order_by()
    return Subquery(of_lecture.values("lecture").annotate(n=Count("pk")).values("n"))


def _rows(lectures: Iterable[Any], *, can_write: bool) -> Iterable[LectureRow]:
    for lecture in lectures:
        state = lecture_state(lecture)
        url = reverse("lecture", args=[lecture.pk])
        may_act = can_write or state == LectureState.IN_PROGRESS
        action, action_url = _next_action(lecture, state, url) if may_act else ("", "")
        yield LectureRow(
            lecture=lecture,
            url=url,
            state=_describe(lecture, state),
            variant=VARIANTS.get(state, ""),
            action=action,
            action_url=action_url,
            attended=(lecture.attended or 0) if lecture.held else None,
            student_count=lecture.student_count if lecture.held else None,
            awaits_recording=can_write and state in AWAITING_RECORDING,
        )


def _describe(lecture: Any, state: LectureState) -> str:
    if state == LectureState.TO_CONFIRM:
        return _("%(n)s to confirm") % {"n": lecture.to_confirm}
    return str(state.label)


def lecture_state(lecture: Any) -> LectureState:
    """How far the attendance of a lecture is, which `lecture_rows` has annotated."""
    recordings = [recording for recording in lecture.recordings.all() if not recording.dismissed]
    states = {recording.state for recording in recordings}
    now = timezone.now()
    conditions = {
        LectureState.CANCELLED: lecture.cancelled,
        LectureState.SIGNED_OFF: lecture.signed,
        LectureState.IN_PROGRESS: states & set(OPEN_STATES),
        LectureState.TO_CHECK: Recording.State.NEEDS_REVIEW in states,
        LectureState.TO_CONFIRM: lecture.to_confirm,
        LectureState.UNMARKED: lecture.unmarked,
        LectureState.PROVISIONAL: lecture.held and any(recording.provisional for recording in recordings),
        LectureState.COUNTED: lecture.held,
        LectureState.UPLOADING: lecture.uploading,
        LectureState.FAILED: states & {Recording.State.FAILED, Recording.State.CANCELLED},
        LectureState.UPCOMING: lecture.starts_at > now,
        LectureState.COLLECTING: lecture.collecting and lecture.ends_at <= now,
        LectureState.NOW: lecture.ends_at > now,
    }
    return next((state for state, applies in conditions.items() if applies), LectureState.NO_RECORDING)


def _next_action(lecture: Any, state: LectureState, url: str) -> tuple[str, str]:
    """What is to be done next about a lecture, and where."""

    def recording_url(*states: Recording.State) -> str:
        rows = (row for row in lecture.recordings.all() if row.state in states and not row.dismissed)
        return reverse("recording", args=[next(rows).pk])

    match state:
        case LectureState.IN_PROGRESS:
            return _("Watch progress"), recording_url(*OPEN_STATES)
        case LectureState.TO_CHECK:
            return _("Check the recording"), recording_url(Recording.State.NEEDS_REVIEW)
        case LectureState.TO_CONFIRM:
            n = lecture.to_confirm
            text = ngettext("Confirm %(n)s student", "Confirm %(n)s students", n) % {"n": n}
            return text, reverse("confirm", args=[lecture.pk])
        case LectureState.UNMARKED:
            n = lecture.unmarked
            text = ngettext("Mark %(n)s student", "Mark %(n)s students", n) % {"n": n}
            return text, f"{url}?show=unmarked#result"
        case LectureState.COUNTED if lecture.ends_at <= timezone.now():
            return _("Sign off"), f"{url}#result"
        case LectureState.UPLOADING:
            return _("Continue the upload"), f"{url}#upload-title"
        case LectureState.FAILED:
            return _("See what failed"), recording_url(Recording.State.FAILED, Recording.State.CANCELLED)
        case LectureState.NOW | LectureState.NO_RECORDING:
            return _("Upload recording"), f"{url}#upload-title"
    return "", ""
