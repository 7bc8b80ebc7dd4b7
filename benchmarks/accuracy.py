"""How accurate Rollcall is, compared with the peers' rules on the same faces: `make bench-accuracy`, or

    python -m benchmarks.accuracy [--shared FOLDER] [--people DIR] [--strangers DIR] [--lectures DIR] [--enrol 10]
        [--embedder ID]

The first photos of each person make the gallery. The others, and one photo of each stranger, are identified one by one
like photos of a room. Then come lectures with known attendance: those of --lectures (a .json of make_lecture.py beside
each), or twenty that are composed once and kept. Thresholds are always the gallery's own. All this with each embedder.
Prints tables and writes benchmarks/results/accuracy.json.
"""

import argparse
import io
import json
import sys
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image
from tqdm import tqdm

from benchmarks.lectures import compose_lecture
from benchmarks.parts import Bench
from benchmarks.versus import REPOSITORY, Peers
from recognition import (
    Embedder,
    Gallery,
    VotePolicy,
    check_enrolment_photos,
    load_embedder,
    plan_segments,
    probe,
    process_segment,
    train_gallery,
    vote,
)
from recognition.identification.gallery import FPIR_BY_STRICTNESS
from recognition.identification.open_set import identify
from recognition.identification.vote import TO_CONFIRM_FPIR_FACTOR
from recognition.people_folder import photos_by_person
from recognition.tracking.linking import link_tracks
from recognition.tracking.person import Person
from recognition.types import SegmentResult, Track
from recognition.vectors import normalise

SEEDS = range(1, 21)
FPIRS = (0.01, 0.001)
DRAWS = 20
# From which cosine on the nearest mean counts: as deepface's distance of 0.07 for dlib, else as Frigate does.
NEAREST_MEAN_MIN_COSINE = {"dlib-resnet-v1": 0.93}
FRIGATE_MIN_COSINE = 0.61
FACE_RECOGNITION_MAX_DISTANCE = 0.6  # between dlib's vectors; those of others have other lengths

Floats = NDArray[np.float32]
Rule = Callable[[Floats], list[str | None]]


@dataclass(frozen=True, slots=True)
class EnrolledPerson:
    """A person's enrolment photos.

    `embeddings` are for our gallery, `raw` are the network's outputs (d,) for the plain face crops, for the peers.
    """

    embeddings: list[Floats] = field(default_factory=list)
    raw: list[Floats] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class ProbeFace:
    """A face to identify. `label` is the true one, None for a stranger."""

    label: str | None
    track: Track
    raw: Floats


def decode_jpeg(jpeg: bytes) -> NDArray[np.uint8]:
    return np.asarray(Image.open(io.BytesIO(jpeg)).convert("RGB"))


def embed_raw(embedder: Embedder, jpegs: Sequence[bytes]) -> Floats:
    """What the network says of face crops (n, d), as the peers get it: of any length, without mirror images."""
    size = (embedder.crop_size, embedder.crop_size)
    return embedder.network(np.stack([cv2.resize(decode_jpeg(jpeg), size) for jpeg in jpegs]))[0]


def enrol_people(people: Path, enrol: int, embedder: Embedder) -> dict[str, EnrolledPerson]:
    known: dict[str, EnrolledPerson] = {}
    for name, paths in tqdm(photos_by_person(people, enrol).items(), desc="Enrolling", unit="person"):
        known[name] = EnrolledPerson()
        for photo in check_enrolment_photos(paths, embedder):
            if photo.embedding is not None and photo.crop is not None:
                known[name].embeddings.append(photo.embedding)
                known[name].raw.extend(embed_raw(embedder, [photo.crop]))
    return known


def process_recording(path: Path, embedder: Embedder) -> list[SegmentResult]:
    info = probe(path)
    return [process_segment(path, info, segment, embedder) for segment in plan_segments(path, info)]


def read_probe(label: str | None, path: Path, embedder: Embedder) -> ProbeFace | None:
    """The face nearest the centre of a photo, which is processed like a photo of a room; None if there is no face."""
    info = probe(path)
    tracks = [track for result in process_recording(path, embedder) for track in result.tracks]
    if not tracks:
        return None
    middle = np.array([info.width, info.height]) / 2
    track = min(tracks, key=lambda track: float(np.linalg.norm((track.boxes[0][:2] + track.boxes[0][2:]) / 2 - middle)))
    return ProbeFace(label, track, embed_raw(embedder, [track.crops[0].jpeg])[0])


