"""The demo's people. Nobody is real, and no photograph is kept here.

scikit-image ships one portrait in the public domain, of Eileen Collins (NASA). Warped piecewise between its landmarks
and tinted, it becomes people whom a face recogniser tells apart: their parameters were found by a random search for
faces that are far from each other.
"""

from dataclasses import dataclass
from functools import cache

import cv2
import numpy as np
import skimage.data
from numpy.typing import NDArray
from scipy.interpolate import LinearNDInterpolator
from skimage.draw import polygon2mask

Points = NDArray[np.float64]
Pixels = NDArray[np.uint8]
Mask = NDArray[np.float32]

# The face in the portrait, in pixels (x, y): the usual 68 landmarks in their usual order, set by eye.
LANDMARKS = np.array(
    [
        # the face's edge, from the image-left temple over the chin to the image-right one
        *[(181, 100), (181, 112), (182, 124), (183, 137), (186, 150), (192, 160), (200, 168), (211, 175), (224, 178)],
        *[(237, 175), (247, 168), (256, 160), (262, 150), (266, 139), (268, 127), (270, 114), (269, 100)],
        # the brows
        *[(190, 91), (195, 89), (201, 89), (207, 90), (214, 93), (238, 94), (244, 93), (250, 92), (257, 93), (263, 96)],
        # the nose, down and across
        *[(225, 101), (225, 108), (225, 116), (225, 124), (212, 128), (218, 131), (225, 133), (232, 131), (236, 128)],
        # the eyes
        *[(192, 101), (199, 97), (206, 97), (212, 103), (206, 104), (199, 104)],
        *[(237, 105), (243, 100), (250, 100), (259, 104), (251, 107), (243, 107)],
        # the lips, outside and inside
        *[
            (203, 140),
            (210, 140),
            (217, 140),
            (223, 141),
            (230, 140),
            (238, 140),
            (245, 140),
            (239, 147),
            (232, 152),
            (223, 154),
        ],
        *[
            (214, 152),
            (207, 147),
            (206, 141),
            (212, 143),
            (223, 143),
            (236, 143),
            (243, 141),
            (233, 148),
            (223, 149),
            (213, 147),
        ],
    ],
    np.float64,
)
EDGE, JAW, CHIN = slice(0, 17), slice(3, 14), slice(5, 12)
BROWS, EYES = (slice(17, 22), slice(22, 27)), (slice(36, 42), slice(42, 48))
NOSE, NOSTRILS, MOUTH = slice(27, 36), slice(31, 36), slice(48, 68)

# The outline of the hair, and of everything that moves with the head.
HAIR = np.array(
    [
        *[
            (172, 120),
            (160, 108),
            (155, 95),
            (153, 72),
            (160, 55),
            (175, 44),
            (190, 36),
            (192, 28),
            (205, 21),
            (230, 15),
        ],
        *[(250, 19), (275, 30), (288, 42), (297, 65), (301, 85), (297, 108), (285, 121), (275, 131)],
    ],
    np.float64,
)
CROP = (114, 0, 336, 220)  # x1, y1, x2, y2 of the portrait: head and shoulders
CENTRE, NECK = np.array([225.0, 110.0]), np.array([225.0, 180.0])
# The surroundings and the shoulders, which stay in place.
FIXED_POINTS = np.array(
    [(x, y) for x in (60, 140, 225, 310, 400) for y in (-60, 240, 320)] + [(60, 90), (400, 90), (150, 165), (305, 165)]
)
WARP_GRID_PX = 4  # the warp is computed on a coarse grid, since it takes the longest


@dataclass(frozen=True, kw_only=True)
class FaceShape:
    """How a person's face differs from the portrait.

    Lengths are in the portrait's pixels or, where it says so, a share of what the portrait has. Colours are gains of
    red, green and blue.
    """

    face_width: float
    jaw_width: float
    chin_length: float
    eye_spacing: float
    eye_drop: float
    eye_opening: float  # share
    eye_tilt: float
    brow_height: float
    brow_tilt: float
    nose_length: float
    nose_width: float  # share
    mouth_width: float  # share
    mouth_drop: float
    lip_fullness: float  # share
    hair_width: float  # share
    hair_height: float
    skin_gain: tuple[float, float, float]
    hair_gain: tuple[float, float, float]
    is_mirrored: bool


