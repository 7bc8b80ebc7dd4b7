"""Terms, rooms, holidays, and series of lectures. A series is first previewed as a plan, then applied."""

from typing import TypeVar

from django.db import transaction
from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework import mixins, status
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import BaseSerializer

from campus.academics.models import Holiday, LectureSeries, Room, Term
from campus.academics.selectors import courses_for
from campus.academics.series import apply_series, plan_fingerprint, plan_series
from campus.academics.services import delete_unprotected, validate_and_save
from campus.api import filters
from campus.api.base import Endpoint
from campus.api.permissions import IsRegistrarOrReadOnly
from campus.api.serializers import timetable as serializers

Managed = TypeVar("Managed", Room, Holiday, LectureSeries)


class TimetableViewSet(mixins.ListModelMixin, mixins.RetrieveModelMixin, mixins.CreateModelMixin, Endpoint[Managed]):
    """Registrars edit these, and others read them."""

    permission_classes = [IsRegistrarOrReadOnly]
    ordering_fields = ["id"]
    ordering = ["id"]
    model: type[Managed]

    def perform_create(self, serializer: BaseSerializer[Managed]) -> None:
        serializer.instance = validate_and_save(self.model(), **serializer.validated_data)

    @transaction.atomic
    def partial_update(self, request: Request, pk: str) -> Response:
        row = self.get_object_for_update()
        serializer = self.get_serializer(row, data=request.data, partial=True)
        serializer.is_valid(raise_exception=True)
        return self.respond_with(validate_and_save(row, **serializer.validated_data))

    @transaction.atomic
    def destroy(self, request: Request, pk: str) -> Response:
        delete_unprotected(row=self.get_object_for_update())
        return Response(status=status.HTTP_204_NO_CONTENT)


class RoomViewSet(TimetableViewSet[Room]):
    serializer_class = serializers.RoomSerializer
    filterset_fields = ["name"]
    model = Room

    def get_queryset(self) -> QuerySet[Room]:
        return Room.objects.all()  # the same for all classes, so everybody may read them


class TermViewSet(mixins.ListModelMixin, mixins.RetrieveModelMixin, Endpoint[Term]):
    """Terms, which registrars edit in the admin."""

    serializer_class = serializers.TermSerializer
    filterset_fields = ["name", "archived"]
    ordering_fields = ["first_day", "name"]
    ordering = ["-first_day", "name"]

    def get_queryset(self) -> QuerySet[Term]:
        return Term.objects.all()  # the same for all classes, so everybody may read them


class HolidayViewSet(TimetableViewSet[Holiday]):
    serializer_class = serializers.HolidaySerializer
    filterset_fields = ["name"]
    model = Holiday

    def get_queryset(self) -> QuerySet[Holiday]:
        return Holiday.objects.all()


class SeriesViewSet(TimetableViewSet[LectureSeries]):
    serializer_class = serializers.SeriesSerializer
    filterset_class = filters.SeriesFilter
    model = LectureSeries

    def get_queryset(self) -> QuerySet[LectureSeries]:
        return LectureSeries.objects.filter(course__in=courses_for(self.request.user)).select_related("course", "room")

    @extend_schema(responses=serializers.SeriesPlanSerializer)
    @action(detail=True)
    def plan(self, request: Request, pk: str) -> Response:
        """Preview what applying the series would do, day by day."""
        steps = plan_series(self.get_object())
        return Response(serializers.SeriesPlanSerializer({"fingerprint": plan_fingerprint(steps), "steps": steps}).data)

    @extend_schema(
        request=serializers.ApplySeriesSerializer,
        responses={200: {"type": "object", "additionalProperties": {"type": "integer"}}},
    )
    @action(detail=True, methods=["post"])
    def apply(self, request: Request, pk: str) -> Response:
        """Create, change and remove the lectures as planned. Returns the number of each kind."""
        series = self.get_object()
        serializer = serializers.ApplySeriesSerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        return Response(dict(apply_series(series=series, **serializer.validated_data)))
