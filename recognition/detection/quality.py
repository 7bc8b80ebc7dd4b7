"""How good a look at a face is: from its size, sharpness, pose, light and the detector's score.

The pose is estimated from the five points alone, with the rules and limits of insightface's server
(docs/api.md of deepinsight/insightface); sharpness is the variance of the Laplacian at one face crop size
(Pech-Pacheco et al., "Diatom autofocusing in brightfield microscopy", 2000).
"""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from recognition.messages import Message
from recognition.types import Face

SHARPNESS_SIDE = 112

# An enrolment photo is rejected below the first limit and accepted with a warning below the second.
FACE_PX = (40.0, 80.0)
SHARPNESS = (20.0, 60.0)
LIGHT = (25.0, 50.0)
TURNED = (60.0, 40.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Quality:
    """`face_px`: height of the face in pixels. `sharpness`: 0 (flat) to some thousands. `light`: mean grey, 0..255.
    `yaw`, `pitch`, `roll`: rough angles in degrees. `score`: the detector's, 0..1."""

    face_px: float
    sharpness: float
    light: float
    yaw: float
    pitch: float
    roll: float
    score: float

    @property
    def turned(self) -> float:
        """How far the face looks away, in degrees; nodding counts half because the estimate is coarse."""
        return max(abs(self.yaw), abs(self.pitch) / 2)

    @property
    def value(self) -> float:
        """One number in 0..1 to order looks by and to weigh them with."""
        size = min(self.face_px / 80, 1.0) ** 0.5
        sharp = 1 - float(np.exp(-self.sharpness / 100))
        ahead = float(np.clip(1 - self.turned / 90, 0.05, 1))
        lit = float(np.clip(min(self.light, 255 - self.light) / 50, 0.1, 1))
        return float(np.clip(self.score * size * (0.25 + 0.75 * sharp) * ahead * lit, 0, 1))


def assess_face(face: Face, crop: NDArray[np.uint8]) -> Quality:
    """The quality of a face whose aligned face crop is `crop` (s, s, 3) RGB."""
    grey = cv2.cvtColor(crop, cv2.COLOR_RGB2GRAY)
    grey = cv2.resize(grey, (SHARPNESS_SIDE, SHARPNESS_SIDE), interpolation=cv2.INTER_AREA)
    middle = grey[SHARPNESS_SIDE // 5 : -SHARPNESS_SIDE // 5, SHARPNESS_SIDE // 5 : -SHARPNESS_SIDE // 5]
    left, right, nose, mouth_left, mouth_right = face.points.astype(np.float64)
    eyes, mouth = (left + right) / 2, (mouth_left + mouth_right) / 2
    across, down = right - left, mouth - eyes
    apart, tall = max(float(np.hypot(*across)), 1e-6), max(float(np.hypot(*down)), 1e-6)
    return Quality(
        face_px=float(face.box[3] - face.box[1]),
        sharpness=float(cv2.Laplacian(middle, cv2.CV_64F).var()),
        light=float(middle.mean()),
        yaw=float((nose - eyes) @ across / apart**2 * 90),
        pitch=float(((nose - eyes) @ down / tall**2 - 0.55) * 90),
        roll=float(np.degrees(np.arctan2(across[1], across[0]))),
        score=face.score,
    )


def judge_enrolment_photo(quality: Quality) -> tuple[str, Message]:
    """("accepted" | "warning" | "rejected", sentence) for an enrolment photo whose face has this quality."""
    checks = [
        (
            quality.face_px,
            FACE_PX,
            Message(
                "The face is only {px:.0f} pixels high; use a photo in which it is at least {least:.0f}.",
                px=quality.face_px,
                least=FACE_PX[1],
            ),
        ),
        # Before sharpness: in the dark nothing is sharp.
        (
            quality.light,
            LIGHT,
            Message(
                "The face is too dark (brightness {light:.0f} of 255, at least {least:.0f}); use a photo with more "
                "light.",
                light=quality.light,
                least=LIGHT[1],
            ),
        ),
        (
            quality.sharpness,
            SHARPNESS,
            Message(
                "The face is blurred (sharpness {sharpness:.0f}, at least {least:.0f}); use a sharper photo.",
                sharpness=quality.sharpness,
                least=SHARPNESS[1],
            ),
        ),
        (
            -quality.turned,
            (-TURNED[0], -TURNED[1]),
            Message(
                "The face is turned away (by {turned:.0f}°, at most {most:.0f}°); use a photo that looks at the "
                "camera.",
                turned=quality.turned,
                most=TURNED[1],
            ),
        ),
    ]
    for value, (least, _), reason in checks:
        if value < least:
            return "rejected", reason
    for value, (_, wanted), reason in checks:
        if value < wanted:
            return "warning", reason
    return "accepted", Message()
