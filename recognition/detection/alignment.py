"""From a detected face to a face crop: an aligned crop of fixed size, as the embedders were trained on."""

from zlib import crc32

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from recognition.types import Face

DISTANCE = 5  # times smaller
NOISE = 12.0  # standard deviation in grey levels
# Degrees, factor, shares of the side to the right and down.
VIEWS = ((4, 1.05, 0.02, 0.013), (-4, 0.95, -0.02, -0.013), (3, 0.94, 0.013, -0.02), (-3, 1.06, -0.013, 0.02))


def estimate_similarity(source: NDArray[np.float32], target: NDArray[np.float32]) -> NDArray[np.float64]:
    """The 2 x 3 matrix of the rotation, uniform scale and shift that takes points `source` (n, 2) nearest to `target`
    (n, 2).

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


def align_face(image: NDArray[np.uint8], face: Face, targets: NDArray[np.float32], size: int) -> NDArray[np.uint8]:
    """The face of `image` (h, w, 3) with its five points moved to `targets` (5, 2), as (size, size, 3); black outside
    the image.

    A face much larger than the face crop is shrunk by area first, so that nothing aliases.
    """
    matrix = estimate_similarity(face.points, targets)
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
            matrix = estimate_similarity(np.asarray(points, np.float32), targets)
    return cv2.warpAffine(image, matrix, (size, size), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT)


def jitter_crop(crop: NDArray[np.uint8]) -> list[NDArray[np.uint8]]:
    """The face crop (s, s, 3) and what it would be had its points been found a little elsewhere: four times turned,
    scaled and moved.

    Their mean says more of a face of which there is one look only (dlib's `num_jitters`).
    """
    side = crop.shape[0]
    result = [crop]
    for angle, scale, right, down in VIEWS:
        matrix = cv2.getRotationMatrix2D((side / 2, side / 2), angle, scale)
        matrix[:, 2] += (right * side, down * side)
        result.append(np.asarray(cv2.warpAffine(crop, matrix, (side, side), borderMode=cv2.BORDER_REPLICATE), np.uint8))
    return result


def simulate_distance(crop: NDArray[np.uint8]) -> list[NDArray[np.uint8]]:
    """The face crop (s, s, 3) as a camera at the other end of a room would see it, twice: about as small as the
    smallest face that is looked for, each time with another noise of the sensor."""
    rng = np.random.default_rng(crc32(crop.tobytes()))  # the same for the same face crop, and another for each
    side = crop.shape[0] // DISTANCE
    small = cv2.resize(crop, (side, side), interpolation=cv2.INTER_AREA)
    noisy = [np.asarray(np.clip(small + rng.normal(0, NOISE, (side, side, 1)), 0, 255), np.uint8) for _ in range(2)]
    return [np.asarray(cv2.resize(seen, crop.shape[:2], interpolation=cv2.INTER_LINEAR), np.uint8) for seen in noisy]


def crop_with_margin(
    image: NDArray[np.uint8], face: Face, size: int, margin: int
) -> tuple[NDArray[np.uint8], list[int]] | None:
    """The face's box with `margin` / 2 pixels of `image` (h, w, 3) on each side, clipped, and stretched to (size, size,
    3).

    With it the corners x1, y1, x2, y2 in whole pixels; None where nothing of the box lies in the image. The crop of the
    FaceNet tools (davidsandberg/facenet, `align_dataset_mtcnn.py`), on which their models were trained: neither turned
    nor square.
    """
    height, width = image.shape[:2]
    corners = [*np.maximum(face.box[:2] - margin / 2, 0), *np.minimum(face.box[2:] + margin / 2, (width, height))]
    x1, y1, x2, y2 = (int(corner) for corner in corners)
    if x2 <= x1 or y2 <= y1:
        return None
    crop = Image.fromarray(image[y1:y2, x1:x2]).resize((size, size), Image.Resampling.BILINEAR)
    return np.array(crop), [x1, y1, x2, y2]
