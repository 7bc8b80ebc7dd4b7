"""What the API says of each thing, and what it takes."""

from typing import Any

from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers
from rest_framework.validators import UniqueTogetherValidator

from campus.academics.models import Course, Lecture, Student
from campus.academics.selectors import courses_for, lectures_for
from campus.attendance.models import DECISIONS, AttendanceChange, AttendanceRecord, Report, Status
from campus.biometrics.models import Gallery
from campus.footage.models import Recording


@extend_schema_field(int)
class OwnCourse(serializers.PrimaryKeyRelatedField[Course]):
    """A class of the user's; another's does not exist."""

    def get_queryset(self) -> QuerySet[Course]:
        return courses_for(self.context["request"].user)


@extend_schema_field(int)
class OwnLecture(serializers.PrimaryKeyRelatedField[Lecture]):
    """A lecture of a class of the user's; another's does not exist."""

    def get_queryset(self) -> QuerySet[Lecture]:
        return lectures_for(self.context["request"].user)


class RatesSerializer(serializers.Serializer[Any]):
    fpir = serializers.FloatField(help_text="share of strangers who are taken for a student (0 to 1)")
    miss = serializers.FloatField(help_text="share of the sights of a student that are missed (0 to 1)")
    threshold = serializers.FloatField(help_text="the least cosine similarity")


class CourseSerializer(serializers.ModelSerializer[Course]):
    rates = serializers.SerializerMethodField(help_text="what the training of the gallery in use measured, by sureness")

    class Meta:
        model = Course
        fields = ["id", "code", "name", "coordinator_name", "coordinator_email", "sureness", "embedder", "rates"]

    @extend_schema_field(serializers.DictField(child=RatesSerializer()))
    def get_rates(self, course: Any) -> dict[str, Any]:
        return next((gallery.report.get("rates", {}) for gallery in course.galleries_in_use), {})


class CourseFacesSerializer(serializers.ModelSerializer[Course]):
    class Meta:
        model = Course
        fields = ["sureness", "embedder"]


class StudentSerializer(serializers.ModelSerializer[Student]):
    class Meta:
        model = Student
        fields = ["id", "number", "name", "email"]


class LectureSerializer(serializers.ModelSerializer[Lecture]):
    course = OwnCourse()

    class Meta:
        model = Lecture
        fields = ["id", "course", "title", "room", "starts_at", "ends_at"]
        validators = [
            UniqueTogetherValidator(
                Lecture.objects.all(),
                ["course", "starts_at"],
                message="This class has a lecture at that time already. Choose another time.",
            )
        ]

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if attrs["ends_at"] <= attrs["starts_at"]:
            raise serializers.ValidationError({"ends_at": "The lecture ends before it starts. Set a later end."})
        return attrs


class RecordingSerializer(serializers.ModelSerializer[Recording]):
    report = serializers.PrimaryKeyRelatedField[Report](read_only=True, allow_null=True)

    class Meta:
        model = Recording
        fields = [
            "id",
            "lecture",
            "original_name",
            "size",
            "sha256",
            "created_at",
            "state",
            "run",
            "duration",
            "info",
            "coverage",
            "error",
            "gallery",
            "report",
            "finished_at",
        ]
        read_only_fields = fields


class RecordingUploadSerializer(serializers.Serializer[Recording]):
    lecture = OwnLecture()
    file = serializers.FileField(max_length=255, allow_empty_file=True)


class SegmentProgressSerializer(serializers.Serializer[Any]):
    index = serializers.IntegerField()
    start = serializers.FloatField(help_text="in seconds")
    end = serializers.FloatField(help_text="in seconds")
    state = serializers.CharField()
    running = serializers.BooleanField()
    progress = serializers.FloatField(help_text="0 to 1")
    error = serializers.CharField()


class ProgressSerializer(serializers.Serializer[Any]):
    state = serializers.CharField()
    state_label = serializers.CharField()
    share = serializers.FloatField(help_text="0 to 1")
    error = serializers.CharField()
    segments = SegmentProgressSerializer(many=True)
    faces = serializers.IntegerField()
    eta_seconds = serializers.FloatField(allow_null=True)


class AttendanceRecordSerializer(serializers.ModelSerializer[AttendanceRecord]):
    student = StudentSerializer()
    status = serializers.ChoiceField(choices=Status.choices, help_text="what counts: a person's decision, or else the machine's")

    class Meta:
        model = AttendanceRecord
        fields = [
            "id",
            "lecture",
            "student",
            "status",
            "machine_status",
            "override_status",
            "first_seen",
            "last_seen",
            "seconds",
            "share",
            "confidence",
            "updated_at",
        ]
        read_only_fields = fields


class StatusSerializer(serializers.Serializer[Any]):
    status = serializers.ChoiceField(choices=DECISIONS, allow_blank=True, help_text="empty: back to what the machine says")
    reason = serializers.CharField(max_length=300, allow_blank=True, default="")


class AttendanceChangeSerializer(serializers.ModelSerializer[AttendanceChange]):
    class Meta:
        model = AttendanceChange
        fields = ["id", "old", "new", "reason", "user_name", "at"]


class ReportSerializer(serializers.ModelSerializer[Report]):
    class Meta:
        model = Report
        fields = ["id", "course", "lecture", "recording", "file_name", "sha256", "created_at"]


class GallerySerializer(serializers.ModelSerializer[Gallery]):
    class Meta:
        model = Gallery
        fields = ["id", "course", "state", "active", "embedder", "threshold", "margin", "students", "photos", "error", "created_at"]
        read_only_fields = fields


class TrainSerializer(serializers.Serializer[Any]):
    course = OwnCourse()


class SignInSerializer(serializers.Serializer[Any]):
    username = serializers.CharField(max_length=150)
    password = serializers.CharField(max_length=4096, trim_whitespace=False, write_only=True)


class TokenSerializer(serializers.Serializer[Any]):
    token = serializers.CharField(help_text="send it as `Authorization: Token ...`")


class DetailSerializer(serializers.Serializer[Any]):
    detail = serializers.CharField()
