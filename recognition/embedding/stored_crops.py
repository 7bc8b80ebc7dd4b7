"""Face crops that are kept as evidence, cut so that any embedder can look at them later.

Tracks and their embeddings are deleted after each vote, and classes change their embedder; the pictures stay. Each is
aligned, with as much around the face as the embedders' own crops have, so its five points are always in the same place.
"""

import io
from collections.abc import Sequence

import numpy as np
from PIL import Image

from recognition.detection.alignment import CROP_PX, align_face
from recognition.embedding import dlib_facenet, facenet
from recognition.embedding.averaging import embed_crops
from recognition.embedding.base import RGB, Embedder
from recognition.types import Face
from recognition.vectors import Floats

STORED_PX = dlib_facenet.CROP_SIZE
_LEFT, _RIGHT = dlib_facenet.FACENET_COLUMNS.start, dlib_facenet.FACENET_COLUMNS.stop
_CENTRE = np.array([(_LEFT + _RIGHT) / 2, STORED_PX / 2], np.float32)
_HALF = np.array([(_RIGHT - _LEFT) / 2, STORED_PX / 2], np.float32) / facenet.BOX_SCALE
# The face in every stored crop. Its box is the one from which FaceNet cuts what it sees of a crop of both networks.
STORED_FACE = Face(box=np.concatenate([_CENTRE - _HALF, _CENTRE + _HALF]), score=1.0, points=dlib_facenet.TARGETS)


def cut_stored_crop(image: RGB, face: Face) -> RGB:
    """The crop (STORED_PX, STORED_PX, 3) uint8 to store of a face in `image` (height, width, 3) uint8 RGB."""
    return align_face(image, face, dlib_facenet.TARGETS, STORED_PX)


def aligned_part(stored: RGB) -> RGB:
    """The aligned face crop (CROP_PX, CROP_PX, 3) within a stored one, whose memory it shares."""
    top, left = dlib_facenet.DLIB_TOP, dlib_facenet.DLIB_LEFT
    return stored[top : top + CROP_PX, left : left + CROP_PX]


def embed_stored_crops(jpegs: Sequence[bytes], embedder: Embedder) -> Floats:
    """Unit vectors (n, d) float32 of n stored crops, as JPEG files.

    Raises OSError for a file that is no JPEG.
    """
    crops = []
    for jpeg in jpegs:
        with Image.open(io.BytesIO(jpeg), formats=("JPEG",)) as picture:
            image = np.asarray(picture.convert("RGB"))
        crops.append(embedder.crop(image, STORED_FACE, aligned_part(image)))
    return embed_crops(crops, embedder)
