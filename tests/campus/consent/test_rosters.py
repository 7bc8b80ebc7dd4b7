"""Answers about consent come with a roster, and go out with it; an old file never brings back what was withdrawn."""

from datetime import date, timedelta

import pytest
from django.test import Client
from django.utils import timezone

from campus.academics.models import Course, Student
from campus.academics.roster_export import roster_rows, write_csv
from campus.accounts.institution import save_institution
from campus.audit.models import Action, AuditEntry
from campus.consent.models import Consent
from campus.consent.selectors import has_basis
from campus.consent.services import record_answer, withdraw_consent
from tests.campus import factories
from tests.campus.academics.rosters import confirm, do_import, plan_of, preview
from tests.campus.web.admin_tools import client_of

pytestmark = pytest.mark.django_db

TODAY = date.today()  # noqa: DTZ011
ROSTER = b"number,name,class,Einwilligung\n1,Ann,CS101,2026-09-01\n2,Bob,CS101,no 02.09.2026\n3,Cem,CS101,\n"


@pytest.fixture
def course() -> Course:
    save_institution(legal_basis="consent")
    return factories.course(code="CS101")


def answers() -> dict[str, tuple[bool, str, str]]:
    rows = Consent.objects.filter(is_current=True).select_related("student")
    return {row.student.name: (row.is_active, row.method, str(timezone.localdate(row.at))) for row in rows}


def test_a_roster_brings_answers_which_its_preview_shows(course: Course):
    registrar = client_of("registrar", registrar=True)
    address, plan = preview(registrar, ROSTER)
    page = registrar.get(address).content.decode()
    assert "2 answers about consent" in page
    assert "- → no 2026-09-02" in page
    assert len(plan.answers) == 2
    assert not Consent.objects.exists()
    confirm(registrar, address)
    assert answers() == {"Ann": (True, "roster", "2026-09-01"), "Bob": (False, "roster", "2026-09-02")}
    assert Consent.objects.get(student__name="Ann").recorded_by == "registrar"
    entries = AuditEntry.objects.filter(action=Action.CHANGED_CONSENT, actor_name="registrar").order_by("about")
    assert [(row.student_id, row.about.split(",")[0]) for row in entries] == [
        (Student.objects.get(name=name).pk, about) for name, about in (("Ann", "agreed"), ("Bob", "refused"))
    ]
    assert do_import(ROSTER) == [0, 0, 3], "the same file once more changes nothing"
    later = b"number,consent\n2,yes 2026-10-01\n"
    assert [row.changes for row in plan_of(later).changed] == [[("consent", "no 2026-09-02", "yes 2026-10-01")]]


def test_an_old_roster_does_not_bring_back_what_was_withdrawn(course: Course):
    do_import(ROSTER)
    ann = Student.objects.get(name="Ann")
    photo = factories.photo(ann)
    withdraw_consent(student=ann, keep_photos=True)
    for content in (ROSTER, f"number,consent\n1,yes {TODAY}\n".encode()):
        do_import(content)
        assert not has_basis(ann)
    record_answer(student=ann, given=True, method=Consent.Method.LINK)
    do_import(f"number,consent\n1,no {TODAY}\n".encode())
    assert not has_basis(ann), "a refusal of the same day counts"
    assert not type(photo).objects.filter(pk=photo.pk).exists(), "as one that is written down"


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("yes", "no answer with its day"),
        ("perhaps 2026-09-01", "no answer with its day"),
        ("no soon", "is not a date"),
        (f"yes {TODAY + timedelta(days=1)}", "in the future"),
        ("yes 09/10/2026", "can be two days"),
    ],
)
def test_an_answer_that_cannot_be_read_is_refused(course: Course, text: str, sentence: str):
    (error,) = plan_of(f"number,name,consent\n1,Ann,{text}\n".encode()).errors
    assert sentence in " ".join(error.reasons)


def test_what_is_exported_can_be_imported_and_has_the_column_where_somebody_has_answered(
    course: Course, client: Client
):
    do_import(b"number,name,class\n1,Ann,CS101\n2,Bob,CS101\n")
    assert "consent" not in next(roster_rows(course.students.all()))
    ann = Student.objects.get(name="Ann")
    record_answer(student=ann, given=True, method=Consent.Method.LINK)
    withdraw_consent(student=ann)
    rows = list(roster_rows(course.students.order_by("name_key"), course.pk))
    assert [row[-1] for row in rows] == ["consent", f"no {timezone.localdate()}", ""]
    assert do_import(write_csv(rows)) == [0, 0, 2]
