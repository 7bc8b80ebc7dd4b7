"""Finding faces: the MTCNN cascade (Zhang et al., "Joint Face Detection and Alignment Using Multi-task Cascaded
Convolutional Networks", 2016) over several frames at once.

The weights are those that the `mtcnn` package ships. The order of operations, the roundings and the constants are those of
the reference implementation (davidsandberg/facenet, `align/detect_face.py`), but for these: each level of the image pyramid is
made from the level before; crops for the second and third network are sampled from the pyramid level that is just finer than
needed, all in one call, instead of being cut and shrunk one by one; and boxes that lie on each other are told once they were
moved to their face, not before, as `mtcnn` 1.0.0 does, which leaves the third network a quarter of the work.
"""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from recognition.inference import compile_model
from recognition.types import Face

CELL = 12  # a P-Net cell sees 12 x 12 pixels, and cells lie 2 pixels apart
STRIDE = 2

HALVES = [0.5**n for n in range(6)]
# Where a face is looked for that was found a moment before: how far aside (x, y) and how large, in sides of its box.
MOVES = np.array(
    [(0, 0, 1), (-0.25, 0, 1), (0.25, 0, 1), (0, -0.25, 1), (0, 0.25, 1), (0, 0, 0.8), (0, 0, 1.25)], np.float32
)

Floats = NDArray[np.float32]
Image = NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class DetectorSettings:
    """`min_face`: height in pixels of the smallest face looked for. `thresholds`: least score after each network.
    `factor`: how much smaller each pyramid level is than the one before."""

    min_face: int = 24
    thresholds: tuple[float, float, float] = (0.6, 0.7, 0.7)
    factor: float = 0.709


Network = Callable[[NDArray[np.uint8]], list[Floats]]
Convolution = tuple[
    int, int, tuple[int, str] | None
]  # filters, kernel, and size and padding of the pooling that follows


def _network(
    name: str, size: int | None, convolutions: Sequence[Convolution], dense: int, heads: Sequence[int]
) -> Network:
    """uint8 pictures in, the numbers of all heads side by side out.

    One layer does for all heads, and of the two classes' softmax only what decides is left: the logit of the probability of a face.
    """
    import joblib
    import keras
    from keras import layers

    picture = keras.Input((size, size, 3), dtype="uint8")
    x = layers.Rescaling(1 / 128, offset=-127.5 / 128)(picture)
    for filters, kernel, pool in convolutions:
        x = layers.Conv2D(filters, kernel)(x)
        x = layers.PReLU(shared_axes=[1, 2])(x)
        if pool:
            x = layers.MaxPooling2D(pool[0], 2, padding=pool[1])(x)
    if dense:
        x = layers.Flatten()(layers.Permute((2, 1, 3))(x))
        x = layers.PReLU()(layers.Dense(dense)(x))
        answer = layers.Dense(sum(heads))(x)
    else:
        answer = layers.Permute((3, 1, 2))(layers.Conv2D(sum(heads), 1)(x))  # channels first, as OpenVINO has them
    model = keras.Model(picture, answer)
    # joblib unpickles: harmless here, as the file is part of an installed package and as trusted as its code.
    weights = joblib.load(str(files("mtcnn.assets.weights") / f"{name}.lz4"))
    first = len(weights) - 2 * len(heads)
    weights[-2:] = [array[..., 1:] - array[..., :1] for array in weights[-2:]]
    model.set_weights([*weights[:first], *(np.concatenate(weights[first + i :: 2], axis=-1) for i in range(2))])
    return compile_model(model)


@cache
def _networks() -> tuple[Network, Network, Network]:
    """P-Net, R-Net and O-Net: 4 numbers of box regression, O-Net's 10 of landmarks, and the logit of the probability of a face."""
    return (
        _network("pnet", None, [(10, 3, (2, "same")), (16, 3, None), (32, 3, None)], 0, [4, 1]),
        _network("rnet", 24, [(28, 3, (3, "same")), (48, 3, (3, "valid")), (64, 2, None)], 128, [4, 1]),
        _network(
            "onet",
            48,
            [(32, 3, (3, "same")), (64, 3, (3, "valid")), (64, 3, (2, "same")), (128, 2, None)],
            256,
            [4, 10, 1],
        ),
    )


def scales(height: int, width: int, settings: DetectorSettings, min_face: int | None = None) -> list[float]:
    """The pyramid's scales, finest first, such that the least side of every level is at least a P-Net cell."""
    scale = CELL / (min_face or settings.min_face)
    result = []
    while min(height, width) * scale >= CELL:
        result.append(scale)
        scale *= settings.factor
    return result


def _pyramid(image: Image, levels: Iterable[float]) -> list[Image]:
    """The image at each scale, each level shrunk from the one before: by so little that two pixels a side are enough for one."""
    height, width = image.shape[:2]
    result = []
    for scale in levels:
        size = (math.ceil(width * scale), math.ceil(height * scale))
        image = cv2.resize(image, size, interpolation=cv2.INTER_LINEAR)
        result.append(image)
    return result


