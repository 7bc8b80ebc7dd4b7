"""The readers of recordings and photos, which run in the sandbox alone."""

from collections.abc import Iterator
from pathlib import Path

import av.subtitles.stream  # noqa: F401 - or PyAV would import it in each child
from PIL import Image

from recognition.media import photo_reader, video_reader
from recognition.media.decoder_requests import AnyRequest, PhotoRequest, PlanRequest, ProbeRequest, SampleRequest
from recognition.types import Frame

REQUESTS = AnyRequest

Image.init()  # imports the readers of all kinds of photos, which each child would have to


def answer(request: AnyRequest) -> Iterator[object]:
    path = Path(request.path)
    match request:
        case ProbeRequest():
            yield video_reader.probe(path, request.limits, request.stream)
        case PlanRequest():
            yield video_reader.plan_segments(path, request.info, request.length)
        case SampleRequest():
            yield from video_reader.sample_frames(path, request.info, request.segment, request.every)
        case PhotoRequest():
            image, image_format, taken_at = photo_reader.read_photo(path, request.max_pixels, request.max_side)
            yield Frame(0.0, image)
            yield image_format, taken_at
