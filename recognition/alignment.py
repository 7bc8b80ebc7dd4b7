"""From a detected face to a chip: an aligned crop of fixed size, as the embedders were trained on."""

import cv2
import numpy as np
from numpy.typing import NDArray

from recognition.types import Face


def similarity(source: NDArray[np.float32], target: NDArray[np.float32]) -> NDArray[np.float64]:
    """The 2 x 3 matrix of the rotation, uniform scale and shift that takes points `source` (n, 2) nearest to `target` (n, 2).

    Least squares without mirroring (Umeyama, "Least-squares estimation of transformation parameters between two point
    patterns", 1991), solved in closed form for two dimensions.
    """
    a, b = source.astype(np.float64), target.astype(np.float64)
    mean_a, mean_b = a.mean(axis=0), b.mean(axis=0)
    a, b = a - mean_a, b - mean_b
    energy = max(float((a**2).sum()), 1e-12)
    cos = float((a * b).sum()) / energy
    sin = float((a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0]).sum()) / energy
    turn = np.array([[cos, -sin], [sin, cos]])
    return np.hstack([turn, (mean_b - turn @ mean_a)[:, None]])


def aligned_chip(image: NDArray[np.uint8], face: Face, targets: NDArray[np.float32], size: int) -> NDArray[np.uint8]:
    """The face of `image` (h, w, 3) with its five points moved to `targets` (5, 2), as (size, size, 3); black outside the image.

    A face much larger than the chip is shrunk by area first, so that nothing aliases.
    """
    matrix = similarity(face.points, targets)
    scale = float(np.hypot(matrix[0, 0], matrix[1, 0]))
    shrink = int(1 / scale) if 0 < scale < 0.5 else 1
    if shrink > 1:
        reach = size / scale
        x, y = (int(v) for v in np.maximum(face.points.mean(axis=0) - reach, 0))
        part = image[y : int(y + 2 * reach) + 1, x : int(x + 2 * reach) + 1]
        part = part[: part.shape[0] // shrink * shrink, : part.shape[1] // shrink * shrink]
        if part.size:
            image = cv2.resize(part, (part.shape[1] // shrink, part.shape[0] // shrink), interpolation=cv2.INTER_AREA)
            points = (face.points - np.array([x, y], np.float32) + 0.5) / shrink - 0.5
            matrix = similarity(np.asarray(points, np.float32), targets)
    return cv2.warpAffine(image, matrix, (size, size), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT)


def margin_crop(image: NDArray[np.uint8], face: Face, size: int, margin: float = 0.2) -> NDArray[np.uint8]:
    """The face's box widened by `margin` of its side in all and clipped to the image, stretched to (size, size, 3).

    The crop of the FaceNet tools (davidsandberg/facenet, `align_dataset_mtcnn.py`: 32 of 160 pixels), with the margin in
    proportion to the face instead of in source pixels, as facenet-pytorch does.
    """
    height, width = image.shape[:2]
    grow = margin * (face.box[2:] - face.box[:2]) / (1 - margin) / 2
    x1, y1 = (int(v) for v in np.maximum(face.box[:2] - grow, 0))
    x2, y2 = (int(v) for v in np.minimum(face.box[2:] + grow, (width, height)))
    if x2 <= x1 or y2 <= y1:
        return np.zeros((size, size, 3), np.uint8)
    return cv2.resize(image[y1:y2, x1:x2], (size, size), interpolation=cv2.INTER_AREA)
