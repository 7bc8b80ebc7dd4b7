"""Uploads that go on where they stopped: tus 1.0 with its extensions creation, checksum, termination and expiration.

Where the header Rollcall-Parts of a new upload names an address, its bytes may go straight to the storage instead, see
`UploadPartsView`.

`Upload-Metadata` takes `lecture` (its id), `filename`, and `sha256` (hexadecimal, of the whole file), by which a
duplicate is refused before its first byte, an unfinished upload is found again, and the file is checked before
attendance is taken. An answer after the last byte, and the refusal of a duplicate, name the recording in the header
Rollcall-Recording.
"""

import binascii
import logging
import re
from base64 import b64decode
from collections.abc import Callable
from http import HTTPMethod
from typing import Any, TypeVar
from uuid import UUID

from django.http import HttpRequest, HttpResponseBase
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils.http import http_date
from django.utils.translation import gettext as _
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework import serializers
from rest_framework.exceptions import APIException, UnsupportedMediaType, ValidationError
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from campus.academics.selectors import lectures_for
from campus.api.permissions import check_not_signed_off, request_user
from campus.common.errors import disk_full
from campus.recordings.direct_uploads import DirectUpload, MissingPart, continue_direct_upload, may_send_parts
from campus.recordings.models import Recording, Upload
from campus.recordings.selectors import find_replaceable, uploads_for
from campus.recordings.services import DuplicateRecording
from campus.recordings.uploads import (
    DamagedUpload,
    UploadConflict,
    append_to_upload,
    create_upload,
    delete_upload,
    direct_store,
    finish_upload,
)

log = logging.getLogger(__name__)

VERSION = "1.0.0"
WHOLE_NUMBER = "[0-9]{1,18}"  # as the database can hold
CHECKSUMS = {"sha256": 32, "sha1": 20}  # bytes; tus asks for SHA-1, for damage on the way and not for forgery
PATCH_TYPE = "application/offset+octet-stream"
STATUS = {DuplicateRecording: 409, UploadConflict: 409, DamagedUpload: 460}


T = TypeVar("T")


class TusError(APIException):
    def __init__(self, status: int, sentence: str) -> None:
        super().__init__(sentence)
        self.status_code = status


class UploadSerializer(serializers.ModelSerializer[Upload]):
    url = serializers.SerializerMethodField(help_text="the address for HEAD, PATCH and DELETE")
    parts = serializers.SerializerMethodField(
        help_text="the address that says where in the storage the bytes go; null if they can only be sent by PATCH"
    )

    class Meta:
        model = Upload
        fields = [
            "id",
            "url",
            "parts",
            "lecture",
            "original_name",
            "size",
            "offset",
            "sha256",
            "created_at",
            "expires_at",
            "replaces",
            "recording",
        ]

    def get_url(self, upload: Upload) -> str:
        return address(upload)

    def get_parts(self, upload: Upload) -> str | None:
        return parts_address(upload)


class UploadQuerySerializer(serializers.Serializer[Any]):
    lecture = serializers.IntegerField(required=False, min_value=1, max_value=2**63 - 1)
    sha256 = serializers.RegexField(r"^[0-9a-f]{64}$", required=False)
    replaces = serializers.UUIDField(required=False)


def address(upload: Upload) -> str:
    return reverse("api-upload", args=[upload.pk])


def parts_address(upload: Upload) -> str | None:
    return reverse("api-upload-parts", args=[upload.pk]) if may_send_parts(upload) else None


def header(name: str, about: str, *, required: bool = True) -> OpenApiParameter:
    return OpenApiParameter(name, OpenApiTypes.STR, OpenApiParameter.HEADER, required=required, description=about)


TUS = header("Tus-Resumable", "1.0.0")


def refused(*statuses: int) -> dict[int, OpenApiResponse]:
    return dict.fromkeys(statuses, OpenApiResponse(description="a problem"))


