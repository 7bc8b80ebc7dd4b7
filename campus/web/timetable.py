"""What a page shows of a timetable before its lectures are written, and the writing once somebody has seen it."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from django.contrib import messages
from django.http import HttpRequest
from django.utils.formats import date_format
from django.utils.text import get_text_list
from django.utils.translation import gettext as _

from campus.academics.models import LectureSeries
from campus.academics.series import WRITTEN_CHANGES, DayChange, PlannedDay, apply_series, plan_all, plan_fingerprint
from campus.common.errors import UserError

PLAN_PERMISSIONS = ("academics.add_lecture", "academics.change_lecture", "academics.delete_lecture")
VARIANTS = {
    DayChange.NEW: "success",
    DayChange.CHANGED: "info",
    DayChange.REMOVED: "danger",
    DayChange.KEPT: "warning",
    DayChange.HOLIDAY: "",
    DayChange.SAME: "",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class PreviewDay:
    """`variant` is the colour of the label."""

    day: str
    times: str
    label: str
    variant: str
    remark: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SeriesPreview:
    """The plan of one series; `days` leaves out the lectures that stay the same."""

    series: LectureSeries
    fingerprint: str
    writes: int
    counts: str
    free_days: list[str]
    days: list[PreviewDay]


def preview_series(chosen: Iterable[LectureSeries]) -> list[SeriesPreview]:
    """What applying these series would do."""
    series = list(chosen)
    return [_preview(row, steps) for row, steps in zip(series, plan_all(series), strict=True)]


def apply_previewed(request: HttpRequest, chosen: Iterable[LectureSeries]) -> None:
    """Write the series whose previews the form names, and say what was done."""
    done = dict.fromkeys(WRITTEN_CHANGES, 0)
    for series in chosen:
        if fingerprint := request.POST.get(f"fingerprint-{series.pk}", ""):
            try:
                counts = apply_series(series=series, fingerprint=fingerprint)
            except UserError as error:
                messages.error(request, f"{series}: {error}")
            else:
                done = {kind: n + counts[kind] for kind, n in done.items()}
    sentence = _("Lectures: %(new)s created, %(changed)s changed, %(removed)s removed.")
    messages.success(request, sentence % {str(kind.value): n for kind, n in done.items()})


def _preview(series: LectureSeries, steps: list[PlannedDay]) -> SeriesPreview:
    counts = Counter(step.kind for step in steps)
    return SeriesPreview(
        series=series,
        fingerprint=plan_fingerprint(steps),
        writes=sum(step.kind in WRITTEN_CHANGES for step in steps),
        counts=", ".join(f"{kind.label}: {counts[kind]}" for kind in DayChange if counts[kind]),
        free_days=_free_days(steps),
        days=[
            PreviewDay(
                day=date_format(step.day, _("D j M Y")),
                times=_times(series, step),
                label=str(step.kind.label),
                variant=VARIANTS[step.kind],
                remark=step.remark,
            )
            for step in steps
            if step.kind != DayChange.SAME
        ],
    )


def _free_days(steps: list[PlannedDay]) -> list[str]:
    """A sentence for each holiday: on which days it takes the lecture away."""
    days: dict[str, list[str]] = {}
    for step in steps:
        if step.kind == DayChange.HOLIDAY or (step.kind == DayChange.REMOVED and step.remark):
            days.setdefault(step.remark, []).append(date_format(step.day, _("j M")))
    sentence = _("No lecture on %(days)s: %(holiday)s.")
    return [sentence % {"days": get_text_list(when, _("and")), "holiday": name} for name, when in days.items()]


def _times(series: LectureSeries, step: PlannedDay) -> str:
    return "–".join(date_format(moment.astimezone(series.zone), "H:i") for moment in (step.starts_at, step.ends_at))  # noqa: RUF001
