"""Attendance statuses: the built-in ones, those that an institution adds, and how many points each is worth."""

import time
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from django.apps import apps
from django.core.exceptions import ValidationError
from django.core.signals import request_started
from django.core.validators import MinValueValidator
from django.db import DatabaseError, models
from django.db.models import Q
from django.db.models.signals import post_delete, post_save
from django.utils.translation import gettext_lazy as _

CACHE_SECONDS = 5.0


class Status(models.TextChoices):
    PRESENT = "present", _("Present")
    LATE = "late", _("Late")
    LEFT_EARLY = "left_early", _("Left early")
    TO_CONFIRM = "to_confirm", _("To be confirmed")
    NOT_RECOGNISABLE = "not_recognisable", _("Not recognisable")
    EXCUSED = "excused", _("Excused")
    ABSENT = "absent", _("Absent")


STATUS_CODE_LENGTH = 16
# Only the machine leaves a status open: it is not certain, or it could not know the student or see the lecture.
MACHINE_ONLY = {Status.TO_CONFIRM, Status.NOT_RECOGNISABLE}
BUILT_IN_OVERRIDES = [(value, label) for value, label in Status.choices if value not in MACHINE_ONLY]
# What the machine may say of a student who is excused then: it did not see him or her.
EXCUSABLE = ("", Status.ABSENT.value, Status.NOT_RECOGNISABLE.value)
ATTENDED = {Status.PRESENT, Status.LATE, Status.LEFT_EARLY}


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusDefinition:
    """One status, built-in or the institution's own. `meaning` is the member of Status that it counts as: in filters,
    colours and sums.

    `is_counted` says whether it counts in a student's percentage; `moodle_acronym` is "" where files for Moodle leave
    it out.
    """

    code: str
    label: str
    letter: str
    points: Decimal
    is_counted: bool
    meaning: str
    moodle_acronym: str

    @property
    def is_attended(self) -> bool:
        return self.meaning in ATTENDED


# Letter, points, whether it counts in the percentage, acronym in Moodle. These are Moodle's own defaults.
BUILT_IN_STATUSES = {
    Status.PRESENT: ("P", 2, True, "P"),
    Status.LATE: ("L", 1, True, "L"),
    Status.LEFT_EARLY: ("LE", 1, True, "L"),
    Status.TO_CONFIRM: ("?", 0, False, ""),
    Status.NOT_RECOGNISABLE: ("NR", 0, False, ""),
    Status.EXCUSED: ("E", 1, False, "E"),
    Status.ABSENT: ("A", 0, True, "A"),
}


class AttendanceStatus(models.Model):
    """A status in the institution's set.

    Those of `Status` exist without a row too; all others are the institution's own.
    """

    code = models.SlugField(
        _("code"),
        max_length=STATUS_CODE_LENGTH,
        unique=True,
        help_text=_("Stored with each record. It cannot be changed later, so choose a plain word."),
    )
    name = models.CharField(_("name"), max_length=40, blank=True)
    letter = models.CharField(
        _("letter"), max_length=3, unique=True, help_text=_("In the register: one to three characters.")
    )
    points = models.DecimalField(_("points"), max_digits=5, decimal_places=2, validators=[MinValueValidator(0)])
    is_counted = models.BooleanField(
        _("counts"), default=True, help_text=_("Whether a lecture with this status counts in the student's percentage.")
    )
    meaning = models.CharField(
        _("counts as"),
        max_length=10,
        choices=BUILT_IN_OVERRIDES,
        help_text=_("The built-in status that this one counts as in filters, colours and sums."),
    )
    moodle_acronym = models.CharField(
        _("in Moodle"),
        max_length=2,
        blank=True,
        help_text=_("The status's acronym in Moodle. Leave it empty to keep the status out of files for Moodle."),
    )
    position = models.PositiveSmallIntegerField(_("position"), default=100)

    class Meta:
        verbose_name = _("status")
        verbose_name_plural = _("statuses")
        ordering = ["position", "code"]
        constraints = [
            models.CheckConstraint(condition=Q(points__gte=0), name="status_points_are_not_negative"),
            models.CheckConstraint(
                condition=~Q(code__in=["to_confirm", "not_recognisable"]), name="status_code_is_not_the_machines"
            ),
        ]

    def __str__(self) -> str:
        return str(self.label)

    @property
    def is_built_in(self) -> bool:
        return self.code in BUILT_IN_STATUSES

    @property
    def label(self) -> str:
        return str(Status(self.code).label) if self.is_built_in else self.name

    @property
    def is_in_use(self) -> bool:
        """Whether a record has this status or the change log names it."""
        records, changes = (apps.get_model("attendance", name) for name in ("AttendanceRecord", "AttendanceChange"))
        changed = changes.objects.filter(Q(old_status=self.code) | Q(new_status=self.code)).exists()
        return changed or records.objects.filter(override_status=self.code).exists()

    def clean(self) -> None:
        if self.code in MACHINE_ONLY:
            raise ValidationError(
                {"code": _("This code is reserved for what the machine leaves open. Choose another.")}
            )
        if not self.is_built_in and not self.name.strip():
            raise ValidationError({"name": _("Give the status a name.")})