# In pixels of the portrait: where side and top light change nothing, and the distance in which they add their value.
LIGHT_CENTRE, LIGHT_DISTANCE = (225, 120), 95


@dataclass(frozen=True, kw_only=True)
class Appearance:
    """How a person looks in one picture.

    `yaw` and `nod` are the pixels by which the nose moves, `roll` is in degrees, and `smile` is the share by which the
    mouth is wider. `light` is a factor of the brightness; `side_light` and `top_light` are what is added to it from the
    middle of the picture to the right and the upper edge.
    """

    yaw: float = 0.0
    nod: float = 0.0
    roll: float = 0.0
    smile: float = 0.0
    light: float = 1.0
    side_light: float = 0.0
    top_light: float = 0.0


# At least 0.6 from each other in dlib's embedding, where photos of one person are about 0.3 apart.
# fmt: off
ROSTER = {
    "Amara Obi": FaceShape(
        face_width=3.39, jaw_width=7.59, chin_length=9.12, eye_spacing=0.65, eye_drop=0.95, eye_opening=0.17,
        eye_tilt=3.69, brow_height=-1.63, brow_tilt=-1.44, nose_length=2.39, nose_width=-0.29, mouth_width=0.28,
        mouth_drop=-0.35, lip_fullness=0.55, hair_width=-0.07, hair_height=-5.68, skin_gain=(1.01, 1.02, 1.04),
        hair_gain=(0.23, 0.2, 0.15), is_mirrored=False,
    ),
    "Bo Lindqvist": FaceShape(
        face_width=-1.24, jaw_width=5.16, chin_length=-2.6, eye_spacing=-0.42, eye_drop=-4.73, eye_opening=-0.46,
        eye_tilt=1.36, brow_height=-2.45, brow_tilt=3.65, nose_length=0.91, nose_width=0.06, mouth_width=0.24,
        mouth_drop=-2.83, lip_fullness=-0.59, hair_width=-0.07, hair_height=-0.67, skin_gain=(0.79, 0.75, 0.67),
        hair_gain=(1.21, 1.04, 1.09), is_mirrored=True,
    ),
    "Chiara Rossi": FaceShape(
        face_width=-0.92, jaw_width=-5.44, chin_length=-0.15, eye_spacing=-1.95, eye_drop=-2.65, eye_opening=-0.36,
        eye_tilt=3.94, brow_height=3.67, brow_tilt=0.55, nose_length=6.87, nose_width=-0.09, mouth_width=-0.26,
        mouth_drop=5.05, lip_fullness=-0.51, hair_width=-0.05, hair_height=-6.75, skin_gain=(0.53, 0.45, 0.43),
        hair_gain=(0.87, 0.92, 1.0), is_mirrored=False,
    ),
    "Dana Novak": FaceShape(
        face_width=-2.52, jaw_width=0.82, chin_length=5.1, eye_spacing=4.3, eye_drop=5.63, eye_opening=-0.18,
        eye_tilt=-0.82, brow_height=3.14, brow_tilt=-3.19, nose_length=5.57, nose_width=0.18, mouth_width=-0.2,
        mouth_drop=2.0, lip_fullness=-0.35, hair_width=-0.02, hair_height=-5.88, skin_gain=(1.03, 1.04, 1.06),
        hair_gain=(1.02, 0.91, 0.89), is_mirrored=False,
    ),
    "Elif Demir": FaceShape(
        face_width=1.27, jaw_width=-3.96, chin_length=10.3, eye_spacing=-4.49, eye_drop=-2.29, eye_opening=0.38,
        eye_tilt=3.47, brow_height=-3.59, brow_tilt=1.76, nose_length=-1.37, nose_width=-0.12, mouth_width=0.27,
        mouth_drop=5.31, lip_fullness=-0.26, hair_width=0.09, hair_height=3.35, skin_gain=(0.71, 0.65, 0.57),
        hair_gain=(0.58, 0.56, 0.5), is_mirrored=True,
    ),
    "Farida Haddad": FaceShape(
        face_width=-0.43, jaw_width=-4.71, chin_length=9.87, eye_spacing=3.84, eye_drop=-4.48, eye_opening=-0.29,
        eye_tilt=1.28, brow_height=2.57, brow_tilt=3.68, nose_length=-6.7, nose_width=-0.25, mouth_width=-0.05,
        mouth_drop=0.71, lip_fullness=0.33, hair_width=0.01, hair_height=0.3, skin_gain=(0.79, 0.75, 0.7),
        hair_gain=(0.96, 0.84, 0.9), is_mirrored=True,
    ),
    "Greta Sommer": FaceShape(
        face_width=2.08, jaw_width=0.42, chin_length=4.65, eye_spacing=3.53, eye_drop=-5.77, eye_opening=-0.5,
        eye_tilt=-3.17, brow_height=-3.14, brow_tilt=-2.37, nose_length=-1.84, nose_width=0.37, mouth_width=-0.05,
        mouth_drop=6.19, lip_fullness=-0.22, hair_width=-0.11, hair_height=5.08, skin_gain=(0.68, 0.62, 0.61),
        hair_gain=(1.15, 1.03, 0.99), is_mirrored=True,
    ),
    "Hana Sato": FaceShape(
        face_width=5.46, jaw_width=1.67, chin_length=5.0, eye_spacing=-2.48, eye_drop=5.97, eye_opening=-0.06,
        eye_tilt=-3.6, brow_height=-0.78, brow_tilt=-0.28, nose_length=-4.05, nose_width=-0.35, mouth_width=0.08,
        mouth_drop=-1.94, lip_fullness=-0.31, hair_width=0.08, hair_height=3.31, skin_gain=(0.57, 0.5, 0.42),
        hair_gain=(0.79, 0.77, 0.72), is_mirrored=True,
    ),
}
STRANGER = FaceShape(
    face_width=-5.2, jaw_width=4.51, chin_length=0.43, eye_spacing=-4.78, eye_drop=4.4, eye_opening=0.47,
    eye_tilt=-3.3, brow_height=-1.0, brow_tilt=3.19, nose_length=5.28, nose_width=-0.08, mouth_width=-0.11,
    mouth_drop=6.13, lip_fullness=0.25, hair_width=0.09, hair_height=-5.64, skin_gain=(0.87, 0.84, 0.83),
    hair_gain=(0.98, 1.0, 0.93), is_mirrored=True,
)
# fmt: on


