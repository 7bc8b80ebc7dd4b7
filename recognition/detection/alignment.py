"""Pictures of detected faces, of fixed size: aligned ones, and such as FaceNet was trained on."""

from zlib import crc32

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from recognition.types import Face

CROP_PX = 150
# Where in the face crop the five points go, in the order of `Face.points`: those of dlib's mean face, padding 0.25.
CROP_POINTS = np.array([(47.55, 46.60), (100.48, 46.60), (74.01, 76.56), (50.41, 103.02), (97.61, 103.02)], np.float32)
DISTANT_SHRINK_FACTOR = 5  # of a face crop, to the size of a face at the other end of a room
DISTANT_NOISE_STD = 12.0  # of the sensor's noise there, in grey levels (0..255)
# Rotation in degrees, scale, and shift to the right and down in sides of the crop.
JITTER_VIEWS = ((4, 1.05, 0.02, 0.013), (-4, 0.95, -0.02, -0.013), (3, 0.94, 0.013, -0.02), (-3, 1.06, -0.013, 0.02))


def estimate_similarity(source: NDArray[np.float32], target: NDArray[np.float32]) -> NDArray[np.float64]:
    """The similarity transform (2, 3) that takes the points `source` (n, 2) nearest to the points `target` (n, 2).

    It consists of rotation, uniform scale and shift, in pixels. Least squares without mirroring (Umeyama,
    "Least-squares estimation of transformation parameters between two point patterns", 1991), solved in closed form for
    two dimensions.
    """
    # A point as a complex number is turned and scaled by one multiplication.
    a, b = (np.ascontiguousarray(points, np.float64).view(np.complex128)[:, 0] for points in (source, target))
    mean_a, mean_b = a.sum() / len(a), b.sum() / len(b)
    a, b = a - mean_a, b - mean_b
    turn = np.vdot(a, b) / max(np.vdot(a, a).real, 1e-12)
    shift = mean_b - turn * mean_a
    return np.array([[turn.real, -turn.imag, shift.real], [turn.imag, turn.real, shift.imag]])


def align_face(
    image: NDArray[np.uint8], face: Face, targets: NDArray[np.float32] = CROP_POINTS, size: int = CROP_PX
) -> NDArray[np.uint8]:
    """The face crop (size, size, 3) uint8 of a face in `image` (height, width, 3) uint8 RGB.

    The face's five points are moved to `targets` (5, 2); outside the image the crop is black. A face much larger than
    the crop is shrunk by area first, so that nothing aliases.
    """
    matrix = estimate_similarity(face.points, targets)
    scale = float(np.hypot(matrix[0, 0], matrix[1, 0]))
    shrink = int(1 / scale) if 0 < scale < 0.5 else 1
    if shrink > 1:
        # A square around the face, twice as wide as the crop, whose sides are divisible by the factor.
        half_side = size / scale
        x, y = (int(corner) for corner in np.maximum(face.points.mean(axis=0) - half_side, 0))
        square = image[y : int(y + 2 * half_side) + 1, x : int(x + 2 * half_side) + 1]
        height, width = square.shape[0] // shrink, square.shape[1] // shrink
        square = square[: height * shrink, : width * shrink]
        if square.size:
            image = cv2.resize(square, (width, height), interpolation=cv2.INTER_AREA)
            points = (face.points - np.array([x, y], np.float32) + 0.5) / shrink - 0.5
            matrix = estimate_similarity(np.asarray(points, np.float32), targets)
    return cv2.warpAffine(image, matrix, (size, size), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT)


def jitter_crop(crop: NDArray[np.uint8]) -> list[NDArray[np.uint8]]:
    """The face crop (s, s, 3) uint8, and four variants of it, as if its points had been found a little elsewhere.

    Of a face that was observed only once, the mean embedding of these says more than that of the crop alone (as dlib's
    `num_jitters`).
    """
    side = crop.shape[0]
    views = [crop]
    for angle, scale, right, down in JITTER_VIEWS:
        matrix = cv2.getRotationMatrix2D((side / 2, side / 2), angle, scale)
        matrix[:, 2] += (right * side, down * side)
        view = cv2.warpAffine(crop, matrix, (side, side), borderMode=cv2.BORDER_REPLICATE)
        views.append(np.asarray(view, np.uint8))
    return views


def simulate_distance(crop: NDArray[np.uint8]) -> list[NDArray[np.uint8]]:
    """The face crop (s, s, 3) uint8 as a camera at the other end of a room would see it, twice.

    The face is then about as small as the smallest one that is searched for. The two differ in the sensor's noise,
    which depends on the crop alone: the same crop gives the same result.
    """
    rng = np.random.default_rng(crc32(crop.tobytes()))
    side = crop.shape[0] // DISTANT_SHRINK_FACTOR
    small = cv2.resize(crop, (side, side), interpolation=cv2.INTER_AREA)
    distant = []
    for _ in range(2):
        noise = rng.normal(0, DISTANT_NOISE_STD, (side, side, 1))
        noisy = np.asarray(np.clip(small + noise, 0, 255), np.uint8)
        distant.append(np.asarray(cv2.resize(noisy, crop.shape[:2], interpolation=cv2.INTER_LINEAR), np.uint8))
    return distant


def crop_box(image: NDArray[np.uint8], face: Face, size: int, scale: float) -> NDArray[np.uint8]:
    """The face's box, scaled about its centre, of `image` (height, width, 3), stretched to (size, size, 3).

    Where the box leaves the image it is cut off. As `crop_with_margin`, whose margin is the same in pixels for faces of
    any size, this is neither rotated nor square.
    """
    centre, half = (face.box[:2] + face.box[2:]) / 2, (face.box[2:] - face.box[:2]) / 2 * scale
    height, width = image.shape[:2]
    # A pixel at least, whatever the box.
    x1, y1 = np.clip(np.round(centre - half), 0, (width - 1, height - 1)).astype(int)
    x2, y2 = np.clip(np.round(centre + half), (x1 + 1, y1 + 1), (width, height)).astype(int)
    return _stretch(image[y1:y2, x1:x2], size)


def crop_with_margin(
    image: NDArray[np.uint8], face: Face, size: int, margin: int
) -> tuple[NDArray[np.uint8], list[int]] | None:
    """The face's box with `margin` / 2 pixels of `image` (height, width, 3) on each side, stretched to (size, size, 3).

    The second value are the corners x1, y1, x2, y2 of what was cropped, in whole pixels of the image. None if nothing
    of the box lies in the image. This is the crop of the FaceNet tools (davidsandberg/facenet,
    `align_dataset_mtcnn.py`), on which their models were trained: it is neither rotated nor square.
    """
    height, width = image.shape[:2]
    corners = [*np.maximum(face.box[:2] - margin / 2, 0), *np.minimum(face.box[2:] + margin / 2, (width, height))]
    x1, y1, x2, y2 = (int(corner) for corner in corners)
    if x2 <= x1 or y2 <= y1:
        return None
    return _stretch(image[y1:y2, x1:x2], size), [x1, y1, x2, y2]


def _stretch(region: NDArray[np.uint8], size: int) -> NDArray[np.uint8]:
    return np.array(Image.fromarray(region).resize((size, size), Image.Resampling.BILINEAR))
