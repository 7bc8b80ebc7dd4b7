"""Recordings: upload, progress, retry and deletion."""

from typing import Any

from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponseBase
from drf_spectacular.utils import extend_schema
from rest_framework import mixins, status
from rest_framework.decorators import action
from rest_framework.parsers import MultiPartParser
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import Serializer

from campus.api import filters
from campus.api.base import Endpoint
from campus.api.parsers import JSONParser
from campus.api.permissions import check_not_signed_off, request_user
from campus.api.serializers import recordings as serializers
from campus.attendance.recording_review import accept_recording, move_recording, place_recording, remove_recording
from campus.common.upload_limits import discard_partial_upload
from campus.recordings.models import Recording
from campus.recordings.progress import progress_of
from campus.recordings.selectors import find_replaceable, recordings_for
from campus.recordings.services import (
    cancel_recording,
    change_picture,
    create_recording,
    dismiss_recording,
    restart_recording,
    retry_recording,
)


class RecordingViewSet(mixins.ListModelMixin, mixins.RetrieveModelMixin, Endpoint[Recording]):
    serializer_class = serializers.RecordingSerializer
    filterset_class = filters.RecordingFilter
    ordering_fields = ["created_at", "size", "duration"]
    ordering = ["-created_at"]
    parser_classes = [MultiPartParser]

    def get_queryset(self) -> QuerySet[Recording]:
        return (
            recordings_for(self.request.user)
            .select_related("lecture", "report")
            .prefetch_related("clips__footage_file")
        )

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        try:
            return super().dispatch(request, *args, **kwargs)
        finally:
            discard_partial_upload(request)

    @extend_schema(
        request={"multipart/form-data": serializers.RecordingUploadSerializer},
        responses={201: serializers.RecordingSerializer},
    )
    def create(self, request: Request) -> Response:
        """Upload a video of a lecture, or a photo of the classroom. Attendance is taken at once; see `progress`."""
        upload = serializers.RecordingUploadSerializer(data=request.data, context=self.get_serializer_context())
        upload.is_valid(raise_exception=True)
        values = upload.validated_data
        file, lecture = values["file"], values["lecture"]
        check_not_signed_off(request, lecture)
        recording = create_recording(
            lecture=lecture,
            file=file,
            name=file.name,
            user=request_user(request),
            offset=values.get("offset"),
            replaces=find_replaceable(request.user, lecture, str(values.get("replaces") or "")),
        )
        return Response(self.get_serializer(recording).data, status=status.HTTP_201_CREATED)

    def destroy(self, request: Request, pk: str) -> Response:
        """Delete a recording with its file and sightings. The lecture's attendance is counted again without it."""
        remove_recording(recording=self.get_object(), user=request_user(request))
        return Response(status=status.HTTP_204_NO_CONTENT)

    @extend_schema(request=None, responses=serializers.RecordingSerializer)
    @action(detail=True, methods=["post"])
    def accept(self, request: Request, pk: str) -> Response:
        """Count a recording that waits to be checked, as it is."""
        return self._call_service(accept_recording)

    @extend_schema(request=serializers.PlaceSerializer, responses=serializers.RecordingSerializer)
    @action(detail=True, methods=["post"], parser_classes=[JSONParser])
    def place(self, request: Request, pk: str) -> Response:
        """Say when the recording begins. The attendance is counted again at once."""
        return self._call_service(place_recording, serializers.PlaceSerializer)

    @extend_schema(request=serializers.MoveSerializer, responses=serializers.RecordingSerializer)
    @action(detail=True, methods=["post"], parser_classes=[JSONParser])
    def move(self, request: Request, pk: str) -> Response:
        """Say that the recording is of another lecture. Attendance is taken from it again there."""
        return self._call_service(move_recording, serializers.MoveSerializer)

    def _call_service(self, service: Any, serializer_class: type[Serializer[Recording]] | None = None) -> Response:
        """Call a service for the recording, with what the request's body says, if the service wants that."""
        recording = self.get_object()
        check_not_signed_off(self.request, recording.lecture)
        values = {}
        if serializer_class:
            serializer = serializer_class(data=self.request.data, context=self.get_serializer_context())
            serializer.is_valid(raise_exception=True)
            values = serializer.validated_data
        service(recording=recording, user=request_user(self.request), **values)
        return self.respond_with(recording)

    @extend_schema(request=None, responses=serializers.RecordingSerializer)
    @action(detail=True, methods=["post"])
    def cancel(self, request: Request, pk: str) -> Response:
        """Stop processing. The file is kept."""
        return self._call_service(cancel_recording)

    @extend_schema(request=None, responses=serializers.RecordingSerializer)
    @action(detail=True, methods=["post"])
    def dismiss(self, request: Request, pk: str) -> Response:
        """Take a recording that failed, was cancelled or has gaps off the lists of what is to do."""
        return self._call_service(dismiss_recording)

    @extend_schema(request=None, responses=serializers.RecordingSerializer)
    @action(detail=True, methods=["post"])
    def retry(self, request: Request, pk: str) -> Response:
        """Process the failed segments again."""
        return self._call_service(retry_recording)

    @extend_schema(request=None, responses=serializers.RecordingSerializer)
    @action(detail=True, methods=["post"])
    def restart(self, request: Request, pk: str) -> Response:
        """Take attendance again from the whole recording. Statuses set by hand are kept."""
        return self._call_service(restart_recording)

    @extend_schema(request=serializers.PictureSettingsSerializer, responses=serializers.RecordingSerializer)
    @action(detail=True, methods=["post"], url_path="change-picture", parser_classes=[JSONParser, MultiPartParser])
    def change_picture(self, request: Request, pk: str) -> Response:
        """Change which video stream of an uploaded recording is read, or the shape, turning or mirroring of its
        pictures. Attendance is taken again."""
        return self._call_service(change_picture, serializers.PictureSettingsSerializer)

    @extend_schema(responses=serializers.ProgressSerializer)
    @action(detail=True)
    def progress(self, request: Request, pk: str) -> Response:
        """The progress of processing."""
        return Response(serializers.ProgressSerializer(progress_of(self.get_object())).data)