def place_landmarks(person: FaceShape, appearance: Appearance) -> tuple[Points, Points]:
    """Where the landmarks (68, 2) and the hair's outline (n, 2) are in a picture of this person."""
    points, hair = LANDMARKS.copy(), HAIR.copy()
    side = np.sign(points[:, 0] - CENTRE[0])
    points[EDGE, 0] += person.face_width * side[EDGE]
    points[JAW, 0] += person.jaw_width * side[JAW]
    points[CHIN, 1] += person.chin_length * np.array([0.3, 0.7, 0.9, 1, 0.9, 0.7, 0.3])
    for direction, brow, eye in zip((-1, 1), BROWS, EYES, strict=True):
        middle = points[eye].mean(0)
        outwards = (points[eye, 0] - middle[0]) * direction / 10
        opened = middle[1] + (points[eye, 1] - middle[1]) * (1 + person.eye_opening)
        points[eye, 1] = opened - person.eye_tilt * outwards
        outwards = (points[brow, 0] - points[brow, 0].mean()) * direction / 12
        points[brow, 1] -= person.brow_height + person.brow_tilt * outwards
        for part in (brow, eye):
            points[part] += (direction * person.eye_spacing, person.eye_drop)
    points[NOSE, 1] += person.nose_length * (points[NOSE, 1] - 101) / 32
    points[NOSTRILS, 0] = CENTRE[0] + (points[NOSTRILS, 0] - CENTRE[0]) * (1 + person.nose_width)
    middle = points[MOUTH].mean(0)
    points[MOUTH] = middle + (points[MOUTH] - middle) * (
        1 + person.mouth_width + appearance.smile,
        1 + person.lip_fullness - appearance.smile,
    )
    points[MOUTH, 1] += person.mouth_drop
    hair[:, 0] = CENTRE[0] + (hair[:, 0] - CENTRE[0]) * (1 + person.hair_width)
    hair[:, 1] -= person.hair_height * np.clip((110 - hair[:, 1]) / 90, 0, 1)
    # When the head turns, what protrudes from the face moves furthest.
    for outline in (points, hair):
        protrusion = np.exp(-(((outline - CENTRE) / (38, 60)) ** 2).sum(1))
        outline += np.outer(protrusion, (appearance.yaw, appearance.nod))
    return points, hair


