"""The end of a lecture that was recorded by cameras: one workbook and one e-mail over all its recordings."""

from datetime import timedelta

from django.db import transaction
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.utils import timezone

from campus.academics.models import Lecture
from campus.attendance.models import Report
from campus.attendance.notifications import notify_lecture_counted
from campus.attendance.reports import request_lecture_report
from campus.recordings.models import Recording
from campus.recordings.selectors import OPEN_STATES

# How long ago the last recording may have been counted for the scheduler to finish its lecture.
RETRY_WINDOW = timedelta(days=7)
UNFINISHED = Q(provisional=True) | Q(state__in=OPEN_STATES)


@transaction.atomic
def finish_collected_lecture(*, lecture: Lecture) -> bool:
    """Request the lecture's workbook and notify its lecturers, once all its cameras' recordings are counted.

    Of several votes at the same time, the last one finds all others done. Lecturers are notified only once. Returns
    False where more footage is expected, a recording is still being processed, or none was counted.
    """
    lecture = Lecture.objects.select_for_update().get(pk=lecture.pk)
    recordings = lecture.recordings.filter(file="")
    if recordings.filter(UNFINISHED).exists() or not recordings.filter(state=Recording.State.DONE).exists():
        return False
    request_lecture_report(lecture=lecture)
    notify_lecture_counted(lecture=lecture)
    return True


def unfinished_collected_lectures() -> QuerySet[Lecture]:
    """The lectures that no vote finished, because the last of their recordings failed."""
    collected = Recording.objects.filter(file="")
    reported = Report.objects.filter(
        lecture=OuterRef("lecture"), recording=None, created_at__gte=OuterRef("finished_at")
    )
    unreported = collected.filter(
        ~Exists(reported), state=Recording.State.DONE, finished_at__gt=timezone.now() - RETRY_WINDOW
    )
    unfinished = collected.filter(UNFINISHED, lecture=OuterRef("pk"))
    return Lecture.objects.filter(~Exists(unfinished), pk__in=unreported.values("lecture"))


def finish_collected_lectures() -> None:
    """Finish the lectures that no vote finished."""
    for lecture in unfinished_collected_lectures():
        finish_collected_lecture(lecture=lecture)
