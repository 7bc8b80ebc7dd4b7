"""OneRoster: terms, classes, lecturers and rosters follow a registry, by REST and by CSV files alike."""

import io
import time
import zipfile
from datetime import date, timedelta

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from campus.academics.file_imports import table_of
from campus.academics.models import Course, Enrolment, Student, Term
from campus.academics.roster_import import import_roster
from campus.academics.selectors import file_imports_for
from campus.common.errors import UserError
from campus.connections.models import Connection
from campus.connections.oneroster_adapter import OneRosterAdapter, fetch_registry, read_zip
from campus.connections.oneroster_contents import RegistryTerm
from campus.connections.registry_update import update_from_registry
from campus.connections.sync_outcome import SyncOutcome
from tests.campus import factories
from tests.campus.connections.exchanges import exchange
from tests.campus.connections.sites import connect_registry, days, registry
from tests.campus.file_imports import read_uploads
from tests.servers.oneroster import OneRosterSite, oneroster

pytestmark = pytest.mark.django_db


def update(row: Connection, found: OneRosterSite, **options) -> SyncOutcome:
    row.refresh_from_db()
    return update_from_registry(connection=row, registry=read_zip(found.zip()), **options)


def last_day(months: int) -> date:
    """Of what ends at the day so many months from now: the standard names the day after."""
    return date.fromisoformat(days(months)) - timedelta(days=1)


def listed(code: str) -> set[str]:
    open_now = Enrolment.objects.filter(course__code=code).exclude(valid_to__lt=timezone.localdate())
    return set(open_now.values_list("student__number", flat=True))


def test_rest_and_csv_say_the_same() -> None:
    found = registry()
    found.put("users", "user-1001", givenName="Zoë", middleName="x", email="")
    found.put("enrollments", "user-1002@c1", status="tobedeleted")
    found.put("users", "user-1003", enabledUser="false")
    found.enrol("user-1004", "c2", "parent")
    with oneroster(found) as address:
        by_rest = fetch_registry(connect_registry(address))
    assert by_rest == read_zip(found.zip())
    assert len(by_rest.enrolments) == 41


def test_a_registry_makes_and_follows_classes() -> None:
    lecturer = factories.user(username="u900")
    helper = factories.user(username="helper")
    own = factories.course(code="Own", students=3)
    row, found = connect_registry(), registry()
    outcome = update(row, found, is_trial=True)
    assert outcome.counts["added"] == 41
    assert Course.objects.count() == 1, "a trial changes nothing"
    assert not update(row, found).questions
    course = Course.objects.get(code="CS 42")
    assert (course.name, course.term.name, course.term.last_day) == ("Databases", "Winter", last_day(5))
    assert listed("CS 42") == {str(number) for number in range(1000, 1040)}
    assert list(course.lecturers.all()) == [lecturer]
    student = Student.objects.get(number="1000")
    assert (student.name, student.surname, student.email) == ("Anna Mberg", "Mberg", "u1000@example.org")
    assert Term.objects.count() == 1, "terms that are over, and their classes, are left alone"
    again = update(row, found)
    assert not {name: n for name, n in again.counts.items() if n}, "the same once more changes nothing"
    # A lecturer whom a person has added stays; one whom the registry has taken away goes.
    course.lecturers.add(helper)
    found.put("enrollments", "user-900@c1", status="tobedeleted")
    found.put("users", "user-1001", familyName="Winter")
    found.put("enrollments", "user-1002@c1", status="tobedeleted")
    found.put("enrollments", "user-1003@c1", endDate=days(1))
    found.put("classes", "c1", title="Databases I")
    outcome = update(row, found)
    assert (outcome.counts["changed"], outcome.counts["removed"]) == (2, 1)
    course.refresh_from_db()
    assert course.name == "Databases I"
    assert list(course.lecturers.all()) == [helper]
    assert listed("CS 42") == {str(number) for number in range(1000, 1040)} - {"1002"}
    assert Enrolment.objects.get(course=course, student__number="1003").valid_to == last_day(1)
    assert own.enrolments.filter(valid_to=None).count() == 3, "a class that the registry never had is left alone"


def test_the_code_of_an_earlier_term_is_not_taken_over() -> None:
    row, found = connect_registry(), registry()
    update(row, found)
    found.add_term("t2", "Summer", days(4), days(9))
    found.add_class("c9", "CS 42", "Databases", "t2")
    update(row, found)
    assert Course.objects.get(code="CS 42 Summer").term.name == "Summer"
    assert Course.objects.get(code="CS 42").term.name == "Winter"


