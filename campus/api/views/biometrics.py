"""Enrolment photos, and galleries: what is known of the faces of a class."""

from typing import Any

from django.db import transaction
from django.db.models import QuerySet
from django.http import FileResponse, Http404
from django.shortcuts import get_object_or_404
from drf_spectacular.types import OpenApiTypes
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
from campus.api.permissions import IsRegistrar, IsRegistrarOrReadOnly, request_user
from campus.api.serializers import biometrics as serializers
from campus.attendance.confirmed_faces import decide_face
from campus.attendance.student_merge import merge_students, separate_students, undo_separation
from campus.biometrics.models import FacePhoto, Gallery, LectureFace, LookAlike, PhotoImport
from campus.biometrics.photo_import import ImportResult
from campus.biometrics.photo_waiting import discard_folder, file_folder, set_name_encoding, waiting_folders
from campus.biometrics.photo_zip import create_photo_import
from campus.biometrics.selectors import (
    galleries_for,
    lecture_faces_for,
    look_alikes_for,
    photo_imports_for,
    photos_for,
)
from campus.biometrics.services import (
    activate_gallery,
    add_photo,
    confirm_photo,
    delete_photo,
    move_photo,
    request_training,
    withdraw_photo_confirmation,
)
from campus.common.errors import UserError
from campus.common.file_responses import picture_response

PICTURE = {(200, "image/*"): OpenApiTypes.BINARY}


class PhotoViewSet(mixins.ListModelMixin, mixins.RetrieveModelMixin, Endpoint[FacePhoto]):
    serializer_class = serializers.PhotoSerializer
    permission_classes = [IsRegistrarOrReadOnly]
    parser_classes = [MultiPartParser, JSONParser]
    filterset_class = filters.PhotoFilter
    ordering_fields = ["created_at"]
    ordering = ["-created_at"]

    def get_queryset(self) -> QuerySet[FacePhoto]:
        return photos_for(self.request.user)

    @extend_schema(
        request={"multipart/form-data": serializers.PhotoUploadSerializer}, responses={201: serializers.PhotoSerializer}
    )
    def create(self, request: Request) -> Response:
        """Upload an enrolment photo of a student. It is being checked while its state is `pending`."""
        upload = serializers.PhotoUploadSerializer(data=request.data, context=self.get_serializer_context())
        upload.is_valid(raise_exception=True)
        file = upload.validated_data["file"]
        photo = add_photo(student=upload.validated_data["student"], file=file, name=file.name)
        return self.respond_with(photo, status.HTTP_201_CREATED)

    @extend_schema(request={"application/json": serializers.PhotoMoveSerializer}, responses=serializers.PhotoSerializer)
    @transaction.atomic
    def partial_update(self, request: Request, pk: str) -> Response:
        """Move the photo to another student, if that is whom it shows."""
        photo = self.get_object_for_update()
        serializer = serializers.PhotoMoveSerializer(data=request.data, context=self.get_serializer_context())
        serializer.is_valid(raise_exception=True)
        move_photo(photo=photo, student=serializer.validated_data["student"])
        return self.respond_with(photo)

    @transaction.atomic
    def destroy(self, request: Request, pk: str) -> Response:
        """Delete a photo, with its file and face crop."""
        delete_photo(photo=self.get_object_for_update())
        return Response(status=status.HTTP_204_NO_CONTENT)

    @extend_schema(request=None, responses=serializers.PhotoSerializer)
    @action(detail=True, methods=["post"], permission_classes=[IsRegistrar])
    def confirm(self, request: Request, pk: str) -> Response:
        """Say that the photo shows its student. It then counts although it looks more like another one."""
        photo = self.get_object()
        confirm_photo(photo=photo, user=request_user(request))
        return self.respond_with(photo)

    @extend_schema(request=None, responses=serializers.PhotoSerializer)
    @action(detail=True, methods=["post"], permission_classes=[IsRegistrar])
    def reopen(self, request: Request, pk: str) -> Response:
        """Take back that the photo shows its student."""
        photo = self.get_object()
        withdraw_photo_confirmation(photo=photo, user=request_user(request))
        return self.respond_with(photo)

    @extend_schema(responses=PICTURE)
    @action(detail=True)
    def picture(self, request: Request, pk: str) -> FileResponse:
        """The photo itself."""
        photo = self.get_object()
        return picture_response(str(photo.file.name), download_name=photo.original_name)

    @extend_schema(responses=PICTURE)
    @action(detail=True)
    def face(self, request: Request, pk: str) -> FileResponse:
        """The face crop of the photo."""
        photo = self.get_object()
        if not photo.crop:
            raise Http404
        return picture_response(str(photo.crop.name))


