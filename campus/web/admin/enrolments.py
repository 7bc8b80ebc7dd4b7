"""Enrolments: a list of their own, and parts of the pages of classes and of students."""

from typing import Any

from django import forms
from django.contrib import admin
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.db.models import Model, QuerySet
from django.http import HttpRequest
from django.template.response import TemplateResponse
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.admin import TabularInline
from unfold.decorators import action
from unfold.widgets import UnfoldAdminTextInputWidget

from campus.academics.models import Enrolment
from campus.academics.selectors import term_starts
from campus.academics.services import set_enrolment_starts
from campus.web.admin.base import (
    CourseFilter,
    RegistrarAdmin,
    call_service,
    render_change_link,
    signed_in_user,
)
from campus.web.roster_import import offer_to_look_again


class LinkWidget(forms.Widget):
    """A link instead of an input."""

    def __init__(self, row: Model) -> None:
        super().__init__()
        self.row = row

    def render(self, *_args: Any, **_kwargs: Any) -> SafeString:
        return render_change_link(self.row)


class EnrolmentForm(forms.ModelForm):  # type: ignore[type-arg]
    """Student and class of an enrolment never change, so only a new row has a search field, which costs a query. A new
    row without a first day begins with the term.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.instance.pk:
            for name in self.fields.keys() & {"student", "course"}:
                self.fields[name].disabled = True
                self.fields[name].widget = LinkWidget(getattr(self.instance, name))
        elif start := self.fields.get("valid_from"):
            start.required, start.initial, start.show_hidden_initial = False, None, False
            start.help_text = _("Empty: from the first day of the term.")

    def clean(self) -> dict[str, Any]:
        values: dict[str, Any] = super().clean() or self.cleaned_data
        course = values.get("course")
        if course and "valid_from" in values and values["valid_from"] is None:
            values["valid_from"] = term_starts([course.pk])[course.pk]
        return values


class ClassesInline(TabularInline):
    model = Enrolment
    form = EnrolmentForm
    extra = 0
    tab = True
    hide_title = True
    per_page = 20
    autocomplete_fields = ("course",)
    verbose_name_plural = gettext_lazy("classes")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Enrolment]:
        return super().get_queryset(request).select_related("student", "course")


class StartForm(forms.Form):
    """A first day for the selected enrolments. The hidden fields are those of the list's form, to run the action
    again.
    """

    start = forms.DateField(
        label=gettext_lazy("Enrolled from"),
        required=False,
        widget=UnfoldAdminTextInputWidget(attrs={"type": "date"}),
        help_text=gettext_lazy("Empty: from the first day of each class's term."),
    )
    action = forms.CharField(widget=forms.HiddenInput)
    select_across = forms.CharField(required=False, widget=forms.HiddenInput)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields[ACTION_CHECKBOX_NAME] = forms.Field(widget=forms.MultipleHiddenInput)


@admin.register(Enrolment)
class EnrolmentAdmin(RegistrarAdmin):
    form = EnrolmentForm
    list_display = ("student", "course", "section", "valid_from", "valid_to")
    list_filter = (("course", CourseFilter), "section", "valid_from")
    list_select_related = ("student", "course")
    search_fields = ("student__number_key", "student__name_key", "course__code_key")
    autocomplete_fields = ("student", "course")
    actions = ("set_starts",)

    @action(description=gettext_lazy("Change the first day"), permissions=["change"])
    def set_starts(self, request: HttpRequest, queryset: QuerySet[Enrolment]) -> TemplateResponse | None:
        selected = {
            "action": "set_starts",
            "select_across": request.POST.get("select_across", "0"),
            ACTION_CHECKBOX_NAME: request.POST.getlist(ACTION_CHECKBOX_NAME),
        }
        form = StartForm(request.POST if "start" in request.POST else None, initial=selected)
        if form.is_valid():
            start = form.cleaned_data["start"]
            count = call_service(
                request,
                lambda: set_enrolment_starts(enrolments=queryset, start=start, user=signed_in_user(request)),
                "",
            )
            if count is not None:
                self.message_user(request, _("First day of enrolments changed: %(n)d.") % {"n": count})
                offer_to_look_again(request, set(queryset.values_list("course", flat=True)))
            return None
        context = {
            **self.admin_site.each_context(request),
            "title": _("First day of %(n)d enrolments") % {"n": queryset.count()},
            "form": form,
            "verb": _("Save"),
        }
        return TemplateResponse(request, "admin/rollcall/roster_form.html", context)
