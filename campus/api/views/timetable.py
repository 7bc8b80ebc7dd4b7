"""Rooms, holidays, and series of lectures: first a plan to look at, then the lectures."""

from typing import TypeVar

from django.db import transaction
from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework import mixins, status
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import BaseSerializer

from campus.academics.models import Holiday, LectureSeries, Room
from campus.academics.selectors import courses_for
from campus.academics.series import apply_series, plan_fingerprint, plan_series
from campus.academics.services import delete_unprotected, validate_and_save
from campus.api import filters
from campus.api.base import Endpoint, IsRegistrarOrReadOnly
from campus.api.serializers import timetable as s

Kept = TypeVar("Kept", Room, Holiday, LectureSeries)


class Registrars(mixins.ListModelMixin, mixins.RetrieveModelMixin, mixins.CreateModelMixin, Endpoint[Kept]):
    """What registrars keep; others read it."""

    permission_classes = [IsRegistrarOrReadOnly]
    ordering_fields = ["id"]
    ordering = ["id"]
    made: type[Kept]

    def perform_create(self, serializer: BaseSerializer[Kept]) -> None:
        serializer.instance = validate_and_save(self.made(), **serializer.validated_data)

    @transaction.atomic
    def partial_update(self, request: Request, pk: str) -> Response:
        row = self.object_to_change()
        wish = self.get_serializer(row, data=request.data, partial=True)
        wish.is_valid(raise_exception=True)
        return self.shown(validate_and_save(row, **wish.validated_data))

    @transaction.atomic
    def destroy(self, request: Request, pk: str) -> Response:
        delete_unprotected(row=self.object_to_change())
        return Response(status=status.HTTP_204_NO_CONTENT)


class RoomViewSet(Registrars[Room]):
    serializer_class = s.RoomSerializer
    filterset_fields = ["name"]
    made = Room

    def get_queryset(self) -> QuerySet[Room]:
        return Room.objects.all()  # no secret of any class


class HolidayViewSet(Registrars[Holiday]):
    serializer_class = s.HolidaySerializer
    filterset_fields = ["name"]
    made = Holiday

    def get_queryset(self) -> QuerySet[Holiday]:
        return Holiday.objects.all()


class SeriesViewSet(Registrars[LectureSeries]):
    serializer_class = s.SeriesSerializer
    filterset_class = filters.SeriesFilter
    made = LectureSeries

    def get_queryset(self) -> QuerySet[LectureSeries]:
        return LectureSeries.objects.filter(course__in=courses_for(self.request.user)).select_related("course", "room")

    @extend_schema(responses=s.PlanSerializer)
    @action(detail=True)
    def plan(self, request: Request, pk: str) -> Response:
        """What applying the series would do, day by day."""
        steps = plan_series(self.get_object())
        return Response(s.PlanSerializer({"agreed": plan_fingerprint(steps), "steps": steps}).data)

    @extend_schema(
        request=s.AgreedSerializer, responses={200: {"type": "object", "additionalProperties": {"type": "integer"}}}
    )
    @action(detail=True, methods=["post"])
    def apply(self, request: Request, pk: str) -> Response:
        """Make, change and remove the lectures as planned. Answers with how many of each kind."""
        series = self.get_object()
        wish = s.AgreedSerializer(data=request.data)
        wish.is_valid(raise_exception=True)
        return Response(dict(apply_series(series=series, **wish.validated_data)))