class TusView(APIView):
    """What all responses of the protocol share."""

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        wanted = request.headers.get("X-HTTP-Method-Override", "").upper()
        if request.method == HTTPMethod.POST and wanted in (HTTPMethod.PATCH, HTTPMethod.DELETE):
            request.method = wanted  # for clients behind a proxy that allows only GET and POST
        return super().dispatch(request, *args, **kwargs)

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        if (
            request.method not in (HTTPMethod.GET, HTTPMethod.OPTIONS)
            and request.headers.get("Tus-Resumable") != VERSION
        ):
            raise TusError(412, _("This server speaks tus 1.0.0: send the header Tus-Resumable: 1.0.0."))

    def handle_exception(self, exc: Exception) -> Response:
        status = next((status for kind, status in STATUS.items() if isinstance(exc, kind)), None)
        shown = TusError(status, str(exc)) if status else exc
        if isinstance(exc, OSError) and not disk_full(exc):
            log.error("%s %s: the storage cannot be used", self.request.method, self.request.path, exc_info=exc)
            shown = TusError(503, _("The storage cannot be used at the moment. Try again in a minute."))
        response = super().handle_exception(shown)
        if isinstance(exc, DuplicateRecording):
            response["Rollcall-Recording"] = str(exc.recording.pk)
        return response

    def finalize_response(self, request: Request, response: Response, *args: Any, **kwargs: Any) -> Response:
        response = super().finalize_response(request, response, *args, **kwargs)
        response["Tus-Resumable"] = VERSION
        response["Cache-Control"] = "no-store"
        if response.status_code == 412:
            response["Tus-Version"] = VERSION
        if response.status_code == 460:
            response.reason_phrase = "Checksum Mismatch"
        return response

    @extend_schema(exclude=True)
    def options(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Response:
        headers = {"Tus-Version": VERSION, "Tus-Extension": "creation,checksum,termination,expiration"}
        return Response(status=204, headers=headers | {"Tus-Checksum-Algorithm": ",".join(CHECKSUMS)})


class UploadsView(TusView):
    @extend_schema(
        operation_id="uploads_list",
        parameters=[UploadQuerySerializer],
        responses={200: UploadSerializer(many=True), **refused(400)},
    )
    def get(self, request: Request) -> Response:
        """Your unfinished uploads, so that they can be resumed. A file is identified by its SHA-256."""
        serializer = UploadQuerySerializer(data=request.query_params)
        serializer.is_valid(raise_exception=True)
        uploads = uploads_for(request.user).filter(recording=None, **serializer.validated_data)
        if direct_store() is None:
            uploads = uploads.filter(parts_id="")
        uploads = uploads.order_by("-created_at", "pk")
        return Response(UploadSerializer(uploads, many=True).data)

    @extend_schema(
        operation_id="uploads_create",
        parameters=[
            TUS,
            header("Upload-Length", "bytes of the whole file"),
            header(
                "Upload-Metadata",
                "lecture, filename, and if known sha256, offset (the second of the lecture at which the recording "
                "begins) and replaces (the recording that is removed once this one counts), each with its value in "
                "base64",
            ),
        ],
        request=None,
        responses={
            201: OpenApiResponse(description="announced; PATCH its bytes to Location"),
            **refused(400, 409, 412, 413, 507),
        },
    )
    def post(self, request: Request) -> Response:
        """Start an upload. It is refused at once if the file is too large, a duplicate, or does not fit on the disk."""
        size = number(request, "Upload-Length")
        metadata = parse_metadata(request.headers.get("Upload-Metadata", ""))
        sha256 = metadata.get("sha256", "").lower()
        if sha256 and not re.fullmatch("[0-9a-f]{64}", sha256):
            raise ValidationError({"Upload-Metadata": [_("sha256 has 64 hexadecimal digits.")]})
        if not re.fullmatch(WHOLE_NUMBER, metadata.get("lecture", "")):
            raise ValidationError({"Upload-Metadata": [_("Say which lecture it is of: lecture is its number.")]})
        lecture = lectures_for(request.user).filter(pk=int(metadata["lecture"])).first()
        if lecture is None:
            raise ValidationError({"Upload-Metadata": [_("There is no such lecture.")]})
        offset = metadata.get("offset", "")
        if offset and not re.fullmatch(r"-?\d{1,6}(\.\d{1,6})?", offset, re.ASCII):
            raise ValidationError({"Upload-Metadata": [_("offset is a number of seconds.")]})
        check_not_signed_off(request, lecture)
        upload = create_upload(
            lecture=lecture,
            user=request_user(request),
            name=metadata.get("filename", ""),
            size=size,
            sha256=sha256,
            offset=float(offset) if offset else None,
            replaces=find_replaceable(request.user, lecture, metadata.get("replaces", "")),
        )
        headers = {"Location": address(upload), "Upload-Offset": "0", "Upload-Expires": expires(upload)}
        if parts := parts_address(upload):
            headers["Rollcall-Parts"] = parts
        return Response(status=201, headers=headers)


class UploadView(TusView):
    def upload(self, pk: UUID) -> Upload:
        return get_object_or_404(uploads_for(self.request.user).select_related("lecture", "user"), pk=pk)

    @extend_schema(operation_id="uploads_retrieve", responses=UploadSerializer)
    def get(self, request: Request, pk: UUID) -> Response:
        """How many bytes have arrived, and the recording made of them. HEAD returns the same in tus headers."""
        return Response(UploadSerializer(self.upload(pk)).data)

    @extend_schema(exclude=True)
    def head(self, request: Request, pk: UUID) -> Response:
        upload = self.upload(pk)
        headers = {
            "Upload-Offset": str(upload.offset),
            "Upload-Length": str(upload.size),
            "Upload-Expires": expires(upload),
        }
        return Response(headers=headers | self.finished(upload))

    @extend_schema(
        operation_id="uploads_append",
        parameters=[
            TUS,
            header("Upload-Offset", "the position of these bytes in the file"),
            header(
                "Upload-Checksum", "sha256 or sha1, a space, and the digest of these bytes in base64", required=False
            ),
        ],
        request={PATCH_TYPE: OpenApiTypes.BINARY},
        responses={
            204: OpenApiResponse(description="Upload-Offset says how many bytes have arrived"),
            **refused(400, 409, 411, 412, 413, 415, 460, 507),
        },
    )
    def patch(self, request: Request, pk: UUID) -> Response:
        """Append bytes. After the last ones, a worker verifies the file and takes attendance; a damaged file fails the
        recording.
        """
        upload = self.upload(pk)
        check_not_signed_off(request, upload.lecture)
        if request.content_type.split(";")[0].strip() != PATCH_TYPE:
            raise UnsupportedMediaType(
                request.content_type, _("The bytes have to be sent as %(type)s.") % {"type": PATCH_TYPE}
            )
        if not request.META.get("CONTENT_LENGTH"):
            raise TusError(411, _("Say how many bytes are coming: Content-Length is missing."))
        length, offset = int(request.META["CONTENT_LENGTH"]), number(request, "Upload-Offset")
        body = request._request
        append_to_upload(upload=upload, offset=offset, body=body, length=length, checksum=checksum(request))
        return Response(
            status=204,
            headers={"Upload-Offset": str(upload.offset), "Upload-Expires": expires(upload)} | self.finished(upload),
        )

    @extend_schema(
        operation_id="uploads_destroy", parameters=[TUS], request=None, responses={204: None, **refused(412)}
    )
    def delete(self, request: Request, pk: UUID) -> Response:
        """Cancel an upload and delete its bytes. A recording made of them stays."""
        delete_upload(upload=self.upload(pk))
        return Response(status=204)

    def finished(self, upload: Upload) -> dict[str, str]:
        """Names the recording once all bytes have arrived; makes it now if a stopped server did not."""
        if upload.offset < upload.size:
            return {}
        recording: Recording = upload.recording or finish_upload(upload=upload)
        return {"Rollcall-Recording": str(recording.pk)}


class MissingPartSerializer(serializers.Serializer[MissingPart]):
    start = serializers.IntegerField(help_text="the position of its first byte in the file")
    size = serializers.IntegerField(help_text="in bytes")
    url = serializers.CharField(help_text="takes these bytes in a PUT, for an hour")


class DirectUploadSerializer(serializers.Serializer[DirectUpload]):
    offset = serializers.IntegerField(help_text="bytes that have arrived")
    missing = MissingPartSerializer(many=True, help_text="the next ones of them")
    recording = serializers.UUIDField(
        source="recording.pk", read_only=True, allow_null=True, help_text="made of the parts once none is missing"
    )


class UploadPartsView(UploadView):
    http_method_names = ["post", "options"]

    @extend_schema(
        operation_id="uploads_parts",
        parameters=[TUS],
        request=None,
        responses={200: DirectUploadSerializer, **refused(409, 412, 460, 503)},
    )
    def post(self, request: Request, pk: UUID) -> Response:
        """Send bytes straight to the storage: the answer says which parts are missing, and where to PUT each.

        Ask again until there is a recording. A new upload names this address in the header Rollcall-Parts, if its bytes
        may be sent so. They come either so or by PATCH.
        """
        upload = self.upload(pk)
        check_not_signed_off(request, upload.lecture)
        return Response(DirectUploadSerializer(continue_direct_upload(upload=upload)).data)


def expires(upload: Upload) -> str:
    return http_date(upload.expires_at.timestamp())


def number(request: Request, name: str) -> int:
    value = request.headers.get(name, "")
    if not re.fullmatch(WHOLE_NUMBER, value):
        raise ValidationError({name: [_("A whole number is needed here.")]})
    return int(value)


def parse_metadata(text: str) -> dict[str, str]:
    """Parse `key base64,key base64`, the form of tus."""
    metadata = {}
    for pair in filter(None, (part.strip() for part in text.split(","))):
        key, _space, value = pair.partition(" ")
        metadata[key] = decode_base64(value, "Upload-Metadata", lambda content: content.decode())
    return metadata


def checksum(request: Request) -> tuple[str, bytes] | None:
    if not (value := request.headers.get("Upload-Checksum")):
        return None
    name, _space, digest = value.partition(" ")
    if name not in CHECKSUMS or len(content := decode_base64(digest, "Upload-Checksum", bytes)) != CHECKSUMS[name]:
        raise ValidationError({"Upload-Checksum": [_("Use one of: %(names)s.") % {"names": ", ".join(CHECKSUMS)}]})
    return name, content


def decode_base64(value: str, name: str, read: Callable[[bytes], T]) -> T:
    try:
        return read(b64decode(value.strip(), validate=True))
    except (binascii.Error, ValueError):
        raise ValidationError({name: [_("This is no base64.")]}) from None
