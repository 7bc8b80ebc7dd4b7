"""Reports and exports of attendance: workbooks, CSV, PDF, Moodle."""

from collections.abc import Callable, Iterable
from typing import Final

from django.db.models import QuerySet
from django.http import FileResponse, HttpResponse
from django.utils import timezone
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import mixins, status
from rest_framework.decorators import action
from rest_framework.permissions import IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response

from campus.academics.models import Course, Lecture
from campus.api import filters
from campus.api.base import Endpoint
from campus.api.serializers import attendance as serializers
from campus.api.serializers.common import DaysSerializer
from campus.attendance.csv_files import lecture_csv, moodle_marks, moodle_zip, register_csv
from campus.attendance.file_names import download_name
from campus.attendance.file_responses import workbook_response
from campus.attendance.models import Report
from campus.attendance.pdf import lecture_pdf, register_pdf
from campus.attendance.register import Days, Register, build_register
from campus.attendance.reports import find_lecture_report, write_register_report
from campus.attendance.selectors import reports_for
from campus.common.file_responses import WORKBOOK_TYPE

CSV, PDF, ZIP = "text/csv", "application/pdf", "application/zip"

# Kind → (media type, what the file is about, its ending, what makes it).
LECTURE_EXPORTS: Final[dict[str, tuple[str, str, str, Callable[[Lecture], bytes]]]] = {
    "csv": (CSV, "attendance", ".csv", lecture_csv),
    "pdf": (PDF, "attendance", ".pdf", lecture_pdf),
    "moodle": (CSV, "moodle", ".csv", moodle_marks),
}
COURSE_EXPORTS: Final[dict[str, tuple[str, str, str, Callable[[Register], bytes]]]] = {
    "csv": (CSV, "register", ".csv", register_csv),
    "pdf": (PDF, "register", ".pdf", register_pdf),
    "moodle": (ZIP, "moodle", ".zip", moodle_zip),
}


def _format_parameter(known: Iterable[str]) -> OpenApiParameter:
    return OpenApiParameter(
        "kind",
        str,
        OpenApiParameter.PATH,
        enum=list(known),
        description="`moodle` is for the import of Moodle's attendance activity",
    )


def file_response(content: bytes, media_type: str, name: str) -> HttpResponse:
    headers = {
        "Content-Disposition": f'attachment; filename="{name}"',
        "Cache-Control": "private, no-cache",
    }
    return HttpResponse(content, content_type=media_type, headers=headers)


class LectureExportActions(Endpoint[Lecture]):
    """Under a lecture's address."""

    @extend_schema(
        operation_id="lectures_export",
        parameters=[_format_parameter([*LECTURE_EXPORTS, "xlsx"])],
        responses={
            (200, CSV): OpenApiTypes.STR,
            (200, PDF): OpenApiTypes.BINARY,
            (200, WORKBOOK_TYPE): OpenApiTypes.BINARY,
        },
    )
    @action(detail=True, url_path=f"export/(?P<kind>{'|'.join([*LECTURE_EXPORTS, 'xlsx'])})")
    def export(self, request: Request, pk: str, kind: str) -> HttpResponse | FileResponse:
        """Export the attendance of a lecture. The workbook is over all its recordings, if any; the one of a single
        recording is under /reports/.
        """
        lecture = self.get_object()
        if kind == "xlsx":
            return workbook_response(find_lecture_report(lecture=lecture))
        media_type, about, ending, build = LECTURE_EXPORTS[kind]
        name = download_name(lecture.course.code, about, lecture.starts_at, ending)
        return file_response(build(lecture), media_type, name)


class CourseExportActions(Endpoint[Course]):
    """Under a class's address."""

    @extend_schema(request=None, responses={201: serializers.ReportSerializer})
    @action(detail=True, methods=["post"], permission_classes=[IsAuthenticated])
    def register(self, request: Request, pk: str) -> Response:
        """Write the register of all lectures of a class. Download it at /reports/{id}/download/."""
        return Response(
            serializers.ReportSerializer(write_register_report(course=self.get_object())).data,
            status=status.HTTP_201_CREATED,
        )

    @extend_schema(
        operation_id="courses_export",
        parameters=[_format_parameter(COURSE_EXPORTS), DaysSerializer],
        responses={(200, CSV): OpenApiTypes.STR, (200, PDF): OpenApiTypes.BINARY, (200, ZIP): OpenApiTypes.BINARY},
    )
    @action(detail=True, url_path=f"export/(?P<kind>{'|'.join(COURSE_EXPORTS)})")
    def export(self, request: Request, pk: str, kind: str) -> HttpResponse:
        """Export the register of a class: all its lectures, or those between two days."""
        course = self.get_object()
        days = DaysSerializer(data=request.query_params)
        days.is_valid(raise_exception=True)
        span: Days = days.validated_data
        media_type, about, ending, build = COURSE_EXPORTS[kind]
        name = download_name(course.code, about, timezone.localdate(), ending)
        return file_response(build(build_register(course, **span)), media_type, name)


class ReportViewSet(mixins.ListModelMixin, mixins.RetrieveModelMixin, Endpoint[Report]):
    serializer_class = serializers.ReportSerializer
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
