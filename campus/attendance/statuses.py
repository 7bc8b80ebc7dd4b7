"""What an attendance may be: the statuses that are always there, an institution's own ones, and what each is worth."""

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
    EXCUSED = "excused", _("Excused")
    ABSENT = "absent", _("Absent")


# What a person may set: whether somebody was there is never left open by a person.
BUILT_IN_OVERRIDES = [(value, label) for value, label in Status.choices if value != Status.TO_CONFIRM]
ATTENDED = {Status.PRESENT, Status.LATE, Status.LEFT_EARLY}


@dataclass(frozen=True, slots=True)
class StatusDefinition:
    """One status as everything else uses it. `like` is the member of Status whose meaning and colour it has."""

    code: str
    label: str
    letter: str
    points: Decimal
    counts: bool
    like: str
    moodle: str

    @property
    def attended(self) -> bool:
        return self.like in ATTENDED


# Letter, points, whether it counts in the percentage, acronym in Moodle: as a new Moodle has them.
BUILT_IN_STATUSES = {
    Status.PRESENT: ("P", 2, True, "P"),
    Status.LATE: ("L", 1, True, "L"),
    Status.LEFT_EARLY: ("LE", 1, True, "L"),
    Status.TO_CONFIRM: ("?", 0, False, ""),
    Status.EXCUSED: ("E", 1, False, "E"),
    Status.ABSENT: ("A", 0, True, "A"),
}


class AttendanceStatus(models.Model):
    """A line of the institution's set. Those of `Status` are always there, also without a row; the others are its own."""

    code = models.SlugField(
        _("code"),
        max_length=10,
        unique=True,
        help_text=_("Kept with each record. It cannot be changed later, so make it a plain word."),
    )
    name = models.CharField(_("name"), max_length=40, blank=True)
    letter = models.CharField(
        _("letter"), max_length=3, unique=True, help_text=_("In the register: one to three letters.")
    )
    points = models.DecimalField(_("points"), max_digits=5, decimal_places=2, validators=[MinValueValidator(0)])
    counts = models.BooleanField(
        _("counts"), default=True, help_text=_("Whether a lecture with this status counts in the student's percentage.")
    )
    like = models.CharField(
        _("counts as"),
        max_length=10,
        choices=BUILT_IN_OVERRIDES,
        help_text=_("The status whose meaning it has: in filters, colours and sums."),
    )
    moodle = models.CharField(
        _("in Moodle"),
        max_length=2,
        blank=True,
        help_text=_("The acronym of the status in Moodle's set. Empty: left out of files for Moodle."),
    )
    position = models.PositiveSmallIntegerField(_("position"), default=100)

    class Meta:
        verbose_name = _("status")
        verbose_name_plural = _("statuses")
        ordering = ["position", "code"]
        constraints = [
            models.CheckConstraint(condition=Q(points__gte=0), name="points_are_not_negative"),
            models.CheckConstraint(condition=~Q(code="to_confirm"), name="what_is_open_is_no_decision"),
        ]

    def __str__(self) -> str:
        return str(self.label)

    @property
    def built_in(self) -> bool:
        return self.code in BUILT_IN_STATUSES

    @property
    def label(self) -> str:
        return str(Status(self.code).label) if self.built_in else self.name

    @property
    def in_use(self) -> bool:
        """Whether a record has it, or the log of changes names it."""
        records, changes = (apps.get_model("attendance", name) for name in ("AttendanceRecord", "AttendanceChange"))
        changed = changes.objects.filter(Q(old=self.code) | Q(new=self.code)).exists()
        return changed or records.objects.filter(override_status=self.code).exists()

    def clean(self) -> None:
        if self.code == Status.TO_CONFIRM:
            raise ValidationError(
                {"code": _("“to be confirmed” is what the machine leaves open. Choose another code.")}
            )
        if not self.built_in and not self.name.strip():
            raise ValidationError({"name": _("Give the status a name.")})


class _Cache:
    """The rows as they were a moment ago: a page asks for the label of each of its lines."""

    rows: tuple[AttendanceStatus, ...] = ()
    until = 0.0


def clear_cache(**_kwargs: Any) -> None:
    """Ask the database again: at the beginning of each request, and when a row was changed."""
    _Cache.until = 0.0


request_started.connect(clear_cache)
post_save.connect(clear_cache, sender=AttendanceStatus)
post_delete.connect(clear_cache, sender=AttendanceStatus)


def _cached_rows() -> tuple[AttendanceStatus, ...]:
    if time.monotonic() >= _Cache.until:
        try:
            _Cache.rows = tuple(AttendanceStatus.objects.all())
        except DatabaseError:
            return ()  # the checks of a database that is not yet migrated
        _Cache.until = time.monotonic() + CACHE_SECONDS
    return _Cache.rows


def status_definitions() -> dict[str, StatusDefinition]:
    """All statuses by their codes, in the institution's order; what is to be confirmed comes last."""
    found = {
        row.code: StatusDefinition(row.code, row.label, row.letter, row.points, row.counts, row.like, row.moodle)
        for row in _cached_rows()
    }
    for code, (letter, points, counts, moodle) in BUILT_IN_STATUSES.items():
        found.setdefault(
            code.value,
            StatusDefinition(code.value, str(code.label), letter, Decimal(points), counts, code.value, moodle),
        )
    return found


def status_choices() -> list[tuple[str, str]]:
    """All statuses, as choices."""
    return [(kind.code, kind.label) for kind in status_definitions().values()]


def override_choices() -> list[tuple[str, str]]:
    """What a person may set, as choices."""
    return [(kind.code, kind.label) for kind in status_definitions().values() if kind.code != Status.TO_CONFIRM]


def status_label(code: str) -> str:
    """How a status is called; a code whose row was deleted stands for itself."""
    if code in BUILT_IN_STATUSES:
        return str(Status(code).label)
    kind = status_definitions().get(code)
    return kind.label if kind else code


def meaning_of(code: str) -> Status:
    """The member of `Status` whose meaning a status has; nobody was absent by a status that is gone."""
    if code in BUILT_IN_STATUSES:
        return Status(code)
    kind = status_definitions().get(code)
    return Status(kind.like) if kind else Status.EXCUSED
