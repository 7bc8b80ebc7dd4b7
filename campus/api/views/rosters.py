"""Import and export of the roster of a class; under the class's address."""

from collections.abc import Callable, Iterable
from typing import Any, Final

from django.http import HttpResponse
from django.utils import timezone
from django.utils.translation import gettext as _
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.parsers import MultiPartParser
from rest_framework.request import Request
from rest_framework.response import Response

from campus.academics.file_contents import MAX_HEADER_ROW, SEPARATORS, TableFormat
from campus.academics.file_imports import check_is_read, create_roster_import, table_of
from campus.academics.models import Course, FileImport, Student
from campus.academics.roster_columns import FIELDS, guess_columns
from campus.academics.roster_export import roster_rows, write_csv, write_workbook
from campus.academics.roster_import import import_roster
from campus.academics.roster_plan import plan_roster
from campus.api.base import Endpoint
from campus.api.permissions import CanSeeEverything, IsRegistrar, request_user
from campus.api.serializers.imports import FileImportSerializer, accepted_import
from campus.api.views.documents import CSV, file_response
from campus.attendance.file_names import download_name
from campus.common.encodings import ENCODINGS
from campus.common.file_responses import WORKBOOK_TYPE

FORMATS: Final[dict[str, tuple[str, Callable[[Iterable[list[str]]], bytes]]]] = {
    "csv": (CSV, write_csv),
    "xlsx": (WORKBOOK_TYPE, write_workbook),
}


class RosterFileSerializer(serializers.Serializer[Any]):
    file = serializers.FileField(allow_empty_file=True, help_text="CSV or Excel")
    encoding = serializers.ChoiceField(
        list(ENCODINGS), required=False, help_text="of a CSV file; confirms the one that was guessed"
    )
    separator = serializers.ChoiceField(list(SEPARATORS), required=False, help_text="of a CSV file")
    sheet = serializers.CharField(required=False, trim_whitespace=False, help_text="of a workbook")
    header_row = serializers.IntegerField(
        required=False,
        min_value=0,
        max_value=MAX_HEADER_ROW,
        help_text="the row that names the columns, from 1; 0 where none does, and columns are named by their numbers",
    )


