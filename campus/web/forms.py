"""The forms of the staff's pages."""

from datetime import date, datetime, timedelta
from typing import Any

from django import forms
from django.conf import settings
from django.db.models import QuerySet
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from campus.academics.models import Course, Lecture, Room, Student, Term
from campus.academics.search import matching_courses
from campus.academics.selectors import CURRENT, current_courses_for
from campus.accounts.roles import AnyUser, is_registrar
from campus.attendance import statuses
from campus.common.days import FIRST_DAY, LAST_DAY, OUT_OF_RANGE
from campus.common.picture_settings import PICTURE_FIELDS
from campus.recordings.models import Recording
from recognition.media.file_kind import PHOTO_SUFFIXES, VIDEO_SUFFIXES

# Browsers take few of the suffixes for videos or photos.
UPLOAD_TYPES = ",".join(["video/*", "image/*", *sorted(VIDEO_SUFFIXES | PHOTO_SUFFIXES)])


class LocalDateTimeInput(forms.DateTimeInput):
    input_type = "datetime-local"

    def __init__(self) -> None:
        super().__init__(format="%Y-%m-%dT%H:%M")


class DayInput(forms.DateInput):
    input_type = "date"

    def __init__(self) -> None:
        super().__init__(format="%Y-%m-%d")


class DayField(forms.DateField):
    widget = DayInput

    def to_python(self, value: Any) -> date | None:
        day = super().to_python(value)
        if day and not FIRST_DAY <= day <= LAST_DAY:
            raise forms.ValidationError(OUT_OF_RANGE)
        return day


class MomentField(forms.DateTimeField):
    widget = LocalDateTimeInput

    def to_python(self, value: Any) -> datetime | None:
        moment = super().to_python(value)
        if moment and not FIRST_DAY <= moment.date() <= LAST_DAY:
            raise forms.ValidationError(OUT_OF_RANGE)
        return moment


class RoomInput(forms.TextInput):
    """Suggests the rooms that there are."""

    def render(self, name: str, value: Any, attrs: Any = None, renderer: Any = None) -> SafeString:
        options = format_html_join("", '<option value="{}">', Room.objects.values_list("name"))
        key = f"{(attrs or {}).get('id', name)}-options"  # a page may have several forms
        field = super().render(name, value, {**(attrs or {}), "list": key}, renderer)
        return format_html('{}<datalist id="{}">{}</datalist>', field, key, options)


class InstitutionForm(forms.Form):
    name = forms.CharField(label=gettext_lazy("Name"), max_length=100, required=False)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["name"].help_text = _(
            "Pages, workbooks, PDFs, calendars and e-mails bear it. Empty: “%(name)s”, as the server is set."
        ) % {"name": settings.INSTITUTION}


