"""Import and export of the roster of a class; under the class's address."""

from collections.abc import Callable, Iterable
from typing import Any, Final

from django.http import HttpResponse
from django.utils.translation import gettext as _
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.parsers import MultiPartParser
from rest_framework.request import Request
from rest_framework.response import Response

from campus.academics.models import Course, Student
from campus.academics.roster_files import FIELDS, guess_columns, read_table, roster_rows, write_csv, write_workbook
from campus.academics.roster_import import import_roster, plan_roster
from campus.api.base import Endpoint
from campus.api.permissions import CanSeeEverything, IsRegistrar
from campus.api.views.documents import CSV, file_response
from campus.common.file_responses import WORKBOOK_TYPE

FORMATS: Final[dict[str, tuple[str, Callable[[Iterable[list[str]]], bytes]]]] = {
    "csv": (CSV, write_csv),
    "xlsx": (WORKBOOK_TYPE, write_workbook),
}


class RosterFileSerializer(serializers.Serializer[Any]):
    file = serializers.FileField(allow_empty_file=True, help_text="CSV or Excel; the first row names the columns")
    complete = serializers.BooleanField(
        default=False, help_text="the file is the whole roster: students who are not in it leave the class"
    )
    columns = serializers.JSONField(
        default=dict,
        help_text=f"column names by field, for columns that are not recognised. Fields: {', '.join(FIELDS)}",
    )
    dry_run = serializers.BooleanField(default=False, help_text="only return what would change")

    def validate_columns(self, columns: Any) -> dict[str, str]:
        if not isinstance(columns, dict) or not set(columns) <= set(FIELDS):
            raise serializers.ValidationError(
                _("Name columns by their fields: %(fields)s.") % {"fields": ", ".join(FIELDS)}
            )
        return columns


class RosterStudentSerializer(serializers.Serializer[Any]):
    line = serializers.IntegerField()
    number = serializers.CharField(source="student.number")
    name = serializers.CharField(source="student.name")
    changes = serializers.ListField(
        child=serializers.ListField(child=serializers.CharField()), help_text="[field, before, after]"
    )


class RosterErrorSerializer(serializers.Serializer[Any]):
    line = serializers.IntegerField()
    number = serializers.CharField(allow_blank=True)
    name = serializers.CharField(allow_blank=True)
    reasons = serializers.ListField(child=serializers.CharField())


class RosterPlanSerializer(serializers.Serializer[Any]):
    done = serializers.BooleanField(help_text="false for a dry run or if rows have errors; nothing is written then")
    new = RosterStudentSerializer(many=True)
    changed = RosterStudentSerializer(many=True)
    leaving = serializers.ListField(
        child=serializers.CharField(), help_text="numbers of the students who are not in the file"
    )
    unchanged = serializers.IntegerField()
    errors = RosterErrorSerializer(many=True)  # type: ignore[assignment]  # a field of that name


def _columns_by_name(columns: dict[str, str], headers: list[str]) -> dict[str, int]:
    if missing := [name for name in columns.values() if name not in headers]:
        raise serializers.ValidationError(
            {"columns": _("The file has no column “%(name)s”.") % {"name": str(missing[0])[:100]}}
        )
    return {field: headers.index(name) for field, name in columns.items()}


class CourseRosterActions(Endpoint[Course]):
    @extend_schema(request={"multipart/form-data": RosterFileSerializer}, responses=RosterPlanSerializer)
    @action(detail=True, methods=["post"], permission_classes=[IsRegistrar], parser_classes=[MultiPartParser])
    def roster(self, request: Request, pk: str) -> Response:
        """Import the roster of a class, or nothing if any row has errors. Importing a file twice changes nothing."""
        course = self.get_object()
        serializer = RosterFileSerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        data = serializer.validated_data
        table = read_table(data["file"].read())
        columns = guess_columns(table.headers) | _columns_by_name(data["columns"], table.headers)
        plan = plan_roster(table, columns, course)
        done = not (plan.errors or data["dry_run"])
        if done:
            plan = import_roster(table=table, columns=columns, course=course, complete=data["complete"])
        result = {
            "done": done,
            "new": plan.new,
            "changed": plan.changed,
            "leaving": [enrolment.student.number for enrolment in plan.leaving] if data["complete"] else [],
            "unchanged": plan.unchanged,
            "errors": plan.errors,
        }
        return Response(RosterPlanSerializer(result).data)

    @extend_schema(
        operation_id="courses_roster_export",
        parameters=[OpenApiParameter("kind", str, OpenApiParameter.PATH, enum=list(FORMATS))],
        responses={(200, CSV): OpenApiTypes.STR, (200, WORKBOOK_TYPE): OpenApiTypes.BINARY},
    )
    @action(detail=True, url_path=f"roster/(?P<kind>{'|'.join(FORMATS)})", permission_classes=[CanSeeEverything])
    def roster_file(self, request: Request, pk: str, kind: str) -> HttpResponse:
        """The roster as a file that can be imported again."""
        course = self.get_object()
        media_type, write = FORMATS[kind]
        students = Student.objects.filter(enrolments__course=course).order_by("name", "number")
        return file_response(write(roster_rows(students, course.pk)), media_type, f"{course.code}_roster.{kind}")
