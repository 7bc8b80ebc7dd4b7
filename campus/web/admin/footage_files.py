"""Footage files of the sources, and the collection of footage for each lecture."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any, cast
from uuid import UUID

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponseBase
from django.shortcuts import get_object_or_404, redirect
from django.template.defaultfilters import filesizeformat
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.html import format_html_join
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from unfold.contrib.filters.admin import ChoicesDropdownFilter, RelatedDropdownFilter
from unfold.decorators import action, display
from unfold.widgets import UnfoldAdminSelectWidget

from campus.academics.models import Lecture
from campus.cctv.models import Collection, FootageFile
from campus.cctv.selectors import (
    awaiting_assignment,
    collections_for,
    footage_files_for,
    lectures_near,
    without_lecture,
)
from campus.cctv.services import assign_footage_file, discard_footage_file, restart_collection, restore_footage_file
from campus.recordings.models import Clip
from campus.recordings.selectors import format_clock
from campus.web.admin.base import (
    CourseFilter,
    MomentRangeFilter,
    ReadOnlyInline,
    ReadOnlyMixin,
    RegistrarAdmin,
    call_for_each,
    call_service,
    confirm_dialog,
    format_moment,
    redirect_to_change,
    render_badge,
    render_change_link,
    signed_in_user,
)
from campus.web.admin.photo_upload import render_form_page

MAX_FILES_ASSIGNED_AT_ONCE = 50
MAX_LECTURE_CHOICES = 100
MAX_FILES_NAMED = 5

FOOTAGE_FILE_STATES = {
    FootageFile.State.DISCOVERED: "",
    FootageFile.State.FETCHING: "info",
    FootageFile.State.RETRY: "warning",
    FootageFile.State.STORED: "success",
    FootageFile.State.DUPLICATE: "",
    FootageFile.State.FAILED: "danger",
    FootageFile.State.DISCARDED: "",
}
COLLECTION_STATES = {
    Collection.State.WAITING: "",
    Collection.State.COLLECTING: "info",
    Collection.State.COMPLETE: "success",
    Collection.State.MISSING: "danger",
    Collection.State.OFF: "",
}


class LectureFilter(admin.SimpleListFilter):
    title = gettext_lazy("lecture")
    parameter_name = "lecture"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [
            ("unclear", gettext_lazy("needs a decision")),
            ("none", gettext_lazy("without a lecture")),
            ("some", gettext_lazy("with a lecture")),
        ]

    def queryset(self, request: HttpRequest, queryset: QuerySet[FootageFile]) -> QuerySet[FootageFile]:
        match self.value():
            case "unclear":
                return awaiting_assignment(queryset)
            case "none":
                return without_lecture(queryset)
            case "some":
                return queryset.exclude(pk__in=without_lecture(queryset).values("pk")).exclude(
                    state=FootageFile.State.DISCARDED
                )
        return queryset


class ClipInline(ReadOnlyInline):
    model = Clip
    fields = ("of", "seconds", "place")
    readonly_fields = fields
    verbose_name_plural = gettext_lazy("recordings that use it")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Clip]:
        return super().get_queryset(request).select_related("recording__lecture__course")

    @display(description=gettext_lazy("Recording"))
    def of(self, clip: Clip) -> SafeString:
        return render_change_link(clip.recording)

    @display(description=gettext_lazy("Part of the file"))
    def seconds(self, clip: Clip) -> str:
        return f"{format_clock(clip.start)} – {format_clock(clip.end)}"  # noqa: RUF001

    @display(description=gettext_lazy("In the lecture"))
    def place(self, clip: Clip) -> str:
        return f"{format_clock(clip.recording_start)} – {format_clock(clip.recording_start + clip.end - clip.start)}"  # noqa: RUF001


class AssignForm(forms.Form):
    lecture = forms.ModelChoiceField(
        Lecture.objects.none(),
        label=gettext_lazy("Lecture"),
        widget=UnfoldAdminSelectWidget(),
        help_text=gettext_lazy("Lectures around that day. The footage counts towards the one you choose: %(files)s"),
    )

    def __init__(self, *args: Any, footage_files: Sequence[FootageFile], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        moment = footage_files[0].starts_at or footage_files[0].modified_at or footage_files[0].discovered_at
        room = footage_files[0].camera.room_id if footage_files[0].camera else None
        lectures = sorted(
            lectures_near(moment), key=lambda lecture: (lecture.room_id != room, abs(lecture.starts_at - moment))
        )[:MAX_LECTURE_CHOICES]
        field = cast("forms.ModelChoiceField[Lecture]", self.fields["lecture"])
        names = [
            f"{footage_file.path} ({format_moment(footage_file.starts_at)})"
            if footage_file.starts_at
            else footage_file.path
            for footage_file in footage_files
        ]
        more = [_("and %(n)s more") % {"n": len(names) - MAX_FILES_NAMED}] if len(names) > MAX_FILES_NAMED else []
        field.help_text = field.help_text % {"files": ", ".join([*names[:MAX_FILES_NAMED], *more])}
        field.queryset = Lecture.objects.filter(pk__in=[lecture.pk for lecture in lectures])
        field.choices = [("", "---------"), *((lecture.pk, _lecture_label(lecture)) for lecture in lectures)]


def _lecture_label(lecture: Lecture) -> str:
    """The lecture with its time and room first, by which people look for it."""
    when = f"{format_moment(lecture.starts_at)}–{date_format(timezone.localtime(lecture.ends_at), 'H:i')}"  # noqa: RUF001
    return ", ".join(
        part for part in (when, lecture.room and lecture.room.name, str(lecture.course), lecture.title) if part
    )


@admin.register(FootageFile)
class FootageFileAdmin(ReadOnlyMixin, RegistrarAdmin):
    list_display = ("path", "room", "starts", "until", "lectures", "state_badge", "remark")
    list_filter = (
        LectureFilter,
        ("state", ChoicesDropdownFilter),
        ("source", RelatedDropdownFilter),
        ("camera__room", RelatedDropdownFilter),
        ("starts_at", MomentRangeFilter),
    )
    search_fields = ("path", "source__name", "camera__room__key")
    list_select_related = ("source", "camera__room", "lecture__course")
    fieldsets = (
        (
            None,
            {
                "fields": (
                    ("source", "camera"),
                    "path",
                    ("starts", "until"),
                    ("state_badge", "file_size"),
                    "lectures",
                    "remark",
                )
            },
        ),
        (
            gettext_lazy("Processing"),
            {
                "fields": (("discovered_at", "fetched_at"), ("retry_count", "retry_at"), "info", "error_detail"),
                "classes": ("collapse",),
            },
        ),
    )
    readonly_fields = ("starts", "until", "state_badge", "file_size", "lectures", "remark")
    inlines = (ClipInline,)
    actions = ("assign_all", "discard_all", "restore_all")
    actions_detail = ("assign_one", "discard_one", "restore_one")

    def get_queryset(self, request: HttpRequest) -> QuerySet[FootageFile]:
        return super().get_queryset(request).prefetch_related("clips__recording__lecture__course")

    @display(description=gettext_lazy("Room"), ordering="camera__room__key")
    def room(self, footage_file: FootageFile) -> str:
        return str(footage_file.camera.room) if footage_file.camera else "-"

    @display(description=gettext_lazy("From"), ordering="starts_at")
    def starts(self, footage_file: FootageFile) -> str:
        return format_moment(footage_file.starts_at) if footage_file.starts_at else "-"

    @display(description=gettext_lazy("To"), ordering="ends_at")
    def until(self, footage_file: FootageFile) -> str:
        return date_format(timezone.localtime(footage_file.ends_at), "H:i") if footage_file.ends_at else "-"

    @display(description=gettext_lazy("State"), ordering="state")
    def state_badge(self, footage_file: FootageFile) -> SafeString:
        return render_badge(
            footage_file.get_state_display(), FOOTAGE_FILE_STATES[FootageFile.State(footage_file.state)]
        )

    @display(description=gettext_lazy("Size"), ordering="size")
    def file_size(self, footage_file: FootageFile) -> str:
        return filesizeformat(footage_file.size)

    @display(description=gettext_lazy("Lecture"))
    def lectures(self, footage_file: FootageFile) -> str:
        found = {clip.recording.lecture for clip in footage_file.clips.all()} | (
            {footage_file.lecture} if footage_file.lecture else set()
        )
        links = ((render_change_link(lecture),) for lecture in sorted(found, key=lambda lecture: lecture.starts_at))
        return format_html_join(mark_safe("<br>"), "{}", links) or "-"

    @display(description=gettext_lazy("Remark"))
    def remark(self, footage_file: FootageFile) -> str:
        return str(footage_file.error or footage_file.note or "-")

    def _can_change(self, request: HttpRequest, object_id: object, states: Any) -> bool:
        if not request.user.has_perm("cctv.change_footagefile"):
            return False
        return object_id is None or FootageFile.objects.filter(pk=object_id, state__in=states).exists()  # type: ignore[misc]

    def has_use_permission(self, request: HttpRequest, object_id: object = None) -> bool:
        return self._can_change(
            request, object_id, set(FootageFile.State) - {FootageFile.State.DISCARDED, FootageFile.State.DUPLICATE}
        )

    def has_restore_permission(self, request: HttpRequest, object_id: object = None) -> bool:
        return self._can_change(request, object_id, {FootageFile.State.DISCARDED})

    @action(description=gettext_lazy("Assign to a lecture"), permissions=["use"])
    def assign_all(self, request: HttpRequest, queryset: QuerySet[FootageFile]) -> HttpResponseBase:
        return redirect(assign_url(queryset.values_list("pk", flat=True)[:MAX_FILES_ASSIGNED_AT_ONCE]))

    @action(
        description=gettext_lazy("Assign to a lecture"),
        url_path="to-lecture",
        icon="event_available",
        permissions=["use"],
    )
    def assign_one(self, request: HttpRequest, object_id: str) -> HttpResponseBase:
        return redirect(assign_url([object_id]))

    @action(description=gettext_lazy("Discard"), permissions=["use"])
    def discard_all(self, request: HttpRequest, queryset: QuerySet[FootageFile]) -> None:
        call_for_each(
            request,
            queryset,
            lambda footage_file: discard_footage_file(footage_file=footage_file, user=signed_in_user(request)),
            _("Discarded"),
        )

    @action(
        description=gettext_lazy("Discard"),
        url_path="discard",
        icon="delete",
        permissions=["use"],
        dialog=confirm_dialog(
            gettext_lazy("Discard this file?"),
            gettext_lazy(
                "The local copy is deleted. The file at the source stays and can be restored; footage recorded "
                "here is gone for good."
            ),
            gettext_lazy("Discard"),
        ),
    )
    def discard_one(self, request: HttpRequest, form: Any, object_id: str) -> HttpResponseBase:
        return self._call_for_file(request, object_id, discard_footage_file, _("File discarded."))

    @action(description=gettext_lazy("Restore"), permissions=["use"])
    def restore_all(self, request: HttpRequest, queryset: QuerySet[FootageFile]) -> None:
        call_for_each(
            request,
            queryset,
            lambda footage_file: restore_footage_file(footage_file=footage_file, user=signed_in_user(request)),
            _("Restored"),
        )

    @action(
        description=gettext_lazy("Restore"),
        url_path="restore",
        icon="undo",
        permissions=["restore"],
        dialog=confirm_dialog(
            gettext_lazy("Restore this file?"),
            gettext_lazy("The file is treated as new: it is fetched if a lecture needs it."),
            gettext_lazy("Restore"),
        ),
    )
    def restore_one(self, request: HttpRequest, form: Any, object_id: str) -> HttpResponseBase:
        return self._call_for_file(request, object_id, restore_footage_file, _("File restored."))

    def _call_for_file(
        self, request: HttpRequest, object_id: str, service: Callable[..., object], success: str
    ) -> HttpResponseBase:
        footage_file = get_object_or_404(footage_files_for(request.user), pk=object_id)
        call_service(request, lambda: service(footage_file=footage_file, user=signed_in_user(request)), success)
        return redirect_to_change(request, FootageFile, object_id)

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view
        return [path("assign/", view(self.assign_view), name="cctv_footagefile_assign"), *super().get_urls()]

    def assign_view(self, request: HttpRequest) -> HttpResponseBase:
        """Assign the selected files to a lecture."""
        if not self.has_use_permission(request):
            raise PermissionDenied
        chosen = (
            footage_files_for(request.user)
            .filter(pk__in=_uuids(request.GET.getlist("footage_file")))
            .select_related("source", "camera__room")
        )
        footage_files = list(chosen)
        if not footage_files:
            messages.error(request, _("Select the files first."))
            return redirect("admin:cctv_footagefile_changelist")
        form = AssignForm(request.POST or None, footage_files=footage_files)
        if form.is_valid():
            lecture = form.cleaned_data["lecture"]
            call_for_each(
                request,
                chosen,
                lambda footage_file: assign_footage_file(
                    footage_file=footage_file, lecture=lecture, user=signed_in_user(request)
                ),
                _("Assigned"),
            )
            return redirect("admin:cctv_footagefile_changelist")
        title = ngettext(
            "Which lecture does this file belong to?",
            "Which lecture do these %(n)d files belong to?",
            len(footage_files),
        ) % {"n": len(footage_files)}
        return render_form_page(request, title, form, None, verb=_("Assign"))


def assign_url(pks: Iterable[object]) -> str:
    return reverse("admin:cctv_footagefile_assign", query={"footage_file": [str(pk) for pk in pks]})


def _uuids(texts: Iterable[str]) -> list[UUID]:
    uuids = []
    for text in texts:
        try:
            uuids.append(UUID(text))
        except ValueError:
            continue
    return uuids[:MAX_FILES_ASSIGNED_AT_ONCE]


@admin.register(Collection)
class CollectionAdmin(ReadOnlyMixin, RegistrarAdmin):
    list_display = ("lecture", "room", "state_badge", "missing", "check_count", "next_check", "deadline_at")
    list_filter = (
        ("state", ChoicesDropdownFilter),
        ("lecture__starts_at", MomentRangeFilter),
        ("lecture__course", CourseFilter),
    )
    search_fields = ("lecture__course__code_key", "lecture__course__name_key", "lecture__title", "lecture__room__key")
    list_select_related = ("lecture__course", "lecture__room")
    fields = (
        "lecture",
        "room",
        "state_badge",
        "missing",
        ("next_check", "check_count"),
        ("deadline_at", "finished_at"),
    )
    readonly_fields = ("room", "state_badge", "missing", "next_check")
    actions = ("restart_all",)
    actions_detail = ("staff_page", "files", "restart")

    @display(description=gettext_lazy("Room"), ordering="lecture__room__key")
    def room(self, collection: Collection) -> str:
        return str(collection.lecture.room or "-")

    @display(description=gettext_lazy("State"), ordering="state")
    def state_badge(self, collection: Collection) -> SafeString:
        return render_badge(collection.get_state_display(), COLLECTION_STATES[Collection.State(collection.state)])

    @display(description=gettext_lazy("Missing"))
    def missing(self, collection: Collection) -> str:
        return str(collection.note or "-")

    @display(description=gettext_lazy("Next check"), ordering="next_check_at")
    def next_check(self, collection: Collection) -> Any:
        waits = collection.state in (Collection.State.WAITING, Collection.State.COLLECTING)
        return format_moment(collection.next_check_at) if waits else "-"

    def has_steer_permission(self, request: HttpRequest, obj: object = None) -> bool:
        return request.user.has_perm("cctv.change_collection")

    @action(description=gettext_lazy("Result"), url_path="result", icon="fact_check")
    def staff_page(self, request: HttpRequest, object_id: str) -> HttpResponseBase:
        return redirect("lecture", pk=get_object_or_404(collections_for(request.user), pk=object_id).lecture_id)

    @action(description=gettext_lazy("Files of that day"), url_path="files", icon="video_file")
    def files(self, request: HttpRequest, object_id: str) -> HttpResponseBase:
        """Files of all rooms, since another camera may have recorded the lecture."""
        collection = get_object_or_404(collections_for(request.user).select_related("lecture"), pk=object_id)
        day = timezone.localdate(collection.lecture.starts_at).isoformat()
        span = {"starts_at_from_0": day, "starts_at_to_0": day}
        return redirect(reverse("admin:cctv_footagefile_changelist", query=span))

    @action(description=gettext_lazy("Check again"), permissions=["steer"])
    def restart_all(self, request: HttpRequest, queryset: QuerySet[Collection]) -> None:
        call_for_each(
            request,
            queryset,
            lambda row: restart_collection(collection=row, user=signed_in_user(request)),
            _("Checking again"),
        )

    @action(
        description=gettext_lazy("Check again"),
        url_path="restart",
        icon="refresh",
        permissions=["steer"],
        dialog=confirm_dialog(
            gettext_lazy("Check for this lecture's footage again?"),
            gettext_lazy("The sources of the lecture's room are checked now, and for at least another hour."),
            gettext_lazy("Check again"),
        ),
    )
    def restart(self, request: HttpRequest, form: Any, object_id: str) -> HttpResponseBase:
        collection = get_object_or_404(collections_for(request.user).select_related("lecture"), pk=object_id)
        call_service(
            request,
            lambda: restart_collection(collection=collection, user=signed_in_user(request)),
            _("Checking for footage again."),
        )
        return redirect_to_change(request, Collection, object_id)
