"""Recordings: their progress, and retry, restart, cancel and delete. Uploads go through the staff pages."""

from collections.abc import Callable
from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, redirect
from django.template.defaultfilters import filesizeformat
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.contrib.filters.admin import ChoicesDropdownFilter
from unfold.decorators import action, display
from unfold.enums import ActionVariant

from campus.attendance.services import delete_recording
from campus.recordings import selectors, services
from campus.recordings.models import Clip, Recording, Segment
from campus.recordings.progress import progress_share, with_processed_share
from campus.web.admin.base import (
    CourseFilter,
    ReadOnlyInline,
    ReadOnlyMixin,
    RegistrarAdmin,
    call_for_each,
    call_service,
    confirm_dialog,
    redirect_to_change,
    render_badge,
    signed_in_user,
)

STATE_VARIANTS = {
    Recording.State.UPLOADED: "info",
    Recording.State.PROCESSING: "info",
    Recording.State.AGGREGATING: "info",
    Recording.State.NEEDS_REVIEW: "warning",
    Recording.State.DONE: "success",
    Recording.State.FAILED: "danger",
    Recording.State.CANCELLED: "warning",
}


class RecordingColumns:
    """Columns of recordings in lists."""

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return with_processed_share(super().get_queryset(request).select_related("lecture__course"))  # type: ignore[misc]

    @display(description=gettext_lazy("State"), ordering="state")
    def recording_state(self, recording: Recording) -> SafeString:
        if recording.provisional and recording.state == Recording.State.DONE:
            return render_badge(_("provisional"), "info")
        return render_badge(recording.get_state_display(), STATE_VARIANTS[Recording.State(recording.state)])

    @display(description=gettext_lazy("Progress"))
    def progress(self, recording: Any) -> SafeString:
        percent = round(100 * progress_share(recording.state, recording.processed))
        bar = '<div class="bg-primary-600 h-1.5 dark:bg-primary-500" style="width: {0}%"></div>'
        track = f'<div class="bg-base-200 grow h-1.5 overflow-hidden rounded-default dark:bg-base-700">{bar}</div>'
        return format_html(
            f'<div class="flex items-center gap-2" style="min-width: 7rem">{track}<span>{{0}} %</span></div>', percent
        )

    @display(description=gettext_lazy("Processed"), ordering="coverage")
    def coverage_share(self, recording: Recording) -> str:
        return f"{100 * recording.coverage:.0f} %" if recording.state == Recording.State.DONE else "-"


class SegmentInline(ReadOnlyInline):
    model = Segment
    fields = ("part", "segment_state", "done_share", "faces", "tracks", "attempts", "error")
    readonly_fields = fields
    per_page = 30
    verbose_name_plural = gettext_lazy("segments")

    @display(description=gettext_lazy("Segment"))
    def part(self, segment: Segment) -> str:
        return f"{selectors.format_clock(segment.start)} to {selectors.format_clock(segment.end)}"

    @display(description=gettext_lazy("State"))
    def segment_state(self, segment: Segment) -> SafeString:
        if segment.state == Segment.State.PENDING:
            return render_badge(_("in progress") if segment.is_running else _("waiting"), "info")
        return render_badge(segment.get_state_display(), "success" if segment.state == Segment.State.DONE else "danger")

    @display(description=gettext_lazy("Progress"))
    def done_share(self, segment: Segment) -> str:
        return f"{100 * (1 if segment.state == Segment.State.DONE else segment.progress):.0f} %"


class ClipInline(ReadOnlyInline):
    model = Clip
    fields = ("when", "footage_file", "note")
    readonly_fields = fields
    verbose_name_plural = gettext_lazy("footage files")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Clip]:
        return super().get_queryset(request).select_related("footage_file__source").order_by("recording_start")

    @display(description=gettext_lazy("When"))
    def when(self, clip: Clip) -> str:
        return f"{selectors.format_clock(clip.recording_start)} to {selectors.format_clock(clip.recording_end)}"

    @display(description=gettext_lazy("Note"))
    def note(self, clip: Clip) -> str:
        return clip.footage_file.note


