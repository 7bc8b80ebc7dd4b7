"""The demo's lecture: a roster of eight, of whom two are absent, one comes late and one leaves early; and a stranger.

`python -m demo.lecture FOLDER` writes lecture.mp4, truth.json and people/<name>/<n>.jpg, the same each time.
"""

import json
import sys
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np

from demo.people import ROSTER, STRANGER, Appearance, FaceShape, Mask, Pixels, draw_person

DURATION_SECONDS, FPS, WIDTH, HEIGHT = 40, 10, 1280, 720
KEY_FRAME_SECONDS = 2
PHOTOS_PER_STUDENT = 6
PHOTO_HEIGHT_PX = 320  # the face takes half of it
PHOTO_WALL_BRIGHTNESS = (15, 45), (215, 245)  # alternately dark and light
PHOTO_SIDE_LIGHT = 1.2  # from another side in each photo, or it would be taken for a copy of the one before
APPEARANCES_PER_PERSON = 3
APPEARANCE_SECONDS = 3.2


@dataclass(frozen=True, kw_only=True)
class Seat:
    """Where somebody sits: the middle of the shoulders and the height of the picture, in pixels; when, in seconds."""

    x: int
    y: int
    size: int
    start: float = 0.0
    end: float = float(DURATION_SECONDS)


# In drawing order, the back row first. Students of the roster without a seat are absent.
SEATS = {
    "Amara Obi": Seat(x=180, y=420, size=170),
    "Bo Lindqvist": Seat(x=480, y=425, size=175, start=12.0),
    "a stranger": Seat(x=790, y=420, size=170),
    "Dana Novak": Seat(x=1090, y=425, size=175),
    "Elif Demir": Seat(x=320, y=640, size=225),
    "Greta Sommer": Seat(x=650, y=645, size=235, end=29.0),
    "Hana Sato": Seat(x=970, y=640, size=225),
}
STATUSES = {"Bo Lindqvist": "Late", "Greta Sommer": "Left early"}


def truth() -> dict[str, Any]:
    """The true attendance and each student's status, with the keys of composed lectures."""
    present = {name: seat for name, seat in SEATS.items() if name in ROSTER}
    return {
        "duration": DURATION_SECONDS,
        "roster": sorted(ROSTER),
        "absent": sorted(ROSTER.keys() - present.keys()),
        "present": {name: [[seat.start, seat.end]] for name, seat in present.items()},
        "strangers": sorted(SEATS.keys() - ROSTER.keys()),
        "status": {name: STATUSES.get(name, "Present") if name in present else "Absent" for name in sorted(ROSTER)},
    }


def random_appearance(rng: np.random.Generator) -> Appearance:
    yaw, nod, roll, smile, light, side = rng.uniform(
        (-3, -2, -6, -0.06, 0.85, -0.15), (3, 2, 6, 0.06, 1.12, 0.15)
    ).tolist()
    return Appearance(yaw=yaw, nod=nod, roll=roll, smile=smile, light=light, side_light=side)


def write_photos(folder: Path) -> None:
    """Write the enrolment photos: folder/<name>/1.jpg and so on."""
    for index, (name, person) in enumerate(ROSTER.items()):
        rng = np.random.default_rng([1, index])
        (folder / name).mkdir(parents=True, exist_ok=True)
        for number in range(1, PHOTOS_PER_STUDENT + 1):
            angle = 2 * np.pi * number / PHOTOS_PER_STUDENT
            appearance = replace(
                random_appearance(rng),
                side_light=PHOTO_SIDE_LIGHT * float(np.cos(angle)),
                top_light=PHOTO_SIDE_LIGHT * float(np.sin(angle)),
            )
            picture, opacity = draw_person(person, appearance, PHOTO_HEIGHT_PX)
            wall = PHOTO_WALL_BRIGHTNESS[number % len(PHOTO_WALL_BRIGHTNESS)]
            background = np.full_like(picture, rng.uniform(*wall, 3))
            photo = background + (picture - background.astype(np.float32)) * opacity[..., None]
            cv2.imwrite(str(folder / name / f"{number}.jpg"), cv2.cvtColor(photo.astype(np.uint8), cv2.COLOR_RGB2BGR))


def draw_classroom() -> Pixels:
    room = np.empty((HEIGHT, WIDTH, 3), np.float32)
    room[:260], room[260:] = (196, 200, 190), (112, 100, 88)
    cv2.rectangle(room, (440, 20), (840, 150), (52, 82, 66), -1)
    for x in (60, 950):
        cv2.rectangle(room, (x, 30), (x + 270, 190), (222, 232, 240), -1)
    room *= np.linspace(1.06, 0.92, WIDTH, dtype=np.float32)[:, None]
    return np.clip(room, 0, 255).astype(np.uint8)


def paste_picture(frame: Pixels, picture: Pixels, opacity: Mask, x: float, y: float) -> None:
    """Draw a picture into the frame, with the middle of its lower edge at (x, y)."""
    height, width = opacity.shape
    shift = np.array([[1, 0, x - int(x)], [0, 1, y - int(y)]])
    picture, opacity = (cv2.warpAffine(array, shift, (width, height)) for array in (picture, opacity))
    left, top = int(x) - width // 2, int(y) - height
    below = frame[top : top + height, left : left + width]
    below[:] = below + (picture.astype(np.float32) - below) * opacity[..., None]


def write_video(path: Path) -> None:
    """Write the lecture's recording as MP4."""
    people: dict[str, FaceShape] = {**ROSTER, "a stranger": STRANGER}
    rng = np.random.default_rng(2)
    pictures = {
        name: [draw_person(people[name], random_appearance(rng), seat.size) for _ in range(APPEARANCES_PER_PERSON)]
        for name, seat in SEATS.items()
    }
    phases = {name: rng.uniform(0, 6.28) for name in SEATS}
    noise = rng.normal(0, 2.5, (4, HEIGHT, WIDTH, 3)).astype(np.int16)
    room = draw_classroom()
    with av.open(str(path), "w") as container:
        stream = container.add_stream(
            "libx264", rate=FPS, options={"preset": "ultrafast", "crf": "22", "x264-params": "scenecut=0"}
        )
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        stream.codec_context.gop_size = FPS * KEY_FRAME_SECONDS
        for index in range(DURATION_SECONDS * FPS):
            time = index / FPS
            frame = room.copy()
            for name, seat in SEATS.items():
                if seat.start <= time < seat.end:
                    phase = phases[name]
                    number = int(time / APPEARANCE_SECONDS + phase) % APPEARANCES_PER_PERSON
                    picture, opacity = pictures[name][number]
                    x = seat.x + 9 * np.sin(time * 0.8 + phase)
                    y = seat.y + 4 * np.sin(time * 1.1 + 2 * phase)
                    paste_picture(frame, picture, opacity, x, y)
                cv2.rectangle(frame, (seat.x - 125, seat.y - 8), (seat.x + 125, seat.y + 14), (150, 116, 78), -1)
            frame = cv2.add(frame, noise[index % len(noise)], dtype=cv2.CV_8U)
            video_frame = av.VideoFrame.from_ndarray(frame, format="rgb24")
            video_frame.pts, video_frame.time_base = index, Fraction(1, FPS)
            container.mux(stream.encode(video_frame))
        container.mux(stream.encode())


def write_lecture(folder: Path) -> None:
    """Write the lecture, the photos and the truth into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    write_photos(folder / "people")
    write_video(folder / "lecture.mp4")
    (folder / "truth.json").write_text(json.dumps(truth(), indent=1))


if __name__ == "__main__":
    write_lecture(Path(sys.argv[1]))
