"""Whose faces may be processed, and what each student has answered."""

from collections.abc import Collection
from enum import StrEnum

from django.db.models import Exists, OuterRef, Q, QuerySet
from django.utils import timezone, translation

from campus.academics.models import Course, Enrolment, Student
from campus.accounts.institution import get_institution
from campus.accounts.models import Institution
from campus.accounts.roles import AnyUser, sees_everything
from campus.consent.models import Consent, ConsentText


def active_consents() -> QuerySet[Consent]:
    """The answers by which a student agrees now."""
    holds = Q(expires_at=None) | Q(expires_at__gt=timezone.now())
    return Consent.objects.filter(holds, is_current=True, given=True, withdrawn_at=None)


def refusals() -> QuerySet[Consent]:
    """The answers by which a student does not want to be recognised, and is not to be asked again."""
    return Consent.objects.filter(Q(given=False) | Q(withdrawn_at__isnull=False), is_current=True)


def students_with_basis(students: QuerySet[Student], course: Course | None = None) -> QuerySet[Student]:
    """Those whose faces may be processed now, in `course` or, without one, in one of their classes at least.

    All others are in no gallery, and what recordings show of them is a stranger's.
    """
    if course is not None and not course.automatic_marking:
        return students.none()
    students = students.filter(
        Exists(active_consents().filter(student=OuterRef("pk")))
        | Exists(Institution.objects.filter(legal_basis=Institution.LegalBasis.OTHER)),
        ~Exists(Institution.objects.filter(automatic_marking=False)),
        automatic_marking=True,
    )
    if course is None:
        classes = Enrolment.objects.filter(student=OuterRef("pk"))
        students = students.filter(Exists(classes.filter(course__automatic_marking=True)) | ~Exists(classes))
    return students


def has_basis(student: Student) -> bool:
    """Whether the student's face may be processed now."""
    return students_with_basis(Student.objects.filter(pk=student.pk)).exists()


def without_refusal(students: QuerySet[Student]) -> QuerySet[Student]:
    """Those who may be asked for photos or an answer: who has said no, or may not be recognised, is not asked again."""
    asks = Exists(Institution.objects.filter(legal_basis=Institution.LegalBasis.OTHER))
    return students.filter(asks | ~Exists(refusals().filter(student=OuterRef("pk"))), automatic_marking=True)


def unanswered(course: Course) -> QuerySet[Student]:
    """The students of a class who can be asked: whose answer is not known, or has run out."""
    answered = refusals().filter(student=OuterRef("pk"))
    agreed = active_consents().filter(student=OuterRef("pk"))
    return course.students.filter(~Exists(answered), ~Exists(agreed), automatic_marking=True, guest=False)


class ConsentState(StrEnum):
    """What a student's answer amounts to now."""

    NOT_ASKED = "not_asked"
    GIVEN = "given"
    REFUSED = "refused"
    WITHDRAWN = "withdrawn"
    EXPIRED = "expired"


def consent_state(consent: Consent | None) -> ConsentState:
    """What the student's latest answer amounts to now; None: there is none."""
    if consent is None:
        return ConsentState.NOT_ASKED
    if consent.withdrawn_at:
        return ConsentState.WITHDRAWN
    if not consent.given:
        return ConsentState.REFUSED
    return ConsentState.GIVEN if consent.is_active else ConsentState.EXPIRED


def consents_for(user: AnyUser) -> QuerySet[Consent]:
    """All answers, for who looks after all classes."""
    return Consent.objects.all() if sees_everything(user) else Consent.objects.none()


def current_consents(students: Collection[int]) -> dict[int, Consent]:
    """The latest answer of each of the students who have answered, by their ids."""
    rows = Consent.objects.filter(student__in=students, is_current=True).select_related("text")
    return {row.student_id: row for row in rows}


def current_texts() -> QuerySet[ConsentText]:
    """The text that students are asked to agree to now, in each language."""
    latest = ConsentText.objects.order_by("-version").values("version")[:1]
    return ConsentText.objects.filter(version=latest).order_by("language")


def current_text(language: str | None = None) -> ConsentText:
    """The text that students are asked to agree to now, in this language if there is one, by default in the page's."""
    wanted = (language or translation.get_language() or "en")[:2]
    texts = list(current_texts())
    return next((text for text in texts if text.language.startswith(wanted)), texts[-1])


def asks_for_consent() -> bool:
    """Whether it is each student's consent by which the institution recognises faces."""
    return get_institution().legal_basis == Institution.LegalBasis.CONSENT
