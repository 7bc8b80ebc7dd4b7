"""Classes, students, enrolments and lectures."""

from typing import Any

from django.conf import settings
from django.contrib.auth.models import User
from django.utils.translation import gettext_lazy as _
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers
from rest_framework.validators import UniqueTogetherValidator

from campus.academics.models import Course, Enrolment, Lecture, Student
from campus.accounts.roles import Role, role_of
from campus.accounts.selectors import language_of, users_in_service
from campus.api.serializers.common import DaysSerializer, MomentField, OwnCourseField, OwnStudentField
from campus.attendance.models import RegisterPolicy, SignOff

ENDS_TOO_EARLY = _("The lecture ends before it starts. Set a later end.")
LECTURE_EXISTS = _("This class has a lecture at that time already. Choose another time.")


class MeSerializer(serializers.ModelSerializer[User]):
    email = serializers.CharField(read_only=True)  # it may be empty, which an address may not
    role = serializers.SerializerMethodField()
    language = serializers.SerializerMethodField(help_text="of pages and e-mails; empty: the browser's language")

    class Meta:
        model = User
        fields = ["username", "first_name", "last_name", "email", "role", "language"]
        read_only_fields = fields

    def get_language(self, user: User) -> str:
        return language_of(user)

    @extend_schema_field(serializers.ChoiceField(Role.choices))
    def get_role(self, user: User) -> str:
        return str(role_of(user))


class LanguageSerializer(serializers.Serializer[Any]):
    language = serializers.ChoiceField(choices=settings.LANGUAGES, allow_blank=True)


class RatesSerializer(serializers.Serializer[Any]):
    fpir = serializers.FloatField(help_text="share of strangers who are matched to a student, 0 to 1")
    miss = serializers.FloatField(
        allow_null=True,
        help_text="share of a student's appearances that are not matched, 0 to 1; null where there are too few photos",
    )
    threshold = serializers.FloatField(help_text="the lowest cosine similarity that counts as a match")


class RegisterPolicySerializer(serializers.ModelSerializer[RegisterPolicy]):
    """A class without a row has the defaults."""

    class Meta:
        model = RegisterPolicy
        fields = [
            "required_percent",
            "mail_lecturers",
            "mail_absentees",
            "write_moodle_file",
            "mail_weekly_register",
            "warning_addresses",
        ]

    def get_attribute(self, instance: Any) -> RegisterPolicy:
        policy: RegisterPolicy = getattr(instance, "register_policy", None) or RegisterPolicy(course=instance)
        return policy


class CourseSerializer(serializers.ModelSerializer[Course]):
    lecturers = serializers.SlugRelatedField[User](
        many=True,
        required=False,
        slug_field="username",
        queryset=users_in_service(),
        help_text="user names",
    )
    register_policy = RegisterPolicySerializer(
        required=False, help_text="the required attendance, and who gets e-mails"
    )
    rates = serializers.SerializerMethodField(help_text="expected error rates with the active gallery, by strictness")

    class Meta:
        model = Course
        fields = [
            "id",
            "code",
            "name",
            "term",
            "archived",
            "coordinator_name",
            "coordinator_email",
            "lecturers",
            "present_seconds",
            "present_percent",
            "late_minutes",
            "early_minutes",
            "strictness",
            "embedder",
            "automatic_marking",
            "register_policy",
            "rates",
        ]

    @extend_schema_field(serializers.DictField(child=RatesSerializer()))
    def get_rates(self, course: Any) -> dict[str, Any]:
        return next((gallery.report.get("rates", {}) for gallery in course.galleries_in_use), {})


class WeeklySerializer(DaysSerializer):
    course = OwnCourseField(many=True, allow_empty=False, help_text="repeatable: `course=1&course=2`")


class StudentSerializer(serializers.ModelSerializer[Student]):
    class Meta:
        model = Student
        fields = ["id", "number", "name", "surname", "email", "guest"]


class StudentDetailsSerializer(StudentSerializer):
    """With the details that only the office sees."""

    class Meta(StudentSerializer.Meta):
        fields = [*StudentSerializer.Meta.fields, "guardian_phone", "automatic_marking"]


class MergeSerializer(serializers.Serializer[Any]):
    student = OwnStudentField(help_text="the student that the guest turned out to be")


class EnrolmentSerializer(serializers.ModelSerializer[Enrolment]):
    course = OwnCourseField()
    student = OwnStudentField()
    valid_from = serializers.DateField(required=False, help_text="by default the first day of the class's term")

    class Meta:
        model = Enrolment
        fields = ["id", "course", "student", "section", "valid_from", "valid_to"]
        validators = [
            UniqueTogetherValidator(
                Enrolment.objects.all(),
                ["course", "student"],
                message=_("This student is in the class already. Change that enrolment."),
            )
        ]


class EnrolmentChangeSerializer(serializers.ModelSerializer[Enrolment]):
    class Meta:
        model = Enrolment
        fields = ["section", "valid_from", "valid_to"]


class SignOffSerializer(serializers.ModelSerializer[SignOff]):
    class Meta:
        model = SignOff
        fields = ["user_name", "signed_at"]
        read_only_fields = fields


class LectureSerializer(serializers.ModelSerializer[Lecture]):
    course = OwnCourseField()
    starts_at = MomentField()
    ends_at = MomentField()
    room_name = serializers.CharField(source="room.name", read_only=True, default="")
    sign_off = SignOffSerializer(
        read_only=True, allow_null=True, default=None, help_text="who signed the result off, and when"
    )

    class Meta:
        model = Lecture
        fields = ["id", "course", "title", "room", "room_name", "starts_at", "ends_at", "cancelled", "sign_off"]
        read_only_fields = ["cancelled"]
        validators = [UniqueTogetherValidator(Lecture.objects.all(), ["course", "starts_at"], message=LECTURE_EXISTS)]

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if attrs["ends_at"] <= attrs["starts_at"]:
            raise serializers.ValidationError({"ends_at": ENDS_TOO_EARLY})
        return attrs


class LectureChangeSerializer(serializers.ModelSerializer[Lecture]):
    starts_at = MomentField()
    ends_at = MomentField()

    class Meta:
        model = Lecture
        fields = ["title", "room", "starts_at", "ends_at", "cancelled"]


class ReasonSerializer(serializers.Serializer[Any]):
    reason = serializers.CharField(max_length=300, allow_blank=True, default="")
