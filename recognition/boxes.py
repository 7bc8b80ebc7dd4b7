"""Geometry of boxes: float32 arrays (n, 4) of corners x1, y1, x2, y2 in pixels."""

import numpy as np
from numpy.typing import NDArray

Boxes = NDArray[np.float32]

MAX_DISTANCE = 0.8  # that a face moves between two samples, in sides of the larger box
MAX_SIZE_RATIO = 1.6  # of a face in two samples


def iou(a: Boxes, b: Boxes) -> Boxes:
    """The intersection over union (0..1) of each box of `a` (n, 4) with each of `b` (m, 4), as (n, m)."""
    sides = np.minimum(a[:, None, 2:], b[None, :, 2:]) - np.maximum(a[:, None, :2], b[None, :, :2])
    intersection = np.prod(np.maximum(sides, 0), axis=2)
    area_a, area_b = np.prod(a[:, 2:] - a[:, :2], axis=1), np.prod(b[:, 2:] - b[:, :2], axis=1)
    union = area_a[:, None] + area_b[None, :] - intersection
    return intersection / np.maximum(union, 1e-9)


def is_near(a: Boxes, b: Boxes) -> NDArray[np.bool_]:
    """Whether each box of `a` (n, 4) and each of `b` (m, 4) can be one seated person's face at two moments, as (n, m).

    They can where their centres lie close to each other in comparison with their size, and the sizes are alike.
    """
    side_a, side_b = (a[:, 2:] - a[:, :2]).mean(axis=1)[:, None], (b[:, 2:] - b[:, :2]).mean(axis=1)[None, :]
    shift = (a[:, None, :2] + a[:, None, 2:] - b[None, :, :2] - b[None, :, 2:]) / 2
    distance = np.linalg.norm(shift, axis=2)
    larger, smaller = np.maximum(side_a, side_b), np.maximum(np.minimum(side_a, side_b), 1e-9)
    return (distance < MAX_DISTANCE * larger) & (larger < MAX_SIZE_RATIO * smaller)
