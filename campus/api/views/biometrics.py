"""Galleries: what is known of the faces of a class."""

from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework import mixins, status
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from campus.api import filters
from campus.api import serializers as s
from campus.api.base import Endpoint, RegistrarsOnly
from campus.biometrics.models import Gallery
from campus.biometrics.selectors import galleries_for
from campus.biometrics.services import gallery_request


class GalleryViewSet(mixins.ListModelMixin, mixins.RetrieveModelMixin, Endpoint[Gallery]):
    serializer_class = s.GallerySerializer
    filterset_class = filters.GalleryFilter
    ordering_fields = ["created_at"]
    ordering = ["-created_at"]

    def get_queryset(self) -> QuerySet[Gallery]:
        return galleries_for(self.request.user)

    @extend_schema(request=s.TrainSerializer, responses={202: s.GallerySerializer})
    @action(detail=False, methods=["post"], permission_classes=[RegistrarsOnly])
    def train(self, request: Request) -> Response:
        """Learn the faces of a class from its students' photos."""
        wish = s.TrainSerializer(data=request.data, context=self.get_serializer_context())
        wish.is_valid(raise_exception=True)
        gallery = gallery_request(course=wish.validated_data["course"])
        return Response(self.get_serializer(gallery).data, status=status.HTTP_202_ACCEPTED)
