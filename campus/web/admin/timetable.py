"""Rooms, holidays and series of lectures. Lectures are created only after somebody has seen the preview."""

from collections import Counter
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import Count, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.formats import date_format, time_format
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.contrib.filters.admin import RelatedDropdownFilter
from unfold.decorators import action, display
from unfold.enums import ActionVariant
from unfold.widgets import UnfoldAdminCheckboxSelectMultipleWidget

from campus.academics.models import WEEKDAYS, Holiday, LectureSeries, Room
from campus.academics.series import WRITTEN_CHANGES, DayChange, PlannedDay, apply_series, plan_all, plan_fingerprint
from campus.common.errors import UserError
from campus.web.admin.base import RegistrarAdmin, render_badge

VARIANTS = {
    DayChange.NEW: "success",
    DayChange.CHANGED: "info",
    DayChange.REMOVED: "danger",
    DayChange.KEPT: "warning",
    DayChange.HOLIDAY: "",
    DayChange.SAME: "",
}
PLAN_PERMISSIONS = ("academics.add_lecture", "academics.change_lecture", "academics.delete_lecture")


def preview_url(series: "QuerySet[LectureSeries] | list[LectureSeries]") -> str:
    query = {"series": [row.pk for row in series]}
    return reverse("admin:academics_lectureseries_preview", query=query)


@admin.register(Room)
class RoomAdmin(RegistrarAdmin):
    list_display = ("name", "building", "seats")
    search_fields = ("search_key",)


@admin.register(Holiday)
class HolidayAdmin(RegistrarAdmin):
    list_display = ("name", "first_day", "last_day")
    search_fields = ("name",)
    date_hierarchy = "first_day"
    fields = ("name", ("first_day", "last_day"))

    def _preview_or(self, request: HttpRequest, obj: Holiday, response: HttpResponse) -> HttpResponse:
        """After saving, continue to the preview if the holiday affects any series."""
        touched = LectureSeries.objects.filter(first_day__lte=obj.last_day, last_day__gte=obj.first_day)
        if (
            request.user.has_perms(PLAN_PERMISSIONS)
            and not ({"_continue", "_addanother"} & set(request.POST))
            and touched.exists()
        ):
            return redirect("admin:academics_lectureseries_preview")
        return response

    def response_add(self, request: HttpRequest, obj: Holiday, post_url_continue: str | None = None) -> HttpResponse:
        return self._preview_or(request, obj, super().response_add(request, obj, post_url_continue))

    def response_change(self, request: HttpRequest, obj: Holiday) -> HttpResponse:
        return self._preview_or(request, obj, super().response_change(request, obj))


class SeriesForm(forms.ModelForm):  # type: ignore[type-arg]
    weekdays = forms.TypedMultipleChoiceField(
        label=gettext_lazy("Days of the week"),
        choices=WEEKDAYS,
        coerce=int,
        widget=UnfoldAdminCheckboxSelectMultipleWidget(),
    )


