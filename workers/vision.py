"""The recognition library as the workers use it.

Each child process loads the models once, when it first needs them: not before the fork.
"""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from django.conf import settings

from campus.common.storage import media
from recognition.cli.environment import inference_threads

if TYPE_CHECKING:
    from recognition.detection.detector import Detector
    from recognition.embedding import Embedder
    from recognition.identification.gallery import Gallery
    from recognition.inference import Runtime
    from recognition.types import Attendance, IdentityOverride, SegmentResult, VideoInfo


@cache
def embedder(id: str) -> "Embedder":
    from recognition.embedding import load_embedder
    from recognition.embedding.weights.installed import WeightsFolder

    return load_embedder(id, WeightsFolder(settings.WEIGHTS_DIR).file_of(id), _runtime())


@cache
def detector() -> "Detector":
    from recognition.detection.detector import Detector, DetectorSettings

    return Detector(DetectorSettings(min_face=settings.MIN_FACE_PIXELS), _runtime())


def probe(path: Path, stream: int | None) -> "VideoInfo":
    """What the recording is by that one of its video streams (1 is the first), or by the one with faces in it if that
    is None or there is no such stream. The detector is loaded only to choose between several."""
    from recognition.media.video import probe

    info = probe(path)
    if stream and stream <= len(info.streams):
        index = info.streams[stream - 1]
        return info if index == info.stream else probe(path, stream=index)
    if not info.other_streams:
        return info
    from recognition.pipeline import choose_stream

    return choose_stream(path, info, detector())


@contextmanager
def open_recording(name: str, info: "VideoInfo") -> Iterator[Path]:
    """The path of a stored recording, for who reads a part of it: what is elsewhere comes here as it is read."""
    from recognition.media.decoder_requests import DECODER

    with ExitStack() as stack:
        if info.is_photo:  # it is read as a whole
            yield stack.enter_context(media().local_copy(name))
            return
        path, fill = stack.enter_context(media().local_parts(name))
        if fill:
            stack.enter_context(DECODER.filling(path, fill))
        yield path


def _runtime() -> "Runtime":
    from recognition.inference import Runtime

    return Runtime(
        threads=inference_threads(), precision=settings.INFERENCE_PRECISION, cache=settings.NETWORK_CACHE_DIR
    )


def vote(
    results: "Sequence[SegmentResult]",
    gallery: "Gallery",
    roster: Sequence[str],
    info: "VideoInfo",
    *,
    strictness: str,
    overrides: "Sequence[IdentityOverride]" = (),
) -> "Attendance":
    from recognition.identification.vote import VotePolicy, vote

    return vote(results, gallery, roster, info, VotePolicy(strictness=strictness), overrides)
