"""The sweep asks once whether there is anything to do, and finds whatever there is."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from campus.academics.models import Lecture
from campus.attendance.models import AttendanceRecord, Report, Status, UnknownPerson
from campus.audit.models import Action
from campus.audit.services import record_event, seal_entries
from campus.biometrics.models import FacePhoto
from campus.recordings.models import Recording, Segment
from tests.campus import factories
from workers.maintenance import is_anything_due, sweep

pytestmark = pytest.mark.django_db


def count(lecture: Lecture) -> Recording:
    """The lecture is counted, and its workbook written."""
    recording = factories.records(lecture, finished_at=timezone.now())
    report = {"course": lecture.course, "lecture": lecture, "file_name": f"{recording.pk}.xlsx", "sha256": "0" * 64}
    Report.objects.create(recording=recording, **report)
    return recording


@pytest.fixture
def lecture() -> Lecture:
    """One that is over, as all there is: nothing is to be done."""
    now = timezone.now()
    lecture = factories.lecture(starts_at=now - timedelta(hours=2), ends_at=now - timedelta(hours=1))
    count(lecture)
    lecture.course.gallery_outdated_at = lecture.course.roster_changed_at = None
    lecture.course.save()
    seal_entries()
    return lecture


def lose_message(lecture: Lecture) -> None:
    factories.recording(lecture, state=Recording.State.UPLOADED)


def plan(lecture: Lecture) -> None:
    factories.planned(lecture)


def process(lecture: Lecture) -> None:
    factories.planned(lecture).segments.update(state=Segment.State.DONE)


def collect(lecture: Lecture) -> None:
    state = {"state": Recording.State.DONE, "finished_at": timezone.now()}
    Recording.objects.create(lecture=lecture, original_name="camera", size=1, file="", **state)


def request_report(lecture: Lecture) -> None:
    lecture.reports.update(sha256="")


def take_roll(lecture: Lecture) -> None:
    starts_at = lecture.starts_at - timedelta(days=1)
    other = factories.lecture(lecture.course, starts_at=starts_at, ends_at=starts_at + timedelta(hours=1))
    student = lecture.course.students.earliest("pk")
    AttendanceRecord.objects.create(lecture=other, student=student, override_status=Status.PRESENT)


def change_faces(lecture: Lecture) -> None:
    lecture.course.gallery_outdated_at = timezone.now() - timedelta(hours=1)
    lecture.course.save()


def agree(lecture: Lecture) -> None:
    """The institution has another basis than consent, so that the photo that waited may be checked."""
    factories.photo(lecture.course.students.earliest("pk"), state=FacePhoto.Verdict.WAITING)


def note_event(lecture: Lecture) -> None:
    record_event(None, Action.TRAINED, course=lecture.course_id)


def see_stranger(lecture: Lecture) -> None:
    factories.gallery(lecture.course, active=True)
    UnknownPerson.objects.create(recording=lecture.recordings.get(), index=0)


def change_roster(lecture: Lecture) -> None:
    lecture.course.roster_changed_at = timezone.now()
    lecture.course.save()


DUE = (
    lose_message,
    plan,
    process,
    collect,
    request_report,
    take_roll,
    change_faces,
    agree,
    note_event,
    see_stranger,
    change_roster,
)


@pytest.mark.parametrize("change", DUE, ids=lambda change: change.__name__)
def test_whatever_is_due_is_found(lecture: Lecture, change: Callable[[Lecture], None]) -> None:
    assert not is_anything_due()
    change(lecture)
    assert is_anything_due()


def test_a_sweep_with_nothing_to_do_asks_the_database_once(lecture: Lecture) -> None:
    with CaptureQueriesContext(connection) as queries:
        sweep()
    assert len(queries) == 1
