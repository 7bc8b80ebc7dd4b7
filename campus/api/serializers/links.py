"""Links that are passed on: to students for their photos, and to who is invited to the staff."""

from typing import Any

from django.urls import reverse
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from campus.academics.models import Course
from campus.accounts.invitations import invitation_token
from campus.accounts.models import Invitation
from campus.accounts.roles import Role, assigned_role, is_registrar
from campus.api.serializers.common import OwnCourseField, OwnStudentField
from campus.common.site_address import site_address
from campus.consent.links import student_link_token
from campus.consent.models import StudentLink
from campus.outbox.account_emails import emails_have_links


class StudentLinkSerializer(serializers.ModelSerializer[StudentLink]):
    student = OwnStudentField()
    url = serializers.SerializerMethodField(
        help_text="for the student alone, who sends photos by it; null once it has ended, and for who may only read"
    )

    class Meta:
        model = StudentLink
        fields = ["id", "student", "url", "expires_at"]
        read_only_fields = ["expires_at"]
        validators = ()  # a new link replaces the previous one

    def get_url(self, link: StudentLink) -> str | None:
        request = self.context["request"]
        if link.is_expired or not is_registrar(request.user):
            return None
        return site_address(request) + reverse("my-data", args=[student_link_token(link)])


class MissingLinksSerializer(serializers.Serializer[Any]):
    course = OwnCourseField()


class InvitationSerializer(serializers.ModelSerializer[Invitation]):
    first_name = serializers.CharField(source="user.first_name")
    last_name = serializers.CharField(source="user.last_name")
    email = serializers.CharField(source="user.email")
    role = serializers.SerializerMethodField()
    courses = serializers.PrimaryKeyRelatedField[Course](
        source="user.courses", many=True, read_only=True, help_text="the classes that this person is to teach"
    )

    class Meta:
        model = Invitation
        fields = ["id", "first_name", "last_name", "email", "role", "courses", "expires_at"]
        read_only_fields = fields

    @extend_schema_field(serializers.ChoiceField(Role.choices))
    def get_role(self, invitation: Invitation) -> str:
        return assigned_role(invitation.user).value


class SentInvitationSerializer(InvitationSerializer):
    url = serializers.SerializerMethodField(
        help_text="opens the account; null where it was sent by e-mail. It is not shown again"
    )

    class Meta(InvitationSerializer.Meta):
        fields = [*InvitationSerializer.Meta.fields, "url"]

    def get_url(self, invitation: Invitation) -> str | None:
        if emails_have_links():
            return None
        return site_address(self.context["request"]) + reverse("invitation", args=[invitation_token(invitation)])


class NewInvitationSerializer(serializers.Serializer[Any]):
    first_name = serializers.CharField(max_length=150)
    last_name = serializers.CharField(max_length=150)
    email = serializers.EmailField(max_length=254, help_text="the person logs in with it")
    role = serializers.ChoiceField(Role.choices, default=Role.LECTURER, help_text="registrars invite lecturers only")
    courses = OwnCourseField(many=True, required=False, help_text="the classes that this person is to teach")
