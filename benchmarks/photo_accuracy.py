"""Single photos, identified one by one like photos of a room."""

import io
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from PIL import Image
from tqdm import tqdm

from benchmarks.peer_rules import Floats, train_peer_rules
from benchmarks.people_intervals import Share, measure_share
from recognition import (
    Detector,
    Embedder,
    Gallery,
    VotePolicy,
    check_enrolment_photos,
    plan_segments,
    probe,
    process_segment,
    train_gallery,
    vote,
)
from recognition.embedding.base import RGB
from recognition.embedding.stored_crops import aligned_part
from recognition.identification.gallery import FPIR_BY_STRICTNESS
from recognition.people_folder import photos_by_person
from recognition.types import SegmentResult, Track, VideoInfo
from recognition.vectors import normalise

FPIRS = (0.01, 0.001)
DRAWS = 20
SMALL_FACE_PX = 32  # as in the back rows
SMALL_FACE_NOISE = 6.0
BORDER_PX = 100
DLIB = "dlib-resnet-v1"


@dataclass(slots=True)
class EnrolledPerson:
    """A person's enrolment photos, in the order of their numbers.

    `embeddings` are for our gallery, `raw` for the peers' rules.
    """

    embeddings: list[Floats] = field(default_factory=list)
    raw: list[Floats] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class ProbeFace:
    """A photo to identify: `name` is the person, `label` the same for people of the class and None for strangers.

    `track` is None where no face was found.
    """

    name: str
    label: str | None
    info: VideoInfo
    track: Track | None
    raw: Floats


def decode_jpeg(jpeg: bytes) -> RGB:
    return np.asarray(Image.open(io.BytesIO(jpeg)).convert("RGB"))


def raw_vectors(track: Track, embedder: Embedder) -> Floats:
    """The vectors (n, d) of a track for the peers' rules.

    Of dlib they are what the network says, as `face_recognition` has it: of any length, without mirror images. Of the
    others they are the embeddings.
    """
    if embedder.id == DLIB and track.crops:
        return embedder.network(np.stack([aligned_part(decode_jpeg(crop.jpeg)) for crop in track.crops]))[0]
    return track.embeddings


def enrol_people(people: Path, count: int, embedder: Embedder) -> dict[str, EnrolledPerson]:
    """The first `count` photos of each person, those without a face left out."""
    known = {}
    for name, paths in tqdm(photos_by_person(people, count).items(), desc="Enrolling", unit="person"):
        known[name] = EnrolledPerson()
        for photo in check_enrolment_photos(paths, embedder):
            if photo.embedding is not None and photo.crop is not None:
                known[name].embeddings.append(photo.embedding)
                raw = embedder.network(decode_jpeg(photo.crop)[None])[0][0] if embedder.id == DLIB else photo.embedding
                known[name].raw.append(raw)
    return known


def first_photos(known: Mapping[str, EnrolledPerson], count: int) -> dict[str, EnrolledPerson]:
    """The people with their first `count` photos, without those who have none."""
    return {
        name: EnrolledPerson(person.embeddings[:count], person.raw[:count])
        for name, person in known.items()
        if person.embeddings
    }


def train_class(known: Mapping[str, EnrolledPerson], embedder: Embedder) -> Gallery:
    return train_gallery({name: person.embeddings for name, person in known.items()}, embedder.id)


def process_recording(
    path: Path, info: VideoInfo, embedder: Embedder, detector: Detector, gallery: Gallery | None = None
) -> list[SegmentResult]:
    return [
        process_segment(path, info, segment, embedder, detector, gallery=gallery)
        for segment in plan_segments(path, info)
    ]


def read_probe(name: str, label: str | None, path: Path, embedder: Embedder, detector: Detector) -> ProbeFace:
    """The face nearest the centre of a photo."""
    info = probe(path)
    tracks = [track for result in process_recording(path, info, embedder, detector) for track in result.tracks]
    middle = np.array([info.width, info.height]) / 2
    track = min(
        tracks,
        key=lambda track: float(np.linalg.norm((track.boxes[0][:2] + track.boxes[0][2:]) / 2 - middle)),
        default=None,
    )
    raw = raw_vectors(track, embedder)[0] if track else np.empty(0, np.float32)
    return ProbeFace(name, label, info, track, raw)


def shrink_face(path: Path, face_px: float, out: Path) -> None:
    """Write a photo as a camera at the other end of a room would show it, with noise, so that the face is small."""
    image = cv2.imread(str(path))
    scale = SMALL_FACE_PX / face_px
    small = cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    framed = np.pad(small, ((BORDER_PX, BORDER_PX), (BORDER_PX, BORDER_PX), (0, 0)), mode="edge").astype(np.float32)
    noise = np.random.default_rng(0).normal(0, SMALL_FACE_NOISE, (*framed.shape[:2], 1))
    cv2.imwrite(str(out), np.clip(framed + noise, 0, 255).astype(np.uint8))


