"""The register's page, the files, and students over all classes: right, complete, and for whom they are."""

import io
from datetime import timedelta

import pytest
from django.contrib.auth.models import Group
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from openpyxl import load_workbook
from pypdf import PdfReader

from campus.attendance import statuses
from campus.attendance.models import AttendanceRecord, AttendanceStatus, Report
from campus.attendance.overrides import sign_off_lecture
from campus.attendance.reports import write_missing_roll_reports
from campus.attendance.roll import mark_others, mark_students
from campus.common.storage import reports
from campus.outbox.models import Delivery, Webhook
from tests.campus import factories
from tests.campus.conftest import World

pytestmark = pytest.mark.django_db


def as_(user) -> Client:
    client = Client()
    client.force_login(user)
    return client


@pytest.fixture
def lecturer(world: World) -> Client:
    return as_(world.own)


FILES = [
    ("register-file", "xlsx", "spreadsheetml.sheet", b"PK"),
    ("register-file", "csv", "text/csv; charset=utf-8", b"\xef\xbb\xbf"),
    ("register-file", "pdf", "application/pdf", b"%PDF-"),
    ("register-file", "moodle", "application/zip", b"PK"),
    ("lecture-file", "xlsx", "spreadsheetml.sheet", b"PK"),
    ("lecture-file", "csv", "text/csv; charset=utf-8", b"\xef\xbb\xbf"),
    ("lecture-file", "pdf", "application/pdf", b"%PDF-"),
    ("lecture-file", "moodle", "text/csv; charset=utf-8", b"idnumber,scantime,status"),
]


def address(name: str, world: World, *more: str) -> str:
    return reverse(name, args=[world.lecture.pk if name.startswith("lecture") else world.course.pk, *more])


@pytest.mark.parametrize(("name", "kind", "content_type", "begins"), FILES)
def test_files_are_attachments_for_who_teaches_the_class(
    world: World, lecturer: Client, name, kind, content_type, begins
) -> None:
    response = lecturer.get(address(name, world, kind))
    assert response.status_code == 200
    assert response["Content-Type"].endswith(content_type)
    assert response["Content-Disposition"].startswith("attachment;")
    assert "private" in response["Cache-Control"]
    assert response.getvalue().startswith(begins)
    assert as_(world.other).get(address(name, world, kind)).status_code == 404
    assert Client().get(address(name, world, kind)).status_code == 302
    assert lecturer.post(address(name, world, kind)).status_code == 405


def test_a_roll_by_hand_has_its_workbook(client: Client) -> None:
    lecturer = factories.user(first_name="Maria", last_name="Lindner")
    course = factories.course(lecturers=(lecturer,))
    ann, bob = factories.student(name="Ann"), factories.student(name="Bob")
    for student in (ann, bob):
        factories.enrol(course, student)
    lecture = factories.lecture(course, starts_at=timezone.now() - timedelta(hours=3))
    client.force_login(lecturer)
    file = reverse("lecture-file", args=[lecture.pk, "xlsx"])

    def rows() -> list[tuple[object, ...]]:
        content = io.BytesIO(client.get(file).getvalue())
        return list(load_workbook(content)["Attendance"].iter_rows(min_row=2, max_col=9, values_only=True))

    assert "no attendance to download yet" in client.get(file, follow=True).content.decode()
    mark_students(lecture=lecture, statuses={ann.pk: "present", bob.pk: "absent"}, user=lecturer)
    assert file in client.get(reverse("lecture", args=[lecture.pk])).content.decode()
    assert rows() == [
        (ann.number, "Ann", "Present", None, None, None, None, None, "Maria Lindner"),
        (bob.number, "Bob", "Absent", None, None, None, None, None, "Maria Lindner"),
    ]
    by_csv = client.get(reverse("lecture-file", args=[lecture.pk, "csv"])).getvalue().decode("utf-8-sig").splitlines()
    assert by_csv[1] == f"{ann.number},Ann,Present,,,,,,Maria Lindner"
    on_paper = PdfReader(io.BytesIO(client.get(reverse("lecture-file", args=[lecture.pk, "pdf"])).getvalue())).pages[0]
    assert "Present" in on_paper.extract_text()
    assert "0\n" not in on_paper.extract_text().partition("Minutes")[2], "no minutes that nobody measured"
    mark_students(lecture=lecture, statuses={bob.pk: "late"}, user=lecturer)
    assert [row[2] for row in rows()] == ["Present", "Late"]
    assert Report.objects.filter(lecture=lecture).count() == 1


