"""The home of those who look after all classes: what is still to be set up, and how full the disk is."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.contrib.auth.models import User
from django.db.models import Exists, QuerySet, Subquery
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from campus.academics.models import Course, Enrolment, Lecture, Term
from campus.academics.selectors import courses_for
from campus.accounts.models import Institution
from campus.accounts.selectors import lecturers
from campus.attendance.sample_class import sample_students_left
from campus.biometrics.models import Gallery
from campus.biometrics.selectors import photo_coverage
from campus.recordings.models import Recording
from campus.web.dashboard import Storage, storage_for


@dataclass(frozen=True, slots=True, kw_only=True)
class SetupStep:
    """Something that attendance needs. `purpose` says what for; `url` is where it is done, empty while there is no
    class to do it in."""

    name: str
    purpose: str
    done: bool
    url: str
    action: str
    progress: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class TermHome:
    """`steps` is empty once all of them are done."""

    steps: list[SetupStep]
    has_classes: bool
    has_sample: bool
    storage: Storage

    @property
    def done_count(self) -> int:
        return sum(step.done for step in self.steps)

    @property
    def next_step(self) -> SetupStep | None:
        """The first missing one."""
        return next((step for step in self.steps if not step.done), None)


def build_term_home(user: User) -> TermHome:
    courses = courses_for(user).filter(is_sample=False)
    found = _look_up(user, courses)
    steps = list(_steps(courses, found))
    return TermHome(
        steps=[] if all(step.done for step in steps) else steps,
        has_classes=found["has_classes"],
        has_sample=found["has_sample"],
        storage=storage_for(user),
    )


def _look_up(user: User, courses: QuerySet[Course]) -> dict[str, Any]:
    """What there is, in one query: the values hang on the user's row, since a query needs a table."""
    begun = Lecture.objects.filter(course__in=courses, cancelled=False, starts_at__lte=timezone.now())
    row = User.objects.values(
        has_name=Exists(Institution.objects.exclude(name="")),
        has_basis=Exists(Institution.objects.filter(basis_chosen=True)),
        has_classes=Exists(Course.objects.all()),
        has_sample=Exists(Course.objects.filter(is_sample=True)) | Exists(sample_students_left()),
        has_term=Exists(Term.objects.all()),
        has_course=Exists(courses),
        has_roster=Exists(Enrolment.objects.filter(course__in=courses)),
        has_gallery=Exists(Gallery.objects.filter(course__in=courses, active=True)),
        has_lecture=Exists(Lecture.objects.filter(course__in=courses)),
        has_lecturer=Exists(courses.filter(lecturers__isnull=False)),
        anybody_teaches=Exists(lecturers()),
        has_recording=Exists(Recording.objects.filter(lecture__course__in=courses)),
        first_course=Subquery(courses.order_by("code").values("pk")[:1]),
        first_with_roster=Subquery(courses.exclude(enrolments=None).order_by("code").values("pk")[:1]),
        last_lecture=Subquery(begun.order_by("-starts_at").values("pk")[:1]),
    ).get(pk=user.pk)
    return {**row}


def _steps(courses: QuerySet[Course], found: dict[str, Any]) -> Iterator[SetupStep]:
    yield SetupStep(
        name=_("Institution's name"),
        purpose=_("Pages, workbooks, PDFs, calendars and e-mails bear it."),
        done=found["has_name"] or settings.INSTITUTION != settings.DEFAULT_INSTITUTION,
        url=reverse("institution"),
        action=_("Name the institution"),
    )
    yield SetupStep(
        name=_("Consent"),
        purpose=_("Faces are recognised of those students alone who have agreed, or by another legal basis."),
        done=found["has_basis"],
        url=reverse("institution") + "#faces",
        action=_("Look at what students are asked"),
    )
    if found["has_term"] or not found["has_lecture"]:  # a timetable has been made without
        yield SetupStep(
            name=_("Term"),
            purpose=_("The timetables of its classes begin and end with it, and leave its holidays out."),
            done=found["has_term"],
            url=reverse("admin:academics_term_add"),
            action=_("Create a term"),
        )
    yield SetupStep(
        name=_("Class"),
        purpose=_("Each lecture, roster and register belongs to one."),
        done=found["has_course"],
        url=reverse("admin:academics_course_add"),
        action=_("Create a class"),
    )
    yield SetupStep(
        name=_("Roster"),
        purpose=_("It says who is expected in the lectures of a class."),
        done=found["has_roster"],
        url=_class_url("course-roster", found["first_course"]),
        action=_("Import a roster"),
    )
    yield SetupStep(
        name=_("Photos"),
        purpose=_("Faces in recordings are compared with them; a class is trained soon after its last photo."),
        progress=_describe_photos(courses) if found["has_roster"] and not found["has_gallery"] else "",
        done=found["has_gallery"],
        url=_class_url("course-photos", found["first_with_roster"] or found["first_course"]),
        action=_("Add photos"),
    )
    yield SetupStep(
        name=_("Timetable"),
        purpose=_("Recordings and rolls belong to its lectures, and cameras are asked for footage of them."),
        done=found["has_lecture"],
        url=_class_url("course-timetable", found["first_course"]),
        action=_("Create the timetable"),
    )
    yield SetupStep(
        name=_("Lecturer"),
        purpose=_("Lecturers take the roll, upload recordings and sign off the lectures of their own classes."),
        done=found["has_lecturer"],
        url=_lecturer_url(found["first_course"], anybody_teaches=found["anybody_teaches"]),
        action=_("Choose a lecturer") if found["anybody_teaches"] else _("Invite a lecturer"),
    )
    yield SetupStep(
        name=_("First recording"),
        purpose=_("Attendance is taken from it."),
        done=found["has_recording"],
        url=reverse("lecture", args=[found["last_lecture"]]) if found["last_lecture"] else reverse("lecture-create"),
        action=_("Upload a recording") if found["last_lecture"] else _("Create a lecture"),
    )


def _class_url(name: str, course: int | None) -> str:
    return reverse(name, args=[course]) if course else ""


def _lecturer_url(course: int | None, *, anybody_teaches: bool) -> str:
    """The class's settings; as long as there is no lecturer to choose, the invitation of one."""
    if course and anybody_teaches:
        return reverse("course-settings", args=[course])
    return reverse("admin:auth_user_add", query={"courses": course} if course else None)


def _describe_photos(courses: QuerySet[Course]) -> str:
    counts = photo_coverage(courses)
    text = ngettext(
        "%(with_photo)d of %(students)d student has a usable photo. No class is trained yet.",
        "%(with_photo)d of %(students)d students have a usable photo. No class is trained yet.",
        counts["students"],
    )
    return text % counts
