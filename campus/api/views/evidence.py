"""Sightings, snapshots and unknown people, and what people override in them."""

from django.db import transaction
from django.db.models import QuerySet
from django.http import FileResponse, Http404, HttpResponseBase
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import mixins, status
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from campus.api import filters
from campus.api.base import Endpoint, Row
from campus.api.permissions import request_user
from campus.api.serializers import attendance as serializers
from campus.api.serializers.academics import ReasonSerializer
from campus.attendance.annotated_videos import annotated_videos_for, open_annotated_video, request_annotated_video
from campus.attendance.face_overrides import (
    clear_face_override,
    delete_unknown_person,
    mark_as_visitor,
    name_unknown_person,
    reject_match,
)
from campus.attendance.models import AnnotatedVideo, Sighting, Snapshot, UnknownPerson
from campus.attendance.recurring_people import identify_in_lectures, other_appearances
from campus.attendance.selectors import sightings_for, snapshots_for, unknown_people_for
from campus.attendance.snapshots import request_snapshot
from campus.common.file_responses import picture_response


class FaceViewSet(mixins.ListModelMixin, mixins.RetrieveModelMixin, Endpoint[Row]):
    """The faces of a recording, with their pictures."""

    ordering_fields = ["id"]
    ordering = ["id"]

    @extend_schema(
        responses={(200, "image/*"): OpenApiTypes.BINARY},
        parameters=[
            OpenApiParameter(
                "n", int, OpenApiParameter.PATH, description="the number of the picture, from 0, best first"
            )
        ],
    )
    @action(detail=True, url_path=r"pictures/(?P<n>\d{1,4})")
    def picture(self, request: Request, pk: str, n: str) -> FileResponse:
        """A face crop."""
        crops = self.get_object().crops  # type: ignore[attr-defined]
        if int(n) >= len(crops):
            raise Http404
        return picture_response(crops[int(n)]["file"])

    def reason(self) -> str:
        serializer = ReasonSerializer(data=self.request.data)
        serializer.is_valid(raise_exception=True)
        return str(serializer.validated_data["reason"])


class SnapshotViewSet(mixins.RetrieveModelMixin, mixins.CreateModelMixin, Endpoint[Snapshot]):
    """Whole frames of recordings, extracted by a worker on request."""

    serializer_class = serializers.SnapshotSerializer

    def get_queryset(self) -> QuerySet[Snapshot]:
        return snapshots_for(self.request.user)

    @extend_schema(responses={202: serializers.SnapshotSerializer})
    def create(self, request: Request) -> Response:
        """Request the frame at a time of a recording. Its picture can be downloaded once the state is `ready`."""
        serializer = self.get_serializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        snapshot = request_snapshot(**serializer.validated_data, user=request_user(request))
        return self.respond_with(snapshot, status.HTTP_202_ACCEPTED)

    @extend_schema(responses={(200, "image/*"): OpenApiTypes.BINARY, 202: None})
    @action(detail=True)
    def picture(self, request: Request, pk: str) -> FileResponse | Response:
        """The frame itself; 202 while it is being extracted."""
        snapshot = self.get_object()
        if snapshot.state == Snapshot.State.FAILED:
            raise Http404
        if snapshot.state == Snapshot.State.QUEUED:
            return Response(status=status.HTTP_202_ACCEPTED, headers={"Cache-Control": "no-store", "Retry-After": "1"})
        return picture_response(snapshot.file)


