"""Webhooks, and the messages that are sent."""

from typing import Any

from rest_framework import serializers

from campus.api.serializers.common import OwnCourseField
from campus.outbox.models import Delivery, Webhook


class WebhookSerializer(serializers.ModelSerializer[Webhook]):
    course = OwnCourseField(required=False, allow_null=True, help_text="null: all classes")

    class Meta:
        model = Webhook
        fields = ["id", "url", "course", "active", "created_at"]


class NewWebhookSerializer(WebhookSerializer):
    secret = serializers.CharField(
        read_only=True, help_text="signs the messages (Standard Webhooks); it is not shown again"
    )

    class Meta(WebhookSerializer.Meta):
        fields = [*WebhookSerializer.Meta.fields, "secret"]


class ReplaySerializer(serializers.Serializer[Any]):
    since = serializers.DateTimeField()


class ReplayedSerializer(serializers.Serializer[Any]):
    count = serializers.IntegerField(help_text="how many messages are sent again")


class DeliverySerializer(serializers.ModelSerializer[Delivery]):
    class Meta:
        model = Delivery
        fields = [
            "id",
            "webhook",
            "to",
            "event",
            "subject",
            "body",
            "state",
            "tries",
            "due_at",
            "error",
            "created_at",
            "sent_at",
        ]
        read_only_fields = fields
