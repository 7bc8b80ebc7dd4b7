"""How good an observation of a face is: from its size, sharpness, pose, light and the detector's score.

The pose is estimated from the five points alone, with the rules and limits of insightface's server
(docs/api.md of deepinsight/insightface); sharpness is the variance of the Laplacian at one face crop size
(Pech-Pacheco et al., "Diatom autofocusing in brightfield microscopy", 2000).
"""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from recognition.messages import Message
from recognition.types import Face, PhotoFault

MIDDLE_PX = 67  # side of the middle of a face crop of 112 pixels, in which sharpness is measured
NOSE_HEIGHT = 0.55  # of a face that looks straight ahead: from the eyes to the nose, in distances from eyes to mouth

# An enrolment photo is rejected below the first limit, and accepted with a warning below the second.
FACE_PX_LIMITS = (40.0, 80.0)
SHARPNESS_LIMITS = (20.0, 60.0)
LIGHT_LIMITS = (25.0, 50.0)
TURNED_LIMITS = (60.0, 40.0)  # degrees; here, above them


@dataclass(frozen=True, slots=True, kw_only=True)
class Quality:
    """What an observation is judged by.

    `face_px` is the height of the face in pixels, `sharpness` 0 (flat) to some thousands, `light` the mean grey level
    (0..255). `yaw`, `pitch` and `roll` are rough angles in degrees, `score` is the detector's (0..1).
    """

    face_px: float
    sharpness: float
    light: float
    yaw: float
    pitch: float
    roll: float
    score: float

    @property
    def turned(self) -> float:
        """How far the face looks away, in degrees. The pitch counts half, because its estimate is coarse."""
        return max(abs(self.yaw), abs(self.pitch) / 2)

    @property
    def value(self) -> float:
        """One number in 0..1, by which observations are ranked and weighted."""
        size_factor = min(self.face_px / 80, 1.0) ** 0.5
        sharpness_factor = 1 - float(np.exp(-self.sharpness / 100))
        pose_factor = float(np.clip(1 - self.turned / 90, 0.05, 1))
        light_factor = float(np.clip(min(self.light, 255 - self.light) / 50, 0.1, 1))
        value = self.score * size_factor * (0.25 + 0.75 * sharpness_factor) * pose_factor * light_factor
        return float(np.clip(value, 0, 1))


def assess_face(face: Face, crop: NDArray[np.uint8]) -> Quality:
    """The quality of a face whose aligned face crop is `crop` (s, s, 3) uint8 RGB."""
    inner = slice(len(crop) // 5, -len(crop) // 5)  # without hair and background
    middle = cv2.cvtColor(crop[inner, inner], cv2.COLOR_RGB2GRAY)
    middle = cv2.resize(middle, (MIDDLE_PX, MIDDLE_PX), interpolation=cv2.INTER_AREA)
    left_eye, right_eye, nose, left_mouth, right_mouth = face.points.astype(np.float64)
    eyes, mouth = (left_eye + right_eye) / 2, (left_mouth + right_mouth) / 2
    eye_line, midline = right_eye - left_eye, mouth - eyes
    eye_distance, mouth_distance = max(float(np.hypot(*eye_line)), 1e-6), max(float(np.hypot(*midline)), 1e-6)
    return Quality(
        face_px=float(face.box[3] - face.box[1]),
        sharpness=float(cv2.meanStdDev(cv2.Laplacian(middle, cv2.CV_64F))[1][0, 0] ** 2),
        light=cv2.mean(middle)[0],
        yaw=float((nose - eyes) @ eye_line / eye_distance**2 * 90),
        pitch=float(((nose - eyes) @ midline / mouth_distance**2 - NOSE_HEIGHT) * 90),
        roll=float(np.degrees(np.arctan2(eye_line[1], eye_line[0]))),
        score=face.score,
    )


def judge_enrolment_photo(quality: Quality) -> tuple[str, PhotoFault | None, Message]:
    """The verdict on an enrolment photo whose face has this quality, its fault, and the reason, which is empty if it is
    accepted.

    The verdict is "accepted", "warning" or "rejected".
    """
    checks = [
        (
            PhotoFault.SMALL,
            quality.face_px,
            FACE_PX_LIMITS,
            Message(
                "The face is only {px:.0f} pixels high; use a photo in which it is at least {least:.0f}.",
                px=quality.face_px,
                least=FACE_PX_LIMITS[1],
            ),
        ),
        # Before sharpness: in the dark nothing is sharp.
        (
            PhotoFault.DARK,
            quality.light,
            LIGHT_LIMITS,
            Message(
                "The face is too dark (brightness {light:.0f} of 255, at least {least:.0f}); use a photo with more "
                "light.",
                light=quality.light,
                least=LIGHT_LIMITS[1],
            ),
        ),
        (
            PhotoFault.BLURRED,
            quality.sharpness,
            SHARPNESS_LIMITS,
            Message(
                "The face is blurred (sharpness {sharpness:.0f}, at least {least:.0f}); use a sharper photo.",
                sharpness=quality.sharpness,
                least=SHARPNESS_LIMITS[1],
            ),
        ),
        (
            PhotoFault.TURNED,
            -quality.turned,
            (-TURNED_LIMITS[0], -TURNED_LIMITS[1]),
            Message(
                "The face is turned away (by {turned:.0f}°, at most {most:.0f}°); use a photo that looks at the "
                "camera.",
                turned=quality.turned,
                most=TURNED_LIMITS[1],
            ),
        ),
    ]
    for fault, value, (acceptable, _), reason in checks:
        if value < acceptable:
            return "rejected", fault, reason
    for fault, value, (_, good), reason in checks:
        if value < good:
            return "warning", fault, reason
    return "accepted", None, Message()