def test_the_workbook_of_a_roll_by_hand_is_in_the_folder_once_the_lecture_is_over() -> None:
    lecturer = factories.user()
    course = factories.course(lecturers=(lecturer,), students=1)
    over, now, _untaken = (
        factories.lecture(course, starts_at=timezone.now() - timedelta(minutes=minutes)) for minutes in (300, 10, 200)
    )
    for lecture in (over, now):
        mark_others(lecture=lecture, status="present", user=lecturer)
    write_missing_roll_reports()
    assert [report.lecture for report in Report.objects.all()] == [over]
    assert reports().exists(Report.objects.get().file_name)


def test_signing_off_a_roll_by_hand_writes_its_workbook(django_capture_on_commit_callbacks) -> None:
    lecturer = factories.user()
    lecture = factories.lecture(factories.course(lecturers=(lecturer,), students=1))
    mark_others(lecture=lecture, status="present", user=lecturer)
    with django_capture_on_commit_callbacks(execute=True):
        sign_off_lecture(lecture=lecture, user=lecturer)
    assert Report.objects.get().lecture == lecture


@pytest.mark.parametrize("name", ["register-file", "lecture-file"])
@pytest.mark.parametrize("kind", ["exe", "..", "XLSX", "xlsx%00"])
def test_there_are_no_other_files(world: World, lecturer: Client, name: str, kind: str) -> None:
    assert lecturer.get(address(name, world, kind)).status_code == 404


def test_the_register_in_the_page(world: World, lecturer: Client) -> None:
    page = lecturer.get(address("register", world)).content.decode()
    assert '<td class="present"><abbr title="Present">P</abbr></td>' in page
    assert "100 %" in page
    assert page.count('<th scope="row">') == 3  # two students and the sums
    assert reverse("student", args=[world.student.pk]) in page
    assert as_(world.other).get(address("register", world)).status_code == 404
    below = lecturer.get(address("register", world), {"below": "on"}).content.decode()
    assert world.student.name not in below


def test_a_name_is_text(world: World, lecturer: Client) -> None:
    factories.enrol(world.course, student := factories.student(name="<script>alert(1)</script>"))
    AttendanceStatus.objects.create(code="own", name='"><b>', letter="<i>", points=1, meaning="present")
    AttendanceRecord.objects.create(
        lecture=world.lecture, student=student, machine_status="absent", override_status="own"
    )
    for path in (
        address("register", world),
        reverse("student", args=[student.pk]),
        reverse("students"),
        reverse("compare"),
    ):
        page = lecturer.get(path).content.decode()
        assert "<script>alert" not in page
        assert "<i>" not in page
        assert '"><b>' not in page


@pytest.mark.parametrize(
    "asked", [{"since": "yesterday"}, {"since": "2026-13-40"}, {"since": "2026-02-02", "until": "2026-01-01"}]
)
def test_days_that_make_no_sense_are_told(world: World, lecturer: Client, asked: dict[str, str]) -> None:
    response = lecturer.get(address("register", world), asked)
    assert response.status_code == 400
    assert 'role="alert"' in response.content.decode()
    assert lecturer.get(address("register-file", world, "csv"), asked).status_code == 200
    assert lecturer.get(reverse("compare"), asked).status_code == 200


def test_search_finds_parts_of_names_and_numbers_in_the_own_classes_only(world: World, lecturer: Client) -> None:
    foreign = factories.student(name="Zoë Foreign")
    factories.enrol(world.foreign.course, foreign)
    everybody = lecturer.get(reverse("students"), {"q": "foreign"}).content.decode()
    assert "Zoë" not in everybody
    assert "Zoë" in as_(world.registrar).get(reverse("students"), {"q": "FOREIGN zoë"}).content.decode()
    found = lecturer.get(reverse("students"), {"q": world.student.number[-3:]}).content.decode()
    assert world.student.name in found
    assert "CS101" in found
    for strange in ("%", "_", "'", '"', "\x00", "x" * 5000, "a b c d e f g h"):
        assert lecturer.get(reverse("students"), {"q": strange}).status_code == 200


