"""Enrolment photos and the galleries made of them."""

from typing import Any
from uuid import UUID

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied, ValidationError
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponseBase
from django.shortcuts import get_object_or_404, redirect
from django.template.defaultfilters import floatformat
from django.template.loader import render_to_string
from django.urls import URLPattern, path
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_POST
from unfold.contrib.filters.admin import ChoicesDropdownFilter
from unfold.decorators import action, display
from unfold.widgets import UnfoldAdminTextInputWidget

from campus.academics.models import Student
from campus.academics.selectors import students_for
from campus.biometrics import services
from campus.biometrics.models import FacePhoto, Gallery
from campus.biometrics.selectors import galleries_for, photos_for
from campus.common.errors import UserError
from campus.common.file_responses import picture_response
from campus.web.admin.base import (
    CourseFilter,
    ReadOnlyInline,
    ReadOnlyMixin,
    RegistrarAdmin,
    call_service,
    redirect_to_change,
    render_badge,
    signed_in_user,
)
from campus.web.admin.photo_import_page import photo_import_page, waiting_picture
from campus.web.admin.photo_upload import photo_verdicts, render_form_page, upload_photos_of_many
from campus.web.admin.same_person_page import same_person_page
from campus.web.training_report import TrainingReport

VERDICTS = {
    FacePhoto.Verdict.PENDING: "info",
    FacePhoto.Verdict.ACCEPTED: "success",
    FacePhoto.Verdict.WARNING: "warning",
    FacePhoto.Verdict.REJECTED: "danger",
}
GALLERY_STATES = {Gallery.State.QUEUED: "info", Gallery.State.READY: "success", Gallery.State.FAILED: "danger"}


class PhotoColumns:
    """Columns of photos in lists. They refresh until a worker has given its verdict."""

    @display(description=gettext_lazy("Photo"))
    def picture(self, photo: FacePhoto) -> SafeString:
        return _refreshed(photo, "picture", render_to_string("admin/rollcall/_photo.html", {"photo": photo}))

    @display(description=gettext_lazy("Verdict"), ordering="state")
    def verdict(self, photo: FacePhoto) -> SafeString:
        badge = render_badge(photo.get_state_display(), VERDICTS[FacePhoto.Verdict(photo.state)])
        return _refreshed(photo, "verdict", badge)

    @display(description=gettext_lazy("Reason"))
    def why(self, photo: FacePhoto) -> SafeString:
        return _refreshed(photo, "reason", photo.reason)

    @display(description=gettext_lazy("Face height"), ordering="face_px")
    def face_height(self, photo: FacePhoto) -> str:
        return f"{photo.face_px:.0f} px" if photo.face_px else "-"


def _refreshed(photo: FacePhoto, name: str, content: object) -> SafeString:
    refresh = "data-refresh" if photo.state == FacePhoto.Verdict.PENDING else ""
    return format_html('<div data-section="{}-{}" {}>{}</div>', name, photo.pk, refresh, content)


class PhotoInline(PhotoColumns, ReadOnlyInline):
    model = FacePhoto
    fields = ("picture", "verdict", "why", "face_height", "created_at")
    readonly_fields = fields
    show_change_link = True
    verbose_name_plural = gettext_lazy("photos")

    def get_queryset(self, request: HttpRequest) -> QuerySet[FacePhoto]:
        return super().get_queryset(request).select_related("student")

    class Media:
        js = ("web/section_refresh.js",)


class MoveForm(forms.Form):
    student = forms.CharField(label=gettext_lazy("Student number"), max_length=40, widget=UnfoldAdminTextInputWidget())

    def clean_student(self) -> Student:
        student = Student.objects.filter(number_key=self.cleaned_data["student"]).first()
        if student is None:
            raise ValidationError(_("There is no student with this number."))
        return student


