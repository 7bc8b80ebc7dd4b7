"""Lectures in which people come for some minutes, change seats, leave and come back, composed from photographs.

The room, the seats and the people are those of `make_lecture.py`, which can compose only those who come late or leave
early. One frame a second keeps the files small: every second one is searched.
"""

import hashlib
import importlib.util
import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from types import ModuleType
from typing import Any

import av
import numpy as np
from tqdm import tqdm

from recognition.people_folder import photos_by_person

Span = tuple[float, float]  # seconds

WIDTH, HEIGHT = 1920, 1080
FACE_PX = (24, 90)  # from the back row to the front row
NOISE = 6.0
ROSTER_SIZE, STRANGERS = 36, 6
FRAMES_BETWEEN_KEYS = 5
BITS_PER_FRAME = 400_000
PHOTO_FACE_SHARE = 0.45  # of a photo's height that the face takes
# Name: class, minutes, and the lecture of the class before it, which shows the same people by other photos.
LECTURES = {
    "1min-a1": ("a", 1, ""),
    "1min-a2": ("a", 1, "1min-a1"),
    "1min-b1": ("b", 1, ""),
    "1min-b2": ("b", 1, "1min-b1"),
    "5min-c1": ("c", 5, ""),
    "5min-c2": ("c", 5, "5min-c1"),
    "20min-d1": ("d", 20, ""),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Sitting:
    """Somebody on a seat: the centre and height of the face in pixels, and from when to when."""

    name: str
    x: float
    y: float
    face_px: float
    spans: Sequence[Span]


def plan_attendance(names: Sequence[str], minutes: float, rng: np.random.Generator) -> dict[str, list[Span]]:
    """When each of the roster is in the room: most of them always, four never.

    Three come late and two leave early. From five minutes on three leave and come back, and three come for two minutes;
    from ten on three more come for five.
    """
    duration = 60.0 * minutes
    order = iter(rng.permutation(names).tolist())
    spans: dict[str, list[Span]] = {name: [(0.0, duration)] for name in names}

    for name in islice(order, 4):
        spans[name] = []
    for name in islice(order, 3):
        spans[name] = [(duration * rng.uniform(0.3, 0.5), duration)]
    for name in islice(order, 2):
        spans[name] = [(0.0, duration * rng.uniform(0.5, 0.7))]
    if minutes >= 5:
        for name in islice(order, 3):
            left = duration * rng.uniform(0.2, 0.4)
            spans[name] = [(0.0, left), (left + duration * rng.uniform(0.2, 0.3), duration)]
    for visit in (120.0, 300.0):
        if duration > 2 * visit:
            for name in islice(order, 3):
                came = rng.uniform(0, duration - visit)
                spans[name] = [(came, came + visit)]
    return spans


def compose_lecture(
    out: Path,
    minutes: float,
    photos: Mapping[str, Sequence[Path]],
    strangers: Sequence[Path],
    tools: Path,
    *,
    follows: str = "",
) -> None:
    """Write a lecture and, beside it, a .json with its truth. `photos` are those shown of each of the class. `follows`
    is the name of the class's lecture before.

    Three of those who stay change their seat in the middle of lectures of five minutes and more.
    """
    composer = _load_composer(tools)
    rng = np.random.default_rng(list(out.stem.encode()))
    names = sorted(photos)
    unknown = [strangers[i] for i in rng.permutation(len(strangers))[:STRANGERS]]
    duration = 60.0 * minutes
    present = plan_attendance(names, minutes, rng)
    moving = [name for name in names if present[name] == [(0.0, duration)]][:3] if minutes >= 5 else []
    seats = composer.seats(len(names) + len(unknown) + len(moving), WIDTH, HEIGHT, *FACE_PX)
    free = iter([seats[i] for i in rng.permutation(len(seats))])
    sittings = []
    for name in [name for name in names if present[name]]:
        halves = [[(0.0, duration / 2)], [(duration / 2 + 10, duration)]] if name in moving else [present[name]]
        for spans in halves:
            x, y, face_px = next(free)
            sittings.append(Sitting(name=name, x=x, y=y, face_px=face_px, spans=spans))
    for path in unknown:
        x, y, face_px = next(free)
        sittings.append(Sitting(name=path.stem, x=x, y=y, face_px=face_px, spans=[(0.0, duration)]))
    shown = {path.stem: [path] for path in unknown} | dict(photos)
    sitters = [
        composer.Sitter(
            sitting.name,
            shown[sitting.name],
            (sitting.x, sitting.y, sitting.face_px),
            sitting.spans,
            rng,
            1 / PHOTO_FACE_SHARE,
        )
        for sitting in sorted(sittings, key=lambda sitting: sitting.y)
    ]
    room = composer.room(WIDTH, HEIGHT, rng)
    noise = [rng.normal(0, NOISE, (HEIGHT, WIDTH, 1)).astype(np.float32) for _ in range(4)]
    part = out.with_name(f"part-{out.name}")
    with av.open(str(part), "w") as video:
        stream = video.add_stream("libx264", rate=1)
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        stream.bit_rate, stream.gop_size = BITS_PER_FRAME, FRAMES_BETWEEN_KEYS
        stream.options = {"preset": "veryfast"}
        for second in tqdm(range(int(duration)), desc=f"Composing {out.stem} (once)", unit="frame"):
            frame = room.copy()
            for sitter in sitters:
                sitter.draw(frame, float(second))
            frame += noise[second % len(noise)]
            picture = av.VideoFrame.from_ndarray(np.clip(frame, 0, 255).astype(np.uint8), format="bgr24")
            video.mux(stream.encode(picture))
        video.mux(stream.encode())
    truth = {
        "duration": duration,
        "follows": follows,
        "roster": names,
        "present": {name: spans for name, spans in present.items() if spans},
        "strangers": [path.name for path in unknown],
        "sittings": [{"name": s.name, "x": s.x, "y": s.y, "face_px": s.face_px, "spans": s.spans} for s in sittings],
    }
    out.with_suffix(".json").write_text(json.dumps(truth, indent=1))
    part.replace(out)


def compose_lectures(folder: Path, people: Path, strangers: Path, shown: slice, tools: Path) -> list[Path]:
    """The lectures of LECTURES, composed unless they are in the folder already: 34 minutes in all."""
    photos = {name: paths[shown] for name, paths in photos_by_person(people).items() if len(paths[shown]) > 1}
    unknown = sorted(path for path in strangers.iterdir() if path.is_file())
    about = json.dumps([[str(path) for path in paths] for paths in (*photos.values(), unknown)])
    folder /= f"lectures-{hashlib.sha256(about.encode()).hexdigest()[:8]}"
    folder.mkdir(parents=True, exist_ok=True)
    videos = []
    for name, (class_name, minutes, follows) in LECTURES.items():
        video = folder / f"{name}.mp4"
        if not video.exists():
            order = np.random.default_rng(list(class_name.encode())).permutation(sorted(photos))
            half = slice(1 if follows else 0, None, 2)
            seen = {person: photos[person][half] for person in order[:ROSTER_SIZE].tolist()}
            compose_lecture(video, minutes, seen, unknown, tools, follows=follows)
        videos.append(video)
    return videos


def read_sittings(truth: Mapping[str, Any]) -> list[Sitting]:
    """Who sat where and when, as this module or `make_lecture.py` wrote it."""
    if "sittings" in truth:
        return [Sitting(**sitting) for sitting in truth["sittings"]]
    always = [(0.0, truth["duration"])]
    return [
        Sitting(name=name, x=seat["x"], y=seat["y"], face_px=seat["face_px"], spans=truth["present"].get(name, always))
        for name, seat in truth["seats"].items()
    ]


def _load_composer(tools: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location("make_lecture", tools / "make_lecture.py")
    if spec is None or spec.loader is None or not (tools / "make_lecture.py").is_file():
        sys.exit(f"There is no {tools / 'make_lecture.py'}. Give the folder of the test data: --shared FOLDER")
    composer = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(composer)
    return composer
