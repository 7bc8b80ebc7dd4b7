"""Enrolments, shown on the pages of classes and of students."""

from typing import Any

from django import forms
from django.db.models import Model, QuerySet
from django.http import HttpRequest
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy
from unfold.admin import TabularInline

from campus.academics.models import Enrolment
from campus.web.admin.base import render_change_link


class LinkWidget(forms.Widget):
    """A link instead of an input."""

    def __init__(self, row: Model) -> None:
        super().__init__()
        self.row = row

    def render(self, *_args: Any, **_kwargs: Any) -> SafeString:
        return render_change_link(self.row)


class EnrolmentForm(forms.ModelForm):  # type: ignore[type-arg]
    """Student and class of an enrolment never change, so only a new row has a search field, which costs a query."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.instance.pk:
            for name in self.fields.keys() & {"student", "course"}:
                self.fields[name].disabled = True
                self.fields[name].widget = LinkWidget(getattr(self.instance, name))


class EnrolmentInline(TabularInline):
    model = Enrolment
    form = EnrolmentForm
    extra = 0
    tab = True
    hide_title = True
    per_page = 30

    def get_queryset(self, request: HttpRequest) -> QuerySet[Enrolment]:
        return super().get_queryset(request).select_related("student", "course")


class RosterInline(EnrolmentInline):
    autocomplete_fields = ("student",)
    verbose_name_plural = gettext_lazy("roster")


class ClassesInline(EnrolmentInline):
    autocomplete_fields = ("course",)
    verbose_name_plural = gettext_lazy("classes")
