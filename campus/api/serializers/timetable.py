"""Rooms, holidays and series of lectures."""

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from campus.academics.models import Holiday, LectureSeries, Room
from campus.academics.timetable import Kind
from campus.api.serializers.common import Day, OwnCourse


class RoomSerializer(serializers.ModelSerializer[Room]):
    class Meta:
        model = Room
        fields = ["id", "name", "building", "seats"]


class HolidaySerializer(serializers.ModelSerializer[Holiday]):
    first_day = Day()
    last_day = Day()

    class Meta:
        model = Holiday
        fields = ["id", "name", "first_day", "last_day"]


@extend_schema_field(serializers.ListField(child=serializers.IntegerField(min_value=0, max_value=6), min_length=1, max_length=7))
class Weekdays(serializers.JSONField):
    """0 is Monday."""


class SeriesSerializer(serializers.ModelSerializer[LectureSeries]):
    course = OwnCourse()
    weekdays = Weekdays(help_text="0 is Monday, 6 is Sunday")
    first_day = Day()
    last_day = Day()

    class Meta:
        model = LectureSeries
        fields = [
            "id",
            "course",
            "title",
            "room",
            "weekdays",
            "every_weeks",
            "starts",
            "ends",
            "first_day",
            "last_day",
            "time_zone",
        ]


class StepSerializer(serializers.Serializer[Any]):
    kind = serializers.ChoiceField(choices=Kind.choices)
    day = serializers.DateField()
    starts_at = serializers.DateTimeField()
    ends_at = serializers.DateTimeField()
    lecture = serializers.IntegerField(source="lecture.pk", default=None, allow_null=True)
    remark = serializers.CharField(allow_blank=True)


class PlanSerializer(serializers.Serializer[Any]):
    agreed = serializers.CharField(help_text="what `apply` wants, so that what was looked at is what is done")
    steps = StepSerializer(many=True)


class AgreedSerializer(serializers.Serializer[Any]):
    agreed = serializers.CharField(max_length=64, help_text="of the plan")
