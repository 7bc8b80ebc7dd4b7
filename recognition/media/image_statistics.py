"""Brightness and change of whole pictures, which show that a camera went dark, froze, or was switched."""

from dataclasses import dataclass, field

import cv2
import numpy as np
from numpy.typing import NDArray

# Single pixels are compared, not means of many: the sensor's noise tells a live picture from a frozen one.
PIXEL_STEP = 8
THUMBNAIL_SIDE_PX = 16
# A thumbnail is made of a sample of the pixels, so many by so many: all of them would take long.
SAMPLED_SIDE_PX = 4 * THUMBNAIL_SIDE_PX


@dataclass(slots=True)
class ImageStatistics:
    """Statistics over all pictures that were added.

    `light` is the mean of the brightest picture, in 0..1. `motion` is the largest mean difference between a picture and
    the next one, in 0..1; None after one picture.
    """

    light: float = 0.0
    motion: float | None = None
    _previous: NDArray[np.float32] | None = field(default=None, repr=False)

    def add(self, image: NDArray[np.uint8]) -> None:
        """Add the next picture, (height, width, 3) uint8 RGB."""
        grey = image[::PIXEL_STEP, ::PIXEL_STEP].astype(np.float32) @ np.full(3, 1 / (3 * 255), np.float32)
        self.light = max(self.light, float(grey.mean()))
        if self._previous is not None:
            self.motion = max(self.motion or 0.0, float(np.abs(grey - self._previous).mean()))
        self._previous = grey


def thumbnail_vector(image: NDArray[np.uint8]) -> NDArray[np.float32]:
    """A small grey version of the picture (height, width, 3) RGB, as a vector (256,) float32 of mean 0 and length 1.

    The dot product of two of them is the correlation of the pictures.
    """
    small = cv2.resize(image, (SAMPLED_SIDE_PX, SAMPLED_SIDE_PX), interpolation=cv2.INTER_NEAREST)
    small = cv2.resize(small, (THUMBNAIL_SIDE_PX, THUMBNAIL_SIDE_PX), interpolation=cv2.INTER_AREA)
    grey = cv2.cvtColor(small, cv2.COLOR_RGB2GRAY).astype(np.float32).ravel()
    grey -= grey.mean()
    return np.asarray(grey / max(float(np.linalg.norm(grey)), 1e-6), np.float32)
