"""The embedders by their ids."""

from pathlib import Path

from recognition.embedders import dlib_resnet, facenet
from recognition.embedders.base import Embedder
from recognition.errors import RecognitionError

__all__ = ["EMBEDDERS", "Embedder", "load_embedder"]

EMBEDDERS = {dlib_resnet.ID: dlib_resnet.load, facenet.ID: facenet.load}


def load_embedder(id: str, weights: Path | None = None) -> Embedder:
    """Load an embedder; `weights` is its file where it doesn't come with a package. Raises WeightsMissing."""
    if id not in EMBEDDERS:
        raise RecognitionError(f"There is no embedder {id!r}. Choose one of {', '.join(EMBEDDERS)}.")
    return EMBEDDERS[id](weights)
