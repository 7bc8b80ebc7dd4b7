"""A class once more, in another term."""

from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from campus.academics.models import Course, Enrolment, Term
from campus.academics.services import mark_rosters_changed, validate_and_save
from campus.attendance.policy import RegisterPolicy
from campus.audit.models import Action
from campus.audit.services import record_event

COPIED = (
    "coordinator_name",
    "coordinator_email",
    "present_seconds",
    "present_percent",
    "late_minutes",
    "early_minutes",
    "strictness",
    "embedder",
    "automatic_marking",
)


@transaction.atomic
def copy_course(*, course: Course, term: Term, code: str, name: str, with_roster: bool, user: User) -> Course:
    """A new class with the settings, the lecturers and, if wanted, the students of another; without its lectures.

    The students are those of today, or of the last day of a term that is over; they are enrolled from the first day of
    the new term. Raises ValidationError by field, or UserError.
    """
    settings = {field: getattr(course, field) for field in COPIED}
    copied = validate_and_save(Course(), code=code, name=name, term=term, **settings)
    copied.lecturers.set(course.lecturers.all())
    if policy := RegisterPolicy.objects.filter(course=course).first():
        policy.pk, policy.course = None, copied
        policy.save(force_insert=True)
    if with_roster:
        today = timezone.localdate()
        day = min(today, course.term.last_day) if course.term else today
        enrolled = course.enrolments.filter(Q(valid_to=None) | Q(valid_to__gte=day))
        Enrolment.objects.bulk_create(
            Enrolment(course=copied, student_id=student, section=section, valid_from=term.first_day)
            for student, section in enrolled.values_list("student", "section")
        )
        mark_rosters_changed(courses=Course.objects.filter(pk=copied.pk))
        record_event(user, Action.CHANGED_ROSTER, course=copied.pk, about=f"copied from course {course.pk}")
    return copied
