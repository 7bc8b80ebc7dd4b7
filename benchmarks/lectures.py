"""Composed lectures with known attendance: made once and kept, put end to end, enrolled, scored."""

import json
import subprocess
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray

from benchmarks.parts import Bench
from recognition.embedding import Embedder
from recognition.identification import gallery
from recognition.people_folder import photos_by_person
from recognition.pipeline import check_enrolment_photo
from recognition.vectors import normalise

Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Truth:
    """Who was there: label -> whether present, for the whole roster."""

    roster: tuple[str, ...]
    present: frozenset[str]
    enrol: int

    @classmethod
    def of(cls, lecture: Path) -> "Truth":
        known = json.loads(lecture.with_suffix(".json").read_text())
        return cls(tuple(known["roster"]), frozenset(known["present"]), known["enrol_photos"])

    def right(self, present: set[str]) -> int:
        """How many of the roster are marked rightly."""
        return sum((label in present) == (label in self.present) for label in self.roster)


def composed(bench: Bench, name: str, *arguments: str) -> Path:
    """The lecture `name` of the cache; composed first where it isn't there, which for ten minutes takes twenty."""
    video = bench.cache / f"{name}.mp4"
    if not video.exists():
        bench.cache.mkdir(parents=True, exist_ok=True)
        part = bench.cache / f"part-{name}.mp4"
        print(f"Composing {video.name} (once) ...", file=sys.stderr)
        command: list[str | Path] = [
            sys.executable,
            bench.tools / "make_lecture.py",
            "--people",
            bench.data / "people",
            "--strangers",
            bench.data / "strangers",
        ]
        subprocess.run([*command, *arguments, "--out", part], check=True)
        part.with_suffix(".json").replace(video.with_suffix(".json"))
        part.replace(video)
    return video


def end_to_end(source: Path, out: Path, times: int = 1, seconds: float | None = None) -> Path:
    """The first `seconds` of a recording, `times` one after the other, without encoding anything anew."""
    out.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(out), "w") as target:
        stream, shift = None, 0
        for _ in range(times):
            end = 0
            with av.open(str(source)) as container:
                video = container.streams.video[0]
                stream = stream or target.add_stream_from_template(video)
                base = video.time_base or Fraction(1)
                for packet in container.demux(video):
                    if packet.dts is None or packet.pts is None:
                        continue
                    if seconds is not None and packet.is_keyframe and packet.pts * base >= seconds:
                        break
                    end = max(end, packet.pts + (packet.duration or 0))
                    packet.pts, packet.dts = packet.pts + shift, packet.dts + shift
                    packet.stream = stream
                    target.mux(packet)
            shift += end
    return out


@dataclass(frozen=True, slots=True)
class Enrolled:
    """A class's gallery, and each photo's raw embedding for rules that compare with photos."""

    gallery: gallery.Gallery
    labels: tuple[str, ...]
    photos: Floats


def enrolled(people: Path, truth: Truth, embedder: Embedder) -> Enrolled:
    """The first photos of everybody on the roster."""
    import cv2

    folders = photos_by_person(people, truth.enrol)
    known: dict[str, list[Floats]] = {label: [] for label in truth.roster}
    labels, crops = [], []
    for label in truth.roster:
        for path in folders[label]:
            photo = check_enrolment_photo(path, embedder)
            if photo.embedding is not None and photo.crop is not None:
                known[label].append(photo.embedding)
                labels.append(label)
                crops.append(
                    cv2.cvtColor(cv2.imdecode(np.frombuffer(photo.crop, np.uint8), cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB)
                )
    return Enrolled(gallery.train_gallery(known, embedder.id), tuple(labels), embedder.network(np.stack(crops))[0])


def widened(trained: gallery.Gallery, students: int) -> gallery.Gallery:
    """The gallery with synthetic students added up to `students`, who are spread as its own are."""
    own = trained.templates
    more = max(students - len(own), 0)
    new = own.mean(axis=0) + own.std(axis=0) * np.random.default_rng(0).standard_normal((more, own.shape[1]))
    labels = (*trained.labels, *(f"synthetic {i}" for i in range(more)))
    templates = normalise(new.astype(np.float32))
    # An SVM points to its student, as far as the usual one of the class does.
    weights = templates * np.linalg.norm(trained.coef, axis=1).mean()
    return replace(
        trained,
        labels=labels,
        templates=np.concatenate([own, templates]),
        coef=np.concatenate([trained.coef, weights]),
        intercept=np.append(trained.intercept, np.full(more, trained.intercept.mean())).astype(np.float32),
    )


def nearest(vectors: Floats, known: Floats, labels: Sequence[str], within: float = 0.6) -> list[str | None]:
    """Whose photo is nearest to each vector (n, d), or nobody's when it is farther than `within`: the rule of
    `face_recognition`."""
    if not len(vectors):
        return []
    squares = (vectors**2).sum(axis=1)[:, None] + (known**2).sum(axis=1)[None] - 2 * vectors @ known.T
    best = squares.argmin(axis=1)
    return [labels[column] if squares[row, column] <= within**2 else None for row, column in enumerate(best)]


def majorities(seen: Sequence[Sequence[str | None]]) -> Mapping[str, set[str]]:
    """Who is present, from the names of each sample's faces, by several rules: the name of the rule -> labels."""
    counts = Counter(label for labels in seen for label in set(labels) if label)
    least = {
        "in any sample": 1,
        "in 3 samples": 3,
        "in 10 % of them": 0.1 * len(seen),
        "in half of them": 0.5 * len(seen),
    }
    return {rule: {label for label, count in counts.items() if count >= bound} for rule, bound in least.items()}
