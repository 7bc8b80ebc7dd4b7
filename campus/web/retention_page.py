"""The page of the retention rules: each in a sentence with its number of days, and what it means today."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from django import forms
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from campus.academics.models import Course
from campus.privacy.models import RetentionRule, RetentionRun
from campus.privacy.retention import count_due
from campus.privacy.retention_models import MAX_DAYS
from campus.privacy.retention_terms import TERMS, Kind, Terms
from campus.web.forms import DayField

RUNS_SHOWN = 14


class RetentionForm(forms.Form):
    """The days of each kind; without a class, the institution's. Empty: kept, or in a class, as the institution."""

    def __init__(self, *args: Any, course: Course | None = None, **kwargs: Any) -> None:
        terms = Terms()
        self.kinds = [kind for kind, term in TERMS.items() if course is None or term.is_per_class]
        pk = course.pk if course else None
        super().__init__(*args, **kwargs)
        for kind in self.kinds:
            self.fields[kind.value] = forms.IntegerField(
                label=kind.label,
                required=False,
                initial=terms.days(kind, pk) if pk is None or terms.differs(kind, pk) else None,
                min_value=TERMS[kind].min_days,
                max_value=MAX_DAYS,
                widget=forms.NumberInput(attrs={"placeholder": terms.days(kind) or "-"} if course else {}),
            )

    def days(self) -> dict[Kind, int | None]:
        """What was entered."""
        return {kind: self.cleaned_data[kind.value] for kind in self.kinds}

    def own_days(self) -> dict[Kind, int | None]:
        """What was entered of those in which a class differs."""
        return {kind: days for kind, days in self.days().items() if days is not None}


@dataclass(frozen=True)
class RetentionLine:
    """A rule in words around its field. `due` and `held` are how much goes within a day, and how much would."""

    field: forms.BoundField
    before: str | Promise
    after: str | Promise
    due: int | None
    held: int


def build_lines(form: RetentionForm, *, with_counts: bool) -> Iterator[RetentionLine]:
    """The rules, one after the other."""
    counts = count_due() if with_counts else {}
    for kind in form.kinds:
        due, held = counts.get(kind, (None, 0))
        yield RetentionLine(form[kind.value], TERMS[kind].before, TERMS[kind].after, due, held)


@dataclass(frozen=True)
class RunLine:
    """A day's deletions in words."""

    run: RetentionRun
    deleted: list[tuple[str, int]]
    held: list[tuple[str, int]]
    failed: list[str]


def latest_runs() -> list[RunLine]:
    """The latest days, the newest first."""
    labels = {kind.value: str(kind.label) for kind in RetentionRule.Kind}
    return [
        RunLine(
            run,
            [(label, run.deleted[kind]) for kind, label in labels.items() if kind in run.deleted],
            [(label, run.held[kind]) for kind, label in labels.items() if kind in run.held],
            [labels[kind] for kind in run.failed if kind in labels],
        )
        for run in RetentionRun.objects.all()[:RUNS_SHOWN]
    ]


class HoldForm(forms.Form):
    """Why something is kept, and until when."""

    reason = forms.CharField(
        label=_("Reason"),
        max_length=300,
        help_text=_("Whoever may open the page reads it, such as “Appeal 2026/17”."),
    )
    until = DayField(
        label=_("Until, this day included"), required=False, help_text=_("Empty: until somebody lifts it.")
    )
