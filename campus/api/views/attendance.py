"""Who was there: statuses, the log of what people changed, the sign-off."""

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
    queryset = AttendanceStatus.objects.all()  # no secret of any class
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
        """A status of the institution's own."""
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
        """Change what a status is worth. The code stays; so do the name and the meaning of the built-in ones."""
        row = self.get_object_for_update()
        serializer = serializers.StatusDefinitionWriteSerializer(row, data=request.data, partial=True)
        serializer.is_valid(raise_exception=True)
        return self.respond_with(save_status(status=row, **serializer.validated_data))

    @transaction.atomic
    def destroy(self, request: Request, code: str) -> Response:
        """Delete a status that nothing names."""
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
        """Decide by hand. Kept with who and why; a later run of the machine does not touch it."""
        record = self.get_object_for_update()
        decision = serializers.OverrideSerializer(data=request.data)
        decision.is_valid(raise_exception=True)
        set_override(record=record, user=request_user(request), **decision.validated_data)
        return self.respond_with(record)

    @extend_schema(responses=serializers.AttendanceChangeSerializer(many=True), filters=False)
    @action(detail=True, pagination_class=None, filter_backends=[])
    def changes(self, request: Request, pk: str) -> Response:
        """Every decision by hand, the latest first."""
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
        """Set one status for several students of a lecture at once. Answers with the records that changed."""
        lecture = self.get_object()
        decision = serializers.BulkOverrideSerializer(data=request.data)
        decision.is_valid(raise_exception=True)
        changed = set_overrides(lecture=lecture, user=request_user(request), **decision.validated_data)
        return Response(serializers.AttendanceRecordSerializer(changed, many=True).data)

    @extend_schema(request=None, responses=LectureSerializer)
    @action(detail=True, methods=["post"], url_path="sign-off")
    def sign_off(self, request: Request, pk: str) -> Response:
        """Vouch for the result. Afterwards only a registrar changes it."""
        lecture = self.get_object()
        sign_off_lecture(lecture=lecture, user=request_user(request))
        return self.respond_with(lecture)

    @extend_schema(request=None, responses=LectureSerializer)
    @action(detail=True, methods=["post"], url_path="complete-footage")
    def complete_footage(self, request: Request, pk: str) -> Response:
        """Wait for no more footage of the cameras: count for good with what is here."""
        lecture = self.get_object()
        accept_partial_footage(lecture=lecture, user=request_user(request))
        return self.respond_with(lecture)

    @extend_schema(request=ReasonSerializer, responses=LectureSerializer)
    @action(detail=True, methods=["post"])
    def reopen(self, request: Request, pk: str) -> Response:
        """Take the sign-off back. Only a registrar may."""
        lecture = self.get_object()
        why = ReasonSerializer(data=request.data)
        why.is_valid(raise_exception=True)
        reopen_lecture(lecture=lecture, user=request_user(request), **why.validated_data)
        return self.respond_with(lecture)