@cache
def portrait() -> tuple[Mask, Mask, Mask, Mask]:
    """The portrait (h, w, 3) float32, and how much of each pixel is skin, is hair, and is not background (0..1)."""
    image = skimage.data.astronaut().astype(np.float32)
    face, forehead, neck, ears, head, shoulders = (
        polygon2mask(image.shape[:2], np.array(outline)[:, ::-1])
        for outline in (
            LANDMARKS[[*range(17), 26, 25, 24, 19, 18, 17]],
            [(185, 75), (262, 75), (269, 100), (181, 100)],
            [(186, 150), (187, 178), (210, 185), (240, 188), (252, 184), (262, 150)],
            [(171, 117), (180, 131), (268, 134), (272, 136), (282, 128), (262, 105), (183, 105)],
            HAIR,
            [
                (120, 240),
                (120, 165),
                (150, 151),
                (170, 148),
                (187, 149),
                (254, 172),
                (275, 189),
                (297, 215),
                (310, 240),
            ],
        )
    )
    skin = soften(face | forehead | neck | ears, 2)
    return image, skin, soften(head, 2) * (1 - skin), soften(face | neck | ears | head | shoulders, 1.2)


def soften(mask: NDArray[np.bool_], sigma: float) -> Mask:
    return cv2.GaussianBlur(mask.astype(np.float32), (0, 0), sigma)


def draw_person(person: FaceShape, appearance: Appearance, height: int) -> tuple[Pixels, Mask]:
    """A picture of head and shoulders, (height, width, 3) uint8 RGB, and the opacity (height, width) of its pixels."""
    x1, y1, x2, y2 = CROP
    scale = height / (y2 - y1)
    rows, columns = np.mgrid[0:height, 0 : round((x2 - x1) * scale)]
    grid = np.mgrid[0 : rows.shape[0] + WARP_GRID_PX : WARP_GRID_PX, 0 : rows.shape[1] + WARP_GRID_PX : WARP_GRID_PX]
    # `target` is where the pixels are in the portrait without the warp, `source` where their colours come from.
    target = np.stack([grid[1] / scale + x1, grid[0] / scale + y1], -1)
    angle = np.radians(appearance.roll)
    target = (target - NECK) @ np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]) + NECK
    points, hair = place_landmarks(person, appearance)
    warp = LinearNDInterpolator(
        np.vstack([points, hair, FIXED_POINTS]), np.vstack([LANDMARKS, HAIR, FIXED_POINTS]), fill_value=0.0
    )
    grid_cells = (np.float32(columns / WARP_GRID_PX), np.float32(rows / WARP_GRID_PX))
    source, target = (cv2.remap(np.float32(coarse), *grid_cells, cv2.INTER_LINEAR) for coarse in (warp(target), target))
    picture, skin_mask, hair_mask, body_mask = portrait()
    image = cv2.remap(picture, source, None, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
    for mask, gain in ((skin_mask, person.skin_gain), (hair_mask, person.hair_gain)):
        image *= 1 + cv2.remap(mask, source, None, cv2.INTER_LINEAR)[..., None] * (np.array(gain, np.float32) - 1)
    to_right = (target[..., :1] - LIGHT_CENTRE[0]) / LIGHT_DISTANCE
    to_top = (LIGHT_CENTRE[1] - target[..., 1:]) / LIGHT_DISTANCE
    brightness = np.maximum(1 + appearance.side_light * to_right + appearance.top_light * to_top, 0)
    image *= appearance.light * brightness
    opacity = cv2.remap(body_mask, source, None, cv2.INTER_LINEAR)
    if person.is_mirrored:
        image, opacity = image[:, ::-1], opacity[:, ::-1]
    return np.clip(image, 0, 255).astype(np.uint8), opacity
