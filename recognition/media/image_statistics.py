"""What the pictures are like as a whole: by it one knows a camera that went dark, or whose picture stands still."""

from dataclasses import dataclass, field

import cv2
import numpy as np
from numpy.typing import NDArray

# Every eighth pixel, not a mean of many: the sensor's noise tells a living picture from a frozen one.
STEP = 8
THUMBNAIL_SIDE = 16  # pixels


@dataclass(slots=True)
class ImageStatistics:
    """`light`: the brightest picture's mean, 0 to 1. `motion`: the greatest mean difference between two pictures, 0 to
    1; None after one picture."""

    light: float = 0.0
    motion: float | None = None
    _before: NDArray[np.float32] | None = field(default=None, repr=False)

    def add(self, image: NDArray[np.uint8]) -> None:
        """The next picture (h, w, 3)."""
        now = image[::STEP, ::STEP].mean(axis=2, dtype=np.float32) / np.float32(255)
        self.light = max(self.light, float(now.mean()))
        if self._before is not None:
            self.motion = max(self.motion or 0.0, float(np.abs(now - self._before).mean()))
        self._before = now


def thumbnail_vector(picture: NDArray[np.uint8]) -> NDArray[np.float32]:
    """The picture (h, w, 3) as a small grey one (256,) float32 of mean 0 and length 1: the product of two is their
    correlation."""
    step = max(min(picture.shape[:2]) // (4 * THUMBNAIL_SIDE), 1)
    small = cv2.resize(picture[::step, ::step], (THUMBNAIL_SIDE, THUMBNAIL_SIDE), interpolation=cv2.INTER_AREA)
    grey = cv2.cvtColor(small, cv2.COLOR_RGB2GRAY).astype(np.float32).ravel()
    grey -= grey.mean()
    return np.asarray(grey / max(float(np.linalg.norm(grey)), 1e-6), np.float32)
