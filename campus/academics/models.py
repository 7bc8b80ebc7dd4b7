"""Classes, students, who is enrolled where; rooms, the timetable and its lectures; links for calendar programs."""

import uuid
import zoneinfo
from datetime import date, timedelta

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import F, Q
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext_lazy as _

from campus.academics.import_models import FileImport as FileImport
from campus.common.days import FIRST_DAY, LAST_DAY, OUT_OF_RANGE
from campus.common.keys import KeyedModel, MatchKeyField, NumberKeyField, SortKeyField, match_key

MAX_SERIES_LENGTH = timedelta(days=731)  # of a series
WEEKDAYS = [
    (0, _("Monday")),
    (1, _("Tuesday")),
    (2, _("Wednesday")),
    (3, _("Thursday")),
    (4, _("Friday")),
    (5, _("Saturday")),
    (6, _("Sunday")),
]


class Strictness(models.TextChoices):
    """How sure the machine must be before it takes a face for a student's; the names of the gallery's presets."""

    STRICT = "strict", _("Strict")
    BALANCED = "balanced", _("Balanced")
    LENIENT = "lenient", _("Lenient")


class Embedder(models.TextChoices):
    """The models that compare faces, by their ids."""

    DLIB = "dlib-resnet-v1", _("dlib ResNet (comes with Rollcall)")
    DLIB_FACENET = "dlib-facenet-v1", _("dlib ResNet and FaceNet together (come with Rollcall)")
    FACENET = "facenet-20180402", _("FaceNet 2018-04-02, trained on VGGFace2 (its weights have to be added)")
    FACENET_CASIA = "facenet-20180408", _("FaceNet 2018-04-08, trained on CASIA-WebFace (comes with Rollcall)")


class Term(models.Model):
    """A part of the year with classes, the first and the last day included."""

    name = models.CharField(_("name"), max_length=100, unique=True, help_text=_("Like “Winter 2026/27”."))
    first_day = models.DateField(_("first day"))
    last_day = models.DateField(_("last day"))
    archived = models.BooleanField(
        _("archived"),
        default=False,
        help_text=_(
            "The classes of an archived term leave everybody's lists and first page. Nothing is deleted, and this can "
            "be undone."
        ),
    )
    # Where its public holidays were taken from; empty until somebody has chosen.
    country = models.CharField(_("country"), max_length=2, blank=True, editable=False)
    region = models.CharField(_("region"), max_length=40, blank=True, editable=False)

    class Meta:
        verbose_name = _("term")
        verbose_name_plural = _("terms")
        ordering = ["-first_day", "name"]
        constraints = [
            models.CheckConstraint(
                condition=Q(last_day__gte=F("first_day")),
                name="term_ends_after_it_starts",
                violation_error_message=_("The last day is before the first."),
            )
        ]

    def __str__(self) -> str:
        return self.name

    def clean(self) -> None:
        if self.first_day and self.last_day and self.last_day - self.first_day > MAX_SERIES_LENGTH:
            raise ValidationError({"last_day": _("A term may last two years.")})


