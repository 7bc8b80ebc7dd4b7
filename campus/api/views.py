"""The endpoints: each asks its selector what the user may see, and a service to write."""

from typing import Any, cast

from django.contrib.auth.models import User
from django.db.models import Prefetch, QuerySet
from django.http import FileResponse, HttpRequest, HttpResponseBase
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework import mixins, status
from rest_framework.decorators import action
from rest_framework.exceptions import PermissionDenied
from rest_framework.permissions import BasePermission
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import BaseSerializer
from rest_framework.views import APIView
from rest_framework.viewsets import GenericViewSet, ReadOnlyModelViewSet

from campus.academics.models import Course, Lecture, Student
from campus.academics.selectors import courses_for, is_registrar, lectures_for, students_for
from campus.academics.services import lecture_create, sureness_set
from campus.api import filters
from campus.api import serializers as s
from campus.attendance.models import AttendanceRecord, Report
from campus.attendance.selectors import records_for, reports_for
from campus.attendance.services import override_set, register_write
from campus.biometrics.models import Gallery
from campus.biometrics.selectors import galleries_for
from campus.biometrics.services import embedder_set, gallery_request
from campus.downloads import WORKBOOK_TYPE, workbook_response
from campus.footage.models import Recording
from campus.footage.selectors import progress, recordings_for
from campus.footage.services import recording_cancel, recording_create, recording_restart, recording_retry
from campus.uploads import check_announced_size, drop_partial

REFUSED = {400: OpenApiResponse(s.DetailSerializer, "a sentence that says why, and what to do")}
WORKBOOK = {(200, WORKBOOK_TYPE): OpenApiTypes.BINARY}


def _who(request: Request) -> User:
    return cast(User, request.user)  # IsAuthenticated has let it through


class RegistrarsOnly(BasePermission):
    message = "Only a registrar may do this."

    def has_permission(self, request: Request, view: APIView) -> bool:
        return is_registrar(request.user)


class CourseViewSet(ReadOnlyModelViewSet[Course]):
    serializer_class = s.CourseSerializer
    filterset_fields = ["code"]
    ordering_fields = ["code", "name"]

    def get_queryset(self) -> QuerySet[Course]:
        in_use = Prefetch("galleries", Gallery.objects.filter(active=True), to_attr="galleries_in_use")
        return courses_for(self.request.user).prefetch_related(in_use)

    @extend_schema(request=s.CourseFacesSerializer, responses={200: s.CourseSerializer, **REFUSED})
    def partial_update(self, request: Request, pk: str) -> Response:
        """Choose how sure the machine must be, and what compares the faces. Only a registrar may."""
        course = self.get_object()
        if not is_registrar(_who(request)):
            raise PermissionDenied(RegistrarsOnly.message)
        wish = s.CourseFacesSerializer(course, data=request.data, partial=True)
        wish.is_valid(raise_exception=True)
        if "sureness" in wish.validated_data:
            sureness_set(course=course, sureness=wish.validated_data["sureness"])
        if wish.validated_data.get("embedder", course.embedder) != course.embedder:
            embedder_set(course=course, embedder=wish.validated_data["embedder"])
        return Response(self.get_serializer(self.get_object()).data)

    @extend_schema(request=None, responses={201: s.ReportSerializer, **REFUSED})
    @action(detail=True, methods=["post"])
    def register(self, request: Request, pk: str) -> Response:
        """Write the class's register over all its lectures anew; download it at /reports/{id}/download/."""
        return Response(s.ReportSerializer(register_write(course=self.get_object())).data, status=status.HTTP_201_CREATED)


class StudentViewSet(ReadOnlyModelViewSet[Student]):
    serializer_class = s.StudentSerializer
    filterset_class = filters.StudentFilter
    ordering_fields = ["number", "name"]

    def get_queryset(self) -> QuerySet[Student]:
        return students_for(self.request.user)


class LectureViewSet(mixins.CreateModelMixin, ReadOnlyModelViewSet[Lecture]):
    serializer_class = s.LectureSerializer
    filterset_class = filters.LectureFilter
    ordering_fields = ["starts_at", "ends_at"]

    def get_queryset(self) -> QuerySet[Lecture]:
        return lectures_for(self.request.user)

    def perform_create(self, serializer: BaseSerializer[Lecture]) -> None:
        serializer.instance = lecture_create(**serializer.validated_data)


