"""Rooms, holidays and series of lectures."""

from typing import Any

from django.urls import reverse
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from campus.academics.calendar_import import EntryChange
from campus.academics.calendar_links import calendar_link_token
from campus.academics.models import CalendarLink, Holiday, LectureSeries, Room, Term
from campus.academics.series import DayChange
from campus.api.serializers.common import DayField, OwnCourseField
from campus.common.site_address import site_address


class RoomSerializer(serializers.ModelSerializer[Room]):
    class Meta:
        model = Room
        fields = ["id", "name", "building", "seats"]


class TermSerializer(serializers.ModelSerializer[Term]):
    class Meta:
        model = Term
        fields = ["id", "name", "first_day", "last_day", "archived"]
        read_only_fields = fields


class HolidaySerializer(serializers.ModelSerializer[Holiday]):
    first_day = DayField()
    last_day = DayField()

    class Meta:
        model = Holiday
        fields = ["id", "name", "first_day", "last_day"]


@extend_schema_field(
    serializers.ListField(child=serializers.IntegerField(min_value=0, max_value=6), min_length=1, max_length=7)
)
class Weekdays(serializers.JSONField):
    """0 is Monday."""


class SeriesSerializer(serializers.ModelSerializer[LectureSeries]):
    course = OwnCourseField()
    weekdays = Weekdays(help_text="0 is Monday, 6 is Sunday")
    first_day = DayField()
    last_day = DayField()

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


class PlannedDaySerializer(serializers.Serializer[Any]):
    kind = serializers.ChoiceField(choices=DayChange.choices)
    day = serializers.DateField()
    starts_at = serializers.DateTimeField()
    ends_at = serializers.DateTimeField()
    lecture = serializers.IntegerField(source="lecture.pk", default=None, allow_null=True)
    remark = serializers.CharField(allow_blank=True)


class SeriesPlanSerializer(serializers.Serializer[Any]):
    fingerprint = serializers.CharField(
        help_text="identifies this plan; send it to `apply`, which refuses if the plan has changed"
    )
    steps = PlannedDaySerializer(many=True)


class ApplySeriesSerializer(serializers.Serializer[Any]):
    fingerprint = serializers.CharField(max_length=64, help_text="the plan's `fingerprint`")


class CalendarLinkSerializer(serializers.ModelSerializer[CalendarLink]):
    course = OwnCourseField(required=False, allow_null=True, default=None, help_text="null: all classes that you teach")
    url = serializers.SerializerMethodField(
        help_text="for a calendar program; anybody who has it can read when and where the lectures are"
    )

    class Meta:
        model = CalendarLink
        fields = ["id", "course", "url", "created_at", "used_at"]
        read_only_fields = ["used_at"]
        validators = ()  # a new link replaces the previous one

    def get_url(self, link: CalendarLink) -> str:
        return site_address(self.context["request"]) + reverse("calendar", args=[calendar_link_token(link)])


class CalendarFileSerializer(serializers.Serializer[Any]):
    file = serializers.FileField(allow_empty_file=True, help_text="iCalendar (.ics)")
    course = OwnCourseField(
        required=False,
        allow_null=True,
        default=None,
        help_text="the class of all events; without it, each event names its class",
    )
    until = serializers.DateField(
        required=False,
        allow_null=True,
        default=None,
        help_text="the last day of the term, up to which events without an end repeat; without it, they are refused",
    )


class CalendarDecisionsSerializer(serializers.Serializer[Any]):
    complete = serializers.BooleanField(
        default=False, help_text="the file is the whole calendar: lectures that it no longer has are cancelled"
    )
    dry_run = serializers.BooleanField(default=False, help_text="only return what would change")


class CalendarRowSerializer(serializers.Serializer[Any]):
    kind = serializers.ChoiceField(choices=EntryChange.choices)
    course = serializers.IntegerField(source="lecture.course_id", default=None, allow_null=True)
    lecture = serializers.IntegerField(source="lecture.pk", default=None, allow_null=True)
    summary = serializers.CharField(source="entry.summary", allow_blank=True)
    starts_at = serializers.DateTimeField(source="entry.starts_at", allow_null=True)
    ends_at = serializers.DateTimeField(source="entry.ends_at", allow_null=True)
    room = serializers.CharField(source="entry.room", allow_blank=True)
    cancelled = serializers.BooleanField(source="entry.cancelled")
    remark = serializers.CharField(allow_blank=True)


class CalendarPlanSerializer(serializers.Serializer[Any]):
    done = serializers.BooleanField(help_text="false for a dry run, which writes nothing")
    rows = CalendarRowSerializer(
        many=True, help_text="what happens to each event; events that change nothing are left out"
    )
