"""Who was there, and the workbooks that say so."""

from django.db import transaction
from django.db.models import QuerySet
from django.http import FileResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework import mixins
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from campus.api import filters
from campus.api import serializers as s
from campus.api.base import Endpoint, who
from campus.attendance.decisions import override_set
from campus.attendance.models import AttendanceRecord, Report
from campus.attendance.selectors import records_for, reports_for
from campus.downloads import WORKBOOK_TYPE, workbook_response


class AttendanceViewSet(mixins.ListModelMixin, mixins.RetrieveModelMixin, Endpoint[AttendanceRecord]):
    serializer_class = s.AttendanceRecordSerializer
    filterset_class = filters.RecordFilter
    ordering_fields = ["id", "updated_at"]
    ordering = ["id"]

    def get_queryset(self) -> QuerySet[AttendanceRecord]:
        return records_for(self.request.user).select_related("student")

    @extend_schema(request=s.StatusSerializer, responses=s.AttendanceRecordSerializer)
    @transaction.atomic
    def partial_update(self, request: Request, pk: str) -> Response:
        """Decide by hand. Kept with who and why; a later run of the machine does not touch it."""
        record = self.object_to_change()
        decision = s.StatusSerializer(data=request.data)
        decision.is_valid(raise_exception=True)
        override_set(record=record, user=who(request), **decision.validated_data)
        return self.shown(record)

    @extend_schema(responses=s.AttendanceChangeSerializer(many=True), filters=False)
    @action(detail=True, pagination_class=None, filter_backends=[])
    def changes(self, request: Request, pk: str) -> Response:
        """Every decision by hand, the latest first."""
        return Response(s.AttendanceChangeSerializer(self.get_object().changes.order_by("-at", "-id"), many=True).data)


class ReportViewSet(mixins.ListModelMixin, mixins.RetrieveModelMixin, Endpoint[Report]):
    serializer_class = s.ReportSerializer
    filterset_class = filters.ReportFilter
    ordering_fields = ["created_at", "file_name"]
    ordering = ["-created_at"]

    def get_queryset(self) -> QuerySet[Report]:
        return reports_for(self.request.user)

    @extend_schema(responses={(200, WORKBOOK_TYPE): OpenApiTypes.BINARY})
    @action(detail=True)
    def download(self, request: Request, pk: str) -> FileResponse:
        """The workbook itself."""
        return workbook_response(self.get_object())
