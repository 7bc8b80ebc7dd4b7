"""The models: loaded once in each worker child, at first need, never before it was forked."""

from functools import cache
from typing import TYPE_CHECKING

from django.conf import settings

if TYPE_CHECKING:
    from recognition.detection.detector import Detector
    from recognition.embedding import Embedder


@cache
def embedder(id: str) -> "Embedder":
    from recognition.embedding import load_embedder
    from recognition.embedding.weights import store

    return load_embedder(id, store.path(id, settings.WEIGHTS_DIR))


@cache
def detector() -> "Detector":
    from recognition.detection.detector import Detector, DetectorSettings

    return Detector(DetectorSettings(min_face=settings.MIN_FACE))