class RecordingViewSet(ReadOnlyModelViewSet[Recording]):
    serializer_class = s.RecordingSerializer
    filterset_class = filters.RecordingFilter
    ordering_fields = ["created_at", "size", "duration"]

    def get_queryset(self) -> QuerySet[Recording]:
        return recordings_for(self.request.user).select_related("report")

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        try:
            return super().dispatch(request, *args, **kwargs)
        finally:
            drop_partial(request)

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        # Before anything reads the body, the CSRF check of a session included.
        check_announced_size(request._request)
        super().initial(request, *args, **kwargs)

    @extend_schema(request={"multipart/form-data": s.RecordingUploadSerializer}, responses={201: s.RecordingSerializer, **REFUSED})
    def create(self, request: Request) -> Response:
        """Upload a video of a lecture, or a photo of the classroom. Attendance is taken at once; follow `progress`."""
        upload = s.RecordingUploadSerializer(data=request.data, context=self.get_serializer_context())
        upload.is_valid(raise_exception=True)
        file = upload.validated_data["file"]
        recording = recording_create(lecture=upload.validated_data["lecture"], file=file, name=file.name, user=_who(request))
        return Response(self.get_serializer(recording).data, status=status.HTTP_201_CREATED)

    def _ask(self, service: Any) -> Response:
        recording = self.get_object()
        service(recording=recording, user=_who(self.request))
        recording.refresh_from_db()
        return Response(self.get_serializer(recording).data)

    @extend_schema(request=None, responses={200: s.RecordingSerializer, **REFUSED})
    @action(detail=True, methods=["post"])
    def cancel(self, request: Request, pk: str) -> Response:
        """Stop the work on it. The file stays."""
        return self._ask(recording_cancel)

    @extend_schema(request=None, responses={200: s.RecordingSerializer, **REFUSED})
    @action(detail=True, methods=["post"])
    def retry(self, request: Request, pk: str) -> Response:
        """Look again at the parts that failed."""
        return self._ask(recording_retry)

    @extend_schema(request=None, responses={200: s.RecordingSerializer, **REFUSED})
    @action(detail=True, methods=["post"])
    def restart(self, request: Request, pk: str) -> Response:
        """Take attendance again from the whole recording. What people set by hand stays."""
        return self._ask(recording_restart)

    @extend_schema(responses=s.ProgressSerializer)
    @action(detail=True)
    def progress(self, request: Request, pk: str) -> Response:
        """How far the work is."""
        return Response(s.ProgressSerializer(progress(self.get_object())).data, headers={"Cache-Control": "no-store"})


class AttendanceViewSet(ReadOnlyModelViewSet[AttendanceRecord]):
    serializer_class = s.AttendanceRecordSerializer
    filterset_class = filters.RecordFilter
    ordering_fields = ["lecture", "student__name", "student__number", "first_seen", "share", "updated_at"]

    def get_queryset(self) -> QuerySet[AttendanceRecord]:
        return records_for(self.request.user).select_related("student")

    @extend_schema(request=s.StatusSerializer, responses={200: s.AttendanceRecordSerializer, **REFUSED})
    def partial_update(self, request: Request, pk: str) -> Response:
        """Decide by hand. Kept with who and why; a later run of the machine does not touch it."""
        record = self.get_object()
        decision = s.StatusSerializer(data=request.data)
        decision.is_valid(raise_exception=True)
        override_set(record=record, user=_who(request), **decision.validated_data)
        return Response(self.get_serializer(self.get_object()).data)

    @extend_schema(responses=s.AttendanceChangeSerializer(many=True), filters=False)
    @action(detail=True, pagination_class=None, filter_backends=[])
    def changes(self, request: Request, pk: str) -> Response:
        """Every decision by hand, the latest first."""
        return Response(s.AttendanceChangeSerializer(self.get_object().changes.order_by("-at", "-id"), many=True).data)


class ReportViewSet(ReadOnlyModelViewSet[Report]):
    serializer_class = s.ReportSerializer
    filterset_class = filters.ReportFilter
    ordering_fields = ["created_at", "file_name"]

    def get_queryset(self) -> QuerySet[Report]:
        return reports_for(self.request.user)

    @extend_schema(responses=WORKBOOK)
    @action(detail=True)
    def download(self, request: Request, pk: str) -> FileResponse:
        """The workbook itself."""
        return workbook_response(self.get_object())


class GalleryViewSet(mixins.ListModelMixin, mixins.RetrieveModelMixin, GenericViewSet[Gallery]):
    serializer_class = s.GallerySerializer
    filterset_class = filters.GalleryFilter
    ordering_fields = ["created_at"]

    def get_queryset(self) -> QuerySet[Gallery]:
        return galleries_for(self.request.user)

    @extend_schema(request=s.TrainSerializer, responses={202: s.GallerySerializer, **REFUSED})
    @action(detail=False, methods=["post"], permission_classes=[RegistrarsOnly])
    def train(self, request: Request) -> Response:
        """Learn the faces of a class from its students' photos."""
        wish = s.TrainSerializer(data=request.data, context=self.get_serializer_context())
        wish.is_valid(raise_exception=True)
        gallery = gallery_request(course=wish.validated_data["course"])
        return Response(self.get_serializer(gallery).data, status=status.HTTP_202_ACCEPTED)