@admin.register(Recording)
class RecordingAdmin(RecordingColumns, ReadOnlyMixin, RegistrarAdmin):
    list_display = ("original_name", "lecture", "recording_state", "progress", "coverage_share", "error", "created_at")
    list_filter = (("state", ChoicesDropdownFilter), ("lecture__course", CourseFilter), "created_at")
    search_fields = ("original_name", "lecture__course__code_key", "lecture__course__name_key", "lecture__title")
    list_per_page = 25
    fieldsets = (
        (None, {"fields": ("lecture", "original_name", ("recording_state", "progress"), "coverage_share", "error")}),
        (
            gettext_lazy("File"),
            {"fields": (("file_size", "length"), "pictures", "uploaded_by", ("created_at", "finished_at"), "sha256")},
        ),
        (gettext_lazy("Processing"), {"fields": ("run", "gallery", "error_detail"), "classes": ("collapse",)}),
    )
    readonly_fields = ("recording_state", "progress", "coverage_share", "file_size", "length", "pictures")
    inlines = (SegmentInline, ClipInline)
    actions = ("retry_all", "restart_all")
    actions_detail = ("staff_page", "restart", "retry", "cancel", "remove")

    @display(description=gettext_lazy("Size"))
    def file_size(self, recording: Recording) -> str:
        return filesizeformat(recording.size)

    @display(description=gettext_lazy("Length"))
    def length(self, recording: Recording) -> str:
        return selectors.format_clock(recording.duration) if recording.duration else "-"

    @display(description=gettext_lazy("Pictures"))
    def pictures(self, recording: Recording) -> str:
        """Frame size, codec and frame rate, from the file's header."""
        seen = {"width": "", "height": "", "codec": "", "fps": 0} | (recording.info or {})
        if not seen["width"]:
            return "-"
        size = f"{seen['width']} × {seen['height']}, {str(seen['codec']).upper()}"  # noqa: RUF001
        return _("%(size)s, %(rate)g frames/s") % {"size": size, "rate": round(seen["fps"], 2)} if seen["fps"] else size

    def has_steer_permission(self, request: HttpRequest, obj: object = None) -> bool:
        return request.user.has_perm("recordings.change_recording")

    def _call_for_recording(
        self, request: HttpRequest, object_id: str, service: Callable[..., None], success: str
    ) -> HttpResponseBase:
        recording = get_object_or_404(selectors.recordings_for(request.user), pk=object_id)
        call_service(request, lambda: service(recording=recording, user=signed_in_user(request)), success)
        return redirect_to_change(request, Recording, object_id)

    @action(description=gettext_lazy("Result"), url_path="result", icon="fact_check")
    def staff_page(self, request: HttpRequest, object_id: str) -> HttpResponseBase:
        return redirect("recording", pk=object_id)

    @action(
        description=gettext_lazy("Take attendance again"),
        url_path="restart",
        icon="restart_alt",
        permissions=["steer"],
        dialog=confirm_dialog(
            gettext_lazy("Take attendance again?"),
            gettext_lazy(
                "The whole recording is processed again, and earlier detections are replaced. Statuses set by "
                "hand are kept."
            ),
            gettext_lazy("Take attendance again"),
        ),
    )
    def restart(self, request: HttpRequest, form: Any, object_id: str) -> HttpResponseBase:
        return self._call_for_recording(
            request, object_id, services.restart_recording, _("Attendance is being taken again.")
        )

    @action(
        description=gettext_lazy("Retry failed segments"),
        url_path="retry",
        icon="refresh",
        permissions=["steer"],
        dialog=confirm_dialog(
            gettext_lazy("Retry the failed segments?"),
            gettext_lazy("Only the failed segments are processed again; then attendance is recalculated."),
            gettext_lazy("Retry"),
        ),
    )
    def retry(self, request: HttpRequest, form: Any, object_id: str) -> HttpResponseBase:
        return self._call_for_recording(
            request, object_id, services.retry_recording, _("The failed segments are being processed again.")
        )

    @action(
        description=gettext_lazy("Cancel"),
        url_path="cancel",
        icon="cancel",
        variant=ActionVariant.DANGER,
        permissions=["steer"],
        dialog=confirm_dialog(
            gettext_lazy("Cancel processing?"),
            gettext_lazy("The results of this run are lost. The recording is kept."),
            gettext_lazy("Cancel processing"),
        ),
    )
    def cancel(self, request: HttpRequest, form: Any, object_id: str) -> HttpResponseBase:
        return self._call_for_recording(request, object_id, services.cancel_recording, _("Processing cancelled."))

    @action(
        description=gettext_lazy("Delete"),
        url_path="remove",
        icon="delete",
        variant=ActionVariant.DANGER,
        permissions=["steer"],
        dialog=confirm_dialog(
            gettext_lazy("Delete the recording?"),
            gettext_lazy(
                "The file and everything detected in it are deleted, and attendance is recalculated without it. "
                "Statuses set by hand and footage files are kept."
            ),
            gettext_lazy("Delete the recording"),
        ),
    )
    def remove(self, request: HttpRequest, form: Any, object_id: str) -> HttpResponseBase:
        recording = get_object_or_404(selectors.recordings_for(request.user), pk=object_id)
        delete_recording(recording=recording)
        messages.success(request, _("Recording deleted. Attendance is recalculated without it."))
        address = reverse("admin:recordings_recording_changelist")
        return (
            HttpResponse(headers={"HX-Redirect": address}) if request.headers.get("HX-Request") else redirect(address)
        )

    @action(description=gettext_lazy("Retry failed segments"), permissions=["steer"])
    def retry_all(self, request: HttpRequest, queryset: Any) -> None:
        call_for_each(
            request,
            queryset,
            lambda recording: services.retry_recording(recording=recording, user=signed_in_user(request)),
            _("Recordings being processed again"),
        )

    @action(description=gettext_lazy("Take attendance again"), permissions=["steer"])
    def restart_all(self, request: HttpRequest, queryset: QuerySet[Recording]) -> None:
        call_for_each(
            request,
            queryset,
            lambda recording: services.restart_recording(recording=recording, user=signed_in_user(request)),
            _("Recordings being processed again"),
        )
