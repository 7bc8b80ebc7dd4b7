"""The forms of roster import and export for all classes."""

from django import forms
from django.utils.translation import gettext_lazy
from unfold.widgets import UnfoldAdminSelectWidget

from campus.web.admin.base import CourseForm
from campus.web.roster_forms import RosterFileForm


class RosterForm(CourseForm, RosterFileForm):
    no_course = gettext_lazy("as in the file")
    course_help = gettext_lazy("For rows without a class.")


class ExportForm(CourseForm):
    no_course = gettext_lazy("All students")
    kind = forms.ChoiceField(
        label=gettext_lazy("Format"),
        choices=[("xlsx", gettext_lazy("Excel workbook")), ("csv", "CSV")],
        widget=UnfoldAdminSelectWidget(),
    )
