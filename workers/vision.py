"""The models: loaded once in each worker child, at first need, never before it was forked."""

from functools import cache
from typing import TYPE_CHECKING

from django.conf import settings

if TYPE_CHECKING:
    from recognition.pipeline import Models, Settings


@cache
def models(embedder: str) -> "Models":
    from recognition.embedding.weights import store
    from recognition.pipeline import Models

    return Models.load(embedder, store.path(embedder, settings.WEIGHTS_DIR))


def pipeline_settings() -> "Settings":
    from recognition.pipeline import Settings

    return Settings(every=settings.SAMPLE_EVERY, min_face=settings.MIN_FACE)