def test_more_than_the_limit_waits_for_a_person() -> None:
    row, found = connect_registry(), registry()
    update(row, found)
    for number in range(1000, 1006):
        found.put("enrollments", f"user-{number}@c1", status="tobedeleted")
    found.add_class("c3", "CS 44", "Networks", "t1")
    outcome = update(row, found)
    assert "In CS 42, 6 of 40 students" in str(outcome.remark)
    assert len(outcome.table.rows) == 34
    assert len(listed("CS 42")) == 40
    assert Course.objects.filter(code="CS 44").exists()
    row.change_limit_percent = 20
    row.save()
    assert update(row, found).counts["removed"] == 6


def test_who_is_doubtful_waits_and_does_not_leave() -> None:
    row, found = connect_registry(), registry()
    update(row, found)
    renamed = found.add_person("2000", Student.objects.get(number="1000").name)
    found.put("users", renamed, email="u1000@example.org")
    found.enrol(renamed, "c1")
    for pk in ("user-1000@c1", "user-1000@c2"):
        found.put("enrollments", pk, status="tobedeleted")
    outcome = update(row, found)
    assert "1 student there is wrong or doubtful" in str(outcome.remark)
    assert outcome.table.rows[-1][0] == "2000"
    assert "1000" in listed("CS 42"), "1000 may be the one who is 2000 now"
    assert "2000" not in listed("CS 42")


def test_classes_that_are_gone_are_archived_within_the_limit() -> None:
    row, found = connect_registry(), registry()
    for number in range(20):
        found.add_class(f"x{number}", f"X {number}", "More", "t1")
    update(row, found)
    found.put("classes", "x3", status="tobedeleted")
    update(row, found)
    assert list(Course.objects.filter(archived=True).values_list("code", flat=True)) == ["X 3"]
    for number in range(10):
        found.put("classes", f"x{number}", status="tobedeleted")
    assert "no longer in the registry" in str(update(row, found).remark)
    assert Course.objects.filter(archived=True).count() == 1


def test_a_sync_asks_whether_anything_changed_and_fetches_only_then() -> None:
    found = registry()
    with oneroster(found) as address:
        row = connect_registry(address)
        run = row.runs.create(task="sync")
        OneRosterAdapter().sync(row, run)
        assert run.counts["added"] == 41
        asked = len(found.asked)
        OneRosterAdapter().sync(row, run)
        assert run.counts == {"unchanged": 1}
        assert len(found.asked) - asked == 6, "a token, and a question for each of five collections"
        found.put("users", "user-1001", modified="2099-01-01T00:00:00.000Z", familyName="Winter")
        OneRosterAdapter().sync(row, run)
        assert run.counts == {"changed": 1, "lecturers_without_account": 1}
        assert "2 terms, 3 classes and 41 people" in str(OneRosterAdapter().check(row))


def test_ten_thousand_members(record_property) -> None:
    found = OneRosterSite()
    found.add_term("t1", "Winter", days(-1), days(5))
    for number in range(20):
        found.add_class(f"c{number}", f"CS {number}", "Computing", "t1")
    for number in range(10_000):
        found.enrol(found.add_person(str(10_000 + number), f"Given{number} Family{number}"), f"c{number % 20}")
    started = time.process_time()
    with oneroster(found) as address:
        rows = fetch_registry(connect_registry(address))
    outcome = update_from_registry(connection=Connection.objects.get(), registry=rows)
    record_property("seconds", time.process_time() - started)
    assert outcome.counts["added"] == Enrolment.objects.count() == 10_000


def changed_zip(**files: bytes | None) -> bytes:
    """The export with these files in place of its own, or without them."""
    buffer = io.BytesIO()
    with (
        zipfile.ZipFile(io.BytesIO(registry().zip())) as source,
        zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as target,
    ):
        for name in source.namelist():
            content = files.get(name.partition(".")[0], source.read(name))
            if content is not None:
                target.writestr(name, content)
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"something else", "not a zip"),
        (changed_zip(manifest=None), "no manifest.csv"),
        (changed_zip(manifest=b"propertyName,value\r\noneroster.version,2.0\r\n"), "OneRoster 2.0"),
        (changed_zip(users=None), "“users.csv” is not in the zip"),
        (changed_zip(users=b"sourcedId,status\r\n1,active\r\n"), "has no column “email”"),
        (changed_zip(users="sourcedId,Müller".encode("latin-1")), "UTF-8"),
        (changed_zip(users=b'sourcedId,"unclosed'), "users.csv"),
    ],
)
def test_a_zip_that_is_none_is_refused_with_a_sentence(content: bytes, sentence: str) -> None:
    with pytest.raises(UserError) as caught:
        read_zip(content)
    assert sentence in str(caught.value)


