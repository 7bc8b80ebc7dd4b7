"""Footage sources, cameras, footage files and collections."""

from typing import TypeVar

from django.db import transaction
from django.db.models import QuerySet
from django.http import Http404
from drf_spectacular.utils import extend_schema
from rest_framework import mixins, status
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from campus.api import filters
from campus.api.base import Endpoint
from campus.api.permissions import CanSeeEverything, IsRegistrarOrReadOnly, request_user
from campus.api.serializers import cctv as serializers
from campus.attendance.camera_pictures import recount_outdated_recordings
from campus.cctv.models import Camera, Collection, FootageFile, Source, SourceTest
from campus.cctv.selectors import cameras_for, collections_for, footage_files_for, preview_test_files, sources_for
from campus.cctv.services import (
    assign_footage_file,
    delete_camera,
    delete_source,
    discard_footage_file,
    request_source_test,
    restart_collection,
    restore_footage_file,
    save_camera,
    save_source,
)

Managed = TypeVar("Managed", Source, Camera, FootageFile)


class CctvViewSet(mixins.ListModelMixin, mixins.RetrieveModelMixin, Endpoint[Managed]):
    """Registrars edit these, and auditors read them."""

    permission_classes = [CanSeeEverything, IsRegistrarOrReadOnly]
    ordering_fields = ["id"]
    ordering = ["id"]


class SourceViewSet(CctvViewSet[Source]):
    serializer_class = serializers.SourceSerializer
    filterset_fields = ["name", "kind", "enabled"]

    def get_queryset(self) -> QuerySet[Source]:
        return sources_for(self.request.user)

    @extend_schema(responses={201: serializers.SourceSerializer})
    def create(self, request: Request) -> Response:
        """Create a source. Create its cameras under `/cameras/`."""
        serializer = self.get_serializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        return self.respond_with(save_source(source=Source(), **serializer.validated_data), status.HTTP_201_CREATED)

    @transaction.atomic
    def partial_update(self, request: Request, pk: str) -> Response:
        source = self.get_object_for_update()
        serializer = self.get_serializer(source, data=request.data, partial=True)
        serializer.is_valid(raise_exception=True)
        return self.respond_with(save_source(source=source, **serializer.validated_data))

    @transaction.atomic
    def destroy(self, request: Request, pk: str) -> Response:
        """Delete a source, unless its footage counted for a lecture."""
        delete_source(source=self.get_object_for_update())
        return Response(status=status.HTTP_204_NO_CONTENT)

    @extend_schema(request=None, responses={202: serializers.SourceTestSerializer})
    @action(detail=True, methods=["post"])
    def test(self, request: Request, pk: str) -> Response:
        """Have a worker list the files of the source without fetching any. GET returns what it found."""
        return _test_response(request_source_test(source=self.get_object()), status.HTTP_202_ACCEPTED)

    @extend_schema(responses=serializers.SourceTestSerializer)
    @test.mapping.get
    def test_result(self, request: Request, pk: str) -> Response:
        """What the last test found: how each path is parsed, and which lectures it belongs to."""
        test = SourceTest.objects.filter(source=self.get_object()).select_related("source").first()
        if test is None:
            raise Http404
        return _test_response(test, status.HTTP_200_OK)


def _test_response(test: SourceTest, code: int) -> Response:
    return Response(
        serializers.SourceTestSerializer({"test": test, "files": preview_test_files(test)}).data, status=code
    )


class CameraViewSet(CctvViewSet[Camera]):
    serializer_class = serializers.CameraSerializer
    filterset_fields = ["source", "room"]

    def get_queryset(self) -> QuerySet[Camera]:
        return cameras_for(self.request.user)

    @extend_schema(responses={201: serializers.CameraSerializer})
    def create(self, request: Request) -> Response:
        """Create a camera of a source, in the room that it shows."""
        serializer = self.get_serializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        return self.respond_with(save_camera(camera=Camera(), **serializer.validated_data), status.HTTP_201_CREATED)

    @transaction.atomic
    def partial_update(self, request: Request, pk: str) -> Response:
        camera = self.get_object_for_update()
        serializer = self.get_serializer(camera, data=request.data, partial=True)
        serializer.is_valid(raise_exception=True)
        return self.respond_with(save_camera(camera=camera, **serializer.validated_data))

    @transaction.atomic
    def destroy(self, request: Request, pk: str) -> Response:
        """Delete a camera, unless its footage counted for a lecture."""
        delete_camera(camera=self.get_object_for_update())
        return Response(status=status.HTTP_204_NO_CONTENT)

    @extend_schema(request=None, responses={202: serializers.RecountedSerializer})
    @action(detail=True, methods=["post"])
    def recount(self, request: Request, pk: str) -> Response:
        """Take attendance again from the camera's recordings that were counted with other picture settings. Lectures
        that were signed off stay as they are."""
        count = recount_outdated_recordings(camera=self.get_object(), user=request_user(request))
        return Response(serializers.RecountedSerializer({"recordings": count}).data, status=status.HTTP_202_ACCEPTED)


class FootageFileViewSet(CctvViewSet[FootageFile]):
    serializer_class = serializers.FootageFileSerializer
    filterset_class = filters.FootageFileFilter
    ordering_fields = ["discovered_at", "path"]
    ordering = ["-discovered_at"]

    def get_queryset(self) -> QuerySet[FootageFile]:
        return footage_files_for(self.request.user).prefetch_related("clips__recording")

    @extend_schema(request=serializers.AssignSerializer, responses=serializers.FootageFileSerializer)
    @action(detail=True, methods=["post"])
    def assign(self, request: Request, pk: str) -> Response:
        """Assign the file to a lecture, whatever its path says. It is fetched and counts for that lecture."""
        footage_file = self.get_object()
        serializer = serializers.AssignSerializer(data=request.data, context=self.get_serializer_context())
        serializer.is_valid(raise_exception=True)
        assign_footage_file(footage_file=footage_file, user=request_user(request), **serializer.validated_data)
        return self.respond_with(footage_file)

    @extend_schema(request=None, responses=serializers.FootageFileSerializer)
    @action(detail=True, methods=["post"])
    def discard(self, request: Request, pk: str) -> Response:
        """Discard the file: what was fetched of it is deleted, and it counts for no lecture."""
        footage_file = self.get_object()
        discard_footage_file(footage_file=footage_file, user=request_user(request))
        return self.respond_with(footage_file)

    @extend_schema(request=None, responses=serializers.FootageFileSerializer)
    @action(detail=True, methods=["post"], url_path="restore")
    def restore(self, request: Request, pk: str) -> Response:
        """Undo `discard`, as if the file had just been discovered."""
        footage_file = self.get_object()
        restore_footage_file(footage_file=footage_file, user=request_user(request))
        return self.respond_with(footage_file)


class CollectionViewSet(mixins.ListModelMixin, mixins.RetrieveModelMixin, Endpoint[Collection]):
    serializer_class = serializers.CollectionSerializer
    permission_classes = [IsRegistrarOrReadOnly]
    filterset_class = filters.CollectionFilter
    ordering_fields = ["next_check_at", "deadline_at"]
    ordering = ["-deadline_at"]

    def get_queryset(self) -> QuerySet[Collection]:
        return collections_for(self.request.user).select_related("lecture")

    @extend_schema(request=None, responses=serializers.CollectionSerializer)
    @action(detail=True, methods=["post"])
    def restart(self, request: Request, pk: str) -> Response:
        """Look for the lecture's footage again, now and for at least another hour."""
        collection = self.get_object()
        restart_collection(collection=collection, user=request_user(request))
        return self.respond_with(collection)
