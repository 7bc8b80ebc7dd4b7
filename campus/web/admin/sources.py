"""Sources of footage with their cameras, the test of a source, and alarms."""

from collections import Counter
from typing import Any, ClassVar

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied, ValidationError
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponseBase
from django.shortcuts import get_object_or_404, redirect
from django.template.defaultfilters import filesizeformat
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.html import format_html_join
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from unfold.admin import TabularInline
from unfold.contrib.filters.admin import ChoicesDropdownFilter
from unfold.decorators import action, display
from unfold.widgets import (
    UnfoldAdminFileFieldWidget,
    UnfoldAdminPasswordWidget,
    UnfoldAdminTextInputWidget,
    UnfoldBooleanSwitchWidget,
)

from campus.academics.models import Room
from campus.academics.selectors import rooms_for
from campus.cctv.credentials import PRIVATE_KEY_PREFIX
from campus.cctv.models import Alarm, Camera, FootageFile, Source, SourceTest
from campus.cctv.path_patterns import PathFields, compile_pattern
from campus.cctv.selectors import FilePreview, preview_test_files, sources_for
from campus.cctv.services import (
    clean_password,
    delete_source,
    request_source_test,
    save_channel_rooms,
    save_source,
)
from campus.common.errors import UserError
from campus.common.keys import match_key
from campus.web.admin.base import (
    MomentRangeFilter,
    PreloadedChoicesForm,
    ReadOnlyMixin,
    RegistrarAdmin,
    confirm_dialog,
    format_moment,
    redirect_from_dialog,
    render_badge,
    render_change_link,
    render_link,
)
from campus.web.admin.devices_page import devices_page
from campus.web.admin.footage_files import FOOTAGE_FILE_STATES

MAX_PRIVATE_KEY_BYTES = 20_000


