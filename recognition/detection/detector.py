"""Face detection: the MTCNN cascade (Zhang et al., "Joint Face Detection and Alignment Using Multi-task Cascaded
Convolutional Networks", 2016) over several frames at once.

The weights are those that the `mtcnn` package ships. The order of operations, the roundings and the constants are those
of the reference implementation (davidsandberg/facenet, `align/detect_face.py`) with three exceptions. Each level of the
image pyramid is made from the level before. Crops for the second and third network are sampled from the pyramid level
that is just finer than needed, all in one call, instead of being cut and shrunk one by one. And overlapping boxes are
suppressed after they were moved to their face, not before as in `mtcnn` 1.0.0, which leaves the third network a quarter
of the work.
"""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cache

import cv2
import numpy as np
from numpy.typing import NDArray

from recognition.detection import cascade
from recognition.detection.cascade import ONET_CROP_PX, RNET_CROP_PX
from recognition.inference import Network, Runtime
from recognition.network_cache import load_networks
from recognition.types import Face

PNET_CELL_PX = 12  # side of the square that a cell of P-Net sees
PNET_STRIDE_PX = 2  # between two cells
NMS_IOU = 0.7
PNET_LEVEL_NMS_IOU = 0.5

HALVING_SCALES = [0.5**n for n in range(6)]
# Where to search for a face that was found a moment before: offset (x, y) and size, in sides of its box. First in the
# same place, and where R-Net's score there is below SAME_PLACE_SCORE, in the places around it, too.
SAME_PLACE = np.array([(0, 0, 1)], np.float32)
PLACES_AROUND = np.array(
    [(-0.25, 0, 1), (0.25, 0, 1), (0, -0.25, 1), (0, 0.25, 1), (0, 0, 0.8), (0, 0, 1.25)], np.float32
)
SAME_PLACE_SCORE = 0.9

Floats = NDArray[np.float32]
Image = NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class DetectorSettings:
    """What the cascade finds.

    `min_face` is the height in pixels of the smallest face. `thresholds` are the scores (0..1) that a face needs after
    each network. `factor` is the scale of each level of the pyramid relative to the one before.
    """

    min_face: int = 24
    thresholds: tuple[float, float, float] = (0.6, 0.7, 0.7)
    factor: float = 0.709


@cache
def _networks(runtime: Runtime) -> tuple[Network, Network, Network]:
    """P-Net, R-Net and O-Net."""
    networks = load_networks(cascade.build, cascade.packaged_weights(), runtime)
    return networks["pnet"], networks["rnet"], networks["onet"]


def pyramid_scales(height: int, width: int, settings: DetectorSettings, min_face: int | None = None) -> list[float]:
    """The scales of the image pyramid, finest first. The shorter side of every level is at least one P-Net cell."""
    scale = PNET_CELL_PX / (min_face or settings.min_face)
    result = []
    while min(height, width) * scale >= PNET_CELL_PX:
        result.append(scale)
        scale *= settings.factor
    return result


def _pyramid(image: Image, scales: Iterable[float]) -> list[Image]:
    """The image at each scale.

    Each level is shrunk from the one before, by so little that bilinear sampling does not alias.
    """
    height, width = image.shape[:2]
    result = []
    for scale in scales:
        size = (math.ceil(width * scale), math.ceil(height * scale))
        image = cv2.resize(image, size, interpolation=cv2.INTER_LINEAR)
        result.append(image)
    return result


def _nms(boxes: Floats, scores: Floats, limit: float) -> NDArray[np.intp]:
    """The indices that survive greedy non-maximum suppression by intersection over union, best score first.

    Corners are inclusive pixels.
    """
    if not len(boxes):
        return np.empty(0, np.intp)
    corners = boxes[:, :4].astype(np.float64)
    corners[:, 2:] += 1 - corners[:, :2]
    return np.asarray(cv2.dnn.NMSBoxes(corners.tolist(), scores.tolist(), 0.0, limit), np.intp).reshape(-1)


def _nms_min(boxes: Floats, scores: Floats, limit: float) -> NDArray[np.intp]:
    """As `_nms`, but by intersection over the smaller box, so that only one of nested boxes survives."""
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


def _candidates_at(boxes: Floats, offsets: Floats) -> Floats:
    """Candidates (n x m, 4) for faces that were at `boxes` (n, 4) a moment ago: at each of the `offsets` (m, 3)."""
    centre, side = (boxes[:, :2] + boxes[:, 2:4]) / 2, (boxes[:, 2:4] - boxes[:, :2]).max(axis=1)
    shifted = centre[:, None] + side[:, None, None] * offsets[None, :, :2]
    half = side[:, None, None] * offsets[None, :, 2:] / 2
    return np.trunc(np.concatenate([shifted - half, shifted + half], axis=2)).reshape(-1, 4)


