"""Composed lectures with known attendance, and galleries for them."""

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
from recognition import Embedder, Gallery, check_enrolment_photos, train_gallery
from recognition.people_folder import photos_by_person
from recognition.vectors import normalise

Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Truth:
    """Who was there: label -> whether present, for the whole roster."""

    roster: tuple[str, ...]
    present: frozenset[str]
    enrol: int

    @classmethod
    def load(cls, lecture: Path) -> "Truth":
        known = json.loads(lecture.with_suffix(".json").read_text())
        return cls(tuple(known["roster"]), frozenset(known["present"]), known["enrol_photos"])

    def count_right(self, present: set[str]) -> int:
        """How many of the roster have the right status when these are marked present."""
        return sum((label in present) == (label in self.present) for label in self.roster)


def compose_lecture(bench: Bench, name: str, *arguments: str) -> Path:
    """The lecture `name`, composed unless it is in the cache. Ten minutes of it take twenty to compose."""
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


def concatenate_recording(source: Path, out: Path, times: int = 1, seconds: float | None = None) -> Path:
    """The first `seconds` of a recording, `times` one after the other, without encoding it again."""
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
class EnrolledClass:
    """A class's gallery, and each photo's label and raw embedding, for rules that compare with photos."""

    gallery: Gallery
    labels: tuple[str, ...]
    photos: Floats


def enrol_class(people: Path, truth: Truth, embedder: Embedder) -> EnrolledClass:
    """Enrol the first photos of everybody on the roster."""
    import cv2

    folders = photos_by_person(people, truth.enrol)
    known: dict[str, list[Floats]] = {label: [] for label in truth.roster}
    labels, crops = [], []
    for label in truth.roster:
        for photo in check_enrolment_photos(folders[label], embedder):
            if photo.embedding is not None and photo.crop is not None:
                known[label].append(photo.embedding)
                labels.append(label)
                crops.append(
                    cv2.cvtColor(cv2.imdecode(np.frombuffer(photo.crop, np.uint8), cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB)
                )
    return EnrolledClass(train_gallery(known, embedder.id), tuple(labels), embedder.network(np.stack(crops))[0])


def widen_gallery(trained: Gallery, students: int) -> Gallery:
    """The gallery with synthetic students added up to `students`, distributed like its own."""
    own = trained.templates
    added = max(students - len(own), 0)
    noise = np.random.default_rng(0).standard_normal((added, own.shape[1]))
    synthetic = own.mean(axis=0) + own.std(axis=0) * noise
    labels = (*trained.labels, *(f"synthetic {i}" for i in range(added)))
    templates = normalise(synthetic.astype(np.float32))
    # The weights of a synthetic student's SVM point to the template, with the mean length of the class's own.
    weights = templates * np.linalg.norm(trained.coef, axis=1).mean()
    return replace(
        trained,
        labels=labels,
        templates=np.concatenate([own, templates]),
        coef=np.concatenate([trained.coef, weights]),
        intercept=np.append(trained.intercept, np.full(added, trained.intercept.mean())).astype(np.float32),
    )


def nearest_labels(
    vectors: Floats, known: Floats, labels: Sequence[str], max_distance: float = 0.6
) -> list[str | None]:
    """The label of the photo nearest to each vector (n, d), None if it is farther than `max_distance`.

    This is the rule of `face_recognition`.
    """
    if not len(vectors):
        return []
    squared_distances = (vectors**2).sum(axis=1)[:, None] + (known**2).sum(axis=1)[None] - 2 * vectors @ known.T
    best = squared_distances.argmin(axis=1)
    return [
        labels[column] if squared_distances[row, column] <= max_distance**2 else None for row, column in enumerate(best)
    ]


def present_by_rule(seen: Sequence[Sequence[str | None]]) -> Mapping[str, set[str]]:
    """Who is present by several rules, from the labels of each sample's faces: the rule's name -> labels."""
    counts = Counter(label for labels in seen for label in set(labels) if label)
    min_counts = {
        "in any sample": 1,
        "in 3 samples": 3,
        "in 10 % of them": 0.1 * len(seen),
        "in half of them": 0.5 * len(seen),
    }
    return {
        rule: {label for label, count in counts.items() if count >= min_count} for rule, min_count in min_counts.items()
    }
