"""The change feed: a copy that is kept by it is the same as the database, whoever writes at the same moment."""

import re
import threading
from datetime import timedelta
from random import Random
from typing import Any
from uuid import UUID

import pytest
from django.db import connection, connections, transaction
from rest_framework.test import APIClient

from campus.academics.models import Course, Enrolment, Lecture, Student
from campus.accounts.models import ApiToken
from campus.accounts.services import create_token
from campus.attendance.change_feed import read_changes
from campus.attendance.excuses import create_excuse, withdraw_excuse
from campus.attendance.feed_triggers import create_feed_triggers, drop_feed_triggers
from campus.attendance.models import AttendanceRecord, FeedEntry
from campus.attendance.overrides import set_override, sign_off_lecture
from campus.privacy.erasure_steps import erase_identity
from campus.privacy.texts import Terms
from tests.campus import factories
from tests.campus.conftest import World
from tests.conftest import REPOSITORY

pytestmark = pytest.mark.django_db

Copy = dict[tuple[str, int | UUID], dict[str, Any]]
WRITERS, WRITES = 4, 40


class Warehouse:
    """A program that keeps a copy by the feed."""

    def __init__(self, user: Any) -> None:
        self.user, self.cursor, self.rows = user, "", Copy()
        self.told: list[tuple[str, int | UUID]] = []

    def read(self, limit: int = 7) -> list[tuple[str, int | UUID]]:
        """All that there is now; returns what it was about."""
        self.told = []
        has_more = True
        while has_more:
            page = read_changes(user=self.user, cursor=self.cursor, limit=limit)
            self.cursor, has_more = page.cursor, page.has_more
            for change in page.changes:
                self.told.append((change.kind, change.id))
                self.rows.pop((change.kind, change.id), None)
                if change.data is not None:
                    self.rows[change.kind, change.id] = change.data
        return self.told

    def kept(self, kind: str) -> set[int | UUID]:
        return {key for of, key in self.rows if of == kind}


def test_a_copy_begins_with_everything_and_goes_on_with_what_changes(world: World) -> None:
    warehouse = Warehouse(world.registrar)
    warehouse.read()
    assert warehouse.kept("attendance") == set(AttendanceRecord.objects.values_list("pk", flat=True))
    assert warehouse.kept("student") == set(Student.objects.values_list("pk", flat=True))
    assert warehouse.kept("lecture") == set(Lecture.objects.values_list("pk", flat=True))
    assert warehouse.kept("course") == set(Course.objects.values_list("pk", flat=True))
    assert warehouse.read() == []

    record = world.lecture.records.exclude(pk=world.record.pk).get()
    set_override(record=record, status="late", reason="bus", user=world.own)
    assert ("attendance", record.pk) in warehouse.read()
    assert warehouse.rows["attendance", record.pk]["status"] == "late"
    sign_off_lecture(lecture=world.lecture, user=world.own)
    warehouse.read()
    assert warehouse.rows["lecture", world.lecture.pk]["signed_off_at"] is not None
    Enrolment.objects.filter(student=world.student).update(section="Lab 2")  # in bulk, past all of Django's signals
    warehouse.read()
    assert {row["section"] for (kind, _), row in warehouse.rows.items() if kind == "enrolment"} == {"", "Lab 2"}


def test_an_excuse_is_told_with_the_marks_that_it_changes(world: World) -> None:
    warehouse = Warehouse(world.registrar)
    warehouse.read()
    record = world.lecture.records.exclude(pk=world.record.pk).get()
    day = world.lecture.starts_at.date()
    excuse = create_excuse(
        student=record.student, course=None, first_day=day, last_day=day, reason="flu", user=world.registrar
    )
    assert set(warehouse.read()) == {("attendance", record.pk), ("excuse", excuse.pk)}
    assert warehouse.rows["attendance", record.pk]["status"] == "excused"
    assert "flu" not in str(warehouse.rows)
    withdraw_excuse(excuse=excuse, user=world.registrar)
    warehouse.read()
    assert warehouse.rows["attendance", record.pk]["status"] == "absent"
    assert warehouse.rows["excuse", excuse.pk]["withdrawn_at"] is not None
    create_excuse(student=record.student, course=None, first_day=day, last_day=day, reason="flu", user=world.registrar)
    Lecture.objects.filter(pk=world.lecture.pk).update(
        starts_at=world.lecture.starts_at + timedelta(days=9), ends_at=world.lecture.ends_at + timedelta(days=9)
    )
    warehouse.read()
    assert warehouse.rows["attendance", record.pk]["status"] == "absent"  # the excuse was for another day


def test_what_is_deleted_or_erased_is_told_by_its_id_alone(world: World) -> None:
    warehouse = Warehouse(world.registrar)
    warehouse.read()
    number = world.student.number
    gone = world.course.enrolments.exclude(student=world.student).get()
    gone_id = gone.pk
    gone.delete()
    assert ("enrolment", gone_id) in warehouse.read()
    assert gone_id not in warehouse.kept("enrolment")
    erase_identity(world.student.pk, Terms.of([number], "-"))
    assert ("student", world.student.pk) in warehouse.read()
    assert world.student.pk not in warehouse.kept("student")
    assert number not in str(warehouse.rows)


