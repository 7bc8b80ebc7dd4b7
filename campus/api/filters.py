"""Filters of lists."""

from datetime import date, datetime
from typing import Any

from django import forms
from django.db.models import Q, QuerySet
from django.utils.translation import gettext as _
from django_filters import rest_framework as filters
from django_filters.fields import IsoDateTimeField
from rest_framework.exceptions import ValidationError

from campus.academics.models import Course, Enrolment, Lecture, LectureSeries, Student
from campus.academics.selectors import CURRENT, courses_for
from campus.attendance import statuses
from campus.attendance.models import (
    EFFECTIVE_STATUS,
    AttendanceChange,
    AttendanceRecord,
    Excuse,
    Report,
    Sighting,
    UnknownPerson,
)
from campus.biometrics.models import FacePhoto, Gallery, LectureFace, LookAlike
from campus.biometrics.selectors import enrolments_lacking_photos
from campus.cctv.models import Collection, FootageFile
from campus.cctv.selectors import awaiting_assignment, without_lecture
from campus.common.days import FIRST_DAY, LAST_DAY, OUT_OF_RANGE
from campus.consent.models import Consent, StudentLink
from campus.outbox.models import Delivery, Webhook
from campus.recordings.models import Recording


class IdFilter(filters.NumberFilter):
    """An id: a whole number that the database can hold."""

    field_class = forms.IntegerField

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, min_value=0, max_value=2**63 - 1, **kwargs)


class MomentField(IsoDateTimeField):
    def to_python(self, value: Any) -> datetime | None:
        try:
            moment: datetime | None = super().to_python(value)
        except OverflowError:
            raise forms.ValidationError(OUT_OF_RANGE) from None
        if moment is not None and not FIRST_DAY <= moment.date() <= LAST_DAY:
            raise forms.ValidationError(OUT_OF_RANGE)
        return moment


class MomentFilter(filters.IsoDateTimeFilter):
    field_class = MomentField


class CourseFilter(filters.FilterSet):
    term = IdFilter("term")
    archived = filters.BooleanFilter(method="filter_archived", label="whether the class or its term is archived")

    class Meta:
        model = Course
        fields = ["code"]

    def filter_archived(self, queryset: QuerySet[Course], name: str, value: bool) -> QuerySet[Course]:
        return queryset.exclude(CURRENT) if value else queryset.filter(CURRENT)


class StudentFilter(filters.FilterSet):
    course = IdFilter("enrolments__course", distinct=True)
    name = filters.CharFilter("name_key", "contains", label="part of the name")
    few_photos = filters.BooleanFilter(
        method="filter_few_photos", label="whether the student has fewer usable photos than required"
    )

    class Meta:
        model = Student
        fields = ["number", "guest"]

    def filter_few_photos(self, queryset: QuerySet[Student], name: str, value: bool) -> QuerySet[Student]:
        lacking = enrolments_lacking_photos(courses_for(self.request.user)).values("student")
        return queryset.filter(pk__in=lacking) if value else queryset.exclude(pk__in=lacking)


class EnrolmentFilter(filters.FilterSet):
    course = IdFilter("course")
    student = IdFilter("student")
    section = filters.CharFilter("section")
    day = filters.DateFilter(method="filter_day", label="enrolled on that day")

    class Meta:
        model = Enrolment
        fields: list[str] = []

    def filter_day(self, queryset: QuerySet[Enrolment], name: str, value: datetime) -> QuerySet[Enrolment]:
        return queryset.filter(Q(valid_to=None) | Q(valid_to__gte=value), valid_from__lte=value)


class LectureFilter(filters.FilterSet):
    course = IdFilter("course")
    after = MomentFilter("starts_at", "gte")
    before = MomentFilter("starts_at", "lt")
    signed_off = filters.BooleanFilter("sign_off", "isnull", exclude=True)

    class Meta:
        model = Lecture
        fields = ["cancelled"]


class SeriesFilter(filters.FilterSet):
    course = IdFilter("course")

    class Meta:
        model = LectureSeries
        fields: list[str] = []


class UUIDListFilter(filters.BaseInFilter, filters.UUIDFilter):
    """Several ids, separated by commas."""


class PhotoFilter(filters.FilterSet):
    id = UUIDListFilter("id")
    student = IdFilter("student")
    course = IdFilter("student__enrolments__course", distinct=True)

    class Meta:
        model = FacePhoto
        fields = ["state"]


class ConsentFilter(filters.FilterSet):
    student = IdFilter("student")
    course = IdFilter("student__enrolments__course", distinct=True)

    class Meta:
        model = Consent
        fields = ["is_current", "given"]


class StudentLinkFilter(filters.FilterSet):
    student = IdFilter("student")
    course = IdFilter("student__enrolments__course", distinct=True)

    class Meta:
        model = StudentLink
        fields: list[str] = []


class LectureFaceFilter(filters.FilterSet):
    student = IdFilter("student")
    lecture = IdFilter("lecture")

    class Meta:
        model = LectureFace
        fields = ["state"]


class RecordingFilter(filters.FilterSet):
    lecture = IdFilter("lecture")
    course = IdFilter("lecture__course")

    class Meta:
        model = Recording
        fields = ["state"]


