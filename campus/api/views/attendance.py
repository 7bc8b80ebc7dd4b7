"""Attendance: statuses, overrides, the log of changes, and the sign-off."""

from django.db import transaction
from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework import mixins, status
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from campus.academics.models import Lecture
from campus.api import filters
from campus.api.base import Endpoint
from campus.api.permissions import IsRegistrarOrReadOnly, request_user
from campus.api.serializers import attendance as serializers
from campus.api.serializers.academics import LectureSerializer, ReasonSerializer
from campus.attendance.models import AttendanceChange, AttendanceRecord, AttendanceStatus
from campus.attendance.overrides import (
    accept_partial_footage,
    reopen_lecture,
    set_override,
    set_overrides,
    sign_off_lecture,
)
from campus.attendance.selectors import changes_for, records_for
from campus.attendance.services import delete_status, save_status
from campus.attendance.statuses import status_definitions


class StatusViewSet(mixins.RetrieveModelMixin, mixins.CreateModelMixin, Endpoint[AttendanceStatus]):
    """The institution's statuses, with what each is worth."""

    serializer_class = serializers.StatusDefinitionSerializer
    permission_classes = [IsRegistrarOrReadOnly]
    queryset = AttendanceStatus.objects.all()  # the same for all classes, so everybody may read them
    lookup_field = "code"
    lookup_value_regex = r"[\w-]{1,10}"
    pagination_class = None
    filter_backends = ()

    @extend_schema(responses=serializers.StatusDefinitionSerializer(many=True), filters=False)
    def list(self, request: Request) -> Response:
        return Response(serializers.StatusDefinitionSerializer(list(status_definitions().values()), many=True).data)

    @extend_schema(
        request=serializers.StatusDefinitionWriteSerializer, responses={201: serializers.StatusDefinitionSerializer}
    )
    def create(self, request: Request) -> Response:
        """Create a status of the institution's own."""
        serializer = serializers.StatusDefinitionWriteSerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        return self.respond_with(
            save_status(status=AttendanceStatus(), **serializer.validated_data), status.HTTP_201_CREATED
        )

    @extend_schema(
        request=serializers.StatusDefinitionWriteSerializer, responses=serializers.StatusDefinitionSerializer
    )
    @transaction.atomic
    def partial_update(self, request: Request, code: str) -> Response:
        """Change a status. Its code is fixed; so are the name and meaning of built-in statuses."""
        row = self.get_object_for_update()
        serializer = serializers.StatusDefinitionWriteSerializer(row, data=request.data, partial=True)
        serializer.is_valid(raise_exception=True)
        return self.respond_with(save_status(status=row, **serializer.validated_data))

    @transaction.atomic
    def destroy(self, request: Request, code: str) -> Response:
        """Delete a status that is not in use."""
        delete_status(status=self.get_object_for_update())
        return Response(status=status.HTTP_204_NO_CONTENT)


class AttendanceViewSet(mixins.ListModelMixin, mixins.RetrieveModelMixin, Endpoint[AttendanceRecord]):
    serializer_class = serializers.AttendanceRecordSerializer
    filterset_class = filters.RecordFilter
    ordering_fields = ["id", "updated_at"]
    ordering = ["id"]

    def get_queryset(self) -> QuerySet[AttendanceRecord]:
        return records_for(self.request.user).select_related("student")

    @extend_schema(request=serializers.OverrideSerializer, responses=serializers.AttendanceRecordSerializer)
    @transaction.atomic
    def partial_update(self, request: Request, pk: str) -> Response:
        """Override the status. Who did it and why is logged, and taking attendance again does not change it."""
        record = self.get_object_for_update()
        override = serializers.OverrideSerializer(data=request.data)
        override.is_valid(raise_exception=True)
        set_override(record=record, user=request_user(request), **override.validated_data)
        return self.respond_with(record)

    @extend_schema(responses=serializers.AttendanceChangeSerializer(many=True), filters=False)
    @action(detail=True, pagination_class=None, filter_backends=[])
    def changes(self, request: Request, pk: str) -> Response:
        """All changes to this record, newest first."""
        return Response(
            serializers.AttendanceChangeSerializer(
                self.get_object().changes.order_by("-created_at", "-id"), many=True
            ).data
        )


class ChangeViewSet(mixins.ListModelMixin, mixins.RetrieveModelMixin, Endpoint[AttendanceChange]):
    """The log: every change that a person made to a lecture's result."""

    serializer_class = serializers.AttendanceChangeSerializer
    filterset_class = filters.ChangeFilter
    ordering_fields = ["id"]
    ordering = ["-id"]

    def get_queryset(self) -> QuerySet[AttendanceChange]:
        return changes_for(self.request.user)


class LectureResultActions(Endpoint[Lecture]):
    """The result of a lecture as a whole; under the lecture's address."""

    @extend_schema(
        request=serializers.BulkOverrideSerializer, responses=serializers.AttendanceRecordSerializer(many=True)
    )
    @action(detail=True, methods=["post"], pagination_class=None)
    def override(self, request: Request, pk: str) -> Response:
        """Set one status for several students of a lecture. Returns the records that changed."""
        lecture = self.get_object()
        override = serializers.BulkOverrideSerializer(data=request.data)
        override.is_valid(raise_exception=True)
        changed = set_overrides(lecture=lecture, user=request_user(request), **override.validated_data)
        return Response(serializers.AttendanceRecordSerializer(changed, many=True).data)

    @extend_schema(request=None, responses=LectureSerializer)
    @action(detail=True, methods=["post"], url_path="sign-off")
    def sign_off(self, request: Request, pk: str) -> Response:
        """Sign off the result. Afterwards only a registrar can change it."""
        lecture = self.get_object()
        sign_off_lecture(lecture=lecture, user=request_user(request))
        return self.respond_with(lecture)

    @extend_schema(request=None, responses=LectureSerializer)
    @action(detail=True, methods=["post"], url_path="complete-footage")
    def complete_footage(self, request: Request, pk: str) -> Response:
        """Make the result final with the footage that has arrived, without waiting for more."""
        lecture = self.get_object()
        accept_partial_footage(lecture=lecture, user=request_user(request))
        return self.respond_with(lecture)

    @extend_schema(request=ReasonSerializer, responses=LectureSerializer)
    @action(detail=True, methods=["post"])
    def reopen(self, request: Request, pk: str) -> Response:
        """Remove the sign-off. Only a registrar may."""
        lecture = self.get_object()
        serializer = ReasonSerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        reopen_lecture(lecture=lecture, user=request_user(request), **serializer.validated_data)
        return self.respond_with(lecture)
