"""Fields that several serializers share."""

from datetime import UTC, date, datetime
from typing import Any
from uuid import UUID

from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from campus.academics.models import Course, Lecture, Student
from campus.academics.selectors import courses_for, lectures_for, students_for
from campus.common.days import FIRST_DAY, LAST_DAY, OUT_OF_RANGE
from campus.recordings.models import Recording
from campus.recordings.selectors import recordings_for


@extend_schema_field(int)
class OwnCourseField(serializers.PrimaryKeyRelatedField[Course]):
    """A class that the user may see; any other does not exist."""

    def get_queryset(self) -> QuerySet[Course]:
        return courses_for(self.context["request"].user)


@extend_schema_field(int)
class OwnLectureField(serializers.PrimaryKeyRelatedField[Lecture]):
    """A lecture that the user may see; any other does not exist."""

    def get_queryset(self) -> QuerySet[Lecture]:
        return lectures_for(self.context["request"].user)


@extend_schema_field(int)
class OwnStudentField(serializers.PrimaryKeyRelatedField[Student]):
    """A student that the user may see; any other does not exist."""

    def get_queryset(self) -> QuerySet[Student]:
        return students_for(self.context["request"].user)


@extend_schema_field(UUID)
class OwnRecordingField(serializers.PrimaryKeyRelatedField[Recording]):
    """A recording that the user may see; any other does not exist."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(pk_field=serializers.UUIDField(), **kwargs)

    def get_queryset(self) -> QuerySet[Recording]:
        return recordings_for(self.context["request"].user)


class DayField(serializers.DateField):
    def to_internal_value(self, value: Any) -> date:
        day: date = super().to_internal_value(value)
        if not FIRST_DAY <= day <= LAST_DAY:
            raise serializers.ValidationError(OUT_OF_RANGE)
        return day


class MomentField(serializers.DateTimeField):
    def enforce_timezone(self, value: datetime) -> datetime:
        if not FIRST_DAY <= value.date() <= LAST_DAY:
            raise serializers.ValidationError(OUT_OF_RANGE)
        moment: datetime = super().enforce_timezone(value)
        return moment.astimezone(UTC)


class DaysSerializer(serializers.Serializer[Any]):
    since = DayField(default=None, help_text="the first day")
    until = DayField(default=None, help_text="the last day")