@admin.register(LectureSeries)
class LectureSeriesAdmin(RegistrarAdmin):
    form = SeriesForm
    list_display = ("course", "title", "days", "times", "room", "first_day", "last_day", "lectures_n")
    list_display_links = ("course",)
    list_filter = (("course", RelatedDropdownFilter), ("room", RelatedDropdownFilter))
    list_select_related = ("course", "room")
    search_fields = ("course__code_key", "course__name_key", "title", "room__key")
    autocomplete_fields = ("course", "room")
    fieldsets = (
        (None, {"fields": ("course", ("title", "room"))}),
        (
            gettext_lazy("When?"),
            {"fields": ("weekdays", ("starts", "ends"), ("first_day", "last_day"), ("every_weeks", "time_zone"))},
        ),
    )
    actions = ("preview_some",)
    actions_detail = ("preview_one",)
    actions_list = ("preview_all",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[LectureSeries]:
        return super().get_queryset(request).annotate(n=Count("lectures"))

    @display(description=gettext_lazy("Days"))
    def days(self, series: LectureSeries) -> str:
        return series.days_label

    @display(description=gettext_lazy("Times"), ordering="starts")
    def times(self, series: LectureSeries) -> str:
        return f"{time_format(series.starts, 'H:i')}–{time_format(series.ends, 'H:i')}"  # noqa: RUF001

    @display(description=gettext_lazy("Lectures"), ordering="n")
    def lectures_n(self, series: Any) -> int:
        return int(series.n)

    def has_plan_permission(self, request: HttpRequest, obj: object = None) -> bool:
        return request.user.has_perms(PLAN_PERMISSIONS)

    @action(description=gettext_lazy("Preview the lectures"), permissions=["plan"])
    def preview_some(self, request: HttpRequest, queryset: QuerySet[LectureSeries]) -> HttpResponseBase:
        return redirect(preview_url(queryset))

    @action(
        description=gettext_lazy("Preview the lectures"),
        url_path="plan",
        icon="event_repeat",
        variant=ActionVariant.PRIMARY,
        permissions=["plan"],
    )
    def preview_one(self, request: HttpRequest, object_id: str) -> HttpResponseBase:
        return redirect(reverse("admin:academics_lectureseries_preview", query={"series": object_id}))

    @action(description=gettext_lazy("Preview all"), url_path="plan-all", icon="event_repeat", permissions=["plan"])
    def preview_all(self, request: HttpRequest) -> HttpResponseBase:
        return redirect("admin:academics_lectureseries_preview")

    def response_add(
        self, request: HttpRequest, obj: LectureSeries, post_url_continue: str | None = None
    ) -> HttpResponse:
        response = super().response_add(request, obj, post_url_continue)
        return response if {"_continue", "_addanother", "_popup"} & set(request.POST) else redirect(preview_url([obj]))

    def response_change(self, request: HttpRequest, obj: LectureSeries) -> HttpResponse:
        response = super().response_change(request, obj)
        return response if {"_continue", "_addanother", "_popup"} & set(request.POST) else redirect(preview_url([obj]))

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view
        return [path("preview/", view(self.preview), name="academics_lectureseries_preview"), *super().get_urls()]

    def preview(self, request: HttpRequest) -> HttpResponseBase:
        """Previews the lectures of the selected series, or of all current ones; a POST saves them."""
        if not request.user.has_perms(PLAN_PERMISSIONS):
            raise PermissionDenied
        named = [int(pk) for pk in request.GET.getlist("series") if pk.isdecimal() and len(pk) < 19]
        chosen = LectureSeries.objects.select_related("course", "room")
        chosen = chosen.filter(pk__in=named) if named else chosen
        if request.method == "POST":
            self._apply_plans(request, chosen)
            return redirect("admin:academics_lectureseries_changelist")
        series = list(chosen)
        plans = plan_all(series)
        previews = [_preview_context(row, steps) for row, steps in zip(series, plans, strict=True)]
        context = {
            "title": _("Preview of the timetable"),
            "plans": [plan for plan in previews if plan["writes"] or len(plans) == 1],
            "writes": sum(plan["writes"] for plan in previews),
            "unchanged": sum(not plan["writes"] for plan in previews) if len(plans) > 1 else 0,
        }
        return TemplateResponse(
            request, "admin/rollcall/timetable.html", {**self.admin_site.each_context(request), **context}
        )

    def _apply_plans(self, request: HttpRequest, chosen: QuerySet[LectureSeries]) -> None:
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


def _preview_context(series: LectureSeries, steps: list[PlannedDay]) -> dict[str, Any]:
    """The preview of one plan, without the lectures that stay the same."""
    counts = Counter(step.kind for step in steps)
    return {
        "series": series,
        "heading": str(series),
        "fingerprint": plan_fingerprint(steps),
        "writes": sum(step.kind in WRITTEN_CHANGES for step in steps),
        "counts": ", ".join(f"{kind.label}: {counts[kind]}" for kind in DayChange if counts[kind]),
        "table": {
            "headers": [_("Day"), _("Time"), _("Lecture"), _("Remark")],
            "rows": [
                [_day(step), _times(series, step), render_badge(str(step.kind.label), VARIANTS[step.kind]), step.remark]
                for step in steps
                if step.kind != DayChange.SAME
            ],
        },
    }


def _day(step: PlannedDay) -> str:
    return date_format(step.day, _("D j M Y"))


def _times(series: LectureSeries, step: PlannedDay) -> str:
    return "–".join(date_format(moment.astimezone(series.zone), "H:i") for moment in (step.starts_at, step.ends_at))  # noqa: RUF001
