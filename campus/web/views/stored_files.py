"""The files of this machine for workers on machines that share no disk with it (`campus/common/http_storage.py` asks).

No person has a way in here: each request brings a token that a worker signs. Nothing is said of why one is refused.
"""

import json
import os
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

from django.core import signing
from django.core.exceptions import PermissionDenied, SuspiciousOperation
from django.http import HttpRequest, HttpResponse, HttpResponseBase, StreamingHttpResponse
from django.utils.decorators import method_decorator
from django.views import View
from django.views.decorators.csrf import csrf_exempt

from campus.common.errors import disk_full
from campus.common.file_responses import range_response
from campus.common.http_storage import MODIFIED_HEADER, VERSION_HEADER
from campus.common.jobs import Attempt
from campus.common.storage import LocalStorage, media, reports
from campus.common.storage_tokens import read_storage_token
from campus.common.upload_limits import DiskFull, UploadTooLarge, check_upload_size
from campus.recordings.uploads import read_chunks

STORES: Final = {"media": media, "reports": reports}


class BrokenOff(Exception):
    """Fewer bytes have come than were announced."""


@method_decorator(csrf_exempt, name="dispatch")
class WorkerView(View):
    """Answers to requests with a token of maintenance, or of an attempt that holds its lease now."""

    store: LocalStorage
    attempt: Attempt | None

    def dispatch(self, request: HttpRequest, *args: Any, folder: str, **kwargs: Any) -> HttpResponseBase:
        if (request.method or "").lower() not in self.http_method_names:
            return self.http_method_not_allowed(request)
        try:
            self.attempt = self._find_attempt(request)
            store = STORES[folder]()
            if not isinstance(store, LocalStorage):  # this machine's files are in a store of their own
                return HttpResponse(status=404)
            self.store = store
            response = super().dispatch(request, *args, **kwargs)
        except (signing.BadSignature, PermissionDenied):
            return HttpResponse(status=403)
        except (KeyError, FileNotFoundError, IsADirectoryError, NotADirectoryError, SuspiciousOperation):
            return HttpResponse(status=404)
        except BrokenOff:
            return HttpResponse(status=400)
        except UploadTooLarge:
            return HttpResponse(status=413)
        except (DiskFull, OSError) as error:
            if isinstance(error, OSError) and not disk_full(error):
                raise
            return HttpResponse(status=507)
        response["Cache-Control"] = "no-store"
        return response

    def _find_attempt(self, request: HttpRequest) -> Attempt | None:
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        attempt = read_storage_token(token)
        if scheme != "Bearer" or (attempt and not attempt.is_held()):
            raise PermissionDenied
        return attempt


class StoredFiles(WorkerView):
    """All files of a folder and of those in it, a line each."""

    http_method_names = ["get", "head"]

    def get(self, request: HttpRequest) -> HttpResponseBase:
        folder = request.GET.get("folder", "")
        self.store.path(folder)  # raises, where it leads outside
        lines = (json.dumps(asdict(file)) + "\n" for file in self.store.walk(folder))
        return StreamingHttpResponse(lines, content_type="application/x-ndjson")


class StoredFile(WorkerView):
    """A file: read or written as a whole or in ranges, deleted, or with other first bytes."""

    http_method_names = ["get", "head", "put", "patch", "delete"]

    def get(self, request: HttpRequest, name: str) -> HttpResponseBase:
        file, facts = self.store.open_for_caller(name)
        version = f'"{facts.version}"'
        if request.headers.get("If-Match", version) != version:
            file.close()
            return HttpResponse(status=412)
        response: Any
        if request.method == "HEAD":
            file.close()
            response = HttpResponse(headers={"Content-Length": str(facts.size)})
        else:
            response = range_response(request, file, facts.size, "application/octet-stream")
        response[VERSION_HEADER], response[MODIFIED_HEADER] = version, str(facts.mtime_ns)
        return response

    def put(self, request: HttpRequest, name: str) -> HttpResponse:
        size = int(request.META.get("CONTENT_LENGTH") or 0)
        check_upload_size(size, Path(self.store.location))
        with self.store.writing(name) as path:
            with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as target:  # noqa: PTH123
                written = sum(target.write(chunk) for chunk in read_chunks(request, size))
            if written != size:
                raise BrokenOff
            if self.attempt and not self.attempt.is_held():  # any more
                raise PermissionDenied
        return HttpResponse(status=204)

    def patch(self, request: HttpRequest, name: str) -> HttpResponse:
        """The body is the first bytes as they should be now, and as many in their place."""
        half = len(request.body) // 2
        is_replaced = self.store.replace_head(name, request.body[:half], request.body[half:])
        return HttpResponse(status=204 if is_replaced else 412)

    def delete(self, request: HttpRequest, name: str) -> HttpResponse:
        self.store.delete(name)
        return HttpResponse(status=204)
