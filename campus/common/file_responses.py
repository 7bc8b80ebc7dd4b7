"""Responses with stored files. The caller has already checked that the user may see them."""

import re
from pathlib import Path
from typing import IO

from django.core.exceptions import SuspiciousOperation
from django.core.files.storage import default_storage, storages
from django.http import FileResponse, Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.utils.translation import gettext as _

from campus.common.encryption import UnknownKey

WORKBOOK_TYPE = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
PICTURE_TYPES = {".jpg": "image/jpeg", ".jpeg": "image/jpeg", ".png": "image/png", ".webp": "image/webp"}


def picture_response(name: str, *, download_name: str = "") -> FileResponse:
    """A response with a stored picture: inline if browsers can show it, otherwise as an attachment. Raises Http404."""
    return _file_response(name, download_name, PICTURE_TYPES.get(Path(name).suffix.lower()))


def document_response(name: str, *, download_name: str) -> FileResponse:
    """A response with a stored document, as an attachment: no browser opens it on this site. Raises Http404."""
    return _file_response(name, download_name, None)


def _file_response(name: str, download_name: str, kind: str | None) -> FileResponse:
    """A response with a stored file: inline as that kind, or as an attachment of no kind."""
    try:
        file = default_storage.open(name)
    except UnknownKey as error:
        raise Http404(str(error)) from error
    except (OSError, SuspiciousOperation) as error:
        raise Http404(_("The file is no longer there.")) from error
    response = FileResponse(
        file,
        as_attachment=kind is None,
        filename=download_name or Path(name).name,
        content_type=kind or "application/octet-stream",
    )
    response["Cache-Control"] = "private, max-age=3600"
    return response


def requested_range(request: HttpRequest, size: int) -> tuple[int, int] | None:
    """The first byte that the request asks for and the one after the last, as in RFC 9110, 14.1.2; None if it asks for
    all or for several parts. A range outside the file is empty."""
    found = re.fullmatch(r"bytes=(\d{0,18})-(\d{0,18})", request.headers.get("Range", ""))
    if found is None or found[0] == "bytes=-":
        return None
    if not found[1]:
        return max(size - int(found[2]), 0), size
    return int(found[1]), min(int(found[2]) + 1 if found[2] else size, size)


def video_response(request: HttpRequest, name: str) -> HttpResponseBase:
    """A response with a stored video or picture, or with the part of it that the request asks for. Raises Http404."""
    content_type = {**PICTURE_TYPES, ".mp4": "video/mp4"}.get(Path(name).suffix, "application/octet-stream")
    try:
        file = storages["clear"].open(name)
    except (OSError, SuspiciousOperation) as error:
        raise Http404(_("The video is no longer there.")) from error
    response = range_response(request, file, file.size, content_type)
    response["Cache-Control"] = "private, no-store"
    return response


def range_response(request: HttpRequest, file: IO[bytes], size: int, content_type: str) -> HttpResponseBase:
    """A response with an open file, which it closes, or with the part of it that the request asks for."""
    byte_range = requested_range(request, size)
    if byte_range is None:
        response: HttpResponseBase = FileResponse(file, content_type=content_type)
    elif byte_range[0] >= byte_range[1]:
        file.close()
        response = HttpResponse(status=416, headers={"Content-Range": f"bytes */{size}"})
    else:
        start, end = byte_range
        file.seek(start)
        response = FileResponse(_Part(file, end - start), content_type=content_type, status=206)
        response["Content-Length"] = end - start
        response["Content-Range"] = f"bytes {start}-{end - 1}/{size}"
    response["Accept-Ranges"] = "bytes"
    return response


class _Part:
    """A file that ends after so many bytes."""

    def __init__(self, file: IO[bytes], length: int) -> None:
        self.file, self.left = file, length

    def read(self, size: int = -1) -> bytes:
        content = self.file.read(self.left if size < 0 else min(size, self.left))
        self.left -= len(content)
        return content

    def close(self) -> None:
        self.file.close()
