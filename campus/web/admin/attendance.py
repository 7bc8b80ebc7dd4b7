"""Attendance records with proposals and overrides, the log of corrections, and the Excel reports."""

from uuid import UUID

from django import forms
from django.contrib import admin
from django.http import HttpRequest, HttpResponseBase
from django.shortcuts import get_object_or_404
from django.urls import URLPattern, path, reverse
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.contrib.filters.admin import ChoicesDropdownFilter
from unfold.decorators import action, display
from unfold.forms import BaseDialogForm
from unfold.widgets import UnfoldAdminSelectWidget, UnfoldAdminTextInputWidget

from campus.attendance import overrides, reports, statuses
from campus.attendance.file_responses import workbook_response
from campus.attendance.models import AttendanceChange, AttendanceRecord, Report, Status
from campus.attendance.selectors import records_for, reports_for
from campus.web.admin.base import (
    CourseFilter,
    MomentRangeFilter,
    ReadOnlyInline,
    ReadOnlyMixin,
    RegistrarAdmin,
    call_service,
    redirect_to_change,
    render_badge,
    render_link,
    signed_in_user,
)
from campus.web.templatetags.rollcall import minutes

STATUS_VARIANTS: dict[str, str] = {
    Status.PRESENT: "success",
    Status.LATE: "warning",
    Status.LEFT_EARLY: "warning",
    Status.TO_CONFIRM: "info",
    Status.NOT_RECOGNISABLE: "info",
    Status.EXCUSED: "info",
    Status.ABSENT: "danger",
}


class CorrectionForm(BaseDialogForm):
    status = forms.ChoiceField(
        choices=lambda: [("", _("As detected")), *statuses.override_choices()],
        required=False,
        widget=UnfoldAdminSelectWidget(),
    )
    reason = forms.CharField(max_length=300, widget=UnfoldAdminTextInputWidget())


class ChangeInline(ReadOnlyInline):
    model = AttendanceChange
    fields = ("created_at", "old_status", "new_status", "reason", "user_name")
    readonly_fields = fields
    verbose_name_plural = gettext_lazy("corrections")


@admin.register(AttendanceRecord)
class AttendanceRecordAdmin(ReadOnlyMixin, RegistrarAdmin):
    list_display = (
        "student",
        "lecture",
        "current",
        "machine_status",
        "override_status",
        "minutes",
        "share_percent",
        "strictness",
    )
    list_filter = (
        ("machine_status", ChoicesDropdownFilter),
        ("override_status", ChoicesDropdownFilter),
        ("lecture__course", CourseFilter),
        ("lecture__starts_at", MomentRangeFilter),
    )
    search_fields = ("student__name_key", "student__number_key", "lecture__course__code_key", "lecture__title")
    list_select_related = ("student", "lecture__course")
    ordering = ("-pk",)  # newest first; sorting by lecture time would sort hundreds of thousands of rows for each page
    fieldsets = (
        (None, {"fields": ("student", "lecture", ("current", "machine_status", "override_status"))}),
        (
            gettext_lazy("Detected"),
            {"fields": (("first_seen", "last_seen"), ("minutes", "share_percent", "strictness"), "updated_at")},
        ),
    )
    readonly_fields = ("current", "minutes", "share_percent", "strictness")
    inlines = (ChangeInline,)
    actions_detail = ("correct",)

    @display(description=gettext_lazy("Status"))
    def current(self, record: AttendanceRecord) -> SafeString:
        return render_badge(record.get_status_display(), STATUS_VARIANTS.get(statuses.meaning_of(record.status), ""))

    @display(description=gettext_lazy("Share of the lecture"), ordering="share")
    def share_percent(self, record: AttendanceRecord) -> str:
        return f"{100 * record.share:.0f} %"

    @display(description=gettext_lazy("Seen for"), ordering="seconds")
    def minutes(self, record: AttendanceRecord) -> str:
        return minutes(record.seconds)

    @display(description=gettext_lazy("Confidence"), ordering="confidence")
    def strictness(self, record: AttendanceRecord) -> str:
        return f"{100 * record.confidence:.0f} %"

    def has_correct_permission(self, request: HttpRequest, obj: object = None) -> bool:
        return request.user.has_perm("attendance.change_attendancerecord")

    @action(
        description=gettext_lazy("Correct"),
        url_path="correct",
        icon="edit",
        permissions=["correct"],
        dialog={
            "title": gettext_lazy("Correct the attendance"),
            "description": gettext_lazy("The detected status is kept, and the correction is logged with your name."),
            "form_class": CorrectionForm,
            "form_submit_text": gettext_lazy("Save"),
        },
    )
    def correct(self, request: HttpRequest, form: CorrectionForm, object_id: str) -> HttpResponseBase:
        record = get_object_or_404(records_for(request.user), pk=object_id)
        call_service(
            request,
            lambda: overrides.set_override(
                record=record,
                status=form.cleaned_data["status"],
                reason=form.cleaned_data["reason"],
                user=signed_in_user(request),
            ),
            _("Attendance corrected."),
        )
        return redirect_to_change(request, AttendanceRecord, object_id)


@admin.register(AttendanceChange)
class AttendanceChangeAdmin(ReadOnlyMixin, RegistrarAdmin):
    list_display = ("created_at", "kind", "student", "lecture", "old_status", "new_status", "reason", "user_name")
    list_filter = (
        ("kind", ChoicesDropdownFilter),
        ("lecture__course", CourseFilter),
        ("created_at", MomentRangeFilter),
    )
    search_fields = ("record__student__name_key", "record__student__number_key", "user_name", "reason")
    list_select_related = ("record__student", "lecture__course")
    fields = ("created_at", "kind", "student", "lecture", "about", "old_status", "new_status", "reason", "user_name")
    readonly_fields = fields

    @display(description=gettext_lazy("Student"), ordering="record__student__sort_key")
    def student(self, change: AttendanceChange) -> str:
        return str(change.record.student) if change.record else ""


@admin.register(Report)
class ReportAdmin(ReadOnlyMixin, RegistrarAdmin):
    list_display = ("file_name", "course", "kind", "created_at", "download")
    list_filter = (("course", CourseFilter), ("created_at", MomentRangeFilter))
    search_fields = ("file_name", "course__code_key", "course__name_key")
    list_select_related = ("course",)
    fields = ("file_name", "course", "lecture", "kind", "created_at", "sha256", "download")
    readonly_fields = fields

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(self.download_view)
        return [path("<uuid:pk>/download/", view, name="attendance_report_download"), *super().get_urls()]

    def download_view(self, request: HttpRequest, pk: UUID) -> HttpResponseBase:
        return workbook_response(reports.refresh_report(report=get_object_or_404(reports_for(request.user), pk=pk)))

    @display(description=gettext_lazy("What"))
    def kind(self, report: Report) -> SafeString:
        return render_badge(_("lecture"), "info") if report.lecture_id else render_badge(_("class register"), "success")

    @display(description=gettext_lazy("Excel file"))
    def download(self, report: Report) -> SafeString:
        return render_link(reverse("admin:attendance_report_download", args=[report.pk]), _("Download"))
