"""Attendance: statuses, sightings, overrides, and the documents made of them."""

from typing import Any

from django.utils.translation import gettext_lazy as _
from rest_framework import serializers

from campus.api.serializers.academics import ReasonSerializer, StudentSerializer
from campus.api.serializers.common import DayField, OwnCourseField, OwnRecordingField, OwnStudentField
from campus.attendance.history import WeekShare
from campus.attendance.models import (
    AnnotatedVideo,
    AttendanceChange,
    AttendanceRecord,
    AttendanceStatus,
    Excuse,
    Report,
    Sighting,
    Snapshot,
    UnknownPerson,
)
from campus.attendance.roll import MarksByHand
from campus.attendance.statuses import STATUS_CODE_LENGTH


class StatusDefinitionWriteSerializer(serializers.ModelSerializer[AttendanceStatus]):
    label = serializers.CharField(source="name", max_length=40, required=False)  # type: ignore[assignment]  # a field of that name
    points = serializers.DecimalField(max_digits=5, decimal_places=2, min_value=0, coerce_to_string=False)

    class Meta:
        model = AttendanceStatus
        fields = ["code", "label", "letter", "points", "is_counted", "meaning", "moodle_acronym", "position"]


class StatusDefinitionSerializer(serializers.Serializer[Any]):
    code = serializers.CharField()
    label = serializers.CharField()  # type: ignore[assignment]  # a field of that name, not the serializer's own label
    letter = serializers.CharField(help_text="its letter in the register")
    points = serializers.FloatField()
    is_counted = serializers.BooleanField(help_text="whether it counts towards the student's percentage")
    meaning = serializers.CharField(help_text="the built-in status that it counts as in filters and sums")
    moodle_acronym = serializers.CharField(allow_blank=True, help_text="its acronym in Moodle")


class AttendanceRecordSerializer(serializers.ModelSerializer[AttendanceRecord]):
    student = StudentSerializer()
    status = serializers.CharField(
        help_text="the status that counts: the override, or else the machine's proposal, or excused where the student"
        " did not attend and an excuse covers the lecture; a code of /statuses/; empty while nothing is known"
    )
    override_status = serializers.CharField(
        allow_blank=True, help_text="the status that a person set; empty if none was set"
    )
    excuse_reason = serializers.CharField(help_text="why an excuse counts; empty where none does")

    class Meta:
        model = AttendanceRecord
        fields = [
            "id",
            "lecture",
            "student",
            "status",
            "machine_status",
            "override_status",
            "excuse_reason",
            "first_seen",
            "last_seen",
            "seconds",
            "share",
            "confidence",
            "updated_at",
        ]
        read_only_fields = fields


class OverrideSerializer(ReasonSerializer):
    status = serializers.CharField(
        max_length=STATUS_CODE_LENGTH,
        allow_blank=True,
        help_text="a code of /statuses/ other than “to confirm”; empty: back to the machine's proposal",
    )


class BulkOverrideSerializer(OverrideSerializer):
    records = serializers.ListField(
        child=serializers.IntegerField(min_value=1, max_value=2**63 - 1),
        max_length=5000,
        help_text="ids of attendance records",
    )
    by_hand = serializers.ChoiceField(
        MarksByHand.choices,
        required=False,
        help_text="what becomes of the students among them whom a person has marked otherwise",
    )


class MarkSerializer(serializers.Serializer[Any]):
    student = serializers.IntegerField(min_value=1, max_value=2**63 - 1)
    status = serializers.CharField(
        max_length=STATUS_CODE_LENGTH, allow_blank=True, help_text="as for an override of one record"
    )


class RollSerializer(ReasonSerializer):
    marks = MarkSerializer(many=True, max_length=5000, help_text="each at most once")  # type: ignore[call-arg]

    def validate_marks(self, marks: list[dict[str, Any]]) -> dict[int, str]:
        statuses = {mark["student"]: mark["status"] for mark in marks}
        if len(statuses) < len(marks):
            raise serializers.ValidationError(_("A student is in the list twice."))
        return statuses


class ExcuseSerializer(serializers.ModelSerializer[Excuse]):
    class Meta:
        model = Excuse
        fields = [
            "id",
            "student",
            "course",
            "first_day",
            "last_day",
            "reason",
            "document_name",
            "user_name",
            "created_at",
            "withdrawn_by",
            "withdrawn_at",
        ]
        read_only_fields = fields


class NewExcuseSerializer(serializers.Serializer[Any]):
    student = OwnStudentField()
    course = OwnCourseField(
        allow_null=True, default=None, help_text="empty: all classes, which only a registrar can excuse from"
    )
    first_day = DayField()
    last_day = DayField(help_text="included")
    reason = serializers.CharField(max_length=300)
    document = serializers.FileField(
        default=None, max_length=255, allow_empty_file=True, help_text="a PDF, or a JPEG or PNG picture"
    )

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if attrs["last_day"] < attrs["first_day"]:
            raise serializers.ValidationError({"last_day": _("The excuse ends before it starts. Set a later day.")})
        return attrs