@admin.register(FacePhoto)
class FacePhotoAdmin(PhotoColumns, RegistrarAdmin):
    list_display = ("picture", "student", "verdict", "why", "face_height", "created_at")
    list_display_links = ("student",)
    list_filter = (
        ("state", ChoicesDropdownFilter),
        ("student__enrolments__course", CourseFilter),
        "created_at",
    )
    search_fields = ("student__name_key", "student__number_key", "original_name")
    list_select_related = ("student",)
    fields = (
        "picture",
        "student",
        "verdict",
        "why",
        "face_height",
        "shown_quality",
        "original_name",
        "created_at",
        "error_detail",
    )
    readonly_fields = fields
    actions_list = ("upload_zip", "compare_look_alikes")
    actions_detail = ("to_another",)

    class Media:
        js = ("web/section_refresh.js",)

    @display(description=gettext_lazy("Quality"), ordering="quality")
    def shown_quality(self, photo: FacePhoto) -> str:
        return f"{100 * photo.quality:.0f} %" if photo.quality else "-"

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False  # photos are added in a student's page or by a zip

    def has_change_permission(self, request: HttpRequest, obj: FacePhoto | None = None) -> bool:
        return False

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view
        return [
            path("<uuid:pk>/thumbnail/", view(self.thumbnail_view), name="biometrics_facephoto_thumbnail"),
            path("<uuid:pk>/picture/", view(self.picture_view), name="biometrics_facephoto_picture"),
            path("<uuid:pk>/move/", view(self.move_view), name="biometrics_facephoto_move"),
            path("zip/", view(upload_photos_of_many), name="biometrics_facephoto_zip"),
            path("zip/<uuid:pk>/", view(photo_import_page), name="biometrics_facephoto_import"),
            path("zip/<uuid:pk>/waiting/<uuid:photo>/", view(waiting_picture), name="biometrics_facephoto_waiting"),
            path("same-person/", view(same_person_page), name="biometrics_facephoto_same_person"),
            path("verdicts/", view(photo_verdicts), name="biometrics_facephoto_verdicts"),
            *super().get_urls(),
        ]

    def thumbnail_view(self, request: HttpRequest, pk: UUID) -> HttpResponseBase:
        photo = get_object_or_404(photos_for(request.user), pk=pk)
        if not (picture := photo.crop or photo.thumbnail):
            raise Http404
        return picture_response(str(picture))

    def picture_view(self, request: HttpRequest, pk: UUID) -> HttpResponseBase:
        photo = get_object_or_404(photos_for(request.user), pk=pk)
        return picture_response(str(photo.file), download_name=photo.original_name)

    def move_view(self, request: HttpRequest, pk: UUID) -> HttpResponseBase:
        if not request.user.has_perm("biometrics.change_facephoto"):
            raise PermissionDenied
        photo = get_object_or_404(photos_for(request.user).select_related("student"), pk=pk)
        suggested = request.GET.get("to", "")
        nearest = students_for(request.user).filter(pk=suggested).first() if suggested.isdecimal() else None
        form = MoveForm(request.POST or None, initial={"student": nearest.number if nearest else ""})
        form.fields["student"].help_text = _(
            "Currently filed under %(student)s. Train the galleries of both students' classes afterwards."
        ) % {"student": photo.student}
        if form.is_valid():
            try:
                services.move_photo(photo=photo, student=form.cleaned_data["student"])
            except UserError as error:
                form.add_error("student", str(error))
            else:
                moved = _("The photo is moved to %(name)s, and is being checked again.")
                messages.success(request, moved % {"name": form.cleaned_data["student"].name})
                return redirect("admin:biometrics_facephoto_change", pk)
        return render_form_page(request, _("Move a photo to another student"), form, None, verb=_("Move"))

    def has_move_permission(self, request: HttpRequest, obj: object = None) -> bool:
        return request.user.has_perm("biometrics.change_facephoto")

    @action(
        description=gettext_lazy("Move to another student"),
        url_path="to-another",
        icon="move_down",
        permissions=["move"],
    )
    def to_another(self, request: HttpRequest, object_id: str) -> HttpResponseBase:
        return redirect("admin:biometrics_facephoto_move", pk=object_id)

    def has_zip_permission(self, request: HttpRequest, obj: object = None) -> bool:
        return request.user.has_perm("biometrics.add_facephoto")

    @action(description=gettext_lazy("Photos from a zip"), url_path="from-zip", icon="folder_zip", permissions=["zip"])
    def upload_zip(self, request: HttpRequest) -> HttpResponseBase:
        return redirect("admin:biometrics_facephoto_zip")

    def has_compare_permission(self, request: HttpRequest, obj: object = None) -> bool:
        return request.user.has_perms(["academics.change_student", "academics.delete_student"])

    @action(description=gettext_lazy("Look-alikes"), url_path="look-alikes", icon="group", permissions=["compare"])
    def compare_look_alikes(self, request: HttpRequest) -> HttpResponseBase:
        return redirect("admin:biometrics_facephoto_same_person")

    def delete_model(self, request: HttpRequest, obj: FacePhoto) -> None:
        services.delete_photo(photo=obj)

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[FacePhoto]) -> None:
        for photo in queryset:
            services.delete_photo(photo=photo)