def read_probes(people: Path, strangers: Path, shown: slice, embedder: Embedder) -> dict[str, list[ProbeFace]]:
    """The photos `shown` of each person and all of the strangers, by face size: as they are, and small."""
    paths: list[tuple[str, str | None, Path]] = [
        (name, name, path) for name, photos in photos_by_person(people).items() for path in photos[shown]
    ]
    paths += [(path.stem, None, path) for path in sorted(strangers.iterdir()) if path.is_file()]
    detector, large, small = Detector(), [], []
    with tempfile.TemporaryDirectory() as folder:
        picture = Path(folder, "small.png")
        for name, label, path in tqdm(paths, desc="Reading photos", unit="photo"):
            face = read_probe(name, label, path, embedder, detector)
            large.append(face)
            if face.track:
                shrink_face(path, float(face.track.boxes[0][3] - face.track.boxes[0][1]), picture)
                face = read_probe(name, label, picture, embedder, detector)
            small.append(face)
    return {"as they are": large, f"{SMALL_FACE_PX} pixels": small}


def identify_face(face: ProbeFace, gallery: Gallery, strictness: str) -> tuple[str | None, str | None]:
    """Whom the face is taken for at once, and whom at once or after a person was asked."""
    if face.track is None:
        return None, None
    result = SegmentResult(embedder=gallery.embedder, frames=1, faces=1, tracks=(face.track,))
    policy = VotePolicy(strictness=strictness)
    presences = vote([result], gallery, gallery.labels, face.info, policy).presences
    certain = next((presence.label for presence in presences if presence.present), None)
    return certain, certain or next((presence.label for presence in presences if presence.to_confirm), None)


def summarise_answers(faces: Sequence[ProbeFace], answers: Sequence[str | None]) -> dict[str, Share]:
    pairs = list(zip(faces, answers, strict=True))
    return {
        "identified": measure_share((face.name, answer == face.label) for face, answer in pairs if face.label),
        "as_another": measure_share(
            (face.name, answer not in (None, face.label)) for face, answer in pairs if face.label
        ),
        "strangers": measure_share((face.name, answer is not None) for face, answer in pairs if not face.label),
    }


def measure_photos(
    faces: Sequence[ProbeFace], known: Mapping[str, EnrolledPerson], embedder: Embedder
) -> dict[str, dict[str, Share]]:
    """The shares of photos identified, identified as another, and of strangers identified, by rule."""
    gallery = train_class(known, embedder)
    faces = [face for face in faces if face.label is None or face.label in known]
    rows = {}
    for strictness in FPIR_BY_STRICTNESS:
        answers = [identify_face(face, gallery, strictness) for face in faces]
        asked = summarise_answers(faces, [answer for _, answer in answers])
        rows[strictness] = summarise_answers(faces, [answer for answer, _ in answers]) | {
            "or_to_confirm": asked["identified"],
            "strangers_to_confirm": asked["strangers"],
        }
    found = [face for face in faces if face.track]
    vectors = np.stack([face.raw for face in found])
    for rule, decide in train_peer_rules({name: person.raw for name, person in known.items()}, embedder.id).items():
        answer_of = dict(zip(map(id, found), decide(vectors), strict=True))
        rows[rule] = summarise_answers(faces, [answer_of.get(id(face)) for face in faces])
    return rows


def measure_open_set(
    faces: Sequence[ProbeFace], known: Mapping[str, EnrolledPerson], embedder: Embedder
) -> dict[str, Any]:
    """The rank-1 rate, and the share identified at given rates of strangers (TPIR at FPIR), whatever the thresholds.

    Half of the people, drawn DRAWS times, are the class; the others are strangers, too. Each stranger weighs the same.
    With each figure comes the range of nineteen of twenty draws.
    """
    rng = np.random.default_rng(0)
    found = [face for face in faces if face.track and (face.label is None or face.label in known)]
    vectors = normalise(np.stack([face.track.qualities @ face.track.embeddings for face in found if face.track]))
    true_labels = np.array([face.label or "" for face in found])
    rates: list[list[float]] = []
    for _ in range(DRAWS):
        names = sorted(rng.permutation(sorted(known))[: max(len(known) // 2, 2)].tolist())
        scores = train_class({name: known[name] for name in names}, embedder).scores(vectors)
        best, top = scores.max(axis=1), np.array(names)[scores.argmax(axis=1)]
        own = np.isin(true_labels, names)
        strangers = ~own
        weights = np.array([1 / (true_labels == label).sum() if label else 1.0 for label in true_labels[strangers]])
        order = np.argsort(-best[strangers])
        passed = np.cumsum(weights[order]) / weights.sum()
        thresholds = [best[strangers][order][min(int((passed <= rate).sum()), len(order) - 1)] for rate in FPIRS]
        right = top[own] == true_labels[own]
        rates.append([right.mean(), *(float((right & (best[own] > threshold)).mean()) for threshold in thresholds)])
    names_of_rates = ["rank_1", *(f"tpir_at_{rate:g}" for rate in FPIRS)]
    low, high = np.quantile(rates, (0.025, 0.975), axis=0)
    return {
        name: {"value": float(value), "low": float(low[i]), "high": float(high[i])}
        for i, (name, value) in enumerate(zip(names_of_rates, np.mean(rates, axis=0), strict=True))
    }