def train_peer_rules(known: Mapping[str, EnrolledPerson], embedder: str) -> dict[str, Rule]:
    """The rules of other systems, each from raw vectors (n, d) to labels, None for nobody."""
    from sklearn.svm import SVC

    labels = np.array([name for name, person in known.items() for _ in person.raw])
    photos = np.stack([vector for person in known.values() for vector in person.raw])
    names = sorted(set(labels))
    means = normalise(np.stack([normalise(photos[labels == name]).mean(axis=0) for name in names]))
    svm = SVC(kernel="linear", probability=True, random_state=0).fit(normalise(photos), labels)
    min_cosine = NEAREST_MEAN_MIN_COSINE.get(embedder, FRIGATE_MIN_COSINE)

    def argmax(vectors: Floats) -> list[str | None]:
        return [str(svm.classes_[best]) for best in svm.predict_proba(normalise(vectors)).argmax(axis=1)]

    def nearest_photo(vectors: Floats) -> list[str | None]:
        distances = np.linalg.norm(vectors[:, None] - photos[None], axis=2)
        return [str(labels[row.argmin()]) if row.min() <= FACE_RECOGNITION_MAX_DISTANCE else None for row in distances]

    def nearest_mean(vectors: Floats) -> list[str | None]:
        return [names[row.argmax()] if row.max() >= min_cosine else None for row in normalise(vectors) @ means.T]

    rules: dict[str, Rule] = {"SVM, the likeliest (the first FaceNet attendance systems)": argmax}
    if embedder == "dlib-resnet-v1":
        rules[f"a photo within {FACE_RECOGNITION_MAX_DISTANCE} (face_recognition)"] = nearest_photo
    return rules | {f"nearest mean from cosine {min_cosine} (as Frigate)": nearest_mean}


def train_class(known: Mapping[str, EnrolledPerson], names: Sequence[str], embedder: Embedder) -> Gallery:
    return train_gallery({name: known[name].embeddings for name in names}, embedder.id)


def identify_faces(faces: Sequence[ProbeFace], gallery: Gallery, rate: float, margin: float) -> list[str | None]:
    """The label of each face as if it were the only one of a photo."""
    return [identify([Person([face.track])], gallery, rate, margin)[0].label for face in faces]


def identification_rates(faces: Sequence[ProbeFace], answers: Sequence[str | None], missing: int) -> dict[str, float]:
    """The shares of photos identified, identified as another, and of strangers identified.

    `missing`: in how many further photos of people no face was found.
    """
    students = [(face.label, answer) for face, answer in zip(faces, answers, strict=True) if face.label]
    strangers = [answer for face, answer in zip(faces, answers, strict=True) if not face.label]
    total = len(students) + missing
    return {
        "identified": sum(label == answer for label, answer in students) / total,
        "as_another": sum(answer not in (None, label) for label, answer in students) / total,
        "strangers": sum(answer is not None for answer in strangers) / max(len(strangers), 1),
    }