class Course(KeyedModel):
    """A class."""

    code = models.CharField(_("code"), max_length=40)
    code_key = MatchKeyField("code", _("code"), unique=True)
    name = models.CharField(_("name"), max_length=200)
    name_key = MatchKeyField("name", _("name"))
    search_key = SortKeyField("search_text")
    term = models.ForeignKey(
        Term,
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="courses",
        verbose_name=_("term"),
        help_text=_("Its first and last day are offered for the class's timetable."),
    )
    archived = models.BooleanField(
        _("archived"),
        default=False,
        help_text=_(
            "An archived class leaves everybody's lists and first page. Nothing is deleted: its pages and registers "
            "stay where they were."
        ),
    )
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
        _("present from (seconds)"),
        default=2,
        help_text=_("How long a student must be seen. Where recordings show less than an hour, in proportion."),
    )
    present_percent = models.PositiveSmallIntegerField(
        _("present from (share of the lecture in per cent)"),
        null=True,
        blank=True,
        validators=[MinValueValidator(1), MaxValueValidator(100)],
        help_text=_("The share of what recordings show that a student must be seen for. Empty: the seconds count."),
    )
    late_minutes = models.PositiveIntegerField(
        _("late after (minutes)"),
        default=10,
        help_text=_("Minutes into the lecture. Of a lecture under an hour, in proportion."),
    )
    early_minutes = models.PositiveIntegerField(
        _("left early before the last (minutes)"),
        default=10,
        help_text=_("Minutes of the lecture. Of a lecture under an hour, in proportion."),
    )

    strictness = models.CharField(
        _("strictness"),
        max_length=10,
        choices=Strictness.choices,
        default=Strictness.BALANCED,
        help_text=_(
            "How like a student's photos a face must be. Strict lets fewer strangers pass and misses more students, "
            "lenient "
            "the other way round. It counts from the next recording on."
        ),
    )
    embedder = models.CharField(
        _("face model"),
        max_length=60,
        choices=[("", _("as the server is set")), *Embedder.choices],
        blank=True,
        help_text=_(
            "What compares the faces of this class. After a change the photos are compared anew, "
            "and the present gallery stays in use until the new one is ready."
        ),
    )
    automatic_marking = models.BooleanField(
        _("faces are recognised"),
        default=True,
        help_text=_("Off: no recording of this class is counted, and its students' faces are not learnt for it."),
    )
    gallery_outdated_at = models.DateTimeField(
        null=True, editable=False, help_text=_("Since then a training is due; empty when none is.")
    )
    lecture_faces_since = models.DateTimeField(
        null=True, editable=False, help_text="No faces of lectures before it are learnt, as the retention rules say."
    )
    roster_changed_at = models.DateTimeField(
        null=True, editable=False, help_text=_("Since then lectures are due a recount; empty when none is.")
    )
    is_sample = models.BooleanField(_("sample"), default=False, editable=False)

    class Meta:
        verbose_name = _("class")
        verbose_name_plural = _("classes")
        ordering = ["code"]
        constraints = [
            models.CheckConstraint(
                condition=Q(present_percent=None) | Q(present_percent__gte=1, present_percent__lte=100),
                name="present_percent_is_a_percentage",
            )
        ]

    def __str__(self) -> str:
        return f"{self.code} {self.name}"

    @property
    def is_archived(self) -> bool:
        """Whether the class or its term is."""
        return self.archived or (self.term is not None and self.term.archived)

    @property
    def search_text(self) -> str:
        """The code, also as people type it without spaces, and the name."""
        return f"{self.code} {self.code.replace(' ', '')} {self.name}"

    @property
    def wanted_embedder(self) -> str:
        """The id of the model that the class's next gallery is made with."""
        return self.embedder or str(settings.EMBEDDER)


class Student(KeyedModel):
    number = models.CharField(_("student number"), max_length=40)
    number_key = NumberKeyField("number", _("student number"), unique=True)
    name = models.CharField(_("name"), max_length=200)
    name_key = MatchKeyField("name", _("name"), db_index=True)
    surname = models.CharField(
        _("surname"),
        max_length=200,
        blank=True,
        help_text=_(
            "Lists are sorted by it, or by the last word of the name where it is empty or not part of the name."
        ),
    )
    sort_key = SortKeyField("name_by_surname", _("name"), db_index=True)
    email = models.EmailField(_("e-mail"), blank=True)
    guardian_phone = models.CharField(_("guardian's phone"), max_length=40, blank=True)
    guest = models.BooleanField(
        _("guest"), default=False, help_text=_("Somebody who sits in the class and may become a student later.")
    )
    automatic_marking = models.BooleanField(
        _("may be recognised"),
        default=True,
        help_text=_("Off: the student's face is not recognised, whatever the student has agreed to."),
    )
    is_sample = models.BooleanField(_("sample"), default=False, editable=False)
    created_at = models.DateTimeField(auto_now_add=True, editable=False)
    erased_at = models.DateTimeField(
        null=True, editable=False, help_text="Since when nobody is behind the row: only the attendance is left."
    )

    class Meta:
        verbose_name = _("student")
        verbose_name_plural = _("students")
        ordering = ["sort_key", "number_key"]

    def __str__(self) -> str:
        return f"{self.name} ({self.number})"

    @property
    def given_name(self) -> str:
        """The first word of the name that is not of the surname."""
        surname = match_key(self.surname or self.name.partition(",")[0] if "," in self.name else self.surname)
        words = [word.strip(",") for word in self.name.split()]
        return next((word for word in words if match_key(word) not in surname.split()), self.name)

    @property
    def name_by_surname(self) -> str:
        """The surname and the whole name; the name alone where it begins with the surname (“Berg, Anna”)."""
        words = self.name.split()
        if "," in self.name or not words:
            return self.name
        is_known = self.surname and match_key(self.surname) in match_key(self.name)
        return f"{self.surname if is_known else words[-1]} {self.name}"


