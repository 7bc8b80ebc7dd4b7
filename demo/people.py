"""The demo's people. Nobody is real, and no photograph is kept here.

scikit-image ships one portrait in the public domain, of Eileen Collins (NASA). Bent piecewise between its landmarks and
tinted, it becomes people whom a face recogniser tells apart: their parameters were found by a random search for those
that lie far from each other.
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

# Where things are in the portrait, in its pixels (x, y), in the usual order of 68 landmarks, set by eye.
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
# What stays where it is: the surroundings and the shoulders.
STILL = np.array(
    [(x, y) for x in (60, 140, 225, 310, 400) for y in (-60, 240, 320)] + [(60, 90), (400, 90), (150, 165), (305, 165)]
)
GRID = 4  # pixels


@dataclass(frozen=True)
class Person:
    """How a face differs from the portrait: lengths in the portrait's pixels, colours as gains of red, green and
    blue."""

    width: float  # of the face
    jaw: float  # its width
    chin: float  # its length
    eyes_apart: float
    eyes_down: float
    eyes_open: float  # share
    eyes_tilt: float
    brows_up: float
    brows_tilt: float
    nose_long: float
    nose_wide: float  # share
    mouth_wide: float  # share
    mouth_down: float
    lips: float  # share
    hair_wide: float  # share
    hair_high: float
    skin: tuple[float, float, float]
    hair: tuple[float, float, float]
    mirrored: bool


# Where the light is what it is without side and top light, and how far from there it has changed by their share; pixels
# of the portrait.
LIGHT_CENTRE, LIGHT_REACH = (225, 120), 95


@dataclass(frozen=True)
class Moment:
    """How a person looks in one picture.

    `yaw` and `nod`: pixels that the nose moves by. `roll`: degrees. `smile`: share by which the mouth is wider.
    `light`: factor of the brightness; `side_light` and `top_light`: what it gains from the middle of the picture to its
    right and upper edge.
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
    "Amara Obi": Person(
        3.39, 7.59, 9.12, 0.65, 0.95, 0.17, 3.69, -1.63, -1.44, 2.39, -0.29, 0.28, -0.35, 0.55, -0.07, -5.68,
        (1.01, 1.02, 1.04), (0.23, 0.2, 0.15), False,
    ),
    "Bo Lindqvist": Person(
        -1.24, 5.16, -2.6, -0.42, -4.73, -0.46, 1.36, -2.45, 3.65, 0.91, 0.06, 0.24, -2.83, -0.59, -0.07, -0.67,
        (0.79, 0.75, 0.67), (1.21, 1.04, 1.09), True,
    ),
    "Chiara Rossi": Person(
        -0.92, -5.44, -0.15, -1.95, -2.65, -0.36, 3.94, 3.67, 0.55, 6.87, -0.09, -0.26, 5.05, -0.51, -0.05, -6.75,
        (0.53, 0.45, 0.43), (0.87, 0.92, 1.0), False,
    ),
    "Dana Novak": Person(
        -2.52, 0.82, 5.1, 4.3, 5.63, -0.18, -0.82, 3.14, -3.19, 5.57, 0.18, -0.2, 2.0, -0.35, -0.02, -5.88,
        (1.03, 1.04, 1.06), (1.02, 0.91, 0.89), False,
    ),
    "Elif Demir": Person(
        1.27, -3.96, 10.3, -4.49, -2.29, 0.38, 3.47, -3.59, 1.76, -1.37, -0.12, 0.27, 5.31, -0.26, 0.09, 3.35,
        (0.71, 0.65, 0.57), (0.58, 0.56, 0.5), True,
    ),
    "Farida Haddad": Person(
        -0.43, -4.71, 9.87, 3.84, -4.48, -0.29, 1.28, 2.57, 3.68, -6.7, -0.25, -0.05, 0.71, 0.33, 0.01, 0.3,
        (0.79, 0.75, 0.7), (0.96, 0.84, 0.9), True,
    ),
    "Greta Sommer": Person(
        2.08, 0.42, 4.65, 3.53, -5.77, -0.5, -3.17, -3.14, -2.37, -1.84, 0.37, -0.05, 6.19, -0.22, -0.11, 5.08,
        (0.68, 0.62, 0.61), (1.15, 1.03, 0.99), True,
    ),
    "Hana Sato": Person(
        5.46, 1.67, 5.0, -2.48, 5.97, -0.06, -3.6, -0.78, -0.28, -4.05, -0.35, 0.08, -1.94, -0.31, 0.08, 3.31,
        (0.57, 0.5, 0.42), (0.79, 0.77, 0.72), True,
    ),
}
STRANGER = Person(
    -5.2, 4.51, 0.43, -4.78, 4.4, 0.47, -3.3, -1.0, 3.19, 5.28, -0.08, -0.11, 6.13, 0.25, 0.09, -5.64,
    (0.87, 0.84, 0.83), (0.98, 1.0, 0.93), True,
)
# fmt: on


