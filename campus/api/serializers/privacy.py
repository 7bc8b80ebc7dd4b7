"""Erasures."""

from rest_framework import serializers

from campus.privacy.models import Erasure


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
            "requested_by_name",
            "created_at",
            "finished_at",
        )
        read_only_fields = fields
