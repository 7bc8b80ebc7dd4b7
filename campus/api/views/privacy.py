"""Consent, erasures and their receipts, retention terms and legal holds."""

from django.db import transaction
from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework import mixins, status
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from campus.api import filters
from campus.api.base import Endpoint
from campus.api.permissions import CanSeeEverything, IsAdministratorOrReadOnly, IsRegistrarOrReadOnly, request_user
from campus.api.serializers import privacy as serializers
from campus.consent.models import Consent
from campus.consent.selectors import consents_for
from campus.consent.services import record_answer
from campus.privacy.legal_holds import lift_hold, place_hold
from campus.privacy.models import Erasure, LegalHold
from campus.privacy.retention_terms import TERMS, Terms, set_rules
from campus.privacy.selectors import erasures_for, legal_holds_for


class ConsentViewSet(mixins.ListModelMixin, mixins.RetrieveModelMixin, Endpoint[Consent]):
    """What students have answered to whether their faces may be recognised. The current answer of each counts; those
    before are its history.
    """

    serializer_class = serializers.ConsentSerializer
    permission_classes = [IsRegistrarOrReadOnly]
    filterset_class = filters.ConsentFilter
    ordering_fields = ["at"]
    ordering = ["-at"]

    def get_queryset(self) -> QuerySet[Consent]:
        return consents_for(self.request.user).select_related("text")

    @extend_schema(request=serializers.NewConsentSerializer, responses={201: serializers.ConsentSerializer})
    def create(self, request: Request) -> Response:
        """Record what a student has answered elsewhere, in place of the answer before. A refusal deletes what is kept
        of the face at once.
        """
        serializer = serializers.NewConsentSerializer(data=request.data, context=self.get_serializer_context())
        serializer.is_valid(raise_exception=True)
        answer = record_answer(user=request_user(request), **serializer.validated_data)
        return self.respond_with(answer, status.HTTP_201_CREATED)


class ErasureViewSet(mixins.ListModelMixin, mixins.RetrieveModelMixin, Endpoint[Erasure]):
    """Erasures of students and classes: how far they are, then what they have removed."""

    serializer_class = serializers.ErasureSerializer
    ordering_fields = ["created_at"]
    ordering = ["-created_at"]

    def get_queryset(self) -> QuerySet[Erasure]:
        return erasures_for(self.request.user)


class LegalHoldViewSet(mixins.ListModelMixin, mixins.RetrieveModelMixin, Endpoint[LegalHold]):
    """What is kept of a class, a lecture or a student, whatever the retention terms and people say."""

    serializer_class = serializers.LegalHoldSerializer
    permission_classes = [IsRegistrarOrReadOnly]
    ordering_fields = ["created_at"]
    ordering = ["-created_at"]

    def get_queryset(self) -> QuerySet[LegalHold]:
        return legal_holds_for(self.request.user)

    @extend_schema(responses={201: serializers.LegalHoldSerializer})
    def create(self, request: Request) -> Response:
        """Keep everything of a class, a lecture or a student, until a day or until the hold is lifted."""
        serializer = self.get_serializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        facts = serializer.validated_data
        hold = place_hold(
            subject=facts.get("course") or facts.get("lecture") or facts["student"],
            reason=facts["reason"],
            until=facts.get("until"),
            user=request_user(request),
        )
        return self.respond_with(hold, status.HTTP_201_CREATED)

    @transaction.atomic
    def destroy(self, request: Request, pk: str) -> Response:
        """Lift a hold. What is overdue is deleted within the hour."""
        lift_hold(hold=self.get_object_for_update(), user=request_user(request))
        return Response(status=status.HTTP_204_NO_CONTENT)


class RetentionView(APIView):
    """After how many days what is deleted, in all classes that don't differ."""

    permission_classes = [CanSeeEverything, IsAdministratorOrReadOnly]

    @extend_schema(responses=serializers.RetentionSerializer)
    def get(self, request: Request) -> Response:
        """The terms of the institution."""
        terms = Terms()
        return Response({kind.value: terms.days(kind) for kind in TERMS})

    @extend_schema(request=serializers.RetentionSerializer, responses=serializers.RetentionSerializer)
    def patch(self, request: Request) -> Response:
        """Change terms of the institution; those that are not sent stay. Only administrators may."""
        serializer = serializers.RetentionSerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        terms = Terms()
        days = {kind: serializer.validated_data.get(kind.value, terms.days(kind)) for kind in TERMS}
        set_rules(course=None, days=days, user=request_user(request))
        return self.get(request)
