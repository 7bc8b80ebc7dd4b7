"""Consent, erasures, retention terms and legal holds."""

from typing import Any

from django.utils.translation import gettext as _
from rest_framework import serializers

from campus.api.serializers.common import OwnCourseField, OwnLectureField, OwnStudentField
from campus.consent.models import Consent
from campus.privacy.models import Erasure, LegalHold
from campus.privacy.retention_models import MAX_DAYS
from campus.privacy.retention_terms import TERMS, Kind


class ConsentSerializer(serializers.ModelSerializer[Consent]):
    student = serializers.IntegerField(source="student_id")
    text_version = serializers.IntegerField(source="text.version", help_text="of what the student was asked")
    is_active = serializers.BooleanField(help_text="whether the student agrees now, as far as this answer says")

    class Meta:
        model = Consent
        fields = (
            "id",
            "student",
            "given",
            "method",
            "at",
            "expires_at",
            "withdrawn_at",
            "recorded_by",
            "text_version",
            "is_current",
            "is_active",
        )
        read_only_fields = fields


class NewConsentSerializer(serializers.Serializer[Any]):
    student = OwnStudentField()
    given = serializers.BooleanField(help_text="false: the student refuses, and what is kept of the face is deleted")
    method = serializers.ChoiceField(
        [choice for choice in Consent.Method.choices if choice[0] != Consent.Method.LINK],
        default=Consent.Method.ROSTER,
    )
    at = serializers.DateTimeField(required=False, help_text="when the student answered; by default now")
    expires_at = serializers.DateTimeField(required=False, help_text="three years later at most, which is the default")
    keep_photos = serializers.BooleanField(default=False, help_text="of who refuses: the photos stay, and wait")


class ErasureSerializer(serializers.ModelSerializer[Erasure]):
    class Meta:
        model = Erasure
        fields = (
            "id",
            "kind",
            "subject",
            "state",
            "steps",
            "removed",
            "doubtful",
            "requested_by_name",
            "created_at",
            "finished_at",
        )
        read_only_fields = fields


class LegalHoldSerializer(serializers.ModelSerializer[LegalHold]):
    course = OwnCourseField(required=False, allow_null=True)
    lecture = OwnLectureField(required=False, allow_null=True)
    student = OwnStudentField(required=False, allow_null=True)

    class Meta:
        model = LegalHold
        fields = ("id", "course", "lecture", "student", "reason", "until", "user_name", "created_at")
        read_only_fields = ("user_name", "created_at")

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if len([name for name in ("course", "lecture", "student") if attrs.get(name)]) != 1:
            raise serializers.ValidationError(_("Name a class, a lecture or a student: one of them."))
        return attrs


class RetentionSerializer(serializers.Serializer[Any]):
    """After how many days each kind is deleted; null: it is kept."""

    def get_fields(self) -> dict[str, serializers.Field[Any, Any, Any, Any]]:
        return {
            kind.value: serializers.IntegerField(
                min_value=term.min_days,
                max_value=MAX_DAYS,
                required=False,
                allow_null=True,
                help_text=f"{term.before} … {term.after}",
            )
            for kind, term in TERMS.items()
        }


class CourseRetentionSerializer(RetentionSerializer):
    """In how many days a class differs; null or missing: as in the institution."""

    def get_fields(self) -> dict[str, serializers.Field[Any, Any, Any, Any]]:
        return {kind: field for kind, field in super().get_fields().items() if TERMS[Kind(kind)].is_per_class}