def _sigmoid(logits: Floats) -> Floats:
    """The probabilities; by tanh, which doesn't overflow."""
    return np.asarray(0.5 + 0.5 * np.tanh(logits / 2), np.float32)


def _to_square(boxes: Floats) -> Floats:
    """The square of the longer side around each box's centre, truncated to whole pixels."""
    size = boxes[:, 2:4] - boxes[:, :2]
    side = size.max(axis=1, keepdims=True)
    corner = boxes[:, :2] + size / 2 - side / 2
    return np.trunc(np.hstack([corner, corner + side]))


def _apply_regression(boxes: Floats, regression: Floats, inclusive: int) -> Floats:
    size = boxes[:, 2:4] - boxes[:, :2] + inclusive
    return boxes[:, :4] + regression * np.hstack([size, size])


def _crops(
    pyramids: Sequence[Sequence[Image]],
    scales: NDArray[np.floating],
    candidates: Floats,
    frame_index: NDArray[np.intp],
    size: int,
) -> Image:
    """Each candidate (1-based inclusive pixels of its full frame) as `size` x `size` pixels; black outside the frame.

    Sampled bilinearly from the coarsest level that still has at least the pixels needed, which keeps aliasing away.
    """
    result = np.empty((len(candidates), size, size, 3), np.uint8)
    side = candidates[:, 2] - candidates[:, 0] + 1
    level_index = np.maximum(np.searchsorted(-scales, -size / np.maximum(side, 1), side="right") - 1, 0)
    steps = (np.arange(size, dtype=np.float32) + 0.5) / size
    for index, level in np.unique(np.stack([frame_index, level_index], axis=1), axis=0):
        chosen = np.flatnonzero((frame_index == index) & (level_index == level))
        source = pyramids[index][level]
        full = pyramids[index][0]
        x = (candidates[chosen, 0:1] - 1 + side[chosen, None] * steps) * (source.shape[1] / full.shape[1]) - 0.5
        y = (candidates[chosen, 1:2] - 1 + side[chosen, None] * steps) * (source.shape[0] / full.shape[0]) - 0.5
        shape = (len(chosen), size, size)
        # One row for each candidate: OpenCV's maps have at most 32,767 rows.
        map_x = np.broadcast_to(x[:, None, :], shape).reshape(len(chosen), -1).astype(np.float32)
        map_y = np.broadcast_to(y[:, :, None], shape).reshape(len(chosen), -1).astype(np.float32)
        crops = cv2.remap(source, map_x, map_y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT)
        result[chosen] = crops.reshape(*shape, 3)
    return result


def _suppress_by_frame(
    boxes: Floats,
    scores: Floats,
    frame_index: NDArray[np.intp],
    suppress: Callable[[Floats, Floats, float], NDArray[np.intp]],
) -> NDArray[np.intp]:
    """The rows that survive suppression at NMS_IOU among the rows of their own frame."""
    survivors = []
    for index in np.unique(frame_index):
        rows = np.flatnonzero(frame_index == index)
        survivors.append(rows[suppress(boxes[rows], scores[rows], NMS_IOU)])
    return np.concatenate(survivors) if survivors else np.empty(0, np.intp)


