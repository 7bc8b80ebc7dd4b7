"""Lectures with their recordings, and the import of calendars."""

from collections import Counter
from typing import Any
from uuid import UUID

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import OuterRef, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, redirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.decorators import action, display
from unfold.widgets import (
    UnfoldAdminFileFieldWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminTextInputWidget,
    UnfoldBooleanSwitchWidget,
)

from campus.academics.calendar_import import EntryChange, PlannedEntry, plan_import, save_import
from campus.academics.file_imports import create_calendar_import, delete_file_import, entries_of
from campus.academics.models import Course, FileImport, Lecture
from campus.academics.selectors import CURRENT, file_imports_for, lectures_for
from campus.academics.services import change_lecture
from campus.common.errors import UserError
from campus.recordings.models import Recording
from campus.web.admin.base import (
    CourseFilter,
    MomentRangeFilter,
    ReadOnlyInline,
    RegistrarAdmin,
    call_for_each,
    count_subquery,
    format_moment,
    render_badge,
    signed_in_user,
)
from campus.web.admin.recordings import RecordingColumns
from campus.web.calendar_response import calendar_response
from campus.web.file_reading import wait_for_reading

IMPORT_PERMISSIONS = ("academics.add_lecture", "academics.change_lecture")
MAX_ROWS_SHOWN = 500
VARIANTS = {
    EntryChange.NEW: "success",
    EntryChange.CHANGED: "info",
    EntryChange.KEPT: "warning",
    EntryChange.GONE: "danger",
    EntryChange.REFUSED: "danger",
    EntryChange.SAME: "",
}


class RecordingInline(RecordingColumns, ReadOnlyInline):
    model = Recording
    fields = ("original_name", "recording_state", "progress", "coverage_share", "error", "created_at")
    readonly_fields = fields
    show_change_link = True


class CalendarForm(forms.Form):
    file = forms.FileField(
        label=gettext_lazy("Calendar"),
        widget=UnfoldAdminFileFieldWidget(attrs={"accept": ".ics,text/calendar"}),
        help_text=gettext_lazy("An iCalendar file (.ics). You see a preview before anything is saved."),
    )
    course = forms.ModelChoiceField(
        Course.objects.filter(CURRENT),
        label=gettext_lazy("Class"),
        required=False,
        empty_label=gettext_lazy("By the code in each event"),
        widget=UnfoldAdminSelectWidget(),
        help_text=gettext_lazy(
            "The class of all events. Otherwise each event names its class in its title or as its category."
        ),
    )
    until = forms.DateField(
        label=gettext_lazy("Last day of the term"),
        required=False,
        widget=UnfoldAdminTextInputWidget(attrs={"type": "date"}),
        help_text=gettext_lazy("Events that repeat without an end do so up to this day."),
    )


