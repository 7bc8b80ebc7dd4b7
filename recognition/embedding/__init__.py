"""The embedders by their ids."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

from recognition.embedding import dlib_resnet, facenet
from recognition.embedding.base import Embedder
from recognition.embedding.weights import facenet_files
from recognition.errors import RecognitionError

__all__ = ["EMBEDDERS", "Embedder", "load_embedder"]

EMBEDDERS: dict[str, Callable[[Path | None], Embedder]] = {dlib_resnet.ID: dlib_resnet.load}
EMBEDDERS |= {id: partial(facenet.load, id) for id in facenet_files.MODELS}


def load_embedder(id: str = dlib_resnet.ID, weights: Path | None = None) -> Embedder:
    """Load an embedder; `weights` is its file where it's neither in a package nor among the weights kept. Raises WeightsMissing."""
    if id not in EMBEDDERS:
        raise RecognitionError(f"There is no embedder {id!r}. Choose one of {', '.join(EMBEDDERS)}.")
    return EMBEDDERS[id](weights)
