"""Students, their photos, and the roster as a file."""

from typing import Any

from django.contrib import admin
from django.db.models import Count, Q, QuerySet
from django.http import HttpRequest, HttpResponseBase
from django.shortcuts import redirect
from django.urls import URLPattern, path
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _
from unfold.admin import TabularInline
from unfold.contrib.filters.admin import RelatedDropdownFilter
from unfold.decorators import action, display

from campus.academics.models import Enrolment, Student
from campus.biometrics import services
from campus.biometrics.selectors import USABLE
from campus.web.admin.base import RegistrarAdmin, badge
from campus.web.admin.photo_upload import student_photos
from campus.web.admin.photos import PhotoInline
from campus.web.admin.rosters import may_import, roster_urls


class StudentEnrolmentInline(TabularInline):
    model = Enrolment
    autocomplete_fields = ("course",)
    extra = 0
    tab = True
    hide_title = True
    verbose_name_plural = _("classes")


@admin.register(Student)
class StudentAdmin(RegistrarAdmin):
    list_display = ("number", "name", "email", "guardian_phone", "classes", "photo_state")
    list_display_links = ("number", "name")
    list_filter = (("courses", RelatedDropdownFilter),)
    search_fields = ("number", "name", "email")
    inlines = (StudentEnrolmentInline, PhotoInline)
    actions_list = ("roster_in", "roster_out")
    actions_detail = ("add_photos",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Student]:
        return (
            super()
            .get_queryset(request)
            .annotate(
                usable=Count("photos", filter=Q(photos__state__in=USABLE), distinct=True),
                all_photos=Count("photos", distinct=True),
            )
            .prefetch_related("courses")
        )

    @display(description=_("Classes"))
    def classes(self, student: Student) -> str:
        return ", ".join(course.code for course in student.courses.all())

    @display(description=_("Usable photos"), ordering="usable")
    def photo_state(self, student: Any) -> SafeString:
        return badge(f"{student.usable} of {student.all_photos}", "success" if student.usable else "danger")

    def has_import_permission(self, request: HttpRequest, obj: object = None) -> bool:
        return may_import(request)

    def has_export_permission(self, request: HttpRequest, obj: object = None) -> bool:
        return request.user.has_perm("academics.view_student")

    @action(description=_("Import a roster"), url_path="roster-in", icon="upload_file", permissions=["import"])
    def roster_in(self, request: HttpRequest) -> HttpResponseBase:
        return redirect("admin:academics_student_import")

    @action(description=_("Export the roster"), url_path="roster-out", icon="download", permissions=["export"])
    def roster_out(self, request: HttpRequest) -> HttpResponseBase:
        return redirect("admin:academics_student_export")

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view
        return [path("<int:pk>/photos/", view(student_photos), name="academics_student_photos"), *roster_urls(), *super().get_urls()]

    def has_photos_permission(self, request: HttpRequest, obj: object = None) -> bool:
        return request.user.has_perm("biometrics.add_facephoto")

    @action(description=_("Add photos"), url_path="add-photos", icon="add_a_photo", permissions=["photos"])
    def add_photos(self, request: HttpRequest, object_id: str) -> HttpResponseBase:
        return redirect("admin:academics_student_photos", pk=object_id)

    def delete_model(self, request: HttpRequest, obj: Student) -> None:
        for photo in obj.photos.all():
            services.photo_delete(photo=photo)
        obj.delete()

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Student]) -> None:
        for student in queryset:
            self.delete_model(request, student)
