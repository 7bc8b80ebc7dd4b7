"""What the pictures are like as a whole: by it one knows a camera that went dark, or whose picture stands still."""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

STEP = 8  # every eighth pixel is looked at, not a mean of many: the sensor's noise tells a living picture from a frozen one


@dataclass(slots=True)
class ImageStatistics:
    """`light`: the brightest picture's mean, 0 to 1. `motion`: the greatest mean difference between two pictures, 0 to 1; None after
    one picture."""

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