class FootageFileFilter(filters.FilterSet):
    source = IdFilter("source")
    camera = IdFilter("camera")
    lecture = IdFilter(method="filter_lecture", label="footage of this lecture")
    after = MomentFilter("starts_at", "gte")
    before = MomentFilter("starts_at", "lt")
    without_lecture = filters.BooleanFilter(method="filter_without_lecture", label="whether it belongs to no lecture")
    needs_assignment = filters.BooleanFilter(
        method="filter_needs_assignment", label="whether a person has to assign it to a lecture"
    )

    class Meta:
        model = FootageFile
        fields = ["state"]

    def filter_lecture(self, queryset: QuerySet[FootageFile], name: str, value: int) -> QuerySet[FootageFile]:
        return queryset.filter(Q(clips__recording__lecture=value) | Q(lecture=value)).distinct()

    def filter_without_lecture(self, queryset: QuerySet[FootageFile], name: str, value: bool) -> QuerySet[FootageFile]:
        return without_lecture(queryset) if value else queryset.exclude(pk__in=without_lecture(queryset).values("pk"))

    def filter_needs_assignment(self, queryset: QuerySet[FootageFile], name: str, value: bool) -> QuerySet[FootageFile]:
        return (
            awaiting_assignment(queryset)
            if value
            else queryset.exclude(pk__in=awaiting_assignment(queryset).values("pk"))
        )


class CollectionFilter(filters.FilterSet):
    lecture = IdFilter("lecture")
    course = IdFilter("lecture__course")
    after = MomentFilter("lecture__starts_at", "gte")
    before = MomentFilter("lecture__starts_at", "lt")

    class Meta:
        model = Collection
        fields = ["state"]


class RecordFilter(filters.FilterSet):
    lecture = IdFilter("lecture")
    course = IdFilter("lecture__course")
    student = IdFilter("student")
    status = filters.CharFilter(method="filter_status", label="the status that counts: a code of /statuses/")
    overridden = filters.BooleanFilter(
        "override_status", "exact", method="filter_overridden", label="whether a person set the status"
    )

    class Meta:
        model = AttendanceRecord
        fields: list[str] = []

    def filter_status(self, queryset: QuerySet[AttendanceRecord], name: str, value: str) -> QuerySet[AttendanceRecord]:
        if value not in statuses.status_definitions():
            raise ValidationError(
                {
                    "status": _("There is no such status. Choose one of: {}.").format(
                        ", ".join(statuses.status_definitions())
                    )
                }
            )
        return queryset.alias(effective_status=EFFECTIVE_STATUS).filter(effective_status=value)

    def filter_overridden(
        self, queryset: QuerySet[AttendanceRecord], name: str, value: bool
    ) -> QuerySet[AttendanceRecord]:
        return queryset.exclude(override_status="") if value else queryset.filter(override_status="")


class ExcuseFilter(filters.FilterSet):
    student = IdFilter("student")
    course = IdFilter("course")
    day = filters.DateFilter(method="filter_day", label="that cover the day, and are not withdrawn")

    class Meta:
        model = Excuse
        fields: list[str] = []

    def filter_day(self, queryset: QuerySet[Excuse], name: str, value: date) -> QuerySet[Excuse]:
        return queryset.filter(first_day__lte=value, last_day__gte=value, withdrawn_at=None)


class ChangeFilter(filters.FilterSet):
    lecture = IdFilter("lecture")
    course = IdFilter("lecture__course")
    student = IdFilter("record__student")
    after = MomentFilter("created_at", "gte")
    before = MomentFilter("created_at", "lt")

    class Meta:
        model = AttendanceChange
        fields = ["kind"]


class SightingFilter(filters.FilterSet):
    recording = filters.UUIDFilter("recording")
    lecture = IdFilter("recording__lecture")
    student = IdFilter("student")

    class Meta:
        model = Sighting
        fields = ["present", "to_confirm"]


class UnknownPersonFilter(filters.FilterSet):
    recording = filters.UUIDFilter("recording")
    lecture = IdFilter("recording__lecture")
    open = filters.BooleanFilter("override", "isnull", label="whether nobody has identified this person yet")
    group = filters.UUIDFilter("group", label="the same person in several lectures")

    class Meta:
        model = UnknownPerson
        fields = ["is_static"]


class WebhookFilter(filters.FilterSet):
    course = IdFilter("course")

    class Meta:
        model = Webhook
        fields = ["active"]


class DeliveryFilter(filters.FilterSet):
    webhook = filters.UUIDFilter("webhook")
    after = MomentFilter("created_at", "gte")
    before = MomentFilter("created_at", "lt")

    class Meta:
        model = Delivery
        fields = ["state", "event"]


class ReportFilter(filters.FilterSet):
    course = IdFilter("course")
    lecture = IdFilter("lecture")

    class Meta:
        model = Report
        fields: list[str] = []


class LookAlikeFilter(filters.FilterSet):
    open = filters.BooleanFilter("decided_at", "isnull", label="whether nobody has decided yet")

    class Meta:
        model = LookAlike
        fields: list[str] = []


class GalleryFilter(filters.FilterSet):
    course = IdFilter("course")

    class Meta:
        model = Gallery
        fields = ["state", "active"]
