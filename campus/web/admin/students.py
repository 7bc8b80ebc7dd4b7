"""Students with their enrolments and photos."""

from typing import Any

from django import forms
from django.conf import settings
from django.contrib import admin
from django.db import transaction
from django.db.models import Count, Prefetch, Q, QuerySet
from django.http import HttpRequest, HttpResponseBase
from django.shortcuts import get_object_or_404, redirect
from django.urls import URLPattern, path
from django.utils.safestring import SafeString
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from unfold.decorators import action, display
from unfold.forms import BaseDialogForm
from unfold.widgets import UnfoldAdminTextInputWidget

from campus.academics.models import Course, Student
from campus.academics.selectors import CURRENT, students_for
from campus.academics.services import next_guest_number
from campus.attendance.student_merge import merge_guest
from campus.biometrics import services
from campus.biometrics.selectors import USABLE_VERDICTS
from campus.web.admin.base import (
    CourseFilter,
    RegistrarAdmin,
    call_service,
    redirect_to_change,
    render_badge,
    signed_in_user,
)
from campus.web.admin.enrolments import ClassesInline
from campus.web.admin.photo_upload import upload_photos_of_student
from campus.web.admin.photos import PhotoInline
from campus.web.admin.rosters import roster_urls
from campus.web.roster_import import may_import


class StudentForm(forms.ModelForm):  # type: ignore[type-arg]
    """The number of a guest is optional."""

    class Meta:
        model = Student
        fields = ("number", "name", "surname", "email", "guardian_phone", "guest")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if "number" in self.fields:  # readers have no form fields
            self.fields["number"].required = False
            self.fields["number"].help_text = _("Optional for a guest.")

    def clean(self) -> dict[str, Any] | None:
        cleaned = super().clean()
        if not self.cleaned_data.get("number") and "number" not in self.errors:
            if self.cleaned_data.get("guest"):
                self.cleaned_data["number"] = next_guest_number()
            else:
                self.add_error("number", _("A student needs a number. A guest gets one automatically."))
        return cleaned


class MergeForm(BaseDialogForm):
    student = forms.CharField(label=_("Student number"), max_length=40, widget=UnfoldAdminTextInputWidget())

    def clean_student(self) -> Student:
        student = Student.objects.filter(number_key=self.cleaned_data["student"]).first()
        if student is None:
            raise forms.ValidationError(_("There is no student with this number."))
        return student


@admin.register(Student)
class StudentAdmin(RegistrarAdmin):
    form = StudentForm
    list_display = ("number", "name", "email", "guardian_phone", "classes", "photo_state")
    list_display_links = ("number", "name")
    list_filter = (("courses", CourseFilter), "guest")
    fields = (("number", "name", "surname"), ("email", "guardian_phone"), "guest")
    search_fields = ("number_key", "sort_key", "email")
    inlines = (ClassesInline, PhotoInline)
    actions_list = ("roster_in", "roster_out")
    actions_detail = ("add_photos", "merge")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Student]:
        return (
            super()
            .get_queryset(request)
            .annotate(
                usable=Count("photos", filter=Q(photos__state__in=USABLE_VERDICTS), distinct=True),
                all_photos=Count("photos", distinct=True),
            )
            .prefetch_related(Prefetch("courses", Course.objects.filter(CURRENT)))
        )

    @display(description=_("Classes"))
    def classes(self, student: Student) -> str:
        return ", ".join(course.code for course in student.courses.all())

    @display(description=_("Usable photos"), ordering="usable")
    def photo_state(self, student: Any) -> SafeString:
        text = gettext("%(usable)d of %(all)d") % {"usable": student.usable, "all": student.all_photos}
        enough = student.usable >= settings.PHOTOS_PER_STUDENT
        return render_badge(text, "success" if enough else "warning" if student.usable else "danger")

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
        return [
            path("<int:pk>/photos/", view(upload_photos_of_student), name="academics_student_photos"),
            *roster_urls(),
            *super().get_urls(),
        ]

    def has_photos_permission(self, request: HttpRequest, obj: object = None) -> bool:
        return request.user.has_perm("biometrics.add_facephoto")

    @action(description=_("Add photos"), url_path="add-photos", icon="add_a_photo", permissions=["photos"])
    def add_photos(self, request: HttpRequest, object_id: str) -> HttpResponseBase:
        return redirect(
            "admin:academics_student_photos", pk=get_object_or_404(students_for(request.user), pk=object_id).pk
        )

    def has_merge_permission(self, request: HttpRequest, object_id: str | None = None) -> bool:
        may = request.user.has_perms(["academics.change_student", "academics.delete_student"])
        return may and (object_id is None or Student.objects.filter(pk=object_id, guest=True).exists())

    @action(
        description=_("Merge into a student"),
        url_path="merge",
        icon="merge",
        permissions=["merge"],
        dialog={
            "title": _("Who is this guest?"),
            "description": _(
                "Enrolments, photos and attendance move to the student, and the guest is deleted. This can't be undone."
            ),
            "form_class": MergeForm,
            "form_submit_text": _("Merge"),
        },
    )
    def merge(self, request: HttpRequest, form: MergeForm, object_id: str) -> HttpResponseBase:
        guest, student = get_object_or_404(Student, pk=object_id), form.cleaned_data["student"]
        done = gettext("%(guest)s is now %(student)s.") % {"guest": guest.name, "student": student}
        call_service(request, lambda: merge_guest(guest=guest, student=student, user=signed_in_user(request)), done)
        return redirect_to_change(request, Student, student.pk)

    def delete_model(self, request: HttpRequest, obj: Student) -> None:
        for photo in obj.photos.all():
            services.delete_photo(photo=photo)
        obj.delete()

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Student]) -> None:
        with transaction.atomic():
            for student in queryset:
                self.delete_model(request, student)