class SourceForm(forms.ModelForm):  # type: ignore[type-arg]
    password = forms.CharField(
        label=gettext_lazy("Password"),
        required=False,
        strip=False,
        max_length=1000,
        widget=UnfoldAdminPasswordWidget(attrs={"autocomplete": "new-password"}),
        help_text=gettext_lazy(
            "For S3, the secret key. Stored encrypted and never shown. Leave empty to keep the current one."
        ),
    )
    message_token = forms.CharField(
        label=gettext_lazy("Secret token of its messages"),
        required=False,
        max_length=200,
        widget=UnfoldAdminPasswordWidget(attrs={"autocomplete": "new-password"}),
        help_text=gettext_lazy("Stored encrypted and never shown. Leave empty to keep the current one."),
    )
    private_key = forms.FileField(
        label=gettext_lazy("Private key"),
        required=False,
        max_length=100,
        widget=UnfoldAdminFileFieldWidget(),
        help_text=gettext_lazy("For SFTP, instead of a password: a file such as id_ed25519, without a passphrase."),
    )
    forget_password = forms.BooleanField(
        label=gettext_lazy("Remove the password"),
        required=False,
        widget=UnfoldBooleanSwitchWidget(),
        help_text=gettext_lazy("A password is stored."),
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if not self.instance.has_password:
            self.fields.pop("forget_password", None)

    def clean_private_key(self) -> str:
        file = self.cleaned_data["private_key"]
        text = file.read(MAX_PRIVATE_KEY_BYTES).decode(errors="replace") if file else ""
        if file and not text.startswith(PRIVATE_KEY_PREFIX):
            raise ValidationError(_("This is not a private key. Choose the file without .pub."))
        return text

    def new_password(self) -> str | None:
        """The password or private key to store; None keeps the current one."""
        secret = self.cleaned_data.get("private_key") or self.cleaned_data.get("password")
        return secret or ("" if self.cleaned_data.get("forget_password") else None)

    def _post_clean(self) -> None:
        super()._post_clean()  # type: ignore[misc]
        try:
            clean_password(self.instance, self.new_password())
        except ValidationError as error:
            self.add_error(None, error)


class CameraInline(TabularInline):
    model = Camera
    form = PreloadedChoicesForm
    fields = ("label", "room", "picture")
    readonly_fields = ("picture",)
    autocomplete_fields = ("room",)
    extra = 1
    hide_title = True

    @display(description=gettext_lazy("Picture"))
    def picture(self, camera: Camera) -> SafeString | str:
        if camera.pk is None:
            return "-"
        return render_link(reverse("admin:cctv_camera_change", args=[camera.pk]), _("Picture settings"))

    def get_queryset(self, request: HttpRequest) -> QuerySet[Camera]:
        return super().get_queryset(request).select_related("room", "source")


@admin.register(Source)
class SourceAdmin(RegistrarAdmin):
    form = SourceForm
    list_display = ("name", "kind", "address", "rooms", "state_badge", "last_checked_at", "last_new_file_at")
    list_filter = (("kind", ChoicesDropdownFilter), "enabled")
    search_fields = ("name", "address", "cameras__label", "cameras__room__key")
    conditional_fields: ClassVar[dict[str, str]] = {
        "username": "kind != 'folder'",
        "password": "kind != 'folder'",
        "private_key": "kind == 'sftp'",
        "message_token": "kind == 'zoom'",
        "devices": "kind == 'onvif'",
        "host_key": "kind == 'sftp'",
        "pattern": " && ".join(f"kind != '{kind}'" for kind in ("rtsp", *sorted(Source.RECORDER_KINDS))),
    }
    inlines = (CameraInline,)
    actions_detail = ("files", "test_now")
    readonly_fields = ("state_badge", "last_checked_at", "last_new_file_at", "error", "clock", "devices")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Source]:
        return super().get_queryset(request).prefetch_related("cameras__room")

    def get_fieldsets(self, request: HttpRequest, obj: Source | None = None) -> Any:
        secret = ("password",) if self.has_change_permission(request, obj) else ()
        key = ("private_key", "message_token") if secret else ()
        devices = () if obj else ("devices",)
        forget = ("forget_password",) if secret and obj and obj.has_password else ()
        sets: list[Any] = [
            (
                None,
                {
                    "fields": (
                        ("name", "enabled"),
                        *("kind", *devices, "address", ("username", *secret)),
                        *key,
                        *forget,
                        "host_key",
                    )
                },
            ),
            (gettext_lazy("Names and times"), {"fields": ("pattern", ("time_zone", "clock_offset"), "clock")}),
            (gettext_lazy("When"), {"fields": (("delay_minutes", "deadline_hours"), "scan_interval_minutes")}),
            (gettext_lazy("Limits"), {"fields": (("max_file_gib", "max_gib_per_day"), "max_kib_per_second")}),
        ]
        if obj:
            sets.insert(
                0,
                (gettext_lazy("State"), {"fields": ("state_badge", ("last_checked_at", "last_new_file_at"), "error")}),
            )
        return sets

    def save_model(self, request: HttpRequest, obj: Source, form: Any, change: bool) -> None:
        save_source(
            source=obj,
            password=form.new_password(),
            message_secret=form.cleaned_data.get("message_token") or None,
        )

    @display(description=gettext_lazy("Rooms"))
    def rooms(self, source: Source) -> str:
        return ", ".join(dict.fromkeys(str(camera.room) for camera in source.cameras.all()))

    @display(description=gettext_lazy("State"), ordering="state")
    def state_badge(self, source: Source) -> SafeString:
        if not source.enabled:
            return render_badge(_("not in use"))
        if source.state == Source.State.SCANNING:
            return render_badge(source.get_state_display(), "info")
        if source.error:
            return render_badge(_("failed"), "danger")
        return render_badge(source.get_state_display(), "success" if source.last_checked_at else "")

    @display(description=gettext_lazy("Measured clock"))
    def clock(self, source: Source) -> str:
        if source.measured_clock_offset is None or source.clock_measured_at is None:
            return "-"
        seen = {
            "seconds": round(source.measured_clock_offset, 1),
            "by": source.get_clock_measured_by_display(),
            "when": format_moment(source.clock_measured_at),
        }
        return _("%(seconds)s s ahead (%(by)s, %(when)s)") % seen

    @display(description=gettext_lazy("Devices"))
    def devices(self, _source: Source) -> SafeString:
        return render_link(reverse("admin:cctv_source_devices"), _("Look for devices"))

    def delete_model(self, request: HttpRequest, obj: Source) -> None:
        delete_source(source=obj)

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Source]) -> None:
        for source in queryset:
            delete_source(source=source)

    @action(description=gettext_lazy("Files"), url_path="files", icon="video_file")
    def files(self, request: HttpRequest, object_id: str) -> HttpResponseBase:
        return redirect(reverse("admin:cctv_footagefile_changelist", query={"source__id__exact": object_id}))

    def has_test_permission(self, request: HttpRequest, obj: object = None) -> bool:
        return request.user.has_perm("cctv.change_source")

    @action(
        description=gettext_lazy("Test now"),
        url_path="test-now",
        icon="troubleshoot",
        permissions=["test"],
        dialog=confirm_dialog(
            gettext_lazy("Test this source?"),
            gettext_lazy(
                "The files are listed and none is fetched. You see how each name is read, and which lecture it "
                "belongs to; of a recorder also its channels."
            ),
            gettext_lazy("Test now"),
        ),
    )
    def test_now(self, request: HttpRequest, form: Any, object_id: str) -> HttpResponseBase:
        request_source_test(source=get_object_or_404(sources_for(request.user), pk=object_id))
        return redirect_from_dialog(request, reverse("admin:cctv_source_test", args=[object_id]))

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view
        return [
            path("devices/", view(devices_page), name="cctv_source_devices"),
            path("<int:pk>/test/", view(self.test_view), name="cctv_source_test"),
            *super().get_urls(),
        ]

    def test_view(self, request: HttpRequest, pk: int) -> HttpResponseBase:
        """The result of the last test; the page refreshes itself until there is one."""
        source = get_object_or_404(sources_for(request.user).select_related("test"), pk=pk)
        if request.method == "POST":
            if not self.has_test_permission(request):
                raise PermissionDenied
            if "rooms" in request.POST:
                _save_rooms(request, source)
            else:
                request_source_test(source=source)
            return redirect("admin:cctv_source_test", pk)
        context = {
            "title": _("Test of %(source)s") % {"source": source},
            "source": source,
            "may_test": self.has_test_permission(request),
            **_test_result(getattr(source, "test", None)),
            **_channel_choices(request, source),
        }
        page = (
            "admin/rollcall/_source_test.html"
            if request.headers.get("HX-Request")
            else "admin/rollcall/source_test.html"
        )
        return TemplateResponse(request, page, {**self.admin_site.each_context(request), **context})


