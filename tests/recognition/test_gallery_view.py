"""The gallery view of an online meeting: its cells are found, and when they change places a new scene begins."""

import math

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from recognition.detection.gallery_view import find_cells
from recognition.detection.search_schedule import is_other_scene

RGB = NDArray[np.uint8]
WIDTH, HEIGHT, GAP = 640, 360, 6


def cells_of(count: int) -> list[tuple[int, int, int, int]]:
    """Where a meeting's program puts so many participants: x1, y1, x2, y2."""
    columns = math.ceil(math.sqrt(count))
    rows = math.ceil(count / columns)
    width = min((WIDTH - GAP * (columns + 1)) // columns, (HEIGHT - GAP * (rows + 1)) // rows * 16 // 9)
    height = width * 9 // 16
    cells = []
    for number in range(count):
        row, column = divmod(number, columns)
        in_row = min(columns, count - row * columns)
        x = (WIDTH - in_row * width - (in_row - 1) * GAP) // 2 + column * (width + GAP)
        y = (HEIGHT - rows * height - (rows - 1) * GAP) // 2 + row * (height + GAP)
        cells.append((x, y, x + width, y + height))
    return cells


def participant(seed: int) -> RGB:
    """A room of somebody's own, and the camera's noise."""
    rng = np.random.default_rng(seed)
    return cv2.resize(rng.integers(0, 256, (6, 10, 3), np.uint8), (320, 180), interpolation=cv2.INTER_CUBIC)


def view(participants: list[RGB], seed: int = 0) -> RGB:
    page = np.full((HEIGHT, WIDTH, 3), 26, np.uint8)
    for tile, (x1, y1, x2, y2) in zip(participants, cells_of(len(participants)), strict=True):
        page[y1:y2, x1:x2] = cv2.resize(tile, (x2 - x1, y2 - y1), interpolation=cv2.INTER_AREA)
    noise = np.random.default_rng(seed).integers(-2, 3, page.shape)
    return np.clip(page + noise, 0, 255).astype(np.uint8)


@pytest.mark.parametrize("count", [2, 3, 4, 7, 12, 25])
def test_each_participant_is_a_cell(count: int) -> None:
    found = find_cells(view([participant(seed) for seed in range(count)]))
    assert np.abs(np.array(found) - cells_of(count)).max() <= 2


def test_what_is_no_gallery_view_has_no_cells() -> None:
    room = np.random.default_rng(0).integers(0, 256, (HEIGHT, WIDTH, 3), np.uint8)
    letterbox = np.zeros_like(room)
    letterbox[40:-40] = room[40:-40]
    slide = np.zeros_like(room)
    slide[40:80, 40:600] = slide[120:320, 40:300] = 255
    for image in (room, letterbox, slide, np.zeros_like(room), np.full_like(room, 255), view([participant(0)])):
        assert find_cells(image) == []


def test_a_new_scene_begins_when_participants_change_their_cells() -> None:
    people = [participant(seed) for seed in range(7)]
    before = view(people)
    assert not is_other_scene(before, view(people, seed=1))
    assert not is_other_scene(before, view([participant(99), *people[1:]])), "one may get up, or switch off the camera"
    assert is_other_scene(before, view([*people[1:], people[0]])), "the first one left and came back"
    assert is_other_scene(before, view([people[1], people[0], *people[2:]]))
    assert is_other_scene(before, view([*people, *(participant(seed) for seed in (7, 8, 9))])), "the cells are smaller"