class LectureFaceViewSet(mixins.ListModelMixin, mixins.RetrieveModelMixin, Endpoint[LectureFace]):
    """Faces from lectures that a person has confirmed. Classes learn from those whose state is `learnt`."""

    serializer_class = serializers.LectureFaceSerializer
    filterset_class = filters.LectureFaceFilter
    ordering_fields = ["created_at"]
    ordering = ["-created_at"]

    def get_queryset(self) -> QuerySet[LectureFace]:
        return lecture_faces_for(self.request.user).select_related("lecture")

    @extend_schema(responses=PICTURE)
    @action(detail=True)
    def picture(self, request: Request, pk: str) -> FileResponse:
        """The face crop."""
        return picture_response(self.get_object().crop)

    @extend_schema(request=None)
    @action(detail=True, methods=["post"])
    def learn(self, request: Request, pk: str) -> Response:
        """Learn from this face, whatever it looks like."""
        face = self.get_object()
        decide_face(face=face, is_learnt=True, user=request_user(request))
        return self.respond_with(face)

    @extend_schema(request=None)
    @action(detail=True, methods=["post"])
    def refuse(self, request: Request, pk: str) -> Response:
        """Do not learn from this face."""
        face = self.get_object()
        decide_face(face=face, is_learnt=False, user=request_user(request))
        return self.respond_with(face)


class PhotoImportViewSet(mixins.ListModelMixin, mixins.RetrieveModelMixin, Endpoint[PhotoImport]):
    """Your imports of enrolment photos, kept for a week."""

    serializer_class = serializers.PhotoImportSerializer
    permission_classes = [IsRegistrarOrReadOnly]
    parser_classes = [MultiPartParser]
    ordering_fields = ["created_at"]
    ordering = ["-created_at"]

    def get_queryset(self) -> QuerySet[PhotoImport]:
        return photo_imports_for(self.request.user)

    @extend_schema(
        request={"multipart/form-data": serializers.PhotoZipSerializer},
        responses={202: serializers.PhotoImportSerializer},
    )
    def create(self, request: Request) -> Response:
        """Upload a zip of photos. A worker imports them while the state is `queued`."""
        upload = serializers.PhotoZipSerializer(data=request.data, context=self.get_serializer_context())
        upload.is_valid(raise_exception=True)
        file = upload.validated_data["file"]
        row = create_photo_import(
            file=file, name=file.name, course=upload.validated_data["course"], user=request_user(request)
        )
        return self.respond_with(row, status.HTTP_202_ACCEPTED)

    @extend_schema(responses=serializers.WaitingFolderSerializer(many=True))
    @action(detail=True, pagination_class=None)
    def waiting(self, request: Request, pk: str) -> Response:
        """The folders whose student is not sure. Their photos wait, as long as the import is kept."""
        folders = waiting_folders(self.get_object())
        return Response(serializers.WaitingFolderSerializer(folders, many=True).data)

    @extend_schema(responses=PICTURE)
    @action(detail=True, url_path="waiting/(?P<photo>[0-9a-f-]{36})/picture")
    def waiting_picture(self, request: Request, pk: str, photo: str) -> FileResponse:
        """A photo that waits."""
        waiting = get_object_or_404(self.get_object().waiting, pk=photo)
        return picture_response(str(waiting.file.name), download_name=waiting.original_name)

    @extend_schema(request=serializers.FileFolderSerializer, responses=serializers.FiledPhotosSerializer)
    @action(detail=True, methods=["post"], permission_classes=[IsRegistrar], parser_classes=[JSONParser])
    def file(self, request: Request, pk: str) -> Response:
        """Add the waiting photos of a folder to a student."""
        row, chosen = self.get_object(), self._chosen(serializers.FileFolderSerializer)
        result = file_folder(row=row, folder=chosen["folder"], student=chosen["student"])
        return Response(_filed(result))

    @extend_schema(request=serializers.FolderSerializer, responses={204: None})
    @action(detail=True, methods=["post"], permission_classes=[IsRegistrar], parser_classes=[JSONParser])
    def discard(self, request: Request, pk: str) -> Response:
        """Delete the waiting photos of a folder."""
        row, chosen = self.get_object(), self._chosen(serializers.FolderSerializer)
        discard_folder(row=row, folder=chosen["folder"])
        return Response(status=status.HTTP_204_NO_CONTENT)

    @extend_schema(request=serializers.NameEncodingSerializer, responses=serializers.FiledPhotosSerializer)
    @action(detail=True, methods=["post"], permission_classes=[IsRegistrar], parser_classes=[JSONParser])
    def encoding(self, request: Request, pk: str) -> Response:
        """Read the names of the waiting photos in another coding. Those whose student is sure then are added."""
        row, chosen = self.get_object(), self._chosen(serializers.NameEncodingSerializer)
        return Response(_filed(set_name_encoding(row=row, encoding=chosen["name_encoding"])))

    def _chosen(self, serializer_class: type[Serializer[Any]]) -> dict[str, Any]:
        serializer = serializer_class(data=self.request.data, context=self.get_serializer_context())
        serializer.is_valid(raise_exception=True)
        return dict(serializer.validated_data)


