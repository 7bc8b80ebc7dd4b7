"""The models: loaded once in each worker child, at first need, never before it was forked."""

from functools import cache
from typing import TYPE_CHECKING

from django.conf import settings

from recognition.cli.environment import inference_threads

if TYPE_CHECKING:
    from recognition.detection.detector import Detector
    from recognition.embedding import Embedder
    from recognition.inference import Runtime


@cache
def embedder(id: str) -> "Embedder":
    from recognition.embedding import load_embedder
    from recognition.embedding.weights.installed import WeightsFolder

    return load_embedder(id, WeightsFolder(settings.WEIGHTS_DIR).file_of(id), _runtime())


@cache
def detector() -> "Detector":
    from recognition.detection.detector import Detector, DetectorSettings

    return Detector(DetectorSettings(min_face=settings.MIN_FACE), _runtime())


def _runtime() -> "Runtime":
    from recognition.inference import Runtime

    return Runtime(threads=inference_threads(), precision=settings.INFERENCE_PRECISION)
