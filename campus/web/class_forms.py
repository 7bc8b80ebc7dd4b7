"""The forms of a class's page: its students, its timetable and its settings."""

from collections.abc import Collection
from typing import Any

from django import forms
from django.contrib.auth.models import User
from django.db.models import Q
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from campus.academics.models import WEEKDAYS, Course, Enrolment, LectureSeries
from campus.accounts.names import display_name
from campus.accounts.selectors import lecturers
from campus.attendance.models import RegisterPolicy
from campus.web.forms import DayField, DayInput, RoomInput


class AddStudentForm(forms.Form):
    """Somebody who joins a class; who is new to the institution, too, has to have a name."""

    number = forms.CharField(label=gettext_lazy("Student number"), max_length=40)
    name = forms.CharField(
        label=gettext_lazy("Name"),
        max_length=200,
        required=False,
        help_text=gettext_lazy("Only for a student who is not in any class yet."),
    )
    start = DayField(
        label=gettext_lazy("From"), required=False, help_text=gettext_lazy("Empty: from the first day of the term.")
    )
    section = forms.ChoiceField(label=gettext_lazy("Section"), required=False)

    def __init__(self, *args: Any, course: Course, sections: Collection[str], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.course = course
        self.fields["section"].choices = [("", ""), *((name, name) for name in sections)]  # type: ignore[attr-defined]
        if not sections:
            del self.fields["section"]

    def clean_number(self) -> str:
        number: str = self.cleaned_data["number"]
        enrolment = self.course.enrolments.filter(student__number_key=number).select_related("student").first()
        if enrolment:
            raise forms.ValidationError(_("%(student)s is in this class already.") % {"student": enrolment.student})
        return number


class EnrolmentDetailsForm(forms.ModelForm):  # type: ignore[type-arg]
    class Meta:
        model = Enrolment
        fields = ("section", "valid_from", "valid_to")
        field_classes = {"valid_from": DayField, "valid_to": DayField}
        widgets = {"valid_from": DayInput, "valid_to": DayInput}
        labels = {"valid_from": gettext_lazy("In the class from"), "valid_to": gettext_lazy("To, this day included")}
        help_texts = {"valid_to": gettext_lazy("Empty as long as the student stays.")}

    def clean(self) -> dict[str, Any]:
        values = super().clean() or self.cleaned_data
        first, last = values.get("valid_from"), values.get("valid_to")
        if first and last and last < first:
            self.add_error("valid_to", _("The enrolment ends before it starts. Set a later day."))
        return values


class SeriesForm(forms.ModelForm):  # type: ignore[type-arg]
    """Lectures that come back each week. Days that are left empty are those of the class's term."""

    weekdays = forms.TypedMultipleChoiceField(
        label=gettext_lazy("Days of the week"), choices=WEEKDAYS, coerce=int, widget=forms.CheckboxSelectMultiple
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name in self.fields.keys() & {"first_day", "last_day"}:
            self.fields[name].required = False
            self.fields[name].help_text = _("Empty: that of the class's term.")

    def clean(self) -> dict[str, Any]:
        values = super().clean() or self.cleaned_data
        course = values.get("course") or getattr(self.instance, "course", None)
        for name in ("first_day", "last_day"):
            if name in values and values[name] is None:
                if course and course.term:
                    values[name] = getattr(course.term, name)
                else:
                    self.add_error(name, _("Enter a day, since the class has no term."))
        return values


class CourseSeriesForm(SeriesForm):
    """The series of one class; the view finds the room of that name, or makes it."""

    room = forms.CharField(label=gettext_lazy("Room"), max_length=100, required=False, widget=RoomInput)

    class Meta:
        model = LectureSeries
        fields = ("weekdays", "starts", "ends", "title", "first_day", "last_day", "every_weeks", "time_zone")
        field_classes = {"first_day": DayField, "last_day": DayField}
        widgets = {
            "starts": forms.TimeInput(format="%H:%M", attrs={"type": "time"}),
            "ends": forms.TimeInput(format="%H:%M", attrs={"type": "time"}),
            "first_day": DayInput,
            "last_day": DayInput,
        }

    field_order = ("weekdays", "starts", "ends", "room", "title", "first_day", "last_day", "every_weeks", "time_zone")


class LecturersField(forms.ModelMultipleChoiceField):  # type: ignore[type-arg]
    def label_from_instance(self, user: User) -> str:
        return display_name(user)


class CourseSettingsForm(forms.ModelForm):  # type: ignore[type-arg]
    """A class's settings. `present` and its unit stand for the two fields of the model, of which one counts."""

    SECONDS, MINUTES, PERCENT = "seconds", "minutes", "percent"

    present = forms.IntegerField(
        label=gettext_lazy("Present from"),
        min_value=0,
        max_value=100_000,
        help_text=gettext_lazy(
            "How long a student's face must be seen in all. People look down and away, so a small part of the lecture "
            "is enough. Seconds and minutes are of a full hour: where recordings show less, in proportion."
        ),
    )
    present_unit = forms.ChoiceField(
        widget=forms.Select(attrs={"aria-label": gettext_lazy("Unit of “present from”")}),
        choices=[
            (SECONDS, gettext_lazy("seconds")),
            (MINUTES, gettext_lazy("minutes")),
            (PERCENT, gettext_lazy("per cent of the lecture")),
        ],
    )
    lecturers = LecturersField(
        User.objects.none(),
        label=gettext_lazy("Lecturers"),
        required=False,
        widget=forms.CheckboxSelectMultiple,
        help_text=gettext_lazy("Who may upload for this class and see its attendance."),
    )

    class Meta:
        model = Course
        fields = (
            "code",
            "name",
            "term",
            "coordinator_name",
            "coordinator_email",
            "lecturers",
            "archived",
            "late_minutes",
            "early_minutes",
            "strictness",
            "embedder",
        )
        labels = {
            "late_minutes": gettext_lazy("Late after"),
            "early_minutes": gettext_lazy("Left early before the last"),
        }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        course: Course = self.instance
        field = self.fields["lecturers"]
        chosen = Q(pk__in=lecturers().values("pk")) | Q(pk__in=course.lecturers.values("pk"))
        field.queryset = User.objects.filter(chosen).order_by("last_name", "first_name", "username")  # type: ignore[attr-defined]
        seconds = course.present_seconds
        if course.present_percent is not None:
            self.initial.update({"present": course.present_percent, "present_unit": self.PERCENT})
        elif seconds and seconds % 60 == 0:
            self.initial.update({"present": seconds // 60, "present_unit": self.MINUTES})
        else:
            self.initial.update({"present": seconds, "present_unit": self.SECONDS})

    @property
    def about(self) -> list[forms.BoundField]:
        """The fields that are no rule."""
        rules = {"present", "present_unit", "late_minutes", "early_minutes", "strictness"}
        return [self[name] for name in self.Meta.fields if name not in rules]

    def clean(self) -> dict[str, Any]:
        values = super().clean() or self.cleaned_data
        present, unit = values.get("present"), values.get("present_unit")
        if present is None or unit is None:
            return values
        if unit == self.PERCENT and not 1 <= present <= 100:
            self.add_error("present", _("Enter a share from 1 to 100 %."))
        elif unit == self.PERCENT:
            self.instance.present_percent = present
        else:
            self.instance.present_percent = None
            self.instance.present_seconds = present * (60 if unit == self.MINUTES else 1)
        return values


class PolicyForm(forms.ModelForm):  # type: ignore[type-arg]
    """What a class requires over the term, and who gets e-mails."""

    class Meta:
        model = RegisterPolicy
        fields = (
            "required_percent",
            "mail_lecturers",
            "mail_absentees",
            "mail_weekly_register",
            "write_moodle_file",
            "warning_addresses",
            "message_absent",
            "message_below",
            "message_excuse",
        )
        labels = {"required_percent": gettext_lazy("Required attendance")}

    @property
    def notifications(self) -> list[forms.BoundField]:
        """The fields that are no rule."""
        return [field for field in self if field.name != "required_percent"]