def shape(person: Person, moment: Moment) -> tuple[Points, Points]:
    """Where the landmarks and the hair's outline are in a picture of this person."""
    points, hair = LANDMARKS.copy(), HAIR.copy()
    side = np.sign(points[:, 0] - CENTRE[0])
    points[EDGE, 0] += person.width * side[EDGE]
    points[JAW, 0] += person.jaw * side[JAW]
    points[CHIN, 1] += person.chin * np.array([0.3, 0.7, 0.9, 1, 0.9, 0.7, 0.3])
    for way, brow, eye in zip((-1, 1), BROWS, EYES, strict=True):
        middle = points[eye].mean(0)
        outwards = (points[eye, 0] - middle[0]) * way / 10
        points[eye, 1] = middle[1] + (points[eye, 1] - middle[1]) * (1 + person.eyes_open) - person.eyes_tilt * outwards
        outwards = (points[brow, 0] - points[brow, 0].mean()) * way / 12
        points[brow, 1] -= person.brows_up + person.brows_tilt * outwards
        for part in (brow, eye):
            points[part] += (way * person.eyes_apart, person.eyes_down)
    points[NOSE, 1] += person.nose_long * (points[NOSE, 1] - 101) / 32
    points[NOSTRILS, 0] = CENTRE[0] + (points[NOSTRILS, 0] - CENTRE[0]) * (1 + person.nose_wide)
    middle = points[MOUTH].mean(0)
    points[MOUTH] = middle + (points[MOUTH] - middle) * (
        1 + person.mouth_wide + moment.smile,
        1 + person.lips - moment.smile,
    )
    points[MOUTH, 1] += person.mouth_down
    hair[:, 0] = CENTRE[0] + (hair[:, 0] - CENTRE[0]) * (1 + person.hair_wide)
    hair[:, 1] -= person.hair_high * np.clip((110 - hair[:, 1]) / 90, 0, 1)
    # A head that turns: what stands out of the face moves furthest.
    for outline in (points, hair):
        near = np.exp(-(((outline - CENTRE) / (38, 60)) ** 2).sum(1))
        outline += np.outer(near, (moment.yaw, moment.nod))
    return points, hair


@cache
def portrait() -> tuple[Mask, Mask, Mask, Mask]:
    """The portrait (h, w, 3) float32, and how much of each of its pixels is skin, is hair, is not background (0..1)."""
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
    skin = soft(face | forehead | neck | ears, 2)
    return image, skin, soft(head, 2) * (1 - skin), soft(face | neck | ears | head | shoulders, 1.2)


def soft(mask: NDArray[np.bool_], sigma: float) -> Mask:
    return cv2.GaussianBlur(mask.astype(np.float32), (0, 0), sigma)


def draw(person: Person, moment: Moment, height: int) -> tuple[Pixels, Mask]:
    """A picture (height, width, 3) uint8 RGB of head and shoulders, and how opaque each of its pixels is (0..1)."""
    x1, y1, x2, y2 = CROP
    scale = height / (y2 - y1)
    rows, columns = np.mgrid[0:height, 0 : round((x2 - x1) * scale)]
    # The bending is worked out on a coarse grid, since it takes the longest.
    coarse = np.mgrid[0 : rows.shape[0] + GRID : GRID, 0 : rows.shape[1] + GRID : GRID]
    here = np.stack([coarse[1] / scale + x1, coarse[0] / scale + y1], -1)
    angle = np.radians(moment.roll)
    here = (here - NECK) @ np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]) + NECK
    points, hair = shape(person, moment)
    bend = LinearNDInterpolator(np.vstack([points, hair, STILL]), np.vstack([LANDMARKS, HAIR, STILL]), fill_value=0.0)(
        here
    )
    fine = (np.float32(columns / GRID), np.float32(rows / GRID))
    there, here = (cv2.remap(np.float32(grid), *fine, cv2.INTER_LINEAR) for grid in (bend, here))
    picture, skin, tresses, body = portrait()
    image = cv2.remap(picture, there, None, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
    for mask, gain in ((skin, person.skin), (tresses, person.hair)):
        image *= 1 + cv2.remap(mask, there, None, cv2.INTER_LINEAR)[..., None] * (np.array(gain, np.float32) - 1)
    to_right, to_top = (here[..., :1] - LIGHT_CENTRE[0]) / LIGHT_REACH, (LIGHT_CENTRE[1] - here[..., 1:]) / LIGHT_REACH
    image *= moment.light * np.maximum(1 + moment.side_light * to_right + moment.top_light * to_top, 0)
    opaque = cv2.remap(body, there, None, cv2.INTER_LINEAR)
    if person.mirrored:
        image, opaque = image[:, ::-1], opaque[:, ::-1]
    return np.clip(image, 0, 255).astype(np.uint8), opaque
