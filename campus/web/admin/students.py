"""Students, their photos, and the roster as a file."""

from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied, ValidationError
from django.core.files.storage import default_storage
from django.db.models import Count, Q, QuerySet
from django.http import HttpRequest, HttpResponseBase
from django.shortcuts import get_object_or_404, redirect
from django.urls import URLPattern, path
from django.utils import timezone
from django.utils.safestring import SafeString
from import_export.admin import ImportExportModelAdmin
from import_export.tmp_storages import MediaStorage
from unfold.admin import TabularInline
from unfold.contrib.filters.admin import RelatedDropdownFilter
from unfold.contrib.import_export.forms import ExportForm, ImportForm
from unfold.decorators import action, display

from campus.academics.models import Enrolment, Student
from campus.academics.roster import MAX_BYTES, RosterCSV, RosterResource, RosterXLSX
from campus.biometrics import services
from campus.biometrics.photo_import import ImportResult, ImportRow
from campus.biometrics.selectors import USABLE
from campus.errors import UserError
from campus.web.admin.base import RegistrarAdmin, badge
from campus.web.admin.photos import PhotoInline, PhotosForm, upload_page


class StudentEnrolmentInline(TabularInline):
    model = Enrolment
    autocomplete_fields = ("course",)
    extra = 0
    tab = True
    hide_title = True
    verbose_name_plural = "classes"


class RosterImportForm(ImportForm):
    def clean_import_file(self) -> Any:
        file = self.cleaned_data["import_file"]
        if file.size > MAX_BYTES:
            raise ValidationError(f"The file is larger than {MAX_BYTES // 1024**2} MB. Split it.")
        return file


class PreviewStorage(MediaStorage):
    """The file between preview and confirmation. What nobody confirms within a day is deleted at the next import."""

    def save(self, data: bytes) -> None:
        folder = self.MEDIA_FOLDER
        if default_storage.exists(folder):
            for name in default_storage.listdir(folder)[1]:
                if (timezone.now() - default_storage.get_modified_time(f"{folder}/{name}")).days:
                    default_storage.delete(f"{folder}/{name}")
        super().save(data)


@admin.register(Student)
class StudentAdmin(ImportExportModelAdmin, RegistrarAdmin):
    list_display = ("number", "name", "email", "guardian_phone", "classes", "photo_state")
    list_display_links = ("number", "name")
    list_filter = (("courses", RelatedDropdownFilter),)
    search_fields = ("number", "name", "email")
    inlines = (StudentEnrolmentInline, PhotoInline)
    actions_detail = ("add_photos",)

    resource_classes = [RosterResource]
    formats = [RosterCSV, RosterXLSX]
    import_form_class = RosterImportForm
    export_form_class = ExportForm
    tmp_storage_class = PreviewStorage
    import_error_display = ("message", "row")

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

    @display(description="Classes")
    def classes(self, student: Student) -> str:
        return ", ".join(course.code for course in student.courses.all())

    @display(description="Usable photos", ordering="usable")
    def photo_state(self, student: Any) -> SafeString:
        return badge(f"{student.usable} of {student.all_photos}", "success" if student.usable else "danger")

    def has_import_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perms(["academics.add_student", "academics.change_student", "academics.change_enrolment"])

    def has_export_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("academics.view_student")

    def add_data_read_fail_error_to_form(self, form: Any, e: Exception) -> None:
        if not isinstance(e, UserError):
            raise e
        form.add_error("import_file", str(e))

    def process_import(self, request: HttpRequest, **kwargs: Any) -> HttpResponseBase:
        try:
            return super().process_import(request, **kwargs)
        except FileNotFoundError:
            messages.error(request, "This preview was confirmed already, or is too old. Choose the file once more.")
            return redirect("admin:academics_student_import")

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view
        return [path("<int:pk>/photos/", view(self.photos_view), name="academics_student_photos"), *super().get_urls()]

    def photos_view(self, request: HttpRequest, pk: int) -> HttpResponseBase:
        if not request.user.has_perm("biometrics.add_facephoto"):
            raise PermissionDenied
        student = get_object_or_404(Student, pk=pk)
        form = PhotosForm(request.POST or None, request.FILES or None)
        result = None
        if form.is_valid():
            result = ImportResult()
            for file in form.cleaned_data["photos"]:
                try:
                    services.photo_add(student=student, file=file, name=file.name)
                    result.rows.append(ImportRow(file.name, student, taken=True))
                except UserError as error:
                    result.rows.append(ImportRow(file.name, student, reason=str(error)))
        return upload_page(request, f"Photos of {student}", form, result)

    def has_photos_permission(self, request: HttpRequest, obj: object = None) -> bool:
        return request.user.has_perm("biometrics.add_facephoto")

    @action(description="Add photos", url_path="add-photos", icon="add_a_photo", permissions=["photos"])
    def add_photos(self, request: HttpRequest, object_id: str) -> HttpResponseBase:
        return redirect("admin:academics_student_photos", pk=object_id)

    def delete_model(self, request: HttpRequest, obj: Student) -> None:
        for photo in obj.photos.all():
            services.photo_delete(photo=photo)
        obj.delete()

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Student]) -> None:
        for student in queryset:
            self.delete_model(request, student)
