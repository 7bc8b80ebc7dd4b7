"""Lectures and what was recorded of them."""

from django.contrib import admin
from django.db.models import Count, QuerySet
from django.http import HttpRequest, HttpResponseBase
from django.shortcuts import redirect
from unfold.contrib.filters.admin import RangeDateTimeFilter, RelatedDropdownFilter
from unfold.decorators import action, display

from campus.academics.models import Lecture
from campus.footage.models import Recording
from campus.web.admin.base import ReadOnlyInline, RegistrarAdmin
from campus.web.admin.recordings import RecordingColumns


class RecordingInline(RecordingColumns, ReadOnlyInline):
    model = Recording
    fields = ("original_name", "recording_state", "progress", "coverage_share", "error", "created_at")
    readonly_fields = fields
    show_change_link = True


@admin.register(Lecture)
class LectureAdmin(RegistrarAdmin):
    list_display = ("course", "starts_at", "ends_at", "title", "room", "recordings_n")
    list_display_links = ("course", "starts_at")
    list_filter = (("course", RelatedDropdownFilter), ("starts_at", RangeDateTimeFilter))
    search_fields = ("course__code", "course__name", "title", "room")
    list_select_related = ("course",)
    date_hierarchy = "starts_at"
    autocomplete_fields = ("course",)
    fields = ("course", ("title", "room"), "starts_at", "ends_at")
    inlines = (RecordingInline,)
    actions_detail = ("staff_page", "upload")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Lecture]:
        return super().get_queryset(request).annotate(n=Count("recordings"))

    @display(description="Recordings", ordering="n")
    def recordings_n(self, lecture: Lecture) -> int:
        return int(getattr(lecture, "n", 0))

    @action(description="Result", url_path="result", icon="fact_check")
    def staff_page(self, request: HttpRequest, object_id: str) -> HttpResponseBase:
        return redirect("lecture", pk=object_id)

    @action(description="Upload a recording", url_path="upload", icon="upload")
    def upload(self, request: HttpRequest, object_id: str) -> HttpResponseBase:
        return redirect("upload", pk=object_id)
