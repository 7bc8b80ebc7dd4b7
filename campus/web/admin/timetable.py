"""Rooms, holidays and series of lectures. Lectures are created only after somebody has seen the preview."""

from datetime import date
from typing import Any

from django import forms
from django.contrib import admin
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
from campus.web.admin.base import CourseFilter, RegistrarAdmin, render_badge
from campus.web.class_forms import SeriesForm
from campus.web.timetable import PLAN_PERMISSIONS, SeriesPreview, apply_previewed, preview_series


def preview_url(series: "QuerySet[LectureSeries] | list[LectureSeries]") -> str:
    query = {"series": [row.pk for row in series]}
    return reverse("admin:academics_lectureseries_preview", query=query)


def days_text(first: date, last: date) -> str:
    """One day, or the first and the last of several."""
    return "–".join(date_format(day, _("D j M Y")) for day in dict.fromkeys((first, last)))  # noqa: RUF001


def preview_after_holidays(request: HttpRequest, first: date, last: date) -> HttpResponse | None:
    """A redirect to the preview of the timetable, if there are series in the days whose holidays were changed."""
    touched = LectureSeries.objects.filter(first_day__lte=last, last_day__gte=first)
    may_preview = request.user.has_perms(PLAN_PERMISSIONS) and touched.exists()
    return redirect("admin:academics_lectureseries_preview") if may_preview else None


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
        if {"_continue", "_addanother"} & set(request.POST):
            return response
        return preview_after_holidays(request, obj.first_day, obj.last_day) or response

    def response_add(self, request: HttpRequest, obj: Holiday, post_url_continue: str | None = None) -> HttpResponse:
        return self._preview_or(request, obj, super().response_add(request, obj, post_url_continue))

    def response_change(self, request: HttpRequest, obj: Holiday) -> HttpResponse:
        return self._preview_or(request, obj, super().response_change(request, obj))


class AdminSeriesForm(SeriesForm):
    weekdays = forms.TypedMultipleChoiceField(
        label=gettext_lazy("Days of the week"),
        choices=WEEKDAYS,
        coerce=int,
        widget=UnfoldAdminCheckboxSelectMultipleWidget(),
    )


@admin.register(LectureSeries)
class LectureSeriesAdmin(RegistrarAdmin):
    form = AdminSeriesForm
    list_display = ("course", "title", "days", "times", "room", "first_day", "last_day", "lectures_n")
    list_display_links = ("course",)
    list_filter = (("course", CourseFilter), ("room", RelatedDropdownFilter))
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
            apply_previewed(request, chosen)
            return redirect("admin:academics_lectureseries_changelist")
        previews = preview_series(chosen)
        context = {
            "title": _("Preview of the timetable"),
            "plans": [_plan_context(preview) for preview in previews if preview.writes or len(previews) == 1],
            "writes": sum(preview.writes for preview in previews),
            "unchanged": sum(not preview.writes for preview in previews) if len(previews) > 1 else 0,
        }
        return TemplateResponse(
            request, "admin/rollcall/timetable.html", {**self.admin_site.each_context(request), **context}
        )


def _plan_context(preview: SeriesPreview) -> dict[str, Any]:
    return {
        "series": preview.series,
        "heading": str(preview.series),
        "free_days": preview.free_days,
        "fingerprint": preview.fingerprint,
        "counts": preview.counts,
        "table": {
            "headers": [_("Day"), _("Time"), _("Lecture"), _("Remark")],
            "rows": [[day.day, day.times, render_badge(day.label, day.variant), day.remark] for day in preview.days],
        },
    }