@admin.register(Lecture)
class LectureAdmin(RegistrarAdmin):
    list_display = ("course", "starts_at", "ends_at", "title", "room", "state", "recordings_n")
    list_display_links = ("course", "starts_at")
    list_filter = (("course", CourseFilter), ("starts_at", MomentRangeFilter), "cancelled")
    search_fields = ("course__search_key", "search_key", "room__search_key")
    list_select_related = ("course", "room")
    autocomplete_fields = ("course", "room")
    inlines = (RecordingInline,)
    actions = ("cancel_all", "bring_back_all", "as_calendar")
    actions_list = ("import_calendar",)
    actions_detail = ("staff_page", "upload")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Lecture]:
        return (
            super()
            .get_queryset(request)
            .annotate(n=count_subquery(Recording.objects.filter(lecture=OuterRef("pk")), "lecture"))
        )

    def get_fields(self, request: HttpRequest, obj: Lecture | None = None) -> Any:
        own = ("course", ("title", "room"), "starts_at", "ends_at")
        return (*own, "cancelled", "series") if obj else own

    def get_readonly_fields(self, request: HttpRequest, obj: Lecture | None = None) -> Any:
        return ("course", "series") if obj else ()

    @display(description=gettext_lazy("Recordings"), ordering="n")
    def recordings_n(self, lecture: Lecture) -> int:
        return int(getattr(lecture, "n", 0))

    @display(description=gettext_lazy("Timetable"), ordering="cancelled")
    def state(self, lecture: Lecture) -> str:
        if lecture.cancelled:
            return render_badge(_("cancelled"), "danger")
        return render_badge(_("changed by hand"), "info") if lecture.detached else ""

    def save_model(self, request: HttpRequest, obj: Lecture, form: Any, change: bool) -> None:
        """A lecture that somebody changes here is no longer changed by its series or by imports."""
        obj.detached = obj.detached or (change and bool(form.changed_data) and bool(obj.series_id or obj.uid))
        super().save_model(request, obj, form, change)

    @action(description=gettext_lazy("Cancel these lectures"), permissions=["change"])
    def cancel_all(self, request: HttpRequest, queryset: QuerySet[Lecture]) -> None:
        call_for_each(request, queryset, lambda lecture: _set_cancelled(lecture, True), _("Lectures cancelled"))

    @action(description=gettext_lazy("Restore these lectures"), permissions=["change"])
    def bring_back_all(self, request: HttpRequest, queryset: QuerySet[Lecture]) -> None:
        call_for_each(request, queryset, lambda lecture: _set_cancelled(lecture, False), _("Lectures restored"))

    @action(description=gettext_lazy("Download as iCalendar (.ics)"))
    def as_calendar(self, request: HttpRequest, queryset: QuerySet[Lecture]) -> HttpResponse:
        return calendar_response(
            request, queryset.select_related("course", "room"), name=_("Lectures"), download="lectures.ics"
        )

    @action(
        description=gettext_lazy("Import a calendar"),
        url_path="calendar",
        icon="event_upcoming",
        permissions=["calendar"],
    )
    def import_calendar(self, request: HttpRequest) -> HttpResponseBase:
        return redirect("admin:academics_lecture_calendar_import")

    def has_calendar_permission(self, request: HttpRequest, obj: object = None) -> bool:
        return request.user.has_perms(IMPORT_PERMISSIONS)

    @action(description=gettext_lazy("Result"), url_path="result", icon="fact_check")
    def staff_page(self, request: HttpRequest, object_id: str) -> HttpResponseBase:
        return redirect("lecture", pk=get_object_or_404(lectures_for(request.user), pk=object_id).pk)

    @action(description=gettext_lazy("Upload a recording"), url_path="upload", icon="upload")
    def upload(self, request: HttpRequest, object_id: str) -> HttpResponseBase:
        return redirect("lecture", pk=get_object_or_404(lectures_for(request.user), pk=object_id).pk)

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view
        return [
            path("import-calendar/", view(self.calendar_view), name="academics_lecture_calendar_import"),
            path("import-calendar/<uuid:pk>/", view(self.calendar_preview), name="academics_lecture_calendar_preview"),
            *super().get_urls(),
        ]

    def calendar_view(self, request: HttpRequest) -> HttpResponseBase:
        """Upload a calendar."""
        if not request.user.has_perms(IMPORT_PERMISSIONS):
            raise PermissionDenied
        form = CalendarForm(request.POST or None, request.FILES or None)
        if form.is_valid():
            file, course, until = (form.cleaned_data[name] for name in ("file", "course", "until"))
            try:
                row = create_calendar_import(
                    file=file, name=file.name, course=course, user=signed_in_user(request), until=until
                )
            except UserError as error:
                form.add_error("file", str(error))
            else:
                return redirect("admin:academics_lecture_calendar_preview", row.pk)
        return self._render_calendar(request, form=form)

    def calendar_preview(self, request: HttpRequest, pk: UUID) -> HttpResponseBase:
        """Shows what the import would change. A POST imports."""
        if not request.user.has_perms(IMPORT_PERMISSIONS):
            raise PermissionDenied
        row = file_imports_for(request.user).filter(pk=pk, kind=FileImport.Kind.CALENDAR).first()
        if row is None:
            messages.error(request, _("This preview was already imported, or has expired. Choose the file again."))
            return redirect("admin:academics_lecture_calendar_import")
        page = {**self.admin_site.each_context(request), "title": _("Import a calendar")}
        if waiting := wait_for_reading(request, row, "admin/rollcall/file_reading.html", page):
            return waiting
        form = CalendarForm(initial={"course": row.course, "until": row.options["until"]})
        if row.error:
            return self._render_calendar(request, form=form, problem=row.error)
        try:
            rows = plan_import(entries_of(row), list(Course.objects.all()), row.course)
            if request.method == "POST":
                done = save_import(rows, complete=request.POST.get("complete") == "on")
        except UserError as error:
            return self._render_calendar(request, form=form, problem=error)
        if request.method != "POST":
            return self._render_calendar(request, **_preview_context(rows))
        delete_file_import(row=row)
        sentence = _(
            "Calendar imported: %(new)s new, %(changed)s changed, %(gone)s cancelled, "
            "%(kept)s kept, %(refused)s skipped."
        )
        messages.success(request, sentence % {str(kind.value): done[kind] for kind in EntryChange})
        return redirect("admin:academics_lecture_changelist")

    def _render_calendar(self, request: HttpRequest, **context: object) -> TemplateResponse:
        context |= {
            **self.admin_site.each_context(request),
            "title": _("Import a calendar"),
            "address": reverse("admin:academics_lecture_calendar_import"),
        }
        return TemplateResponse(request, "admin/rollcall/timetable.html", context)


