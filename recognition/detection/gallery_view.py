"""Gallery views: recordings of online meetings, which show each participant in a cell of their own.

Between the cells are gaps of one dark colour. Cutting along them, first into rows and then into their cells, is the
XY-cut of document analysis (Nagy and Seth, "Hierarchical representation of optically scanned documents", 1984).
"""

import cv2
import numpy as np
from numpy.typing import NDArray

PIXEL_STEP = 2
ROW_PIXEL_STEP = 16  # along a row, of which few pixels tell whether it is a gap
MAX_GAP_LIGHT = 64  # of 255
MAX_GAP_CONTRAST = 10  # of 255: compression makes a plain colour a little uneven
MIN_CELL_SIDE = 32  # pixels
MIN_SIZE_SHARE = 0.95  # of the largest cell's sides
CELL_ASPECT_RATIOS = (1.0, 2.4)

Cell = tuple[int, int, int, int]


def find_cells(image: NDArray[np.uint8]) -> list[Cell]:
    """The cells x1, y1, x2, y2 of a gallery view (height, width, 3), row by row; none if it is no gallery view.

    All are of one size: a name on black, without a picture, is none.
    """
    rows = np.ascontiguousarray(image[::PIXEL_STEP, ::ROW_PIXEL_STEP])
    light, dark = (cv2.reduce(rows, 1, how)[:, 0] for how in (cv2.REDUCE_MAX, cv2.REDUCE_MIN))
    is_gap = (light.max(axis=1) <= MAX_GAP_LIGHT) & ((light - dark).max(axis=1) <= MAX_GAP_CONTRAST)
    if not is_gap.any():
        return []
    page = np.median(rows[is_gap].reshape(-1, 3), axis=0)
    difference = cv2.absdiff(np.ascontiguousarray(image[::PIXEL_STEP, ::PIXEL_STEP]), page)
    parts = []
    for y1, y2 in _runs(~is_gap):
        furthest = cv2.reduce(difference[y1:y2], 0, cv2.REDUCE_MAX)[0].max(axis=1)
        parts += [(x1, y1, x2, y2) for x1, x2 in _runs(furthest > MAX_GAP_CONTRAST)]
    height = max((y2 - y1 for _x1, y1, _x2, y2 in parts), default=0)
    width = max((x2 - x1 for x1, _y1, x2, _y2 in parts), default=0)
    cells = [
        (PIXEL_STEP * x1, PIXEL_STEP * y1, PIXEL_STEP * x2, PIXEL_STEP * y2)
        for x1, y1, x2, y2 in parts
        if y2 - y1 >= MIN_SIZE_SHARE * height and x2 - x1 >= MIN_SIZE_SHARE * width
    ]
    narrowest, widest = CELL_ASPECT_RATIOS
    return cells if len(cells) > 1 and narrowest * height <= width <= widest * height else []


def _runs(mask: NDArray[np.bool_]) -> list[tuple[int, int]]:
    """From where to where the mask (n,) is true, if that is long enough for a cell."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], mask, [False]]))).tolist()
    return [
        (start, end)
        for start, end in zip(edges[::2], edges[1::2], strict=True)
        if end - start >= MIN_CELL_SIDE // PIXEL_STEP
    ]