def _test_result(test: SourceTest | None) -> dict[str, Any]:
    if test is None or test.state != SourceTest.State.DONE:
        return {"test": test}
    try:
        rows = preview_test_files(test)
    except UserError as error:
        return {"test": test, "problem": str(error)}
    fits = [row for row in rows if row.fits]
    unknown = Counter(row.note for row in fits if row.parsed and row.parsed.starts_at and row.parsed.camera is None)
    return {
        "test": test,
        "shown": len(rows),
        "fits": len(fits),
        "matched": sum(bool(row.lectures) and not row.note for row in rows),
        "unknown": [f"{note} ({n})" for note, n in unknown.most_common(10)],
        "example": None if fits else _example_path(test.source),
        "table": {
            "headers": [_("Path"), _("Size"), _("Room"), _("From"), _("To"), _("Lecture"), _("Remark")],
            "rows": [_cells(row) for row in rows],
        },
    }


def _channel_choices(request: HttpRequest, source: Source) -> dict[str, Any]:
    """A recorder's channels, each with a field for the room that it shows."""
    test: SourceTest | None = getattr(source, "test", None)
    if not test or not test.channels:
        return {}
    cameras = {match_key(camera.label): camera for camera in source.cameras.select_related("room")}
    rows = []
    for number, (channel, name) in enumerate(test.channels):
        camera = cameras.get(match_key(channel))
        label = _("Room that %(channel)s shows") % {"channel": name or channel}
        field = UnfoldAdminTextInputWidget(attrs={"list": "rooms", "autocomplete": "off", "aria-label": label})
        rows.append([channel, name or "-", field.render(f"room-{number}", camera.room.name if camera else "")])
    table = {"headers": [_("Channel"), _("Its name there"), _("Room")], "rows": rows}
    return {"channels": table, "rooms": rooms_for(request.user)}


def _save_rooms(request: HttpRequest, source: Source) -> None:
    """Save the rooms that were entered beside a recorder's channels."""
    chosen: dict[str, Room] = {}
    for number, (channel, _name) in enumerate(source.test.channels):
        if name := request.POST.get(f"room-{number}", "").strip():
            room = rooms_for(request.user).filter(key=name).first()
            if room is None:
                messages.error(request, _("There is no room called “%(name)s”.") % {"name": name})
            else:
                chosen[channel] = room
    try:
        save_channel_rooms(source=source, rooms=chosen)
    except (UserError, ValidationError) as error:
        messages.error(request, str(error))
    else:
        text = ngettext("The room of one channel is saved.", "The rooms of %(n)d channels are saved.", len(chosen))
        messages.success(request, text % {"n": len(chosen)})


def _example_path(source: Source) -> str:
    """The path that the pattern would give a file recorded now."""
    camera = source.cameras.select_related("room").first()
    fields = PathFields(
        camera=camera.label if camera else "camera",
        room=camera.room.name if camera else "room",
        starts=timezone.now(),
    )
    return compile_pattern(source.pattern).format_path(fields, source.tzinfo)


def _cells(row: FilePreview) -> list[Any]:
    parsed = row.parsed
    lectures = format_html_join(mark_safe("<br>"), "{}", ((render_change_link(lecture),) for lecture in row.lectures))
    if row.footage_file:
        remark: Any = render_badge(
            row.footage_file.get_state_display(), FOOTAGE_FILE_STATES[FootageFile.State(row.footage_file.state)]
        )
    else:
        remark = row.note or render_badge(_("would be fetched"), "info")
    room = parsed.camera.room if parsed and parsed.camera else "-"
    return [
        row.file.path,
        filesizeformat(row.file.size) if row.file.size or not row.file.starts else "-",
        room,
        format_moment(parsed.starts_at) if parsed and parsed.starts_at else "-",
        date_format(timezone.localtime(parsed.ends_at), "H:i") if parsed and parsed.ends_at else "-",
        lectures or "-",
        remark,
    ]


@admin.register(Alarm)
class AlarmAdmin(ReadOnlyMixin, RegistrarAdmin):
    list_display = ("started_at", "kind", "text", "state_badge")
    list_filter = (
        ("kind", ChoicesDropdownFilter),
        ("ended_at", admin.EmptyFieldListFilter),
        ("started_at", MomentRangeFilter),
    )
    search_fields = ("text",)
    fields = (("kind", "state_badge"), ("started_at", "ended_at"), "text")
    readonly_fields = ("state_badge",)

    @display(description=gettext_lazy("State"), ordering="ended_at")
    def state_badge(self, alarm: Alarm) -> SafeString:
        return render_badge(_("resolved"), "success") if alarm.ended_at else render_badge(_("active"), "danger")
