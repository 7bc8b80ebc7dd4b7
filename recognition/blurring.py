"""Blurs faces until nobody can be told from them."""

from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

BLUR_BLOCKS: Final = 5  # across a face: nobody can be told from these


def blur_crop(crop: NDArray[np.uint8]) -> bytes:
    """A PNG of a few pixels in place of a face crop (height, width, 3), to be shown as large as the crop."""
    blocks = cv2.resize(crop, (BLUR_BLOCKS, BLUR_BLOCKS), interpolation=cv2.INTER_AREA)
    return bytes(cv2.imencode(".png", cv2.cvtColor(blocks, cv2.COLOR_RGB2BGR))[1])
