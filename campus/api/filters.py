"""What lists may be narrowed by."""

from django.db.models import QuerySet, Value
from django.db.models.functions import Coalesce, NullIf
from django_filters import rest_framework as filters

from campus.academics.models import Lecture, Student
from campus.attendance.models import AttendanceRecord, Report, Status
from campus.biometrics.models import Gallery
from campus.footage.models import Recording


class StudentFilter(filters.FilterSet):
    course = filters.NumberFilter("enrolments__course", distinct=True)

    class Meta:
        model = Student
        fields = ["number"]


class LectureFilter(filters.FilterSet):
    after = filters.IsoDateTimeFilter("starts_at", "gte")
    before = filters.IsoDateTimeFilter("starts_at", "lt")

    class Meta:
        model = Lecture
        fields: list[str] = []

    course = filters.NumberFilter("course")


class RecordingFilter(filters.FilterSet):
    lecture = filters.NumberFilter("lecture")
    course = filters.NumberFilter("lecture__course")

    class Meta:
        model = Recording
        fields = ["state"]


class RecordFilter(filters.FilterSet):
    lecture = filters.NumberFilter("lecture")
    course = filters.NumberFilter("lecture__course")
    student = filters.NumberFilter("student")
    status = filters.ChoiceFilter(
        method="with_status", choices=Status.choices, label="what counts: a person's decision, or else the machine's"
    )

    class Meta:
        model = AttendanceRecord
        fields: list[str] = []

    def with_status(self, queryset: QuerySet[AttendanceRecord], name: str, value: str) -> QuerySet[AttendanceRecord]:
        return queryset.alias(counts=Coalesce(NullIf("override_status", Value("")), "machine_status")).filter(counts=value)


class ReportFilter(filters.FilterSet):
    course = filters.NumberFilter("course")
    lecture = filters.NumberFilter("lecture")

    class Meta:
        model = Report
        fields: list[str] = []


class GalleryFilter(filters.FilterSet):
    course = filters.NumberFilter("course")

    class Meta:
        model = Gallery
        fields = ["state", "active"]
