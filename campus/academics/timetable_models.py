"""The timetable: rooms, days without lectures, lectures that come back every week, and links for calendar programs."""

import uuid
import zoneinfo
from datetime import date, timedelta

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from campus.common.keys import KeyedModel, MatchKeyField

LONGEST = timedelta(days=731)  # of a series
WEEKDAYS = [
    (0, _("Monday")),
    (1, _("Tuesday")),
    (2, _("Wednesday")),
    (3, _("Thursday")),
    (4, _("Friday")),
    (5, _("Saturday")),
    (6, _("Sunday")),
]


class Room(KeyedModel):
    """A room that lectures are in, and that cameras show."""

    name = models.CharField(_("name"), max_length=100)
    key = MatchKeyField("name", _("name"), unique=True)
    building = models.CharField(_("building"), max_length=100, blank=True)
    seats = models.PositiveIntegerField(_("seats"), null=True, blank=True)

    class Meta:
        verbose_name = _("room")
        verbose_name_plural = _("rooms")
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name


class Holiday(models.Model):
    """Days on which no series has lectures, the first and the last included."""

    name = models.CharField(_("name"), max_length=100)
    first_day = models.DateField(_("from"))
    last_day = models.DateField(_("to"))

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
    """Lectures of a class that come back on the same days of the week. Its times are those on the wall, summer and winter."""

    course = models.ForeignKey(
        "academics.Course", on_delete=models.CASCADE, related_name="series", verbose_name=_("class")
    )
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
        verbose_name_plural = _("timetable")
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
        if self.first_day and self.last_day and self.last_day - self.first_day > LONGEST:
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


class CalendarLink(models.Model):
    """A private address that calendar programs read somebody's lectures from. It shows what its owner may see at that moment."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="calendar_links", editable=False
    )
    course = models.ForeignKey(
        "academics.Course", null=True, blank=True, on_delete=models.CASCADE, verbose_name=_("class"), editable=False
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