class Detector:
    """Finds faces in frames. The networks are loaded at the first use, once a process for each `runtime`.

    >>> import numpy as np
    >>> Detector(DetectorSettings(min_face=40)).detect([np.zeros((120, 160, 3), np.uint8)])
    [[]]
    """

    def __init__(self, settings: DetectorSettings | None = None, runtime: Runtime | None = None) -> None:
        self.settings = settings or DetectorSettings()
        self.runtime = runtime or Runtime()

    def detect(self, images: Sequence[Image], min_face: int | None = None) -> list[list[Face]]:
        """The faces in each image, best score first.

        `images` are uint8 RGB of one shape (height, width, 3). `min_face` overrides that of the settings, in pixels.
        """
        height, width = images[0].shape[:2] if len(images) else (0, 0)
        scales = pyramid_scales(height, width, self.settings, min_face)
        if not scales:
            return [[] for _ in images]
        pyramids = [[image, *_pyramid(image, scales)] for image in images]
        all_scales = np.array([1.0, *scales])
        candidates, frame_index = self._propose([pyramid[1:] for pyramid in pyramids], scales)
        scores, refined = self._refine(pyramids, all_scales, candidates, frame_index)
        kept = np.flatnonzero(scores > self.settings.thresholds[1])
        kept = kept[_suppress_by_frame(refined[kept], scores[kept], frame_index[kept], _nms)]
        return self._classify(pyramids, all_scales, refined[kept], frame_index[kept])

    def detect_near(self, images: Sequence[Image], boxes: Sequence[Floats]) -> list[list[Face]]:
        """The faces in each image at or near `boxes`, where faces were a moment before or after; best score first.

        `images` are as for `detect`, `boxes` are (n, 4) float32 for each image. The whole image is not searched, which
        takes most of the time of `detect`.
        """
        if not len(images):
            return []
        frame_index = np.repeat(np.arange(len(images)), [len(image_boxes) for image_boxes in boxes])
        places = np.concatenate(boxes)
        pyramids = [[image, *_pyramid(image, HALVING_SCALES[1:])] for image in images]
        scales = np.array(HALVING_SCALES)
        scores, refined = self._refine(pyramids, scales, _candidates_at(places, SAME_PLACE), frame_index)
        unsure, tries = np.flatnonzero(scores < SAME_PLACE_SCORE), len(PLACES_AROUND)
        around = _candidates_at(places[unsure], PLACES_AROUND)
        scores_around, refined_around = self._refine(pyramids, scales, around, frame_index[unsure].repeat(tries))
        # Of the candidates for one face the best is enough.
        best = scores_around.reshape(-1, tries).argmax(axis=1) + tries * np.arange(len(unsure))
        is_better = scores_around[best] > scores[unsure]
        unsure, best = unsure[is_better], best[is_better]
        scores[unsure], refined[unsure] = scores_around[best], refined_around[best]
        kept = np.flatnonzero(scores > self.settings.thresholds[1])
        kept = kept[_suppress_by_frame(refined[kept], scores[kept], frame_index[kept], _nms)]
        return self._classify(pyramids, scales, refined[kept], frame_index[kept])

    def _propose(self, pyramids: Sequence[Sequence[Image]], scales: Sequence[float]) -> tuple[Floats, NDArray[np.intp]]:
        """P-Net over every level of every frame: square candidates (n, 4) and the frame of each (n,)."""
        pnet = _networks(self.runtime)[0]
        min_logit = math.log(self.settings.thresholds[0] / (1 - self.settings.thresholds[0]))
        boxes, scores, regressions, frames = [], [], [], []
        for level, scale in enumerate(scales):
            answer = pnet(np.stack([pyramid[level] for pyramid in pyramids]))[0]
            for index in range(len(pyramids)):
                y, x = np.nonzero(answer[index, 4] >= min_logit)
                corner = PNET_STRIDE_PX * np.stack([x, y], axis=1) + 1
                cells = np.fix(np.hstack([corner, corner + PNET_CELL_PX - 1]) / scale).astype(np.float32)
                score = _sigmoid(answer[index, 4, y, x])
                kept = _nms(cells, score, PNET_LEVEL_NMS_IOU)
                boxes.append(cells[kept])
                scores.append(score[kept])
                regressions.append(answer[index, :4, y[kept], x[kept]])
                frames.append(np.full(len(kept), index))
        box, score, regression, frame_index = (np.concatenate(parts) for parts in (boxes, scores, regressions, frames))
        box = _apply_regression(box, regression, 0)
        kept = _suppress_by_frame(box, score, frame_index, _nms)
        return _to_square(box[kept]), frame_index[kept]

    def _refine(
        self,
        pyramids: Sequence[Sequence[Image]],
        scales: NDArray[np.floating],
        candidates: Floats,
        frame_index: NDArray[np.intp],
    ) -> tuple[Floats, Floats]:
        """R-Net: the score (n,) of each candidate (n, 4), and the candidates moved to where the faces are."""
        answer = _networks(self.runtime)[1](_crops(pyramids, scales, candidates, frame_index, RNET_CROP_PX))[0]
        return _sigmoid(answer[:, 4]), _to_square(_apply_regression(candidates, answer[:, :4], 1))

    def _classify(
        self,
        pyramids: Sequence[Sequence[Image]],
        scales: NDArray[np.floating],
        candidates: Floats,
        frame_index: NDArray[np.intp],
    ) -> list[list[Face]]:
        """O-Net over candidates (n, 4) of frames (n,): the faces in each frame, best score first."""
        answer = _networks(self.runtime)[2](_crops(pyramids, scales, candidates, frame_index, ONET_CROP_PX))[0]
        scores = _sigmoid(answer[:, 14])
        kept = np.flatnonzero(scores > self.settings.thresholds[2])
        candidates, frame_index, scores, answer = candidates[kept], frame_index[kept], scores[kept], answer[kept]
        boxes = _apply_regression(candidates, answer[:, :4], 1)
        side = candidates[:, 2:3] - candidates[:, 0:1] + 1
        points = answer[:, 4:14].reshape(-1, 2, 5).transpose(0, 2, 1) * side[:, None] + candidates[:, None, :2] - 1
        faces: list[list[Face]] = [[] for _ in pyramids]
        for row in _suppress_by_frame(boxes, scores, frame_index, _nms_min):
            faces[frame_index[row]].append(Face(boxes[row], float(scores[row]), points[row]))
        return faces