class Enrolment(models.Model):
    """A student is on the roster of a class from one day to another (both included; open when empty)."""

    course = models.ForeignKey(Course, on_delete=models.CASCADE, related_name="enrolments", verbose_name=_("class"))
    student = models.ForeignKey(Student, on_delete=models.CASCADE, related_name="enrolments", verbose_name=_("student"))
    valid_from = models.DateField(_("from"), default=timezone.localdate)
    valid_to = models.DateField(_("to"), null=True, blank=True)
    section = models.CharField(
        _("section"), max_length=40, blank=True, help_text=_("A part of the class that meets on its own, like “Lab 2”.")
    )

    class Meta:
        verbose_name = _("enrolment")
        verbose_name_plural = _("enrolments")
        ordering = ["student__sort_key"]
        constraints = [
            models.UniqueConstraint(fields=["course", "student"], name="one_enrolment_a_student_and_class"),
            models.CheckConstraint(
                condition=Q(valid_to=None) | Q(valid_to__gte=F("valid_from")), name="enrolment_ends_after_it_starts"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.student} in {self.course.code}"


class Room(KeyedModel):
    """A room that lectures are in, and that cameras show."""

    name = models.CharField(_("name"), max_length=100)
    key = MatchKeyField("name", _("name"), unique=True)
    building = models.CharField(_("building"), max_length=100, blank=True)
    search_key = SortKeyField("search_text")
    seats = models.PositiveIntegerField(_("seats"), null=True, blank=True)
    is_sample = models.BooleanField(_("sample"), default=False, editable=False)

    class Meta:
        verbose_name = _("room")
        verbose_name_plural = _("rooms")
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name

    @property
    def search_text(self) -> str:
        """The name, also as people type it without spaces, and the building."""
        return f"{self.name} {self.name.replace(' ', '')} {self.building}"


class Holiday(models.Model):
    """Days on which no series has lectures, the first and the last included."""

    name = models.CharField(_("name"), max_length=100)
    first_day = models.DateField(_("from"))
    last_day = models.DateField(_("to"))
    # Whether it came from the list of a country's public holidays.
    public = models.BooleanField(default=False, editable=False)

    class Meta:
        verbose_name = _("holiday")
        verbose_name_plural = _("holidays")
        ordering = ["first_day", "name"]
        constraints = [
            models.CheckConstraint(
                condition=Q(last_day__gte=F("first_day")),
                name="holiday_ends_after_it_starts",
                violation_error_message=_("The holiday ends before it starts."),
            )
        ]

    def __str__(self) -> str:
        return self.name


def known_weekdays(value: object) -> None:
    if not isinstance(value, list) or not value or not all(type(day) is int and 0 <= day <= 6 for day in value):
        raise ValidationError(_("Choose one day of the week at least."))


def known_time_zone(value: str) -> None:
    if value not in zoneinfo.available_timezones():
        raise ValidationError(_("“%(zone)s” is no time zone. Write one like Europe/Berlin.") % {"zone": value})


class LectureSeries(models.Model):
    """Lectures of a class that come back on the same days of the week. Its times are those on the wall, summer and
    winter.
    """

    course = models.ForeignKey(Course, on_delete=models.CASCADE, related_name="series", verbose_name=_("class"))
    title = models.CharField(_("title"), max_length=200, blank=True)
    room = models.ForeignKey(
        Room, null=True, blank=True, on_delete=models.SET_NULL, related_name="series", verbose_name=_("room")
    )
    weekdays = models.JSONField(
        _("days of the week"), default=list, validators=[known_weekdays], help_text=_("0 is Monday, 6 is Sunday.")
    )
    every_weeks = models.PositiveSmallIntegerField(
        _("every so many weeks"),
        default=1,
        help_text=_("1: every week; 2: every other week, beginning with the week of the first day."),
    )
    starts = models.TimeField(_("starts"))
    ends = models.TimeField(_("ends"))
    first_day = models.DateField(_("first day"))
    last_day = models.DateField(_("last day"))
    time_zone = models.CharField(
        _("time zone"),
        max_length=60,
        blank=True,
        validators=[known_time_zone],
        help_text=_("Like Europe/Berlin. Empty: the institution's."),
    )

    class Meta:
        verbose_name = _("series of lectures")
        verbose_name_plural = _("timetable series")
        ordering = ["course__code", "starts", "pk"]
        constraints = [
            models.CheckConstraint(
                condition=Q(ends__gt=F("starts")),
                name="series_ends_after_it_starts",
                violation_error_message=_("The lecture ends before it starts."),
            ),
            models.CheckConstraint(
                condition=Q(last_day__gte=F("first_day")),
                name="series_has_days",
                violation_error_message=_("The last day is before the first."),
            ),
            models.CheckConstraint(
                condition=Q(every_weeks__gte=1, every_weeks__lte=8),
                name="series_returns_within_eight_weeks",
                violation_error_message=_("Lectures may come back every 1 to 8 weeks."),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.course.code} {self.days_label} {self.starts:%H:%M}" + (f" {self.title}" if self.title else "")

    def clean(self) -> None:
        if self.first_day and self.last_day and self.last_day - self.first_day > MAX_SERIES_LENGTH:
            raise ValidationError({"last_day": _("A series may last two years. Make another one for the time after.")})

    @property
    def days_label(self) -> str:
        return ", ".join(str(name)[:2] for number, name in WEEKDAYS if number in self.weekdays)

    @property
    def zone(self) -> zoneinfo.ZoneInfo:
        return zoneinfo.ZoneInfo(self.time_zone or settings.TIME_ZONE)

    def days(self) -> list[date]:
        """The days of the series, holidays included."""
        monday = self.first_day - timedelta(days=self.first_day.weekday())
        every = [self.first_day + timedelta(days=n) for n in range((self.last_day - self.first_day).days + 1)]
        return [
            day for day in every if day.weekday() in self.weekdays and (day - monday).days // 7 % self.every_weeks == 0
        ]


class Lecture(KeyedModel):
    """One meeting of a class."""

    course = models.ForeignKey(Course, on_delete=models.CASCADE, related_name="lectures", verbose_name=_("class"))
    title = models.CharField(_("title"), max_length=200, blank=True)
    search_key = SortKeyField("title")
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
        indexes = [
            models.Index(fields=["starts_at"], name="lectures_by_time"),
            models.Index(fields=["ends_at"], name="lectures_by_end"),
        ]

    def __str__(self) -> str:
        when = date_format(timezone.localtime(self.starts_at), "DATETIME_FORMAT")
        return f"{self.course.code}{' ' * bool(self.title)}{self.title}, {when}"

    def clean(self) -> None:
        for name in ("starts_at", "ends_at"):
            moment = getattr(self, name)
            if moment and not FIRST_DAY <= moment.date() <= LAST_DAY:
                raise ValidationError({name: OUT_OF_RANGE})

    @property
    def length(self) -> float:
        """In seconds."""
        return (self.ends_at - self.starts_at).total_seconds()


class CalendarLink(models.Model):
    """A private address that calendar programs read somebody's lectures from. It shows what its owner may see at that
    moment.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="calendar_links", editable=False
    )
    course = models.ForeignKey(
        Course, null=True, blank=True, on_delete=models.CASCADE, verbose_name=_("class"), editable=False
    )
    created_at = models.DateTimeField(auto_now_add=True)
    used_at = models.DateTimeField(_("last read"), null=True, editable=False)

    class Meta:
        ordering = ["created_at"]
        constraints = [
            models.UniqueConstraint(fields=["user", "course"], name="one_calendar_link_a_user_and_class"),
            models.UniqueConstraint(fields=["user"], condition=Q(course=None), name="one_calendar_link_a_user_for_all"),
        ]

    def __str__(self) -> str:
        return f"{self.user}: {self.course.code if self.course else 'all classes'}"
