"""How a camera's pictures are read. Cameras are added and removed on the page of their source."""

from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponseBase
from django.shortcuts import get_object_or_404
from django.template.loader import render_to_string
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy, ngettext
from unfold.contrib.filters.admin import RelatedDropdownFilter
from unfold.decorators import action, display

from campus.attendance.camera_pictures import (
    latest_recording,
    outdated_recordings,
    recount_outdated_recordings,
    request_footage_previews,
    request_previews,
)
from campus.cctv.fetching import UNFINISHED_STATES
from campus.cctv.models import Camera, FootageFile, Source
from campus.cctv.selectors import cameras_for, latest_stored_file
from campus.cctv.services import fetch_sample_file, save_camera
from campus.common.errors import UserError
from campus.common.picture_settings import PICTURE_FIELDS
from campus.web.admin.base import RegistrarAdmin, confirm_dialog, redirect_to_change, signed_in_user


@admin.register(Camera)
class CameraAdmin(RegistrarAdmin):
    list_display = ("__str__", "room", "stream", "aspect_ratio", "rotation", "is_mirrored")
    list_filter = (("source", RelatedDropdownFilter), ("room", RelatedDropdownFilter))
    list_select_related = ("source", "room")
    search_fields = ("label", "source__name", "room__key")
    autocomplete_fields = ("room",)
    fieldsets = (
        (None, {"fields": (("source", "label"), "room")}),
        (gettext_lazy("Picture"), {"fields": ("previews", *PICTURE_FIELDS)}),
    )
    readonly_fields = ("source", "previews")
    actions_detail = ("recount", "fetch_sample")

    class Media:
        css = {"all": ("web/picture_settings.css",)}
        js = ("web/section_refresh.js",)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Camera | None = None) -> bool:
        return False

    def get_queryset(self, request: HttpRequest) -> QuerySet[Camera]:
        return super().get_queryset(request).select_related("source", "room")

    @display(description=gettext_lazy("As it is read"))
    def previews(self, camera: Camera) -> SafeString:
        recording = latest_recording(camera)
        previews = request_previews(recording) if recording else []
        footage_file = None if previews else latest_stored_file(camera)
        if footage_file:
            previews = request_footage_previews(footage_file)
        context = {
            "recording": recording,
            "footage_file": footage_file,
            "previews": previews,
            "is_live": camera.source.kind == Source.Kind.RTSP,
            "is_fetching": camera.footage_files.filter(state__in=UNFINISHED_STATES).exists(),
        }
        return render_to_string("admin/rollcall/_camera_previews.html", context)

    def save_model(self, request: HttpRequest, obj: Camera, form: Any, change: bool) -> None:
        save_camera(camera=obj)
        outdated = outdated_recordings(obj).count()
        if outdated:
            text = ngettext(
                "One recording was counted with other picture settings. “Count again” does so with the present ones.",
                "%(n)d recordings were counted with other picture settings. “Count again” does so with the present "
                "ones.",
                outdated,
            )
            messages.info(request, text % {"n": outdated})

    def has_sample_permission(self, request: HttpRequest, object_id: object = None) -> bool:
        if not request.user.has_perm("cctv.change_camera"):
            return False
        camera = Camera.objects.filter(pk=object_id).first() if object_id else None  # type: ignore[misc]
        if camera is None or camera.source.kind == Source.Kind.RTSP:
            return False
        return not camera.footage_files.filter(state__in=(*UNFINISHED_STATES, FootageFile.State.STORED)).exists()

    @action(
        description=gettext_lazy("Fetch a file for the picture"),
        url_path="sample",
        icon="download",
        permissions=["sample"],
        dialog=confirm_dialog(
            gettext_lazy("Fetch a file for the picture?"),
            gettext_lazy("The camera's latest file is fetched from its source, although no lecture needs it."),
            gettext_lazy("Fetch a file"),
        ),
    )
    def fetch_sample(self, request: HttpRequest, form: Any, object_id: str) -> HttpResponseBase:
        camera = get_object_or_404(cameras_for(request.user), pk=object_id)
        try:
            fetch_sample_file(camera=camera, user=signed_in_user(request))
        except UserError as error:
            messages.error(request, str(error))
        return redirect_to_change(request, Camera, object_id)

    def has_recount_permission(self, request: HttpRequest, object_id: object = None) -> bool:
        if not request.user.has_perm("cctv.change_camera"):
            return False
        camera = Camera.objects.filter(pk=object_id).first() if object_id else None  # type: ignore[misc]
        return camera is not None and outdated_recordings(camera).exists()

    @action(
        description=gettext_lazy("Count again"),
        url_path="recount",
        icon="restart_alt",
        permissions=["recount"],
        dialog=confirm_dialog(
            gettext_lazy("Count the camera's recordings again?"),
            gettext_lazy(
                "Attendance is taken again from the recordings that were counted with other picture settings. "
                "Lectures that were signed off and statuses set by hand stay as they are."
            ),
            gettext_lazy("Count again"),
        ),
    )
    def recount(self, request: HttpRequest, form: Any, object_id: str) -> HttpResponseBase:
        camera = get_object_or_404(cameras_for(request.user), pk=object_id)
        count = recount_outdated_recordings(camera=camera, user=signed_in_user(request))
        text = ngettext("One recording is being counted again.", "%(n)d recordings are being counted again.", count)
        messages.success(request, text % {"n": count})
        return redirect_to_change(request, Camera, object_id)
