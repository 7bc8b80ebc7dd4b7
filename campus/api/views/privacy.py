"""Erasures and their receipts."""

from django.db.models import QuerySet
from rest_framework import mixins

from campus.api.base import Endpoint
from campus.api.serializers.privacy import ErasureSerializer
from campus.privacy.models import Erasure
from campus.privacy.selectors import erasures_for


class ErasureViewSet(mixins.ListModelMixin, mixins.RetrieveModelMixin, Endpoint[Erasure]):
    """Erasures of students and classes: how far they are, then what they have removed."""

    serializer_class = ErasureSerializer
    ordering_fields = ["created_at"]
    ordering = ["-created_at"]

    def get_queryset(self) -> QuerySet[Erasure]:
        return erasures_for(self.request.user)