def _nms(boxes: Floats, scores: Floats, limit: float) -> NDArray[np.intp]:
    """Indices kept by greedy non-maximum suppression by intersection over union, best first. Sides count inclusive pixels."""
    if not len(boxes):
        return np.empty(0, np.intp)
    corners = boxes[:, :4].astype(np.float64)
    corners[:, 2:] += 1 - corners[:, :2]
    return np.asarray(cv2.dnn.NMSBoxes(corners.tolist(), scores.tolist(), 0.0, limit), np.intp).reshape(-1)


def _nms_min(boxes: Floats, scores: Floats, limit: float) -> NDArray[np.intp]:
    """As `_nms`, by intersection over the smaller box: of nested boxes one survives."""
    order = np.argsort(-scores, kind="stable")
    area = np.prod(boxes[:, 2:4] - boxes[:, :2] + 1, axis=1)
    kept = []
    while len(order):
        best, rest = order[0], order[1:]
        kept.append(best)
        sides = np.minimum(boxes[best, 2:4], boxes[rest, 2:4]) - np.maximum(boxes[best, :2], boxes[rest, :2]) + 1
        overlap = np.prod(np.maximum(sides, 0), axis=1) / np.minimum(area[best], area[rest])
        order = rest[overlap <= limit]
    return np.array(kept, np.intp)


def _around(boxes: Floats) -> Floats:
    """Candidate squares for faces that were at `boxes` (n, 4) a moment ago: there, a little aside, smaller and larger."""
    middle, side = (boxes[:, :2] + boxes[:, 2:4]) / 2, (boxes[:, 2:4] - boxes[:, :2]).max(axis=1)
    moved = middle[:, None] + side[:, None, None] * MOVES[None, :, :2]
    half = side[:, None, None] * MOVES[None, :, 2:] / 2
    return np.trunc(np.concatenate([moved - half, moved + half], axis=2)).reshape(-1, 4)


def _square(boxes: Floats) -> Floats:
    """The square of the longer side around each box's centre, truncated to whole pixels."""
    size = boxes[:, 2:4] - boxes[:, :2]
    side = size.max(axis=1, keepdims=True)
    corner = boxes[:, :2] + size / 2 - side / 2
    return np.trunc(np.hstack([corner, corner + side]))


def _regressed(boxes: Floats, regression: Floats, inclusive: int) -> Floats:
    size = boxes[:, 2:4] - boxes[:, :2] + inclusive
    return boxes[:, :4] + regression * np.hstack([size, size])


def _crops(
    pyramids: Sequence[Sequence[Image]],
    rungs: NDArray[np.floating],
    squares: Floats,
    frame: NDArray[np.intp],
    size: int,
) -> Image:
    """Each square (1-based inclusive pixels of its full frame) as `size` x `size` pixels; black outside the frame.

    Sampled bilinearly from the coarsest level that still has at least the pixels needed, which keeps aliasing away.
    """
    result = np.empty((len(squares), size, size, 3), np.uint8)
    side = squares[:, 2] - squares[:, 0] + 1
    rung = np.maximum(np.searchsorted(-rungs, -size / np.maximum(side, 1), side="right") - 1, 0)
    steps = (np.arange(size, dtype=np.float32) + 0.5) / size
    for index, level in np.unique(np.stack([frame, rung], axis=1), axis=0):
        mine = np.flatnonzero((frame == index) & (rung == level))
        source = pyramids[index][level]
        full = pyramids[index][0]
        x = (squares[mine, 0:1] - 1 + side[mine, None] * steps) * (source.shape[1] / full.shape[1]) - 0.5
        y = (squares[mine, 1:2] - 1 + side[mine, None] * steps) * (source.shape[0] / full.shape[0]) - 0.5
        shape = (len(mine), size, size)
        # One row a square: OpenCV's maps have at most 32,767 rows.
        map_x = np.broadcast_to(x[:, None, :], shape).reshape(len(mine), -1).astype(np.float32)
        map_y = np.broadcast_to(y[:, :, None], shape).reshape(len(mine), -1).astype(np.float32)
        result[mine] = cv2.remap(source, map_x, map_y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT).reshape(
            *shape, 3
        )
    return result


def _keep(
    boxes: Floats,
    scores: Floats,
    frame: NDArray[np.intp],
    suppress: Callable[[Floats, Floats, float], NDArray[np.intp]],
) -> NDArray[np.intp]:
    """Rows that survive suppression at 0.7 among the rows of their own frame."""
    parts = []
    for index in np.unique(frame):
        rows = np.flatnonzero(frame == index)
        parts.append(rows[suppress(boxes[rows], scores[rows], 0.7)])
    return np.concatenate(parts) if parts else np.empty(0, np.intp)


