"""Classes: who is in them, whose faces are known, and the register."""

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import ValidationError
from django.db.models import Count, Exists, OuterRef, Q, QuerySet, Subquery
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, redirect
from django.template.loader import render_to_string
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from unfold.contrib.filters.admin import RelatedDropdownFilter
from unfold.decorators import action, display
from unfold.enums import ActionVariant
from unfold.widgets import UnfoldAdminSelectWidget, UnfoldAdminTextInputWidget, UnfoldBooleanWidget

from campus.academics.models import Course, Enrolment, Lecture, Term
from campus.academics.selectors import CURRENT
from campus.academics.series import with_usage
from campus.attendance import reports
from campus.attendance.course_copy import copy_course
from campus.attendance.policy import policy_for
from campus.biometrics import services as biometrics
from campus.biometrics.models import Gallery
from campus.biometrics.selectors import USABLE_VERDICTS, active_gallery, enrolments_lacking_photos
from campus.common.errors import UserError
from campus.web.admin.base import (
    RegistrarAdmin,
    call_for_each,
    call_service,
    count_subquery,
    redirect_to_change,
    render_badge,
    render_change_link,
    render_link,
    signed_in_user,
)
from campus.web.admin.documents import RegisterPolicyInline
from campus.web.admin.photos import GALLERY_STATES, GalleryInline
from campus.web.roster_import import may_import
from campus.web.rule_examples import rule_examples
from campus.web.training_report import error_rates

MAX_STUDENTS_SHOWN = 60


class ArchivedFilter(admin.SimpleListFilter):
    """Only classes that are not archived, unless somebody asks for others."""

    title = gettext_lazy("archived")
    parameter_name = "archived"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [("yes", _("Archived classes")), ("all", _("All classes"))]

    def choices(self, changelist: Any) -> Any:
        current, *others = super().choices(changelist)
        yield {**current, "display": _("Current classes")}
        yield from others

    def queryset(self, request: HttpRequest, queryset: QuerySet[Course]) -> QuerySet[Course]:
        if self.value() == "all":
            return queryset
        return queryset.exclude(CURRENT) if self.value() == "yes" else queryset.filter(CURRENT)


class CopyForm(forms.Form):
    """A class once more, in another term."""

    term = forms.ModelChoiceField(
        Term.objects.filter(archived=False), label=gettext_lazy("Term"), widget=UnfoldAdminSelectWidget()
    )
    code = forms.CharField(
        label=gettext_lazy("Code"),
        max_length=40,
        widget=UnfoldAdminTextInputWidget(),
        help_text=gettext_lazy("Each class has a code of its own, so add something like the year."),
    )
    name = forms.CharField(label=gettext_lazy("Name"), max_length=200, widget=UnfoldAdminTextInputWidget())
    with_roster = forms.BooleanField(
        label=gettext_lazy("With its students"),
        required=False,
        widget=UnfoldBooleanWidget(),
        help_text=gettext_lazy(
            "They are enrolled from the first day of the term. The coordinator, the lecturers and all settings are "
            "copied in any case; lectures, recordings and attendance are not."
        ),
    )


