"""Rosters and calendars that were uploaded: whether they are read, and their import."""

from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework import mixins
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from campus.academics.calendar_import import EntryChange, plan_import, save_import
from campus.academics.file_imports import check_is_read, entries_of
from campus.academics.models import Course, FileImport
from campus.academics.selectors import file_imports_for
from campus.api.base import Endpoint
from campus.api.permissions import IsRegistrarOrReadOnly
from campus.api.serializers.imports import FileImportSerializer
from campus.api.serializers.timetable import CalendarDecisionsSerializer, CalendarPlanSerializer
from campus.api.views.rosters import RosterDecisionsSerializer, RosterPlanSerializer, import_table
from campus.common.errors import UserError


class FileImportViewSet(mixins.ListModelMixin, mixins.RetrieveModelMixin, Endpoint[FileImport]):
    """Your own uploads of the last day. A worker reads them while their state is `queued`."""

    serializer_class = FileImportSerializer
    permission_classes = [IsRegistrarOrReadOnly]
    ordering_fields = ["created_at"]
    ordering = ["-created_at"]

    def get_queryset(self) -> QuerySet[FileImport]:
        return file_imports_for(self.request.user)

    @extend_schema(request=RosterDecisionsSerializer, responses=RosterPlanSerializer)
    @action(detail=True, methods=["post"])
    def roster(self, request: Request, pk: str) -> Response:
        """Import the roster of a class, or nothing if any row has errors or anything is to be confirmed. Importing a
        file twice changes nothing. 409 while it is being read.
        """
        row = self._get_import(FileImport.Kind.ROSTER)
        serializer = RosterDecisionsSerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        return Response(import_table(row, serializer.validated_data))

    @extend_schema(request=CalendarDecisionsSerializer, responses=CalendarPlanSerializer)
    @action(detail=True, methods=["post"])
    def calendar(self, request: Request, pk: str) -> Response:
        """Import the lectures of a calendar. Importing the same file again changes nothing. 409 while it is being
        read.
        """
        row = self._get_import(FileImport.Kind.CALENDAR)
        serializer = CalendarDecisionsSerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        is_dry, complete = (serializer.validated_data[name] for name in ("dry_run", "complete"))
        check_is_read(row)
        rows = plan_import(entries_of(row), list(Course.objects.all()), row.course)
        if not is_dry:
            save_import(rows, complete=complete)
        plan = {"done": not is_dry, "rows": [row for row in rows if row.kind != EntryChange.SAME]}
        return Response(CalendarPlanSerializer(plan).data)

    def _get_import(self, kind: FileImport.Kind) -> FileImport:
        row = self.get_object()
        if row.kind != kind:
            raise UserError("This was uploaded as a {kind}. Import it as one.", kind=row.get_kind_display())
        return row