def test_a_zip_is_read_from_a_file(tmp_path, capsys) -> None:
    connect_registry()
    path = tmp_path / "export.zip"
    path.write_bytes(registry().zip())
    call_command("import_oneroster", "Registry", str(path), dry_run=True)
    assert "added: 41" in capsys.readouterr().out
    assert not Enrolment.objects.exists()
    call_command("import_oneroster", "Registry", str(path))
    assert Enrolment.objects.count() == 41
    path.write_bytes(b"no zip")
    with pytest.raises(CommandError, match="not a zip"):
        call_command("import_oneroster", "Registry", str(path))


def test_who_asks_for_it_gets_the_known_preview_of_what_needs_a_person(client) -> None:
    found = registry()
    registrar = factories.registrar()
    client.force_login(registrar)
    with oneroster(found) as address:
        row = connect_registry(address)
        assert exchange(row, "sync").counts["added"] == 41
        for number in range(1000, 1010):
            found.put("enrollments", f"user-{number}@c1", modified="2099-01-01T00:00:00.000Z", status="tobedeleted")
        run = exchange(row, "sync")
        assert (run.state, run.file_import, run.counts["waiting"]) == ("done", None, 10)
        assert "10 of 40 students" in str(run.result)
        assert "1 roster elsewhere to look at" in client.get("/admin/").content.decode()
        run = exchange(row, "sync", user=registrar)
    read_uploads()
    page = client.get("/connections/").content.decode()
    assert "In CS 42, 10 of 40 students would change or leave." in page
    preview = f"/admin/academics/student/import/{run.file_import_id}/"
    assert preview in page
    assert client.get(preview).status_code == 200
    table = table_of(file_imports_for(registrar).get(pk=run.file_import_id))
    assert {cells[0] for cells in table.rows} == {str(number) for number in range(1010, 1040)}
    columns = {name: index for index, name in enumerate(table.headers)}
    import_roster(table=table, columns=columns, complete=True, accept_departures=True)
    assert len(listed("CS 42")) == 30


def test_what_is_exported_says_the_same_when_it_is_read(tmp_path) -> None:
    factories.user(username="u900")
    row = connect_registry(name="Registry there")
    found = registry()
    found.put("users", "user-1001", givenName="=1+1")
    update(row, found)
    path = tmp_path / "export.zip"
    call_command("export_oneroster", str(path))
    assert path.stat().st_mode & 0o077 == 0
    again = read_zip(path.read_bytes())
    assert {person.identifier for person in again.people} - {""} == {str(number) for number in range(1000, 1040)}
    term = Term.objects.get()
    assert again.terms == [RegistryTerm(f"term-{term.pk}", "Winter", term.first_day, term.last_day)]
    assert sorted(row.code for row in again.classes) == ["CS 42", "CS 43"]
    outcome = update_from_registry(connection=connect_registry(name="Registry here"), registry=again, is_trial=True)
    assert not outcome.counts["added"] + outcome.counts["removed"]
    assert not outcome.counts["classes_added"] + outcome.counts["terms_changed"]


def test_nobody_leaves_a_class_in_which_a_number_is_missing() -> None:
    row, found = connect_registry(change_limit_percent=100), registry()
    update(row, found)
    for number in (1000, 1001):
        found.put("users", f"user-{number}", identifier="")
    outcome = update(row, found)
    assert "2 students there are wrong or doubtful" in str(outcome.remark)
    assert listed("CS 42") == {str(number) for number in range(1000, 1040)}


def test_a_class_that_has_lost_all_its_students_is_put_to_a_person() -> None:
    row, found = connect_registry(change_limit_percent=100), registry()
    found.add_class("c4", "CS 45", "Colloquium", "t1")
    update(row, found)
    factories.enrol(Course.objects.get(code="CS 45"), factories.student())
    assert not update(row, found).questions, "the registry never had its roster"
    found.put("enrollments", "user-1000@c2", status="tobedeleted")
    for _ in range(2):
        assert "CS 43 has no students in the registry any more, and 1 here" in str(update(row, found).remark)
    assert listed("CS 43") == {"1000"}