def _filed(result: ImportResult) -> dict[str, Any]:
    skipped = [[row.path, str(row.reason)] for row in result.skipped]
    return dict(serializers.FiledPhotosSerializer({"added": len(result.added), "skipped": skipped}).data)


class LookAlikeViewSet(mixins.ListModelMixin, mixins.RetrieveModelMixin, Endpoint[LookAlike]):
    """Pairs of students whose photos look like one person's. `decided_at` is null until somebody decides."""

    serializer_class = serializers.LookAlikeSerializer
    filterset_class = filters.LookAlikeFilter
    ordering_fields = ["similarity", "found_at"]
    ordering = ["-similarity"]

    def get_queryset(self) -> QuerySet[LookAlike]:
        return look_alikes_for(self.request.user)

    @extend_schema(request=serializers.KeptStudentSerializer, responses={204: None})
    @action(detail=True, methods=["post"], permission_classes=[IsRegistrar])
    @transaction.atomic
    def merge(self, request: Request, pk: str) -> Response:
        """They are one person: what is known of the other student moves to this one, and the other one is deleted."""
        pair = self.get_object_for_update()
        serializer = serializers.KeptStudentSerializer(data=request.data, context=self.get_serializer_context())
        serializer.is_valid(raise_exception=True)
        kept = serializer.validated_data["student"]
        if kept not in (pair.first, pair.second):
            raise UserError("Choose one of the two students.")
        duplicate = pair.second if kept == pair.first else pair.first
        merge_students(duplicate=duplicate, student=kept, user=request_user(request))
        return Response(status=status.HTTP_204_NO_CONTENT)

    @extend_schema(request=None, responses={204: None})
    @action(detail=True, methods=["post"], permission_classes=[IsRegistrar])
    def separate(self, request: Request, pk: str) -> Response:
        """They are two people, as twins are. They are not asked about again."""
        separate_students(pair=self.get_object(), user=request_user(request))
        return Response(status=status.HTTP_204_NO_CONTENT)

    @extend_schema(request=None, responses={204: None})
    @action(detail=True, methods=["post"], permission_classes=[IsRegistrar])
    def reopen(self, request: Request, pk: str) -> Response:
        """Take back that they are two people: they are asked about again."""
        undo_separation(pair=self.get_object(), user=request_user(request))
        return Response(status=status.HTTP_204_NO_CONTENT)


class GalleryViewSet(mixins.ListModelMixin, mixins.RetrieveModelMixin, Endpoint[Gallery]):
    serializer_class = serializers.GallerySerializer
    filterset_class = filters.GalleryFilter
    ordering_fields = ["created_at"]
    ordering = ["-created_at"]

    def get_queryset(self) -> QuerySet[Gallery]:
        return galleries_for(self.request.user)

    @extend_schema(request=serializers.TrainSerializer, responses={202: serializers.GallerySerializer})
    @action(detail=False, methods=["post"], permission_classes=[IsRegistrar])
    def train(self, request: Request) -> Response:
        """Train the gallery of a class from its students' photos."""
        serializer = serializers.TrainSerializer(data=request.data, context=self.get_serializer_context())
        serializer.is_valid(raise_exception=True)
        gallery = request_training(course=serializer.validated_data["course"])
        return Response(self.get_serializer(gallery).data, status=status.HTTP_202_ACCEPTED)

    @extend_schema(responses=serializers.TrainingReportSerializer)
    @action(detail=True)
    def report(self, request: Request, pk: str) -> Response:
        """The training report: expected error rates, and students and photos that need attention."""
        return Response(serializers.TrainingReportSerializer(self.get_object().report).data)

    @extend_schema(request=None, responses=serializers.GallerySerializer)
    @action(detail=True, methods=["post"], permission_classes=[IsRegistrar])
    def activate(self, request: Request, pk: str) -> Response:
        """Go back to this earlier gallery. Attendance is taken with it from now on."""
        gallery = self.get_object()
        activate_gallery(gallery=gallery, user=request_user(request))
        return self.respond_with(gallery)
