"""Links that are passed on: to students for their photos, and to who is invited to the staff."""

from typing import Any

from django.db import transaction
from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework import mixins, status
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from campus.academics.services import set_courses_taught
from campus.accounts.invitations import invitations_for, invite, renew_invitation, withdraw_invitation
from campus.accounts.models import Invitation
from campus.api import filters
from campus.api.base import Endpoint
from campus.api.permissions import IsRegistrarOrReadOnly, request_user
from campus.api.serializers import links as serializers
from campus.biometrics.sent_photos import students_lacking_photos
from campus.consent.links import make_missing_links, renew_student_link, student_links_for, withdraw_student_link
from campus.consent.models import StudentLink
from campus.outbox.account_emails import emails_have_links, queue_invitation
from campus.outbox.student_emails import queue_photo_request


class StudentLinkViewSet(mixins.ListModelMixin, mixins.RetrieveModelMixin, Endpoint[StudentLink]):
    """Links by which students send photos without a login. A registrar approves each photo before anything is learnt
    from it.
    """

    serializer_class = serializers.StudentLinkSerializer
    permission_classes = [IsRegistrarOrReadOnly]
    filterset_class = filters.StudentLinkFilter
    ordering_fields = ["expires_at"]
    ordering = ["expires_at"]

    def get_queryset(self) -> QuerySet[StudentLink]:
        return student_links_for(self.request.user)

    @extend_schema(responses={201: serializers.StudentLinkSerializer})
    def create(self, request: Request) -> Response:
        """Make a link for a student, valid for two weeks. An earlier one stops working. It is sent by e-mail where the
        student has an address and a mail server is set up.
        """
        serializer = self.get_serializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        link = renew_student_link(student=serializer.validated_data["student"], user=request_user(request))
        queue_photo_request(link=link)
        return self.respond_with(link, status.HTTP_201_CREATED)

    @transaction.atomic
    def destroy(self, request: Request, pk: str) -> Response:
        """End a link, and delete what was sent by it and not approved."""
        withdraw_student_link(link=self.get_object_for_update(), user=request_user(request))
        return Response(status=status.HTTP_204_NO_CONTENT)

    @extend_schema(
        request=serializers.MissingLinksSerializer, responses={201: serializers.StudentLinkSerializer(many=True)}
    )
    @action(detail=False, methods=["post"], pagination_class=None, filterset_class=None)
    def missing(self, request: Request) -> Response:
        """Make the links of a class's students who have too few photos and no valid link. Returns the new ones."""
        serializer = serializers.MissingLinksSerializer(data=request.data, context=self.get_serializer_context())
        serializer.is_valid(raise_exception=True)
        students = students_lacking_photos(serializer.validated_data["course"])
        links = make_missing_links(students=students, user=request_user(request))
        for link in links:
            queue_photo_request(link=link)
        return Response(self.get_serializer(links, many=True).data, status=status.HTTP_201_CREATED)


class InvitationViewSet(mixins.ListModelMixin, mixins.RetrieveModelMixin, Endpoint[Invitation]):
    """Open invitations to the staff. An invitation that was used is no more; its account is."""

    serializer_class = serializers.InvitationSerializer
    permission_classes = [IsRegistrarOrReadOnly]
    ordering_fields = ["expires_at"]
    ordering = ["expires_at"]

    def get_queryset(self) -> QuerySet[Invitation]:
        return invitations_for(self.request.user).prefetch_related("user__courses", "user__groups")

    def _sent(self, invitation: Invitation, code: int) -> Response:
        if emails_have_links():
            queue_invitation(invitation=invitation)
        serializer = serializers.SentInvitationSerializer(invitation, context=self.get_serializer_context())
        return Response(serializer.data, status=code)

    @extend_schema(request=serializers.NewInvitationSerializer, responses={201: serializers.SentInvitationSerializer})
    @transaction.atomic
    def create(self, request: Request) -> Response:
        """Make a closed account, and invite somebody to open it within a week. Only an administrator may give another
        role than lecturer.
        """
        serializer = serializers.NewInvitationSerializer(data=request.data, context=self.get_serializer_context())
        serializer.is_valid(raise_exception=True)
        given: dict[str, Any] = {**serializer.validated_data}
        courses = given.pop("courses", [])
        invitation = invite(**given, by=request_user(request))
        set_courses_taught(lecturer=invitation.user, courses=courses)
        return self._sent(invitation, status.HTTP_201_CREATED)

    @extend_schema(request=None, responses=serializers.SentInvitationSerializer)
    @action(detail=True, methods=["post"])
    def renew(self, request: Request, pk: str) -> Response:
        """Send a new link, valid for another week. The one before stops working."""
        return self._sent(renew_invitation(invitation=self.get_object()), status.HTTP_200_OK)

    @transaction.atomic
    def destroy(self, request: Request, pk: str) -> Response:
        """Withdraw an invitation, and delete the account, which nobody has used yet."""
        withdraw_invitation(invitation=self.get_object_for_update())
        return Response(status=status.HTTP_204_NO_CONTENT)