class ClassListForm(forms.Form):
    """Which classes a list shows. They are part of the address; what makes no sense in it is left out."""

    q = forms.CharField(label=gettext_lazy("Code or name"), required=False, widget=forms.TextInput({"type": "search"}))
    term = forms.ModelChoiceField(
        Term.objects.none(), label=gettext_lazy("Term"), required=False, empty_label=gettext_lazy("All terms")
    )
    archived = forms.BooleanField(required=False, widget=forms.HiddenInput)

    def __init__(self, *args: Any, terms: QuerySet[Term], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["term"].queryset = terms  # type: ignore[attr-defined]
        self.full_clean()

    def find(self, courses: QuerySet[Course]) -> QuerySet[Course]:
        """Those of the classes that are asked for."""
        chosen = self.cleaned_data
        found = courses.exclude(CURRENT) if chosen.get("archived") else courses.filter(CURRENT)
        found = found.filter(matching_courses(chosen.get("q", "")))
        return found.filter(term=chosen["term"]) if chosen.get("term") else found


class LectureForm(forms.ModelForm):  # type: ignore[type-arg]
    # The service finds the room of that name, or makes it.
    room = forms.CharField(
        label=gettext_lazy("Room"),
        max_length=100,
        required=False,
        widget=RoomInput,
        help_text=gettext_lazy("Optional."),
    )
    field_order = ("course", "title", "room")

    class Meta:
        model = Lecture
        fields = ["course", "title", "starts_at", "ends_at"]
        widgets = {"starts_at": LocalDateTimeInput, "ends_at": LocalDateTimeInput}
        help_texts = {
            "title": gettext_lazy("The topic. Optional."),
        }
        error_messages = {
            "__all__": {
                "unique_together": gettext_lazy(
                    "This class has a lecture at that time already. Open that one, or choose another time."
                )
            },
        }

    def __init__(self, *args: Any, user: AnyUser, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["course"].queryset = current_courses_for(user)  # type: ignore[attr-defined]
        self.fields["course"].empty_label = _("Choose a class")  # type: ignore[attr-defined]
        now = timezone.localtime().replace(second=0, microsecond=0)
        start = now - timedelta(minutes=now.minute % 5)
        self.fields["starts_at"].initial = start
        self.fields["ends_at"].initial = start + timedelta(minutes=90)

    def clean(self) -> dict[str, Any] | None:
        cleaned = super().clean()
        data = self.cleaned_data
        if data.get("starts_at") and data.get("ends_at") and data["ends_at"] <= data["starts_at"]:
            self.add_error("ends_at", _("The lecture ends before it starts. Set a later end."))
        return cleaned


class LectureChangeForm(forms.Form):
    """One lecture, moved, renamed or cancelled. The service asks whether the time is free."""

    title = forms.CharField(label=gettext_lazy("Title"), max_length=200, required=False)
    room = forms.CharField(label=gettext_lazy("Room"), max_length=100, required=False, widget=RoomInput)
    starts_at = MomentField(label=gettext_lazy("Starts"))
    ends_at = MomentField(label=gettext_lazy("Ends"))
    cancelled = forms.BooleanField(
        label=gettext_lazy("Cancelled"),
        required=False,
        help_text=gettext_lazy("The lecture does not take place; calendars show it as cancelled."),
    )


class ExcuseForm(forms.Form):
    """An excuse for one of `students`, in one of `courses`; in all classes for registrars."""

    student = forms.ModelChoiceField(
        Student.objects.none(), label=gettext_lazy("Student"), empty_label=gettext_lazy("Choose a student")
    )
    course = forms.ModelChoiceField(
        Course.objects.none(), label=gettext_lazy("Class"), required=False, empty_label=gettext_lazy("All classes")
    )
    first_day = DayField(label=gettext_lazy("From"))
    last_day = DayField(label=gettext_lazy("To, this day included"))
    reason = forms.CharField(
        label=gettext_lazy("Reason"),
        max_length=300,
        help_text=gettext_lazy("Everyone who can see the student's attendance can read it."),
    )
    document = forms.FileField(
        label=gettext_lazy("Document"),
        required=False,
        max_length=255,
        help_text=gettext_lazy("Optional: a PDF, or a picture as JPEG or PNG, of at most 10 MB."),
        widget=forms.FileInput(attrs={"accept": ".pdf,.jpg,.jpeg,.png"}),
    )

    def __init__(
        self, *args: Any, user: AnyUser, students: QuerySet[Student], courses: QuerySet[Course], **kwargs: Any
    ) -> None:
        super().__init__(*args, **kwargs)
        self.fields["student"].queryset = students.order_by("sort_key", "number_key")  # type: ignore[attr-defined]
        self.fields["course"].queryset = courses.order_by("code")  # type: ignore[attr-defined]
        self.fields["course"].required = not is_registrar(user)
        if not is_registrar(user):
            self.fields["course"].empty_label = None  # type: ignore[attr-defined]

    def clean(self) -> dict[str, Any] | None:
        cleaned = super().clean()
        first_day, last_day = self.cleaned_data.get("first_day"), self.cleaned_data.get("last_day")
        if first_day and last_day and last_day < first_day:
            self.add_error("last_day", _("The excuse ends before it starts. Set a later day."))
        return cleaned


class UploadForm(forms.Form):
    began = forms.TimeField(required=False)
    file = forms.FileField(
        label=gettext_lazy("Video or photo"),
        allow_empty_file=True,
        max_length=255,
        error_messages={
            "required": gettext_lazy("Choose a video or a photo first."),
            "max_length": gettext_lazy("The file name is longer than 255 characters. Rename the file."),
        },
        widget=forms.FileInput(attrs={"accept": UPLOAD_TYPES}),
    )


class LectureChoiceField(forms.ModelChoiceField):  # type: ignore[type-arg]
    def label_from_instance(self, lecture: Lecture) -> str:
        when = date_format(timezone.localtime(lecture.starts_at), _("D j M Y, H:i"))
        return f"{when}, {lecture.title}" if lecture.title else when


class OtherLectureForm(forms.Form):
    """The lecture beside which another one of its class is put."""

    other = LectureChoiceField(Lecture.objects.none(), label=gettext_lazy("Compare with"))

    def __init__(self, *args: Any, lectures: QuerySet[Lecture], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["other"].queryset = lectures  # type: ignore[attr-defined]


class PlaceForm(forms.Form):
    """When a recording began, by the clock on the wall."""

    began = forms.TimeField(
        label=gettext_lazy("The recording began at"),
        widget=forms.TimeInput(format="%H:%M:%S", attrs={"type": "time", "step": 1}),
    )


class AnnotatedVideoForm(forms.Form):
    """What somebody wants to watch: the whole recording, or the seconds around a moment of it."""

    moment = forms.FloatField(required=False)
    student = forms.IntegerField(required=False, min_value=1, max_value=2**63 - 1)
    blur_others = forms.BooleanField(required=False)


class PictureForm(forms.ModelForm):  # type: ignore[type-arg]
    class Meta:
        model = Recording
        fields = PICTURE_FIELDS


class StatusForm(forms.Form):
    status = forms.ChoiceField(
        choices=lambda: [("", _("As detected")), *statuses.override_choices()],
        required=False,
        label=gettext_lazy("Status"),
    )
    reason = forms.CharField(
        max_length=300,
        required=False,
        label=gettext_lazy("Reason"),
        help_text=gettext_lazy("Logged with the change, and visible to everyone who can see this class."),
    )
