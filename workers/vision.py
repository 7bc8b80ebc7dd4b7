"""The models: loaded once in each worker child, at first need, never before it was forked."""

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from django.conf import settings

from campus.academics.models import Embedder

if TYPE_CHECKING:
    from recognition.pipeline import Models, Settings


@cache
def models(embedder: str) -> "Models":
    from recognition.pipeline import Models

    named = Path(settings.FACENET_WEIGHTS) if settings.FACENET_WEIGHTS and embedder == Embedder.FACENET else None
    return Models.load(embedder, named)


def pipeline_settings() -> "Settings":
    from recognition.pipeline import Settings

    return Settings(every=settings.SAMPLE_EVERY, min_face=settings.MIN_FACE)