def open_set_rates(
    faces: Sequence[ProbeFace], known: Mapping[str, EnrolledPerson], embedder: Embedder
) -> dict[str, float]:
    """The rank-1 rate, and the share identified at given rates of strangers (TPIR at FPIR).

    Half of the people, drawn DRAWS times, are the class; the others are strangers, too. Each stranger weighs the same.
    """
    rng = np.random.default_rng(0)
    vectors = normalise(np.stack([face.track.qualities @ face.track.embeddings for face in faces]))
    true_labels = np.array([face.label or "" for face in faces])
    rates: list[list[float]] = []
    for _ in range(DRAWS):
        names = sorted(rng.permutation(sorted(known))[: max(len(known) // 2, 2)])
        scores = train_class(known, names, embedder).scores(vectors)
        best, top = scores.max(axis=1), np.array(names)[scores.argmax(axis=1)]
        own = np.isin(true_labels, names)
        strangers = ~own
        weights = np.array([1 / (true_labels == label).sum() if label else 1.0 for label in true_labels[strangers]])
        order = np.argsort(-best[strangers])
        passed = np.cumsum(weights[order]) / weights.sum()
        thresholds = [best[strangers][order][min(int((passed <= rate).sum()), len(order) - 1)] for rate in FPIRS]
        right = top[own] == true_labels[own]
        rates.append([right.mean(), *(float((right & (best[own] > threshold)).mean()) for threshold in thresholds)])
    rank, *identified = np.mean(rates, axis=0)
    return {"rank_1": float(rank)} | {
        f"tpir_at_{rate:g}": float(share) for rate, share in zip(FPIRS, identified, strict=True)
    }


def measure_photos(
    known: Mapping[str, EnrolledPerson], people: Path, strangers: Path, enrol: int, embedder: Embedder
) -> dict[str, Any]:
    """The figures for single photos."""
    paths: list[tuple[str | None, Path]] = [
        (name, path)
        for name, person_paths in photos_by_person(people).items()
        if known[name].embeddings
        for path in person_paths[enrol:]
    ]
    paths += [(None, path) for path in sorted(strangers.iterdir()) if path.is_file()]
    answers = [read_probe(label, path, embedder) for label, path in tqdm(paths, desc="Identifying", unit="photo")]
    faces = [face for face in answers if face]
    missing = sum(face is None for (label, _), face in zip(paths, answers, strict=True) if label)
    gallery = train_class(known, [name for name in known if known[name].embeddings], embedder)
    vectors = np.stack([face.track.embeddings[0] for face in faces if face.label])
    best = np.array(gallery.labels)[gallery.scores(vectors).argmax(axis=1)]
    rank = float((best == [face.label for face in faces if face.label]).sum() / (len(vectors) + missing))
    rows = {}
    for strictness, rate in FPIR_BY_STRICTNESS.items():
        margin = gallery.operating_points[strictness].margin
        certain = identify_faces(faces, gallery, rate, margin)
        doubtful = identification_rates(
            faces, identify_faces(faces, gallery, TO_CONFIRM_FPIR_FACTOR * rate, margin), missing
        )
        rows[strictness] = identification_rates(faces, certain, missing) | {
            "or_to_be_confirmed": doubtful["identified"],
            "strangers_to_be_confirmed": doubtful["strangers"],
        }
    stacked = np.stack([face.raw for face in faces])
    for rule, decide in train_peer_rules({name: known[name] for name in gallery.labels}, embedder.id).items():
        rows[rule] = identification_rates(faces, decide(stacked), missing)
    return {
        "people": len(gallery.labels),
        "asked": len(vectors) + missing,
        "strangers": sum(face.label is None for face in faces),
        "rank_1": rank,
        "half": open_set_rates(faces, known, embedder),
        "rules": rows,
    }


def seat_of(person: Person, seats: Mapping[str, Mapping[str, float]]) -> str:
    """Whose seat is nearest to where the person was seen."""
    x, y = (person.median_box[:2] + person.median_box[2:]) / 2
    return min(seats, key=lambda name: (seats[name]["x"] - x) ** 2 + (seats[name]["y"] - y) ** 2)


def majority_label(labels: Sequence[str | None]) -> str | None:
    return Counter(labels).most_common(1)[0][0] if labels else None


def measure_lecture(path: Path, known: Mapping[str, EnrolledPerson], embedder: Embedder) -> dict[str, dict[str, int]]:
    """The figures of one lecture by rule.

    They are the number of statuses and of right ones, of strangers and of those taken for students, and of unknown
    people. The peers' rules identify each crop that was kept of a track, and the majority of a person's crops decides.
    """
    truth = json.loads(path.with_suffix(".json").read_text())
    roster, present = truth["roster"], set(truth["present"])
    info, results = probe(path), process_recording(path, embedder)
    gallery = train_class(known, roster, embedder)
    people = link_tracks([track for result in results for track in result.tracks], gallery.linking_threshold)
    people = [person for person in people if len(person.times) >= VotePolicy().min_samples]
    seat_owners = [seat_of(person, truth["seats"]) for person in people]

    def figures(marked: set[str], names: Sequence[str | None], unknown: int) -> dict[str, int]:
        taken = {owner for owner, name in zip(seat_owners, names, strict=True) if name and owner not in roster}
        right = sum((label in marked) == (label in present) for label in roster)
        return {
            "statuses": len(roster),
            "right": right,
            "strangers": len(truth["strangers"]),
            "taken": len(taken),
            "unknown": unknown,
        }

    rows = {}
    for strictness, rate in FPIR_BY_STRICTNESS.items():
        attendance = vote(results, gallery, roster, info, VotePolicy(strictness=strictness))
        names = [
            identity.label for identity in identify(people, gallery, rate, gallery.operating_points[strictness].margin)
        ]
        unknown = sum(not person.is_static for person in attendance.unknown)
        rows[strictness] = figures({person.label for person in attendance.presences if person.present}, names, unknown)
    crops = [[crop.jpeg for track in person.tracks for crop in track.crops] for person in people]
    all_vectors = embed_raw(embedder, [jpeg for person_crops in crops for jpeg in person_crops])
    vectors = np.split(all_vectors, np.cumsum([len(person_crops) for person_crops in crops])[:-1])
    for rule, decide in train_peer_rules(
        {name: known[name] for name in roster if known[name].raw}, embedder.id
    ).items():
        names = [majority_label(decide(person_vectors)) for person_vectors in vectors]
        rows[rule] = figures({name for name in names if name}, names, sum(name is None for name in names))
    return rows


def lecture_videos(folder: Path | None, shared: Path) -> list[Path]:
    """The lectures of the folder, or else twenty that are composed once and kept."""
    if folder:
        return sorted(path.with_suffix(".mp4") for path in folder.glob("*.json") if path.with_suffix(".mp4").exists())
    bench = Bench(peers=Peers(), data=shared / "data", tools=shared / "tools", cache=REPOSITORY / "var" / "bench")
    arguments = ("--face", "24-90", "--noise", "6", "--duration", "60")
    return [
        compose_lecture(
            bench,
            f"s{seed}",
            *arguments,
            "--seats",
            f"{30 + 7 * seed % 16}",
            "--unknown",
            f"{4 + seed % 5}",
            "--seed",
            f"{seed}",
        )
        for seed in SEEDS
    ]


def print_photos(figures: Mapping[str, Any]) -> None:
    half = figures["half"]
    people, asked, strangers = figures["people"], figures["asked"], figures["strangers"]
    print(f"\nSingle photos: {people} people, {asked} photos of them, {strangers} strangers")
    tpirs = ", ".join(f"TPIR {half[f'tpir_at_{rate:g}']:.2%} at FPIR {rate:.1%}" for rate in FPIRS)
    print(f"rank 1 {figures['rank_1']:.2%}")
    print(f"half of the people as the class, {DRAWS} draws: rank 1 {half['rank_1']:.2%}, {tpirs}")
    print(f"{'':58} identified  as another  strangers  | with those to be confirmed: identified  strangers")
    for rule, row in figures["rules"].items():
        line = f"{rule:58} {row['identified']:10.2%} {row['as_another']:11.2%} {row['strangers']:10.2%}"
        print(
            line
            + (
                f"  |{row['or_to_be_confirmed']:38.2%} {row['strangers_to_be_confirmed']:10.2%}"
                if rule in FPIR_BY_STRICTNESS
                else ""
            )
        )


def print_lectures(found: Mapping[str, Mapping[str, Mapping[str, int]]]) -> None:
    print(f"\n{len(found)} lectures, by the balanced strictness")
    for name, rows in found.items():
        row = rows["balanced"]
        print(
            f"{name:8} {row['right']:3} of {row['statuses']:3} right, {row['taken']} of {row['strangers']} strangers "
            "taken for a student, "
            f"{row['unknown']} unknown reported"
        )
    print(f"\n{'all lectures':58} statuses right  strangers taken  unknown reported")
    for rule in next(iter(found.values())):
        total = {key: sum(rows[rule][key] for rows in found.values()) for key in next(iter(found.values()))[rule]}
        right = f"{total['right']} of {total['statuses']} = {total['right'] / total['statuses']:.2%}"
        print(f"{rule:58} {right:>22} {total['taken']:6} of {total['strangers']:4} {total['unknown']:12}")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--shared",
        type=Path,
        default=REPOSITORY.parent / "shared",
        help="the folder with data/ and tools/ (%(default)s)",
    )
    parser.add_argument("--people", type=Path, help="a folder of photos for each person (data/people)")
    parser.add_argument("--strangers", type=Path, help="photos of people on no roster (data/strangers)")
    parser.add_argument("--lectures", type=Path, help="recordings with known attendance")
    parser.add_argument("--enrol", type=int, default=10, help="photos of each person to enrol (%(default)s)")
    parser.add_argument("--embedder", action="append", help="may be given again (default: dlib's and FaceNet's)")
    parser.add_argument(
        "--results", type=Path, default=REPOSITORY / "benchmarks" / "results", help="where to write (%(default)s)"
    )
    given = parser.parse_args()
    people, strangers = (
        given.people or given.shared / "data" / "people",
        given.strangers or given.shared / "data" / "strangers",
    )
    for folder in filter(None, (people, strangers, given.lectures)):
        if not folder.is_dir():
            sys.exit(
                f"There is no folder {folder}. Give the folders of photos, or that of the test data: make "
                "bench-accuracy SHARED=FOLDER"
            )
    lectures = lecture_videos(given.lectures, given.shared)
    about: dict[str, Any] = {"enrol": given.enrol, "embedders": {}}
    for id in given.embedder or ("dlib-resnet-v1", "facenet-20180408"):
        embedder = load_embedder(id)
        known = enrol_people(people, given.enrol, embedder)
        single = measure_photos(known, people, strangers, given.enrol, embedder)
        print(f"\n{id}")
        print_photos(single)
        found = {path.stem: measure_lecture(path, known, embedder) for path in tqdm(lectures, desc="Lectures")}
        if found:
            print_lectures(found)
        about["embedders"][id] = {"photos": single, "lectures": found}
    given.results.mkdir(parents=True, exist_ok=True)
    (given.results / "accuracy.json").write_text(json.dumps(about, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