class Detector:
    """Finds the faces in frames of one size."""

    def __init__(self, settings: DetectorSettings | None = None) -> None:
        self.settings = settings or DetectorSettings()

    def detect(self, images: Sequence[Image], min_face: int | None = None) -> list[list[Face]]:
        """The faces in each image, best score first.

        `images` are uint8 RGB of one shape (height, width, 3). `min_face`: pixels, where it is another than the settings'.
        """
        height, width = images[0].shape[:2] if len(images) else (0, 0)
        levels = scales(height, width, self.settings, min_face)
        if not levels:
            return [[] for _ in images]
        pyramids = [[image, *_pyramid(image, levels)] for image in images]
        rungs = np.array([1.0, *levels])
        squares, frame = self._propose([pyramid[1:] for pyramid in pyramids], levels)
        scores, moved = self._refine(pyramids, rungs, squares, frame)
        sure = np.flatnonzero(scores > self.settings.thresholds[1])
        sure = sure[_keep(moved[sure], scores[sure], frame[sure], _nms)]
        return self._decide(pyramids, rungs, moved[sure], frame[sure])

    def detect_near(self, images: Sequence[Image], boxes: Sequence[Floats]) -> list[list[Face]]:
        """The faces in each image at or near `boxes`, (n, 4) for each image: where faces were a moment before or after.

        As `detect`, without the search through the whole image that takes most of its time.
        """
        if not len(images):
            return []
        frame = np.repeat(np.arange(len(images)), [len(near) * len(MOVES) for near in boxes])
        pyramids = [[image, *_pyramid(image, HALVES[1:])] for image in images]
        rungs = np.array(HALVES)
        scores, moved = self._refine(pyramids, rungs, _around(np.concatenate(boxes)), frame)
        # Of the candidates around one face the best is enough.
        best = scores.reshape(-1, len(MOVES)).argmax(axis=1) + np.arange(0, len(scores), len(MOVES))
        sure = best[scores[best] > self.settings.thresholds[1]]
        sure = sure[_keep(moved[sure], scores[sure], frame[sure], _nms)]
        return self._decide(pyramids, rungs, moved[sure], frame[sure])

    def _refine(
        self, pyramids: Sequence[Sequence[Image]], rungs: NDArray[np.floating], squares: Floats, frame: NDArray[np.intp]
    ) -> tuple[Floats, Floats]:
        """R-Net: how likely each square (n, 4) is a face (n,), and the squares moved to where the faces are."""
        answer = _networks()[1](_crops(pyramids, rungs, squares, frame, 24))[0]
        return expit(answer[:, 4]), _square(_regressed(squares, answer[:, :4], 1))

    def _decide(
        self, pyramids: Sequence[Sequence[Image]], rungs: NDArray[np.floating], squares: Floats, frame: NDArray[np.intp]
    ) -> list[list[Face]]:
        """O-Net over candidate squares (n, 4) of frames (n,): the faces in each frame, best score first."""
        answer = _networks()[2](_crops(pyramids, rungs, squares, frame, 48))[0]
        scores = expit(answer[:, 14])
        sure = np.flatnonzero(scores > self.settings.thresholds[2])
        squares, frame, scores, answer = squares[sure], frame[sure], scores[sure], answer[sure]
        boxes = _regressed(squares, answer[:, :4], 1)
        side = squares[:, 2:3] - squares[:, 0:1] + 1
        points = answer[:, 4:14].reshape(-1, 2, 5).transpose(0, 2, 1) * side[:, None] + squares[:, None, :2] - 1
        found: list[list[Face]] = [[] for _ in pyramids]
        for row in _keep(boxes, scores, frame, _nms_min):
            found[frame[row]].append(Face(boxes[row], float(scores[row]), points[row]))
        return found

    def _propose(self, pyramids: Sequence[Sequence[Image]], levels: Sequence[float]) -> tuple[Floats, NDArray[np.intp]]:
        """P-Net over every level of every frame: candidate squares (n, 4) and the frame of each (n,)."""
        pnet = _networks()[0]
        least = math.log(self.settings.thresholds[0] / (1 - self.settings.thresholds[0]))
        boxes, scores, regressions, frames = [], [], [], []
        for level, scale in enumerate(levels):
            answer = pnet(np.stack([pyramid[level] for pyramid in pyramids]))[0]
            for index in range(len(pyramids)):
                y, x = np.nonzero(answer[index, 4] >= least)
                corner = STRIDE * np.stack([x, y], axis=1) + 1
                here = np.fix(np.hstack([corner, corner + CELL - 1]) / scale).astype(np.float32)
                score = expit(answer[index, 4, y, x])
                kept = _nms(here, score, 0.5)
                boxes.append(here[kept])
                scores.append(score[kept])
                regressions.append(answer[index, :4, y[kept], x[kept]])
                frames.append(np.full(len(kept), index))
        box, score, shift, frame = (np.concatenate(parts) for parts in (boxes, scores, regressions, frames))
        box = _regressed(box, shift, 0)
        kept = _keep(box, score, frame, _nms)
        return _square(box[kept]), frame[kept]