def _set_cancelled(lecture: Lecture, cancelled: bool) -> Lecture:
    return change_lecture(
        lecture=lecture,
        starts_at=lecture.starts_at,
        ends_at=lecture.ends_at,
        title=lecture.title,
        room=lecture.room,
        cancelled=cancelled,
    )


def _preview_context(rows: list[PlannedEntry]) -> dict[str, Any]:
    """The preview of the import, without the lectures that stay the same."""
    shown = [row for row in rows if row.kind != EntryChange.SAME]
    counts = Counter(row.kind for row in rows)
    hidden = len(shown) - MAX_ROWS_SHOWN
    plan: dict[str, Any] = {
        "heading": _("Changes in the calendar"),
        "counts": ", ".join(f"{kind.label}: {counts[kind]}" for kind in EntryChange if counts[kind])
        or _("The calendar has no events."),
        "table": {
            "headers": [_("When"), _("Class"), _("Title"), _("Room"), _("Lecture"), _("Remark")],
            "rows": [_cells(row) for row in shown[:MAX_ROWS_SHOWN]],
        },
    }
    if hidden > 0:
        plan["more"] = _("%(n)s more not shown") % {"n": hidden}
    switch = UnfoldBooleanSwitchWidget().render("complete", True, {"id": "id_complete"})
    return {
        "plans": [plan],
        "writes": sum(counts[kind] for kind in (EntryChange.NEW, EntryChange.CHANGED, EntryChange.GONE)),
        "gone": counts[EntryChange.GONE],
        "complete": switch,
    }


def _cells(row: PlannedEntry) -> list[Any]:
    when = format_moment(row.entry.starts_at) if row.entry.starts_at else "–"  # noqa: RUF001
    course, title = (row.lecture.course.code, row.lecture.title) if row.lecture else ("–", row.entry.summary)  # noqa: RUF001
    remark = row.remark or (_("cancelled") if row.entry.cancelled else "")
    return [
        when,
        course,
        title or "–",  # noqa: RUF001
        row.entry.room or "–",  # noqa: RUF001
        render_badge(str(row.kind.label), VARIANTS[row.kind]),
        remark,
    ]