def test_search_knows_capitals_and_accents_of_all_letters(world: World, lecturer: Client) -> None:
    for name in ("Ayşe Özil", "Анна Щукина"):
        factories.enrol(world.course, factories.student(name=name))
    for words in ("özil", "ÖZIL", "o\u0308zil"):
        assert "Ayşe Özil" in lecturer.get(reverse("students"), {"q": words}).content.decode()
    assert "Анна Щукина" in lecturer.get(reverse("students"), {"q": "щукина"}).content.decode()
    world.course.name = "Ökologie"
    world.course.save()
    assert list(lecturer.get(reverse("courses"), {"q": "okologie"}).context["page"]) == [world.course]
    registrar = as_(world.registrar)
    for model, words, found in (("student", "OZIL", "Ayşe Özil"), ("course", "ÖKOLOGIE", "Ökologie")):
        page = registrar.get(reverse(f"admin:academics_{model}_changelist"), {"q": words}).content.decode()
        assert found in page


def test_a_students_history_shows_no_class_of_others(world: World, lecturer: Client) -> None:
    AttendanceRecord.objects.create(lecture=world.foreign, student=world.student, machine_status="absent")
    page = lecturer.get(reverse("student", args=[world.student.pk])).content.decode()
    assert "CS101" in page
    assert "MA202" not in page
    assert "MA202" in as_(world.registrar).get(reverse("student", args=[world.student.pk])).content.decode()
    assert as_(world.other).get(reverse("student", args=[world.student.pk])).status_code == 404


def test_classes_of_others_are_not_compared(world: World, lecturer: Client) -> None:
    AttendanceRecord.objects.create(lecture=world.foreign, student=factories.student(), machine_status="present")
    page = lecturer.get(reverse("compare"), {"classes": [world.foreign.course.pk, world.course.pk]}).content.decode()
    assert "MA202" not in page
    assert "<svg" in lecturer.get(reverse("compare"), {"classes": world.course.pk}).content.decode()
    both = (
        as_(world.registrar)
        .get(reverse("compare"), {"classes": [world.foreign.course.pk, world.course.pk]})
        .content.decode()
    )
    assert "MA202" in both


def test_pages_ask_the_database_a_fixed_number_of_times(
    world: World, lecturer: Client, django_assert_max_num_queries
) -> None:
    for n in range(6):
        lecture = factories.lecture(world.course, starts_at=factories.STARTS.replace(month=10, day=1 + n))
        for student in (*world.course.students.all(), factories.student()):
            AttendanceRecord.objects.create(lecture=lecture, student=student, machine_status="late")
    paths = [
        address("register", world),
        reverse("student", args=[world.student.pk]),
        reverse("students"),
        reverse("compare"),
    ]
    for path in paths:
        with django_assert_max_num_queries(18):
            assert lecturer.get(path).status_code == 200


def test_the_admin_keeps_what_is_always_there(world: World) -> None:
    boss = as_(world.registrar)
    own = AttendanceStatus.objects.create(code="online", name="Online", letter="O", points=2, meaning="present")
    present = AttendanceStatus.objects.get(code="present")

    def delete(status: AttendanceStatus) -> int:
        return boss.post(
            reverse("admin:attendance_attendancestatus_delete", args=[status.pk]), {"post": "yes"}
        ).status_code

    assert delete(present) == 403
    AttendanceRecord.objects.filter(pk=world.record.pk).update(override_status="online")
    assert delete(own) == 403  # a record has it
    AttendanceRecord.objects.filter(pk=world.record.pk).update(override_status="")
    assert delete(own) == 302
    fields = {
        "letter": "P",
        "points": "3",
        "is_counted": "on",
        "moodle_acronym": "P",
        "position": "10",
        "code": "changed",
        "meaning": "absent",
    }
    assert boss.post(reverse("admin:attendance_attendancestatus_change", args=[present.pk]), fields).status_code == 302
    present.refresh_from_db()
    assert (present.code, present.meaning, present.points) == ("present", "present", 3)
    assert statuses.status_definitions()["present"].points == 3


