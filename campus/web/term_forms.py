"""The period and the classes that a page shows. They are part of the URL, so that it can be bookmarked and shared."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from django import forms
from django.db.models import Exists, OuterRef
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from campus.academics.models import Course
from campus.academics.selectors import current_courses_for
from campus.accounts.roles import AnyUser
from campus.attendance.models import AttendanceRecord
from campus.attendance.register import Days
from campus.web.forms import DayField
from campus.web.term_plot import LINES

TERM = timedelta(weeks=20)


class TermForm(forms.Form):
    since = DayField(label=_("From"), required=False)
    until = DayField(label=_("To"), required=False)

    def clean(self) -> dict[str, Any]:
        since, until = self.cleaned_data.get("since"), self.cleaned_data.get("until")
        if since and until and until < since:
            self.add_error("until", _("This is before the first day. Choose a later one."))
        return self.cleaned_data

    @property
    def term(self) -> Days:
        """The chosen period; no limits if it is invalid."""
        chosen = self.cleaned_data if self.is_valid() else {}
        return Days(since=chosen.get("since"), until=chosen.get("until"))


class RegisterForm(TermForm):
    """What a register shows, and who would be below if the class asked for another share."""

    required = forms.IntegerField(label=_("If required (%)"), required=False, min_value=0, max_value=100)
    section = forms.ChoiceField(label=_("Section"), required=False)
    below = forms.BooleanField(required=False)

    def __init__(self, *args: Any, sections: Mapping[int, str], **kwargs: Any) -> None:
        """`sections` are those of the class's students, by their ids."""
        super().__init__(*args, **kwargs)
        self.sections = sections
        names = sorted(set(sections.values()))
        self.fields["section"].choices = [("", _("All sections")), *((name, name) for name in names)]  # type: ignore[attr-defined]
        if not names:
            del self.fields["section"]

    @property
    def students(self) -> list[int] | None:
        """The ids of the students of the chosen section; None for all."""
        chosen = self.cleaned_data.get("section") if self.is_valid() else ""
        return [student for student, name in self.sections.items() if name == chosen] if chosen else None

    @property
    def required_percent(self) -> int | None:
        """The share to try; None for the class's own."""
        return self.cleaned_data.get("required") if self.is_valid() else None


class ExportForm(TermForm):
    """The classes and days of an export; all where none are chosen, archived classes included."""

    classes = forms.ModelMultipleChoiceField(
        Course.objects.none(),
        label=_("Classes"),
        required=False,
        help_text=_("All if none is selected; hold Ctrl or Cmd to select several."),
    )

    def __init__(self, *args: Any, user: AnyUser, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.order_fields(["classes", "since", "until"])
        self.fields["classes"].queryset = current_courses_for(user)  # type: ignore[attr-defined]
        self.fields["classes"].widget.attrs["size"] = 6


class CompareForm(TermForm):
    """The user's classes; those of the last lectures where none was chosen."""

    classes = forms.ModelMultipleChoiceField(
        Course.objects.none(),
        label=_("Classes"),
        required=False,
        help_text=_("Up to eight; hold Ctrl or Cmd to select several."),
    )

    def __init__(self, *args: Any, user: AnyUser, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.order_fields(["classes", "since", "until"])
        self.mine = current_courses_for(user)
        self.fields["classes"].queryset = self.mine  # type: ignore[attr-defined]
        self.fields["classes"].widget.attrs["size"] = 6

    def clean_classes(self) -> list[Course]:
        chosen = list(self.cleaned_data["classes"])
        if len(chosen) > LINES:
            raise forms.ValidationError(_("Choose at most eight classes."))
        return chosen

    @property
    def courses(self) -> list[Course]:
        chosen = self.cleaned_data.get("classes") if self.is_valid() else []
        held = AttendanceRecord.objects.filter(
            lecture__course=OuterRef("pk"), lecture__starts_at__gte=timezone.now() - TERM
        )
        return chosen or list(self.mine.filter(Exists(held)).order_by("code")[:LINES])