class AttendanceChangeSerializer(serializers.ModelSerializer[AttendanceChange]):
    old_status = serializers.CharField(allow_blank=True)
    new_status = serializers.CharField(allow_blank=True)

    class Meta:
        model = AttendanceChange
        fields = [
            "id",
            "lecture",
            "record",
            "kind",
            "old_status",
            "new_status",
            "about",
            "reason",
            "user_name",
            "created_at",
        ]
        read_only_fields = fields


class FaceSerializer(serializers.ModelSerializer[Any]):
    intervals = serializers.ListField(
        child=serializers.ListField(child=serializers.FloatField()), help_text="[from, to] in seconds of the recording"
    )
    pictures = serializers.SerializerMethodField(
        help_text="number of pictures, served at .../pictures/{n}/; n starts at 0 with the best"
    )

    def get_pictures(self, row: Sighting | UnknownPerson) -> int:
        return len(row.crops)


class SightingSerializer(FaceSerializer):
    class Meta:
        model = Sighting
        fields = [
            "id",
            "recording",
            "student",
            "present",
            "to_confirm",
            "intervals",
            "seconds",
            "share",
            "confidence",
            "pictures",
        ]
        read_only_fields = fields


class UnknownPersonSerializer(FaceSerializer):
    student = serializers.IntegerField(
        source="student_id", allow_null=True, help_text="the student that a person identified"
    )
    visitor = serializers.SerializerMethodField(help_text="whether a person marked this one as a visitor")

    class Meta:
        model = UnknownPerson
        fields = ["id", "recording", "index", "is_static", "intervals", "seconds", "pictures", "student", "visitor"]
        fields += ["same_as", "group"]
        read_only_fields = fields

    def get_visitor(self, person: UnknownPerson) -> bool:
        return person.override is not None and person.override.action == "visitor"


class IdentifySerializer(ReasonSerializer):
    student = OwnStudentField(help_text="the student that this is")
    everywhere = serializers.BooleanField(
        default=False,
        help_text="also those of the same `group` in other lectures, where they are not signed off and the student was "
        "enrolled",
    )


class WeekSerializer(serializers.Serializer[Any]):
    monday = serializers.DateField()
    share = serializers.FloatField(help_text="points earned of those possible, 0 to 1")

    def to_representation(self, instance: WeekShare) -> dict[str, Any]:
        return super().to_representation(dict(zip(("monday", "share"), instance, strict=True)))


class ClassWeeksSerializer(serializers.Serializer[Any]):
    """All students of a class, week by week."""

    course = serializers.IntegerField(source="course.pk")
    share = serializers.FloatField(
        source="tally.share", allow_null=True, help_text="over all weeks, 0 to 1; null if nothing counts yet"
    )
    required_share = serializers.FloatField(help_text="the attendance that the class requires, 0 to 1")
    weeks = WeekSerializer(many=True)


class StudentLectureSerializer(serializers.Serializer[Any]):
    lecture = serializers.IntegerField(source="record.lecture_id")
    starts_at = serializers.DateTimeField(source="record.lecture.starts_at")
    record = serializers.IntegerField(source="record.pk")
    status = serializers.CharField(source="status.code")


class ClassHistorySerializer(serializers.Serializer[Any]):
    """A student in one class."""

    course = serializers.IntegerField(source="course.pk")
    points = serializers.FloatField(source="tally.points")
    max_points = serializers.FloatField(source="tally.max_points", help_text="possible points")
    share = serializers.FloatField(
        source="tally.share", allow_null=True, help_text="0 to 1; null if nothing counts yet"
    )
    is_below = serializers.BooleanField(help_text="whether the share is below what the class requires")
    lectures = StudentLectureSerializer(many=True)


class SnapshotSerializer(serializers.ModelSerializer[Snapshot]):
    recording = OwnRecordingField()

    class Meta:
        model = Snapshot
        fields = ["id", "recording", "time", "state"]
        read_only_fields = ["state"]
        validators = ()  # requesting the same snapshot again returns the existing one

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if not 0 <= attrs["time"] <= attrs["recording"].duration:
            raise serializers.ValidationError({"time": _("The recording has no such second.")})
        return attrs


class AnnotatedVideoSerializer(serializers.ModelSerializer[AnnotatedVideo]):
    recording = OwnRecordingField()
    moment = serializers.FloatField(
        write_only=True,
        allow_null=True,
        default=None,
        help_text="the second of the recording around which to show ten seconds; empty: the whole recording",
    )
    student = OwnStudentField(
        allow_null=True, default=None, help_text="whose face is not blurred; empty: those of all on the roster are not"
    )
    error = serializers.CharField(read_only=True)

    class Meta:
        model = AnnotatedVideo
        fields = [
            "id",
            "recording",
            "moment",
            "student",
            "blur_others",
            "start",
            "end",
            "state",
            "progress",
            "error",
            "created_at",
        ]
        read_only_fields = ["start", "end", "state", "progress", "created_at"]


class ReportSerializer(serializers.ModelSerializer[Report]):
    class Meta:
        model = Report
        fields = ["id", "course", "lecture", "recording", "file_name", "sha256", "created_at"]