@admin.register(Course)
class CourseAdmin(RegistrarAdmin):
    list_display = ("code", "name", "term", "coordinator_name", "student_count", "ready", "gallery", "lecture_count")
    list_display_links = ("code", "name")
    search_fields = ("search_key", "coordinator_name")
    list_select_related = ("term",)
    list_filter = (ArchivedFilter, ("term", RelatedDropdownFilter))
    autocomplete_fields = ("lecturers",)
    inlines = (RegisterPolicyInline, GalleryInline)  # the roster is on the page of the class
    actions = ("train_all",)
    actions_detail = (
        "train",
        "register",
        "roster_in",
        "photos_zip",
        {"title": gettext_lazy("More"), "items": ["timetable", "copy"]},
    )
    readonly_fields = ("class_page", "examples", "gallery", "ready", "lacking", "rates")

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Course], search_term: str
    ) -> tuple[QuerySet[Course], bool]:
        queryset, repeats = super().get_search_results(request, queryset, search_term)
        if "field_name" in request.GET:  # the search field of another form
            queryset = queryset.filter(CURRENT)
        return queryset, repeats

    def formfield_for_dbfield(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        field = super().formfield_for_dbfield(db_field, request, **kwargs)
        if db_field.name == "lecturers":
            field.widget.can_add_related = False  # an invitation adds nobody to this form
        return field

    def get_fieldsets(self, request: HttpRequest, obj: Course | None = None) -> Any:
        names = (("code", "name"), "term", ("coordinator_name", "coordinator_email"), "lecturers")
        about = (None, {"fields": ("class_page", *names, "archived") if obj else names})
        policy = (
            gettext_lazy("Attendance rules"),
            {
                "fields": (
                    ("present_seconds", "present_percent"),
                    ("late_minutes", "early_minutes"),
                    *(("examples",) if obj else ()),
                )
            },
        )
        sure = (
            gettext_lazy("Face recognition"),
            {"fields": ("strictness", *(("rates",) if obj else ()), "embedder")},
        )
        return (
            (about, policy, sure, (gettext_lazy("Faces"), {"fields": (("gallery", "ready"), "lacking")}))
            if obj
            else (about, policy, sure)
        )

    def get_queryset(self, request: HttpRequest) -> QuerySet[Course]:
        today = timezone.localdate()
        enrolled = Enrolment.objects.filter(Q(valid_to=None) | Q(valid_to__gte=today), course=OuterRef("pk"))
        lacking = enrolments_lacking_photos(Course.objects.all()).filter(course=OuterRef("pk"))
        galleries = Gallery.objects.filter(course=OuterRef("pk")).order_by("-created_at")
        return (
            super()
            .get_queryset(request)
            .annotate(
                students_n=count_subquery(enrolled, "course"),
                lacking_n=count_subquery(lacking, "course"),
                lectures_n=count_subquery(Lecture.objects.filter(course=OuterRef("pk")), "course"),
                gallery_state=Subquery(galleries.values("state")[:1]),
                has_gallery=Exists(galleries.filter(active=True)),
            )
        )

    @display(description=gettext_lazy("Students"), ordering="students_n")
    def student_count(self, course: Any) -> int:
        return int(course.students_n)

    @display(description=gettext_lazy("With enough photos"), ordering="lacking_n")
    def ready(self, course: Any) -> SafeString:
        if not course.students_n:
            return render_badge(_("no students"))
        text = _("%(ready)d of %(all)d") % {"ready": course.students_n - course.lacking_n, "all": course.students_n}
        return render_badge(text, "warning" if course.lacking_n else "success")

    @display(description=gettext_lazy("Gallery"), ordering="gallery_state")
    def gallery(self, course: Any) -> SafeString:
        if not course.gallery_state:
            return render_badge(_("none yet"))
        if course.gallery_state == Gallery.State.FAILED and course.has_gallery:
            return render_badge(_("last training failed"), "warning")
        state = Gallery.State(course.gallery_state)
        return render_badge(str(state.label), GALLERY_STATES[state])

    @display(description=gettext_lazy("Expected accuracy with the current gallery"))
    def rates(self, course: Course) -> SafeString | str:
        gallery = active_gallery(course)
        if gallery is None:
            return _("none yet: train the gallery")
        report = render_link(reverse("admin:biometrics_gallery_change", args=[gallery.pk]), _("Training report"))
        table = render_to_string(
            "admin/rollcall/_rates.html", {"rates": error_rates(gallery), "chosen": course.strictness}
        )
        return format_html("{}<p class='mt-3'>{}</p>", table, report)

    @display(description=gettext_lazy("What these rules mean"))
    def examples(self, course: Any) -> SafeString:
        if not hasattr(course, "example_sentences"):  # the theme asks for a field several times
            course.example_sentences = rule_examples(course, policy_for(course).required_percent).values()
        return format_html_join("", "<p>{}</p>", ((sentence,) for sentence in course.example_sentences if sentence))

    @display(description=gettext_lazy("Class page"))
    def class_page(self, course: Course) -> SafeString:
        return render_link(reverse("course-students", args=[course.pk]), _("Students, photos and settings"))

    @display(description=gettext_lazy("Lectures"), ordering="lectures_n")
    def lecture_count(self, course: Any) -> SafeString:
        return render_link(
            f"{reverse('admin:academics_lecture_changelist')}?course__id__exact={course.pk}", course.lectures_n
        )

    @display(description=gettext_lazy("Students with too few usable photos"))
    def lacking(self, course: Course) -> SafeString | str:
        usable = Count("student__photos", filter=Q(student__photos__state__in=USABLE_VERDICTS))
        rows = (
            enrolments_lacking_photos(Course.objects.filter(pk=course.pk))
            .select_related("student")
            .annotate(usable=usable)
        )
        rows = rows.order_by("usable", "student__sort_key")
        shown = format_html_join(
            ", ", "{} ({})", ((render_change_link(row.student), row.usable) for row in rows[:MAX_STUDENTS_SHOWN])
        )
        more = rows.count() - MAX_STUDENTS_SHOWN
        if more > 0:
            return format_html(_("{} and {} more"), shown, more)
        return shown or _("none")

    def response_add(self, request: HttpRequest, obj: Course, post_url_continue: str | None = None) -> HttpResponse:
        """Its own page, where its roster, photos and timetable are added."""
        response = super().response_add(request, obj, post_url_continue)
        return response if {"_continue", "_addanother", "_popup"} & set(request.POST) else redirect("course", obj.pk)

    def save_model(self, request: HttpRequest, obj: Course, form: Any, change: bool) -> None:
        super().save_model(request, obj, form, change)
        if change and "embedder" in form.changed_data and biometrics.set_embedder(course=obj, embedder=obj.embedder):
            messages.info(
                request,
                _("The photos are being checked with the new face model. The current gallery stays in use until then."),
            )

    def get_deleted_objects(
        self, objs: Any, request: HttpRequest
    ) -> tuple[list[str], dict[str, int], set[str], list[str]]:
        """A class with recordings or attendance stays; it can be archived."""
        names, numbers, perms, protected = super().get_deleted_objects(objs, request)
        lectures = with_usage(Lecture.objects.filter(course__in=objs))
        if used := lectures.filter(used=True).count():  # type: ignore[misc]
            protected.append(
                ngettext(
                    "%(n)d lecture with a recording or attendance. Archive the class instead.",
                    "%(n)d lectures with recordings or attendance. Archive the class instead.",
                    used,
                )
                % {"n": used}
            )
        return names, numbers, perms, protected

    def has_copy_permission(self, request: HttpRequest, obj: object = None) -> bool:
        return self.has_add_permission(request)

    @action(
        description=gettext_lazy("Copy to another term"), url_path="copy", icon="content_copy", permissions=["copy"]
    )
    def copy(self, request: HttpRequest, object_id: str) -> HttpResponseBase:
        """Asks for the term and what the class is called there; a POST makes the copy."""
        course = get_object_or_404(Course.objects.select_related("term"), pk=object_id)
        form = CopyForm(request.POST or None, initial={"code": course.code, "name": course.name})
        if form.is_valid():
            try:
                copied = copy_course(course=course, user=signed_in_user(request), **form.cleaned_data)
            except ValidationError as error:
                form.add_error(None, error.messages)
            except UserError as error:
                form.add_error(None, str(error))
            else:
                messages.success(request, _("%(class)s was copied.") % {"class": course})
                return redirect("admin:academics_course_change", copied.pk)
        context = {
            **self.admin_site.each_context(request),
            "title": _("Copy %(class)s to another term") % {"class": course},
            "form": form,
            "verb": _("Copy"),
        }
        status = 400 if form.is_bound else 200
        return TemplateResponse(request, "admin/rollcall/form_page.html", context, status=status)

    def has_timetable_permission(self, request: HttpRequest, obj: object = None) -> bool:
        return request.user.has_perm("academics.add_lectureseries")

    @action(
        description=gettext_lazy("Plan its lectures"),
        url_path="timetable",
        icon="event_repeat",
        permissions=["timetable"],
    )
    def timetable(self, request: HttpRequest, object_id: str) -> HttpResponseBase:
        return redirect("course-timetable", get_object_or_404(Course, pk=object_id).pk)

    def has_train_permission(self, request: HttpRequest, obj: object = None) -> bool:
        return request.user.has_perm("biometrics.add_gallery")

    def has_register_permission(self, request: HttpRequest, obj: object = None) -> bool:
        return request.user.has_perm("attendance.add_report")

    def has_photos_permission(self, request: HttpRequest, obj: object = None) -> bool:
        return request.user.has_perm("biometrics.add_facephoto")

    @action(description=gettext_lazy("Train the gallery"), permissions=["train"])
    def train_all(self, request: HttpRequest, queryset: QuerySet[Course]) -> None:
        call_for_each(
            request, queryset, lambda course: biometrics.request_training(course=course), _("Training started")
        )

    @action(
        description=gettext_lazy("Train the gallery"),
        url_path="train",
        icon="model_training",
        variant=ActionVariant.PRIMARY,
        permissions=["train"],
        dialog={
            "title": gettext_lazy("Train the gallery?"),
            "description": gettext_lazy(
                "A new gallery is trained from the usable photos of this class. The current one stays in use "
                "until it is ready."
            ),
            "form_class": None,
            "form_submit_text": gettext_lazy("Train"),
        },
    )
    def train(self, request: HttpRequest, form: Any, object_id: str) -> HttpResponseBase:
        course = get_object_or_404(Course, pk=object_id)
        call_service(
            request,
            lambda: biometrics.request_training(course=course),
            _("Training started. Its state is shown under “Galleries”."),
        )
        return redirect_to_change(request, Course, object_id)

    @action(
        description=gettext_lazy("Export register"),
        url_path="register",
        icon="table_view",
        permissions=["register"],
        dialog={
            "title": gettext_lazy("Export the register?"),
            "description": gettext_lazy(
                "An Excel file with all lectures of this class. It replaces the previous export."
            ),
            "form_class": None,
            "form_submit_text": gettext_lazy("Export"),
        },
    )
    def register(self, request: HttpRequest, form: Any, object_id: str) -> HttpResponseBase:
        course = get_object_or_404(Course, pk=object_id)
        report = call_service(request, lambda: reports.write_register_report(course=course), "")
        if report is not None:
            address = reverse("admin:attendance_report_download", args=[report.pk])
            messages.success(
                request, format_html(_("Register exported. {}"), render_link(address, _("Download Excel")))
            )
        return redirect_to_change(request, Course, object_id)

    def has_roster_permission(self, request: HttpRequest, obj: object = None) -> bool:
        return may_import(request)

    @action(
        description=gettext_lazy("Import the roster"), url_path="roster", icon="upload_file", permissions=["roster"]
    )
    def roster_in(self, request: HttpRequest, object_id: str) -> HttpResponseBase:
        return redirect("course-roster", get_object_or_404(Course, pk=object_id).pk)

    @action(
        description=gettext_lazy("Photos from a folder or zip"),
        url_path="photos",
        icon="folder_zip",
        permissions=["photos"],
    )
    def photos_zip(self, request: HttpRequest, object_id: str) -> HttpResponseBase:
        return redirect("course-photos", get_object_or_404(Course, pk=object_id).pk)