def test_only_who_looks_after_all_classes_reads_it(world: World) -> None:
    for user, status in ((world.own, 403), (world.registrar, 200)):
        client = APIClient()
        _, secret = create_token(user=user, name="warehouse", scope=ApiToken.Scope.READ, days=1)
        client.credentials(HTTP_AUTHORIZATION=f"Bearer {secret}")
        assert client.get("/api/v1/change-feed/").status_code == status
    page = client.get("/api/v1/change-feed/", {"limit": 3}).json()
    assert (len(page["changes"]), page["has_more"]) == (3, True)
    following = client.get("/api/v1/change-feed/", {"cursor": page["cursor"], "limit": 10_000}).json()
    told = [(change["kind"], change["id"]) for change in (*page["changes"], *following["changes"])]
    assert len(told) == len(set(told)) == FeedEntry.objects.count()
    for wrong in ("x", "-1", page["cursor"] + "²", "0" * 32):
        assert client.get("/api/v1/change-feed/", {"cursor": wrong}).status_code == 400
    ended = client.get("/api/v1/change-feed/", {"cursor": f"{'0' * 32}-5"})
    assert ended.status_code == 410
    assert "without a cursor" in ended.json()["detail"]


def test_only_the_last_entry_of_a_row_is_kept(world: World) -> None:
    warehouse = Warehouse(world.registrar)
    for title in ("One", "Two", "Three"):
        Lecture.objects.filter(pk=world.lecture.pk).update(title=title)
        warehouse.read()
    entries = FeedEntry.objects.filter(kind="lecture", row_id=str(world.lecture.pk))
    assert entries.count() == 1


def test_triggers_are_made_anew_with_each_release(world: World) -> None:
    drop_feed_triggers()
    if connection.vendor == "sqlite":  # as another release had it
        with connection.cursor() as cursor:
            cursor.execute(
                "CREATE TRIGGER feed_academics_course_insert AFTER INSERT ON academics_course BEGIN SELECT 1; END"
            )
    create_feed_triggers()
    course = factories.course()
    assert FeedEntry.objects.filter(kind="course", row_id=str(course.pk)).exists()


@pytest.mark.one_database  # CI skips none
@pytest.mark.django_db(transaction=True)
def test_what_is_committed_late_is_not_missed() -> None:
    if connection.vendor == "sqlite":
        pytest.skip("SQLite has one writer at a time")
    warehouse = Warehouse(factories.registrar())
    written, read = threading.Event(), threading.Event()

    def write_slowly() -> None:
        try:
            with transaction.atomic():
                factories.student(number="slow")
                written.set()
                assert read.wait(30)
        finally:
            connections.close_all()

    writer = threading.Thread(target=write_slowly)
    writer.start()
    assert written.wait(30)
    quick = factories.student(number="quick")  # its id and its entry are after those of the slow one
    warehouse.read()
    assert warehouse.kept("student") == {quick.pk}
    read.set()
    writer.join()
    warehouse.read()
    assert warehouse.kept("student") == set(Student.objects.values_list("pk", flat=True))
    assert len(warehouse.kept("student")) == 2


@pytest.mark.django_db(transaction=True)
def test_a_copy_is_the_same_whoever_writes_meanwhile() -> None:
    warehouse = Warehouse(factories.registrar())
    course = factories.course(students=6)
    lecture = factories.lecture(course)
    students = list(course.students.all())
    errors: list[BaseException] = []

    def write(seed: int) -> None:
        random = Random(seed)  # noqa: S311
        try:
            for n in range(WRITES):
                try:
                    with transaction.atomic():
                        for student in sorted(random.sample(students, 2), key=lambda row: row.pk):
                            AttendanceRecord.without_excuses.update_or_create(
                                lecture=lecture,
                                student=student,
                                defaults={"override_status": random.choice(["present", "absent"])},
                            )
                        extra = factories.student(number=f"{seed}-{n}")
                        if random.random() < 0.3:
                            raise KeyboardInterrupt  # it is rolled back
                    if random.random() < 0.5:
                        extra.delete()
                except KeyboardInterrupt:
                    pass
        except BaseException as error:
            errors.append(error)
        finally:
            connections.close_all()

    writers = [threading.Thread(target=write, args=(seed,)) for seed in range(WRITERS)]
    for writer in writers:
        writer.start()
    while any(writer.is_alive() for writer in writers):
        warehouse.read()
    for writer in writers:
        writer.join()
    warehouse.read()
    assert errors == []
    assert warehouse.kept("student") == set(Student.objects.values_list("pk", flat=True))
    statuses = {row.pk: row.status for row in AttendanceRecord.objects.all()}
    assert {key: row["status"] for (kind, key), row in warehouse.rows.items() if kind == "attendance"} == statuses
    assert (
        FeedEntry.objects.exclude(sequence=None).values("kind", "row_id").distinct().count()
        == FeedEntry.objects.count()
    )


def test_the_page_for_warehouses_names_all_fields(world: World) -> None:
    day = world.lecture.starts_at.date()
    create_excuse(student=world.student, course=None, first_day=day, last_day=day, reason="-", user=world.registrar)
    set_override(record=world.record, status="late", reason="", user=world.own)
    warehouse = Warehouse(world.registrar)
    warehouse.read(1000)
    page = (REPOSITORY / "docs" / "integrations" / "warehouse.md").read_text()
    described = {kind: fields.split(", ") for kind, fields in re.findall(r"^\| `(\w+)` \| (.*) \|$", page, re.M)}
    assert {kind: list(row) for (kind, _), row in warehouse.rows.items()} == described