class AnnotatedVideoViewSet(mixins.RetrieveModelMixin, mixins.CreateModelMixin, Endpoint[AnnotatedVideo]):
    """Recordings with a box and a name at each face, drawn by a worker on request; everybody sees the own ones only."""

    serializer_class = serializers.AnnotatedVideoSerializer

    def get_queryset(self) -> QuerySet[AnnotatedVideo]:
        return annotated_videos_for(self.request.user).select_related("recording__lecture")

    @extend_schema(responses={202: serializers.AnnotatedVideoSerializer})
    def create(self, request: Request) -> Response:
        """Ask for a recording, or ten seconds of it. The file can be downloaded once the state is `ready`."""
        serializer = self.get_serializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        video = request_annotated_video(user=request_user(request), **serializer.validated_data)
        return self.respond_with(video, status.HTTP_202_ACCEPTED)

    @extend_schema(
        responses={(200, "video/mp4"): OpenApiTypes.BINARY, (206, "video/mp4"): OpenApiTypes.BINARY, 202: None}
    )
    @action(detail=True)
    def file(self, request: Request, pk: str) -> HttpResponseBase | Response:
        """The video, which is MP4, or the part of it in `Range`; a photo is JPEG. 202 while it is being drawn. That it
        was opened is logged."""
        video = self.get_object()
        if video.state == AnnotatedVideo.State.FAILED:
            raise Http404
        if video.state == AnnotatedVideo.State.QUEUED:
            return Response(status=status.HTTP_202_ACCEPTED, headers={"Cache-Control": "no-store", "Retry-After": "1"})
        return open_annotated_video(video, request._request)


class SightingViewSet(FaceViewSet[Sighting]):
    serializer_class = serializers.SightingSerializer
    filterset_class = filters.SightingFilter

    def get_queryset(self) -> QuerySet[Sighting]:
        return sightings_for(self.request.user).select_related("student")

    @extend_schema(request=ReasonSerializer, responses={201: serializers.UnknownPersonSerializer})
    @action(detail=True, methods=["post"])
    def reject(self, request: Request, pk: str) -> Response:
        """Say that it is not this student. Answers with the new unknown person; attendance is taken again."""
        person = reject_match(sighting=self.get_object(), user=request_user(request), reason=self.reason())
        return Response(serializers.UnknownPersonSerializer(person).data, status=status.HTTP_201_CREATED)


class UnknownPersonViewSet(FaceViewSet[UnknownPerson]):
    serializer_class = serializers.UnknownPersonSerializer
    filterset_class = filters.UnknownPersonFilter

    def get_queryset(self) -> QuerySet[UnknownPerson]:
        return unknown_people_for(self.request.user).select_related("override", "recording")

    @extend_schema(request=serializers.IdentifySerializer, responses=serializers.UnknownPersonSerializer)
    @action(detail=True, methods=["post"])
    def identify(self, request: Request, pk: str) -> Response:
        """Identify the person as a student. This is kept when attendance is taken again."""
        person, user = self.get_object(), request_user(request)
        serializer = serializers.IdentifySerializer(data=request.data, context=self.get_serializer_context())
        serializer.is_valid(raise_exception=True)
        facts = dict(serializer.validated_data)
        others = other_appearances(user, person) if facts.pop("everywhere") else []
        name_unknown_person(person=person, user=user, **facts)
        identify_in_lectures(people=others, user=user, **facts)
        return self.respond_with(person)

    @extend_schema(request=ReasonSerializer, responses=serializers.UnknownPersonSerializer)
    @action(detail=True, methods=["post"])
    def visitor(self, request: Request, pk: str) -> Response:
        """Mark the person as a visitor, who is on no roster."""
        person = self.get_object()
        mark_as_visitor(person=person, user=request_user(request), reason=self.reason())
        return self.respond_with(person)

    @extend_schema(request=ReasonSerializer, responses=serializers.UnknownPersonSerializer)
    @action(detail=True, methods=["post"])
    def undo(self, request: Request, pk: str) -> Response:
        """Undo `identify` or `visitor`."""
        person = self.get_object()
        clear_face_override(person=person, user=request_user(request), reason=self.reason())
        return self.respond_with(person)

    @transaction.atomic
    def destroy(self, request: Request, pk: str) -> Response:
        """Delete an unknown person with the pictures. The person stays deleted when attendance is taken again."""
        delete_unknown_person(person=self.get_object_for_update(), user=request_user(request))
        return Response(status=status.HTTP_204_NO_CONTENT)