class GalleryColumns:
    @display(description=gettext_lazy("State"), ordering="state")
    def gallery_state(self, gallery: Gallery) -> SafeString:
        return render_badge(gallery.get_state_display(), GALLERY_STATES[Gallery.State(gallery.state)])


@admin.register(Gallery)
class GalleryAdmin(GalleryColumns, ReadOnlyMixin, RegistrarAdmin):
    change_form_outer_after_template = "admin/rollcall/training.html"
    list_display = ("created_at", "course", "gallery_state", "active", "students", "photos", "embedder", "error")
    list_filter = ("active", ("state", ChoicesDropdownFilter), ("course", CourseFilter))
    search_fields = ("course__code_key", "course__name_key")
    list_select_related = ("course",)
    fields = (
        ("course", "created_at"),
        ("gallery_state", "active"),
        ("students", "photos"),
        ("embedder", "shown_threshold", "shown_margin"),
        "error",
    )
    readonly_fields = ("gallery_state", "shown_threshold", "shown_margin")
    actions_detail = ("activate",)

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(require_POST(self.confirm_photo_view))
        return [path("<uuid:pk>/photos/<uuid:photo>/", view, name="biometrics_gallery_photo"), *super().get_urls()]

    @display(description=gettext_lazy("Threshold"))
    def shown_threshold(self, gallery: Gallery) -> str:
        return floatformat(gallery.threshold, 3)

    @display(description=gettext_lazy("Margin"))
    def shown_margin(self, gallery: Gallery) -> str:
        return floatformat(gallery.margin, 3)

    def confirm_photo_view(self, request: HttpRequest, pk: UUID, photo: UUID) -> HttpResponseBase:
        """Confirms that a photo of the training report shows its student, or takes that back."""
        if not request.user.has_perm("biometrics.change_facephoto"):
            raise PermissionDenied
        gallery = get_object_or_404(galleries_for(request.user), pk=pk)
        chosen = get_object_or_404(photos_for(request.user).select_related("student"), pk=photo)
        if "undo" in request.POST:
            services.withdraw_photo_confirmation(photo=chosen, user=signed_in_user(request))
            done = _("The photo of %(name)s is checked again by the next training.")
        else:
            services.confirm_photo(photo=chosen, user=signed_in_user(request))
            done = _("The photo of %(name)s counts from the next training on.")
        messages.success(request, done % {"name": chosen.student.name})
        return redirect_to_change(request, Gallery, gallery.pk)

    def has_activate_permission(self, request: HttpRequest, obj: object = None) -> bool:
        return request.user.has_perm("biometrics.add_gallery")

    @action(
        description=gettext_lazy("Use this gallery"),
        url_path="activate",
        icon="settings_backup_restore",
        permissions=["activate"],
        dialog={
            "title": gettext_lazy("Use this gallery?"),
            "description": gettext_lazy("Attendance of the class is taken with this gallery until the next training."),
            "form_class": None,
            "form_submit_text": gettext_lazy("Use it"),
        },
    )
    def activate(self, request: HttpRequest, form: Any, object_id: str) -> HttpResponseBase:
        gallery = get_object_or_404(galleries_for(request.user), pk=object_id)
        call_service(
            request,
            lambda: services.activate_gallery(gallery=gallery, user=signed_in_user(request)),
            _("This gallery is now in use."),
        )
        return redirect_to_change(request, Gallery, object_id)

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None
    ) -> HttpResponseBase:
        gallery = galleries_for(request.user).select_related("course").filter(pk=object_id).first()
        training = TrainingReport.of(request.user, gallery) if gallery else None
        return super().change_view(request, object_id, form_url, {**(extra_context or {}), "training": training})


class GalleryInline(GalleryColumns, ReadOnlyInline):
    model = Gallery
    fields = ("created_at", "gallery_state", "active", "students", "photos", "embedder", "error")
    readonly_fields = fields
    show_change_link = True
    per_page = 10