class RosterDecisionsSerializer(serializers.Serializer[Any]):
    start = serializers.DateField(
        required=False,
        help_text="students who join are enrolled from this day, by default the first day of the term; rows with "
        "a day of their own keep it",
    )
    complete = serializers.BooleanField(
        default=False, help_text="the file is the whole roster: students who are not in it leave the class"
    )
    accept_departures = serializers.BooleanField(default=False, help_text="more than a tenth of the class may leave")
    same_people = serializers.JSONField(
        default=dict,
        help_text="for each number of `undecided`, the id of the existing student whose it is, or null for somebody "
        "else, who is not imported if the number is that of the existing student",
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

    def validate_same_people(self, people: Any) -> dict[str, int | None]:
        if not isinstance(people, dict) or not all(pk is None or type(pk) is int for pk in people.values()):
            raise serializers.ValidationError(_("Give the id of a student, or null, for each number."))
        return people


class TableFormatSerializer(serializers.Serializer[Any]):
    encoding = serializers.CharField(allow_null=True)
    separator = serializers.CharField(allow_null=True)
    sheet = serializers.CharField(allow_null=True)
    header_row = serializers.IntegerField()


class ExistingStudentSerializer(serializers.ModelSerializer[Student]):
    class Meta:
        model = Student
        fields = ("id", "number", "name", "email")


class UndecidedNumberSerializer(serializers.Serializer[Any]):
    line = serializers.IntegerField()
    number = serializers.CharField(source="student.number")
    name = serializers.CharField(source="student.name")
    email = serializers.CharField(source="student.email", allow_blank=True)
    existing = ExistingStudentSerializer(
        many=True,
        help_text="students with this name, e-mail, or number but for zeros at its beginning; or whose number it is, "
        "under quite another name",
    )


class RosterStudentSerializer(serializers.Serializer[Any]):
    line = serializers.IntegerField()
    number = serializers.CharField(source="student.number")
    name = serializers.CharField(source="student.name")
    changes = serializers.ListField(
        child=serializers.ListField(child=serializers.CharField()), help_text="[field, before, after]"
    )


class RosterAnswerSerializer(serializers.Serializer[Any]):
    line = serializers.IntegerField()
    number = serializers.CharField(source="student.number")
    name = serializers.CharField(source="student.name")
    consent = serializers.CharField(source="answer", help_text="yes or no, and the day")


class RosterErrorSerializer(serializers.Serializer[Any]):
    line = serializers.IntegerField()
    number = serializers.CharField(allow_blank=True)
    name = serializers.CharField(allow_blank=True)
    reasons = serializers.ListField(child=serializers.CharField())


class RosterPlanSerializer(serializers.Serializer[Any]):
    done = serializers.BooleanField(
        help_text="false for a dry run, if rows have errors, or while something is to be confirmed; nothing is written "
        "then"
    )
    format = TableFormatSerializer(help_text="how the file was read")
    doubtful_texts = serializers.ListField(
        child=serializers.CharField(),
        help_text="examples of texts in a guessed encoding; send `encoding` to confirm or correct it",
    )
    undecided = UndecidedNumberSerializer(
        many=True, help_text="rows that may be of existing students; send `same_people` to decide"
    )
    large_departure = serializers.BooleanField(
        help_text="more than a tenth of the class would leave; send `accept_departures` to confirm"
    )
    new = RosterStudentSerializer(many=True)
    changed = RosterStudentSerializer(many=True)
    answers = RosterAnswerSerializer(many=True, help_text="answers about consent that are later than what is known")
    leaving = serializers.ListField(
        child=serializers.CharField(), help_text="numbers of the students who are not in the file"
    )
    unchanged = serializers.IntegerField()
    errors = RosterErrorSerializer(many=True)  # type: ignore[assignment]  # a field of that name


def import_table(row: FileImport, decisions: dict[str, Any]) -> dict[str, Any]:
    """Import a roster that was read, or nothing if any row has errors or anything is to be confirmed."""
    check_is_read(row)
    table, complete, accepted = table_of(row), decisions["complete"], decisions["accept_departures"]
    columns = guess_columns(table.headers) | _columns_by_name(decisions["columns"], table.headers)
    people = {"start": decisions.get("start"), "same_people": decisions["same_people"]}
    plan = plan_roster(table, columns, row.course, **people)
    large_departure = bool(complete and plan.large_departures)
    to_confirm = table.doubtful_texts or plan.undecided or (large_departure and not accepted)
    done = not (plan.errors or to_confirm or decisions["dry_run"])
    if done:
        plan = import_roster(
            table=table, columns=columns, course=row.course, complete=complete, accept_departures=accepted, **people
        )
    result = {
        "done": done,
        "format": table.format,
        "doubtful_texts": table.doubtful_texts,
        "undecided": plan.undecided,
        "large_departure": large_departure,
        "new": plan.new,
        "changed": plan.changed,
        "answers": plan.answers,
        "leaving": [enrolment.student.number for enrolment in plan.leaving] if complete else [],
        "unchanged": plan.unchanged,
        "errors": plan.errors,
    }
    return dict(RosterPlanSerializer(result).data)


def _columns_by_name(columns: dict[str, str], headers: list[str]) -> dict[str, int]:
    if missing := [name for name in columns.values() if name not in headers]:
        raise serializers.ValidationError(
            {"columns": _("The file has no column “%(name)s”.") % {"name": str(missing[0])[:100]}}
        )
    return {field: headers.index(name) for field, name in columns.items()}


class CourseRosterActions(Endpoint[Course]):
    @extend_schema(request={"multipart/form-data": RosterFileSerializer}, responses={202: FileImportSerializer})
    @action(detail=True, methods=["post"], permission_classes=[IsRegistrar], parser_classes=[MultiPartParser])
    def roster(self, request: Request, pk: str) -> Response:
        """Upload the roster of a class. A worker reads it while the state of the import is `queued`; then
        `imports/{id}/roster/` imports it.
        """
        course = self.get_object()
        serializer = RosterFileSerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        data = serializer.validated_data
        file = data.pop("file")
        row = create_roster_import(
            file=file, name=file.name, course=course, user=request_user(request), table_format=TableFormat(**data)
        )
        return accepted_import(request, row)

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
        name = download_name(course.code, "roster", timezone.localdate(), f".{kind}")
        students = Student.objects.filter(enrolments__course=course).order_by("sort_key", "number_key")
        return file_response(write(roster_rows(students, course.pk)), media_type, name)
