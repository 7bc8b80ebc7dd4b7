"""Classes, students, who is enrolled where, and the meetings of a class."""

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from campus.academics.timetable_models import CalendarLink, Holiday, LectureSeries, Room
from campus.common.keys import KeyedModel, MatchKeyField

__all__ = [
    "CalendarLink",
    "Course",
    "Embedder",
    "Enrolment",
    "Holiday",
    "Lecture",
    "LectureSeries",
    "Room",
    "Strictness",
    "Student",
]


class Strictness(models.TextChoices):
    """How sure the machine must be before it takes a face for a student's; the names of the gallery's presets."""

    STRICT = "strict", _("Strict")
    BALANCED = "balanced", _("Balanced")
    LENIENT = "lenient", _("Lenient")


class Embedder(models.TextChoices):
    """The models that compare faces, by their ids."""

    DLIB = "dlib-resnet-v1", _("dlib ResNet (comes with Rollcall)")
    FACENET = "facenet-20180402", _("FaceNet 2018-04-02, trained on VGGFace2 (its weights have to be added)")
    FACENET_CASIA = "facenet-20180408", _("FaceNet 2018-04-08, trained on CASIA-WebFace (its weights have to be added)")


class Course(KeyedModel):
    """A class."""

    code = models.CharField(_("code"), max_length=40)
    code_key = MatchKeyField("code", _("code"), unique=True)
    name = models.CharField(_("name"), max_length=200)
    coordinator_name = models.CharField(_("coordinator"), max_length=200, blank=True)
    coordinator_email = models.EmailField(_("coordinator's e-mail"), blank=True)
    lecturers = models.ManyToManyField(
        settings.AUTH_USER_MODEL,
        blank=True,
        related_name="courses",
        help_text=_("Who may upload for this class and see its attendance."),
        verbose_name=_("lecturers"),
    )
    students: "models.ManyToManyField[Student, Enrolment]" = models.ManyToManyField(
        "Student", through="Enrolment", related_name="courses"
    )
    present_seconds = models.PositiveIntegerField(
        _("present from"),
        default=2,
        help_text=_("Seconds that a student must be seen for. Of a recording under an hour, in proportion."),
    )
    late_minutes = models.PositiveIntegerField(
        _("late after"),
        default=10,
        help_text=_("Minutes into the lecture. Of a recording under an hour, in proportion."),
    )
    early_minutes = models.PositiveIntegerField(
        _("left early before the last"),
        default=10,
        help_text=_("Minutes of the lecture. Of a recording under an hour, in proportion."),
    )

    strictness = models.CharField(
        _("strictness"),
        max_length=10,
        choices=Strictness.choices,
        default=Strictness.BALANCED,
        help_text=_(
            "How like a student's photos a face must be. Strict lets fewer strangers pass and misses more students, lenient "
            "the other way round. It counts from the next recording on."
        ),
    )
    embedder = models.CharField(
        _("face model"),
        max_length=60,
        choices=[("", _("as the server is set")), *Embedder.choices],
        blank=True,
        help_text=_(
            "What compares the faces of this class. After a change the photos are looked at again, "
            "and the present gallery stays in use until the new one is ready."
        ),
    )
    faces_changed_at = models.DateTimeField(
        null=True, editable=False, help_text=_("Since then a training is due; empty when none is.")
    )

    class Meta:
        verbose_name = _("class")
        verbose_name_plural = _("classes")
        ordering = ["code"]

    def __str__(self) -> str:
        return f"{self.code} {self.name}"

    @property
    def wanted_embedder(self) -> str:
        """The id of the model that the class's next gallery is made with."""
        return self.embedder or str(settings.EMBEDDER)


class Student(KeyedModel):
    number = models.CharField(_("student number"), max_length=40)
    number_key = MatchKeyField("number", _("student number"), unique=True)
    name = models.CharField(_("name"), max_length=200)
    name_key = MatchKeyField("name", _("name"), db_index=True)
    email = models.EmailField(_("e-mail"), blank=True)
    guardian_phone = models.CharField(_("guardian's phone"), max_length=40, blank=True)
    guest = models.BooleanField(
        _("guest"), default=False, help_text=_("Somebody who sits in the class and may become a student later.")
    )

    class Meta:
        verbose_name = _("student")
        verbose_name_plural = _("students")
        ordering = ["name", "number"]

    def __str__(self) -> str:
        return f"{self.name} ({self.number})"


class Enrolment(models.Model):
    """A student is on the roster of a class from one day to another (both included; open when empty)."""

    course = models.ForeignKey(Course, on_delete=models.CASCADE, related_name="enrolments", verbose_name=_("class"))
    student = models.ForeignKey(Student, on_delete=models.CASCADE, related_name="enrolments", verbose_name=_("student"))
    valid_from = models.DateField(_("from"), default=timezone.localdate)
    valid_to = models.DateField(_("to"), null=True, blank=True)

    class Meta:
        verbose_name = _("enrolment")
        verbose_name_plural = _("enrolments")
        ordering = ["student__name"]
        constraints = [
            models.UniqueConstraint(fields=["course", "student"], name="one_enrolment_a_student_and_class"),
            models.CheckConstraint(
                condition=Q(valid_to=None) | Q(valid_to__gte=F("valid_from")), name="enrolment_ends_after_it_starts"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.student} in {self.course.code}"


class Lecture(models.Model):
    """One meeting of a class."""

    course = models.ForeignKey(Course, on_delete=models.CASCADE, related_name="lectures", verbose_name=_("class"))
    title = models.CharField(_("title"), max_length=200, blank=True)
    room = models.ForeignKey(
        Room, null=True, blank=True, on_delete=models.PROTECT, related_name="lectures", verbose_name=_("room")
    )
    starts_at = models.DateTimeField(_("starts"))
    ends_at = models.DateTimeField(_("ends"))
    cancelled = models.BooleanField(
        _("cancelled"), default=False, help_text=_("Does not take place; calendars show it as cancelled.")
    )
    series = models.ForeignKey(
        LectureSeries,
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        related_name="lectures",
        verbose_name=_("series"),
        editable=False,
    )
    # The day that it has in its series, also when it was moved to another.
    series_day = models.DateField(null=True, blank=True, editable=False)
    detached = models.BooleanField(_("changed by hand"), default=False, editable=False)
    # What the calendar that it was imported from calls it.
    uid = models.CharField(max_length=300, blank=True, editable=False)

    class Meta:
        verbose_name = _("lecture")
        verbose_name_plural = _("lectures")
        ordering = ["-starts_at"]
        constraints = [
            models.UniqueConstraint(fields=["course", "starts_at"], name="one_lecture_a_class_and_time"),
            models.UniqueConstraint(fields=["series", "series_day"], name="one_lecture_a_series_and_day"),
            models.UniqueConstraint(fields=["course", "uid"], condition=~Q(uid=""), name="one_lecture_a_class_and_uid"),
            models.CheckConstraint(condition=Q(ends_at__gt=F("starts_at")), name="lecture_ends_after_it_starts"),
        ]
        indexes = [models.Index(fields=["starts_at"], name="lectures_by_time")]

    def __str__(self) -> str:
        when = timezone.localtime(self.starts_at)
        return f"{self.course.code} {when:%Y-%m-%d %H:%M}" + (f" {self.title}" if self.title else "")
