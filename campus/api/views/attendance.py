"""Attendance: statuses, overrides, the log of changes, and the sign-off."""

from django.db import transaction
from django.db.models import QuerySet
from django.http import FileResponse, Http404, StreamingHttpResponse
from django.utils.timezone import localdate
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework import mixins, status
from rest_framework.decorators import action
from rest_framework.parsers import MultiPartParser
from rest_framework.request import Request
from rest_framework.response import Response

from campus.academics.models import Lecture
from campus.api import filters
from campus.api.base import Endpoint
from campus.api.parsers import JSONParser
from campus.api.permissions import IsRegistrarOrReadOnly, request_user
from campus.api.serializers import attendance as serializers
from campus.api.serializers.academics import LectureSerializer, ReasonSerializer
from campus.api.serializers.common import DaysSerializer
from campus.attendance.excuses import create_excuse, withdraw_excuse
from campus.attendance.export_table import export_attendance
from campus.attendance.file_names import download_name
from campus.attendance.models import AttendanceChange, AttendanceRecord, AttendanceStatus, Excuse
from campus.attendance.overrides import (
    accept_partial_footage,
    reopen_lecture,
    set_override,
    sign_off_lecture,
)
from campus.attendance.roll import mark_many, mark_students, undo_last_change
from campus.attendance.selectors import changes_for, excuses_for, records_for
from campus.attendance.services import delete_status, save_status
from campus.attendance.statuses import status_definitions
from campus.common.file_responses import document_response

CSV = "text/csv"


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

    @extend_schema(parameters=[DaysSerializer], responses={(200, CSV): OpenApiTypes.STR}, filters=True)
    @action(detail=False, pagination_class=None)
    def export(self, request: Request) -> StreamingHttpResponse:
        """All of the records that count in registers, as one flat table (CSV): a row for each student and lecture."""
        days = DaysSerializer(data=request.query_params)
        days.is_valid(raise_exception=True)
        records = self.filter_queryset(self.get_queryset())
        return StreamingHttpResponse(
            export_attendance(records=records, user=request_user(request), **days.validated_data),
            content_type=CSV,
            headers={
                "Content-Disposition": f'attachment; filename="{download_name("", "attendance", localdate(), ".csv")}"',
                "Cache-Control": "private, no-cache",
            },
        )


class ExcuseViewSet(mixins.ListModelMixin, mixins.RetrieveModelMixin, Endpoint[Excuse]):
    """Excuses for several days. They apply to every lecture in them, also to those that are over."""

    serializer_class = serializers.ExcuseSerializer
    parser_classes = [MultiPartParser, JSONParser]
    filterset_class = filters.ExcuseFilter
    ordering_fields = ["first_day", "created_at"]
    ordering = ["-first_day", "-created_at"]

    def get_queryset(self) -> QuerySet[Excuse]:
        return excuses_for(self.request.user)

    @extend_schema(
        request={
            "multipart/form-data": serializers.NewExcuseSerializer,
            "application/json": serializers.NewExcuseSerializer,
        },
        responses={201: serializers.ExcuseSerializer},
    )
    def create(self, request: Request) -> Response:
        """Excuse a student. Lectures that the student attended nevertheless count as attended."""
        serializer = serializers.NewExcuseSerializer(data=request.data, context=self.get_serializer_context())
        serializer.is_valid(raise_exception=True)
        excuse = create_excuse(user=request_user(request), **serializer.validated_data)
        return self.respond_with(excuse, status.HTTP_201_CREATED)

    @transaction.atomic
    def destroy(self, request: Request, pk: str) -> Response:
        """Withdraw an excuse. It is kept, with who withdrew it, and excuses nobody any more."""
        withdraw_excuse(excuse=self.get_object_for_update(), user=request_user(request))
        return Response(status=status.HTTP_204_NO_CONTENT)

    @extend_schema(responses={(200, "*/*"): OpenApiTypes.BINARY})
    @action(detail=True)
    def document(self, request: Request, pk: str) -> FileResponse:
        """The document itself."""
        excuse = self.get_object()
        if not excuse.document:
            raise Http404
        return document_response(str(excuse.document.name), download_name=excuse.document_name)


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
        request=serializers.BulkOverrideSerializer,
        responses={200: serializers.AttendanceRecordSerializer(many=True), 409: OpenApiResponse(description="marked")},
    )
    @action(detail=True, methods=["post"], pagination_class=None)
    def override(self, request: Request, pk: str) -> Response:
        """Set one status for several students of a lecture. Returns the records that changed.

        Where a person has marked some of them otherwise, the answer is 409, with their number in `marked`, unless
        `by_hand` says what becomes of these marks.
        """
        lecture = self.get_object()
        serializer = serializers.BulkOverrideSerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        override = serializer.validated_data
        records = lecture.records.filter(pk__in=override.pop("records"))
        students = set(records.values_list("student", flat=True))
        changed = mark_many(lecture=lecture, students=students, user=request_user(request), **override)
        return Response(serializers.AttendanceRecordSerializer(changed, many=True).data)

    @extend_schema(request=serializers.RollSerializer, responses=serializers.AttendanceRecordSerializer(many=True))
    @action(detail=True, methods=["post"], pagination_class=None)
    def roll(self, request: Request, pk: str) -> Response:
        """Set the statuses of students, with or without a recording. Returns the records that changed."""
        lecture = self.get_object()
        serializer = serializers.RollSerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        changed = mark_students(
            lecture=lecture,
            statuses=serializer.validated_data["marks"],
            reason=serializer.validated_data["reason"],
            user=request_user(request),
        )
        return Response(serializers.AttendanceRecordSerializer(changed, many=True).data)

    @extend_schema(request=None, responses=serializers.AttendanceRecordSerializer(many=True))
    @action(detail=True, methods=["post"], url_path="roll/undo", pagination_class=None)
    def undo_roll(self, request: Request, pk: str) -> Response:
        """Take back the last change of statuses, if it was made within the last hour. Returns the records that
        changed.
        """
        changed = undo_last_change(lecture=self.get_object(), user=request_user(request))
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