def test_a_webhooks_secret_is_for_who_may_change_it(world: World) -> None:
    hook = Webhook.objects.create(url="https://lms.example.org/hook")
    page = reverse("admin:outbox_webhook_change", args=[hook.pk])
    auditor = factories.user()
    auditor.groups.add(Group.objects.get_or_create(name="Auditor")[0])
    seen = as_(auditor).get(page)
    assert (seen.status_code, hook.secret in seen.content.decode()) == (200, False)
    assert hook.secret in as_(world.registrar).get(page).content.decode()
    assert as_(world.own).get(page).status_code in (302, 403)


SENT = {"_form_submitted": "True"}  # of a dialog


def test_the_admin_sends_a_trial_message_and_tries_again(world: World) -> None:
    boss = as_(world.registrar)
    hook = Webhook.objects.create(url="https://lms.example.org/hook")
    assert boss.post(reverse("admin:outbox_webhook_ping", args=[hook.pk]), SENT).status_code == 302
    message = Delivery.objects.get(event="ping")
    Delivery.objects.update(state="failed", tries=7)
    for page in ("changelist", "change"):
        assert (
            boss.get(
                reverse(f"admin:outbox_delivery_{page}", args=[message.pk] if page == "change" else [])
            ).status_code
            == 200
        )
    assert boss.post(reverse("admin:outbox_delivery_retry", args=[message.pk]), SENT).status_code == 302
    message.refresh_from_db()
    assert (message.state, message.tries) == ("queued", 0)


def test_what_if_another_share_were_required(world: World, lecturer: Client) -> None:
    factories.enrol(world.course, student := factories.student(name="Zoë Half"))
    for status in ("present", "absent"):
        lecture = factories.lecture(world.course)
        AttendanceRecord.objects.create(lecture=lecture, student=student, machine_status=status)

    def below(**asked: str) -> str:
        return lecturer.get(address("register", world), {"below": "on", **asked}).content.decode()

    assert "Zoë Half" in below()
    assert "Zoë Half" not in below(required="50")
    assert "Zoë Half" in below(required="51")
    assert "Nothing is saved" in below(required="51")
    assert 'aria-label="From 100 % to 50 %, lowest 50 %"' in below()
    assert lecturer.get(address("register", world), {"required": "101"}).status_code == 400
    file = lecturer.get(address("register-file", world, "csv"), {"required": "50"}).getvalue().decode()
    assert "Below 75 %" in file


def test_the_students_page_says_when_somebody_last_attended(world: World, lecturer: Client) -> None:
    absent = world.course.students.exclude(pk=world.student.pk).get()

    def page(pk: int) -> str:
        return lecturer.get(reverse("student", args=[pk])).content.decode()

    assert "last attended on 16 Nov 2026" in page(world.student.pk)
    assert "never attended" in page(absent.pk)
    content = io.BytesIO(lecturer.get(address("register-file", world, "xlsx")).getvalue())
    rows = {row[0]: row[2:] for row in load_workbook(content)["Students"].iter_rows(min_row=2, values_only=True)}
    assert rows[world.student.number] == (1, 1, 1, None, "2026-11-16")
    assert rows[absent.number] == (0, 1, 0, "yes", None)


def test_all_files_have_one_kind_of_name(world: World, lecturer: Client) -> None:
    def name(route: str, kind: str) -> str:
        return lecturer.get(address(route, world, kind))["Content-Disposition"].partition("filename=")[2].strip('"')

    today = timezone.localdate()
    assert [name("register-file", kind) for kind in ("xlsx", "pdf", "csv", "moodle")] == [
        f"CS101_register_{today}.xlsx",
        f"CS101_register_{today}.pdf",
        f"CS101_register_{today}.csv",
        f"CS101_moodle_{today}.zip",
    ]
    assert [name("lecture-file", kind) for kind in ("xlsx", "moodle")] == [
        "CS101_attendance_2026-11-16-0900.xlsx",
        "CS101_moodle_2026-11-16-0900.csv",
    ]