class _Cache:
    """The rows as they were a moment ago, since a page asks for a label on each of its lines."""

    rows: tuple[AttendanceStatus, ...] = ()
    expires_at = 0.0


def clear_cache(**_kwargs: Any) -> None:
    """Read the database again: at the beginning of each request, and when a row has changed."""
    _Cache.expires_at = 0.0


request_started.connect(clear_cache)
post_save.connect(clear_cache, sender=AttendanceStatus)
post_delete.connect(clear_cache, sender=AttendanceStatus)


def _cached_rows() -> tuple[AttendanceStatus, ...]:
    if time.monotonic() >= _Cache.expires_at:
        try:
            _Cache.rows = tuple(AttendanceStatus.objects.all())
        except DatabaseError:
            return ()  # Django's checks also run before the database is migrated
        _Cache.expires_at = time.monotonic() + CACHE_SECONDS
    return _Cache.rows


def status_definitions() -> dict[str, StatusDefinition]:
    """All statuses by their codes, in the institution's order; those of the machine alone come last."""
    definitions = {
        row.code: StatusDefinition(
            code=row.code,
            label=row.label,
            letter=row.letter,
            points=row.points,
            is_counted=row.is_counted,
            meaning=row.meaning,
            moodle_acronym=row.moodle_acronym,
        )
        for row in _cached_rows()
    }
    for code, (letter, points, is_counted, moodle_acronym) in BUILT_IN_STATUSES.items():
        definition = StatusDefinition(
            code=code.value,
            label=str(code.label),
            letter=letter,
            points=Decimal(points),
            is_counted=is_counted,
            meaning=code.value,
            moodle_acronym=moodle_acronym,
        )
        definitions.setdefault(code.value, definition)
    return definitions


def status_choices() -> list[tuple[str, str]]:
    """All statuses, as choices."""
    return [(definition.code, definition.label) for definition in status_definitions().values()]


def override_choices() -> list[tuple[str, str]]:
    """The statuses that a person may set, as choices."""
    return [(code, label) for code, label in status_choices() if code not in MACHINE_ONLY]


def status_label(code: str) -> str:
    """The status's name for people; the code itself where its row was deleted."""
    if code in BUILT_IN_STATUSES:
        return str(Status(code).label)
    definition = status_definitions().get(code)
    return definition.label if definition else code


def meaning_of(code: str) -> str:
    """The built-in status that `code` counts as; empty where it is, because nothing is known yet.

    `EXCUSED` where its row was deleted, so that nobody counts as absent by accident.
    """
    if not code or code in BUILT_IN_STATUSES:
        return code
    definition = status_definitions().get(code)
    return definition.meaning if definition else Status.EXCUSED.value
