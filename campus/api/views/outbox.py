"""Webhooks, and the messages that are sent."""

from django.db import transaction
from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework import mixins, status
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from campus.academics.services import delete_unprotected, validate_and_save
from campus.api import filters
from campus.api.base import Endpoint
from campus.api.permissions import IsRegistrar, IsRegistrarOrReadOnly
from campus.api.serializers import outbox as serializers
from campus.outbox.models import Delivery, Webhook
from campus.outbox.selectors import deliveries_for, webhooks_for
from campus.outbox.services import queue_ping, renew_secret, replay, retry_delivery


class WebhookViewSet(mixins.ListModelMixin, mixins.RetrieveModelMixin, mixins.CreateModelMixin, Endpoint[Webhook]):
    """Addresses that get events about attendance, signed according to Standard Webhooks."""

    serializer_class = serializers.WebhookSerializer
    permission_classes = [IsRegistrarOrReadOnly]
    filterset_class = filters.WebhookFilter
    ordering_fields = ["url", "created_at"]
    ordering = ["url"]

    def get_queryset(self) -> QuerySet[Webhook]:
        return webhooks_for(self.request.user)

    def _with_secret(self, webhook: Webhook, code: int) -> Response:
        return Response(
            serializers.NewWebhookSerializer(webhook, context=self.get_serializer_context()).data, status=code
        )

    @extend_schema(responses={201: serializers.NewWebhookSerializer})
    def create(self, request: Request) -> Response:
        """Create a webhook. Only this response contains its secret."""
        serializer = self.get_serializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        return self._with_secret(validate_and_save(Webhook(), **serializer.validated_data), status.HTTP_201_CREATED)

    @transaction.atomic
    def partial_update(self, request: Request, pk: str) -> Response:
        """Change the address or the class of a webhook, or switch it off or on."""
        webhook = self.get_object_for_update()
        serializer = self.get_serializer(webhook, data=request.data, partial=True)
        serializer.is_valid(raise_exception=True)
        return self.respond_with(validate_and_save(webhook, **serializer.validated_data))

    @transaction.atomic
    def destroy(self, request: Request, pk: str) -> Response:
        """Delete a webhook and its messages."""
        delete_unprotected(row=self.get_object_for_update())
        return Response(status=status.HTTP_204_NO_CONTENT)

    @extend_schema(request=None, responses=serializers.NewWebhookSerializer)
    @action(detail=True, methods=["post"])
    def secret(self, request: Request, pk: str) -> Response:
        """Renew the secret, which only this response contains. For a day, messages are signed with the present one,
        too.
        """
        return self._with_secret(renew_secret(webhook=self.get_object()), status.HTTP_200_OK)

    @extend_schema(request=None, responses={202: serializers.DeliverySerializer})
    @action(detail=True, methods=["post"])
    def ping(self, request: Request, pk: str) -> Response:
        """Send a test message of the type `ping`. It has arrived when the delivery's state is `sent`."""
        return Response(
            serializers.DeliverySerializer(queue_ping(webhook=self.get_object())).data, status=status.HTTP_202_ACCEPTED
        )

    @extend_schema(request=serializers.ReplaySerializer, responses={202: serializers.ReplayedSerializer})
    @action(detail=True, methods=["post"])
    def replay(self, request: Request, pk: str) -> Response:
        """Send the messages since a moment again, at most those of the last 7 days. Each keeps its id."""
        webhook = self.get_object()
        serializer = serializers.ReplaySerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        count = replay(webhook=webhook, **serializer.validated_data)
        return Response({"count": count}, status=status.HTTP_202_ACCEPTED)


class DeliveryViewSet(mixins.ListModelMixin, mixins.RetrieveModelMixin, Endpoint[Delivery]):
    """Messages to webhooks and by e-mail, kept for a month."""

    serializer_class = serializers.DeliverySerializer
    filterset_class = filters.DeliveryFilter
    ordering_fields = ["created_at"]
    ordering = ["-created_at"]

    def get_queryset(self) -> QuerySet[Delivery]:
        return deliveries_for(self.request.user)

    @extend_schema(request=None, responses={202: serializers.DeliverySerializer})
    @action(detail=True, methods=["post"], permission_classes=[IsRegistrar])
    def retry(self, request: Request, pk: str) -> Response:
        """Send a message that was given up again, as if it were new."""
        delivery = self.get_object()
        retry_delivery(delivery=delivery)
        return self.respond_with(delivery, status.HTTP_202_ACCEPTED)
