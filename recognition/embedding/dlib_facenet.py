"""dlib's network and FaceNet together: they err differently, so both see what one of them would get wrong.

The vector is dlib's and FaceNet's, one after the other, each with its weight: the cosine of two of them is the weighted
mean of both networks' cosines. FaceNet's share looks small, but its cosines of different people spread six times as
wide as dlib's.

One face crop serves both. It is dlib's, with more around it: FaceNet's box with its margin has on average (over the 135
people of one set of press photographs) the same centre line and width, and is higher. With a crop of its own FaceNet
adds half a per cent to what both identify.
"""

from pathlib import Path

import cv2
import numpy as np

from recognition.detection.alignment import CROP_POINTS, CROP_PX, align_face
from recognition.embedding import dlib_resnet, facenet
from recognition.embedding.base import RGB, Embedder
from recognition.inference import Runtime

ID = "dlib-facenet-v1"
FACENET_ID = "facenet-20180408"
FACENET_WEIGHT = 0.1  # of its cosine, beside dlib's
CROP_SIZE = 200
DLIB_TOP, DLIB_LEFT = 36, 25  # of dlib's face crop within this one
TARGETS = CROP_POINTS + np.array([DLIB_LEFT, DLIB_TOP], np.float32)
FACENET_COLUMNS = slice(25, 172)  # of all rows


def load(weights: Path | None = None, runtime: Runtime | None = None) -> Embedder:
    """The embedder with the weights of both packages, or with FaceNet's from a file. Raises WeightsMissing."""
    dlib, inception = dlib_resnet.load(None, runtime), facenet.load(FACENET_ID, weights, runtime)
    return Embedder(
        id=ID,
        version=f"{dlib.version}-{inception.version}",
        crop_size=CROP_SIZE,
        dimension=dlib.dimension + inception.dimension,
        crop=lambda image, face, aligned: align_face(image, face, TARGETS, CROP_SIZE),
        network=lambda crops: dlib.network(crop_for_dlib(crops)),
        slow_network=lambda crops: inception.network(crop_for_facenet(crops)),
        slow_weight=FACENET_WEIGHT,
        slow_dimension=inception.dimension,
    )


def crop_for_dlib(crops: RGB) -> RGB:
    """dlib's face crops (n, 150, 150, 3) of the common ones (n, 200, 200, 3)."""
    rows, columns = (slice(start, start + CROP_PX) for start in (DLIB_TOP, DLIB_LEFT))
    return np.ascontiguousarray(crops[:, rows, columns])


def crop_for_facenet(crops: RGB) -> RGB:
    """FaceNet's face crops (n, 160, 160, 3) of the common ones (n, 200, 200, 3)."""
    size = (facenet.CROP_SIZE, facenet.CROP_SIZE)
    boxes = [cv2.resize(crop[:, FACENET_COLUMNS], size, interpolation=cv2.INTER_LINEAR) for crop in crops]
    return np.array(boxes, np.uint8).reshape(-1, *size, 3)
