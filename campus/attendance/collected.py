"""The end of a lecture whose footage came by itself: one workbook and one e-mail over all its cameras."""

import logging
from datetime import timedelta

from django.db import transaction
from django.db.models import Exists, OuterRef, Q
from django.utils import timezone

from campus.academics.models import Lecture
from campus.attendance.models import Report
from campus.attendance.notifications import notify_lecture_counted
from campus.attendance.reports import write_lecture_report
from campus.recordings.models import Recording
from campus.recordings.selectors import OPEN_STATES

log = logging.getLogger(__name__)

RETRY_WINDOW = timedelta(days=7)  # older ones are not looked at each time
UNFINISHED = Q(provisional=True) | Q(state__in=OPEN_STATES)


@transaction.atomic
def finish_collected_lecture(*, lecture: Lecture) -> bool:
    """Once all cameras are counted for good, write the lecture's workbook and tell its lecturers: a second time only the workbook.

    Of several votes at once the last finds all others counted. False: something is to come yet, or nothing was counted.
    """
    lecture = Lecture.objects.select_for_update().get(pk=lecture.pk)
    recordings = lecture.recordings.filter(file="")
    if recordings.filter(UNFINISHED).exists() or not recordings.filter(state=Recording.State.DONE).exists():
        return False
    write_lecture_report(lecture=lecture)
    notify_lecture_counted(lecture=lecture)
    return True


def finish_collected_lectures() -> None:
    """Settle the lectures whose last recording to be counted failed, so that no vote did it."""
    collected = Recording.objects.filter(lecture=OuterRef("pk"), file="")
    done = collected.filter(state=Recording.State.DONE, finished_at__gt=timezone.now() - RETRY_WINDOW)
    counted = Exists(done) & ~Exists(collected.filter(UNFINISHED))
    for lecture in Lecture.objects.filter(
        counted, ~Exists(Report.objects.filter(lecture=OuterRef("pk"), recording=None))
    ):
        try:
            finish_collected_lecture(lecture=lecture)
        except OSError:
            log.exception("lecture %s: its workbook could not be written", lecture.pk)
