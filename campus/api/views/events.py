"""The progress of a recording as server-sent events.

A stream holds a thread of the web server. So it lasts some seconds, and only so many are held at once; who comes when
all are taken gets what there is now. A browser's EventSource, and any client of the standard, comes again after
`retry`, with the id of the last event that it has.
"""

import json
import threading
import time
from collections.abc import Iterator
from uuid import UUID

from django.contrib.auth.models import User
from django.http import Http404, HttpResponse, StreamingHttpResponse
from django.utils.translation import get_language
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.views import APIView

from campus.api.permissions import request_user
from campus.common.cache import coalesce
from campus.recordings.models import Recording
from campus.recordings.progress import progress_etag, progress_of
from campus.recordings.selectors import OPEN_STATES, recordings_for

EVENT_STREAM = "text/event-stream"
MAX_STREAM_SECONDS = 20.0
POLL_SECONDS = 1.0
RETRY_MS = 2000
LAST_EVENT_ID = OpenApiParameter(
    "Last-Event-ID",
    OpenApiTypes.STR,
    OpenApiParameter.HEADER,
    description="the id of the last event that the client has",
)
STREAMS = threading.BoundedSemaphore(2)  # of this process: most of its threads stay free for pages


class EventsView(APIView):
    renderer_classes = [JSONRenderer]  # of the refusals

    @extend_schema(
        operation_id="recordings_events",
        parameters=[LAST_EVENT_ID],
        responses={
            (200, EVENT_STREAM): OpenApiResponse(
                OpenApiTypes.OBJECT, "events of the type `progress`, with the response of /progress/ as data"
            ),
            204: OpenApiResponse(description="processing is over, and the client has the last event"),
        },
    )
    def get(self, request: Request, pk: UUID) -> HttpResponse | StreamingHttpResponse:
        """Follow the progress of a recording. Reconnect when the stream ends, until the response is 204."""
        known = request.headers.get("Last-Event-ID", "")
        event = read_progress(request_user(request), pk)
        if event is None:
            raise Http404
        state, tag, _data = event
        if state not in OPEN_STATES and tag == known:
            return HttpResponse(status=204)
        headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
        return StreamingHttpResponse(
            stream(request_user(request), pk, known), content_type=EVENT_STREAM, headers=headers
        )


def read_progress(user: User, pk: UUID) -> tuple[str, str, str] | None:
    """State, id and data of the event that says how far the recording is now; None where the user may not see it any
    more.
    """
    recordings = recordings_for(user).filter(pk=pk)

    def compute() -> tuple[str, str, str]:
        progress = progress_of(recordings.select_related("lecture__course").get())
        return progress["state"], progress_etag(progress), json.dumps(progress)

    try:
        run, state = recordings.values_list("run", "state").get()
        return coalesce(f"events-{pk}-{run}-{state}-{get_language()}", compute)
    except Recording.DoesNotExist:
        return None


def stream(user: User, pk: UUID, known: str) -> Iterator[str]:
    yield f"retry: {RETRY_MS}\n\n"
    held = STREAMS.acquire(blocking=False)
    try:
        ends = time.monotonic() + (MAX_STREAM_SECONDS if held else 0)
        while (event := read_progress(user, pk)) is not None:
            state, tag, data = event
            if tag != known:
                yield f"event: progress\nid: {tag}\ndata: {data}\n\n"
                known = tag
            else:
                yield ": keep-alive\n\n"  # writing notices a client that went away
            if state not in OPEN_STATES or time.monotonic() + POLL_SECONDS > ends:
                return
            time.sleep(POLL_SECONDS)
    finally:
        if held:
            STREAMS.release()
