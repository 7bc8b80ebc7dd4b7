"""When a week is over: the registers to the registrars, and a warning where attendance falls."""

from datetime import datetime, time, timedelta

import pytest
from django.core.exceptions import ValidationError
from django.utils import timezone

from campus.academics.models import Course, Student
from campus.attendance.models import AttendanceRecord, RegisterPolicy, Report
from campus.attendance.weekly_notifications import notify_week
from campus.common.days import Week
from campus.outbox.models import Delivery, Webhook
from tests.campus import factories

pytestmark = pytest.mark.django_db


def meet(course: Course, weeks_ago: int, statuses: dict[Student, str], *, day: int = 1) -> None:
    """A lecture in a week before this one, with what became of it."""
    when = Week.current().previous.monday - timedelta(weeks=weeks_ago - 1) + timedelta(days=day)
    lecture = factories.lecture(course, starts_at=timezone.make_aware(datetime.combine(when, time(9))))
    for student, status in statuses.items():
        AttendanceRecord.objects.create(lecture=lecture, student=student, machine_status=status)


@pytest.fixture
def course() -> Course:
    factories.registrar(email="registrar@example.org", first_name="Ada", last_name="Lovelace")
    return factories.course(students=3, code="CS101")


def students_of(course: Course) -> list[Student]:
    return list(course.students.order_by("pk"))


def test_registrars_get_the_registers_of_the_classes_that_want_it_once(course: Course) -> None:
    quiet = factories.course(students=1)
    RegisterPolicy.objects.create(course=course, mail_weekly_register=True)
    one, two, three = students_of(course)
    meet(course, 1, {one: "present", two: "present", three: "absent"})
    meet(course, 2, {one: "present", two: "present", three: "present"})
    meet(quiet, 1, dict.fromkeys(students_of(quiet), "present"))
    notify_week()
    notify_week()
    letter = Delivery.objects.get()
    assert (letter.to, letter.event) == ("registrar@example.org", "register.week")
    assert "CS101" in letter.body
    assert "1 lecture; attendance 67 %, over the term 83 %; 1 student below the required attendance" in letter.body
    assert quiet.code not in letter.body
    assert Report.objects.filter(course=course, recording=None).exists()


def test_a_class_without_lectures_that_week_has_no_letter(course: Course) -> None:
    RegisterPolicy.objects.create(course=course, mail_weekly_register=True, warning_addresses="dean@example.org")
    meet(course, 3, dict.fromkeys(students_of(course), "absent"))
    notify_week()
    assert not Delivery.objects.exists()


def test_who_fell_below_is_told_to_the_people_named_once(course: Course) -> None:
    hook = Webhook.objects.create(url="https://example.org/hook", course=course)
    RegisterPolicy.objects.create(course=course, warning_addresses="dean@example.org, tutor@example.org")
    falls, always_low, stays = students_of(course)
    for weeks_ago in (4, 3, 2):
        meet(course, weeks_ago, {falls: "present", always_low: "absent", stays: "present"})
    meet(course, 1, {falls: "absent", always_low: "absent", stays: "present"})
    meet(course, 1, {falls: "absent", always_low: "present", stays: "present"}, day=2)
    notify_week()
    notify_week()
    letters = Delivery.objects.filter(event="attendance.falling", webhook=None)
    assert sorted(letters.values_list("to", flat=True)) == ["dean@example.org", "tutor@example.org"]
    assert f"{falls}: 60 %" in letters[0].body
    assert str(always_low) not in letters[0].body
    assert str(stays) not in letters[0].body
    told = hook.deliveries.get()
    assert falls.name not in told.body, "no names leave by a webhook"
    assert f'"below": [{falls.pk}]' in told.body


def test_who_stays_away_three_times_is_told(course: Course) -> None:
    RegisterPolicy.objects.create(course=course, warning_addresses="dean@example.org", required_percent=10)
    away, *others = students_of(course)
    for weeks_ago in (6, 5, 4):
        meet(course, weeks_ago, dict.fromkeys([away, *others], "present"))
    for weeks_ago in (3, 2, 1):
        meet(course, weeks_ago, {away: "absent", **dict.fromkeys(others, "present")})
    notify_week()
    body = Delivery.objects.get().body
    assert "Absent from the last three lectures:" in body
    assert str(away) in body


def test_a_class_that_empties_is_told(course: Course) -> None:
    RegisterPolicy.objects.create(course=course, warning_addresses="dean@example.org", required_percent=0)
    for weeks_ago in (3, 2):
        meet(course, weeks_ago, dict.fromkeys(students_of(course), "present"))
    one, two, three = students_of(course)
    meet(course, 1, {one: "present", two: "present", three: "absent"})
    notify_week()
    assert "The class had 67 % of the points, after 100 % before." in Delivery.objects.get().body


def test_addresses_are_checked() -> None:
    policy = RegisterPolicy(course=factories.course(), warning_addresses="dean@example.org; nobody")
    with pytest.raises(ValidationError) as told:
        policy.full_clean()
    assert "warning_addresses" in told.value.message_dict
    policy.warning_addresses = "dean@example.org;\ntutor@example.org"
    policy.full_clean()
