"""How right the answers are, beside the peers' rules on the same faces: `make bench-accuracy`, or

    python -m benchmarks.accuracy [--shared FOLDER] [--people DIR] [--strangers DIR] [--lectures DIR] [--enrol 10]

The first photos of each person make the gallery. The others, and one photo of each stranger, are asked one by one as
photos of a room are. Then come lectures with known attendance: those of --lectures (a .json of make_lecture.py beside
each), or twenty that are composed once and kept. Thresholds are the gallery's own throughout. Prints tables and writes
benchmarks/results/accuracy.json.
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

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from tqdm import tqdm

from benchmarks.lectures import composed
from benchmarks.parts import Bench
from benchmarks.versus import REPOSITORY, Peers
from recognition.embedding import Embedder, load_embedder
from recognition.identification.gallery import FPIR_BY_STRICTNESS, Gallery, train_gallery
from recognition.identification.open_set import identify
from recognition.identification.vote import VotePolicy, vote
from recognition.media.video import plan_segments, probe
from recognition.people_folder import photos_by_person
from recognition.pipeline import check_enrolment_photo, process_segment
from recognition.tracking.linking import link_tracks
from recognition.tracking.person import Person
from recognition.types import SegmentResult, Track
from recognition.vectors import normalise

SEEDS = range(1, 21)
FPIRS = (0.01, 0.001)
DRAWS = 20
# The cosine from which a nearest mean counts: Frigate's 0.9 for FaceNet, deepface's distance of 0.07 for dlib.
NEAREST_MEAN = {"dlib-resnet-v1": 0.93}
FRIGATE = 0.61
FACE_RECOGNITION = 0.6

Floats = NDArray[np.float32]
Rule = Callable[[Floats], list[str | None]]


@dataclass(frozen=True, slots=True)
class Enrolled:
    """A person's enrolment photos: `embeddings` for our gallery, `raw` (n, d) what the network says of the plain face
    crops, for the peers."""

    embeddings: list[Floats] = field(default_factory=list)
    raw: list[Floats] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Asked:
    """One face: `label` is whose it is, None for a stranger's."""

    label: str | None
    track: Track
    raw: Floats


def picture(jpeg: bytes) -> NDArray[np.uint8]:
    return np.asarray(Image.open(io.BytesIO(jpeg)).convert("RGB"))


def raw(embedder: Embedder, jpegs: Sequence[bytes]) -> Floats:
    """What the network says of face crops (n, d), as the peers get it: of any length, without mirror images."""
    return embedder.network(np.stack([picture(jpeg) for jpeg in jpegs]))[0]


def enrolled(people: Path, enrol: int, embedder: Embedder) -> dict[str, Enrolled]:
    known: dict[str, Enrolled] = {}
    for name, paths in tqdm(photos_by_person(people, enrol).items(), desc="Enrolling", unit="person"):
        known[name] = Enrolled()
        for path in paths:
            photo = check_enrolment_photo(path, embedder)
            if photo.embedding is not None and photo.crop is not None:
                known[name].embeddings.append(photo.embedding)
                known[name].raw.extend(raw(embedder, [photo.crop]))
    return known


def recognised(path: Path, embedder: Embedder) -> list[SegmentResult]:
    info = probe(path)
    return [process_segment(path, info, segment, embedder) for segment in plan_segments(path, info)]


def ask(label: str | None, path: Path, embedder: Embedder) -> Asked | None:
    """The face nearest the centre of a photo, as a photo of a room is looked at; None where no face is found."""
    info = probe(path)
    tracks = [track for result in recognised(path, embedder) for track in result.tracks]
    if not tracks:
        return None
    middle = np.array([info.width, info.height]) / 2
    track = min(tracks, key=lambda track: float(np.linalg.norm((track.boxes[0][:2] + track.boxes[0][2:]) / 2 - middle)))
    return Asked(label, track, raw(embedder, [track.crops[0].jpeg])[0])


def peers_rules(known: Mapping[str, Enrolled], embedder: str) -> dict[str, Rule]:
    """The rules of other systems, each from raw vectors (n, d) to a label or nobody."""
    from sklearn.svm import SVC

    labels = np.array([name for name, person in known.items() for _ in person.raw])
    photos = np.stack([vector for person in known.values() for vector in person.raw])
    names = sorted(set(labels))
    means = normalise(np.stack([normalise(photos[labels == name]).mean(axis=0) for name in names]))
    svm = SVC(kernel="linear", probability=True, random_state=0).fit(normalise(photos), labels)
    least = NEAREST_MEAN.get(embedder, FRIGATE)

    def argmax(vectors: Floats) -> list[str | None]:
        return [str(svm.classes_[best]) for best in svm.predict_proba(normalise(vectors)).argmax(axis=1)]

    def fixed(vectors: Floats) -> list[str | None]:
        apart = np.linalg.norm(vectors[:, None] - photos[None], axis=2)
        return [str(labels[row.argmin()]) if row.min() <= FACE_RECOGNITION else None for row in apart]

    def nearest_mean(vectors: Floats) -> list[str | None]:
        return [names[row.argmax()] if row.max() >= least else None for row in normalise(vectors) @ means.T]

    return {
        "SVM, the likeliest (the first FaceNet attendance systems)": argmax,
        f"a photo within {FACE_RECOGNITION} (face_recognition)": fixed,
        f"nearest mean from cosine {least} (as Frigate)": nearest_mean,
    }


def trained(known: Mapping[str, Enrolled], names: Sequence[str], embedder: Embedder) -> Gallery:
    return train_gallery({name: known[name].embeddings for name in names}, embedder.id)


def named(faces: Sequence[Asked], gallery: Gallery, rate: float, margin: float) -> list[str | None]:
    """Who each face is when it is the only one of a photo."""
    return [identify([Person([face.track])], gallery, rate, margin)[0].label for face in faces]


def shares(faces: Sequence[Asked], answers: Sequence[str | None], missing: int) -> dict[str, float]:
    """Of the asked photos of people (`missing` of which show no face) and of strangers."""
    mine = [(face.label, answer) for face, answer in zip(faces, answers, strict=True) if face.label]
    others = [answer for face, answer in zip(faces, answers, strict=True) if not face.label]
    total = len(mine) + missing
    return {
        "identified": sum(label == answer for label, answer in mine) / total,
        "as_another": sum(answer not in (None, label) for label, answer in mine) / total,
        "strangers": sum(answer is not None for answer in others) / max(len(others), 1),
    }


def open_set(faces: Sequence[Asked], known: Mapping[str, Enrolled], embedder: Embedder) -> dict[str, float]:
    """Rank 1, and the share identified where so many strangers are (TPIR at FPIR): half of the people, drawn DRAWS
    times, are the class, and the photos of the others are strangers' too. Each person weighs the same."""
    rng = np.random.default_rng(0)
    vectors = normalise(np.stack([face.track.qualities @ face.track.embeddings for face in faces]))
    whose = np.array([face.label or "" for face in faces])
    found: list[list[float]] = []
    for _ in range(DRAWS):
        names = sorted(rng.permutation(sorted(known))[: max(len(known) // 2, 2)])
        scores = trained(known, names, embedder).scores(vectors)
        best, top = scores.max(axis=1), np.array(names)[scores.argmax(axis=1)]
        own = np.isin(whose, names)
        strangers = ~own
        weights = np.array([1 / (whose == label).sum() if label else 1.0 for label in whose[strangers]])
        order = np.argsort(-best[strangers])
        passed = np.cumsum(weights[order]) / weights.sum()
        least = [best[strangers][order][min(int((passed <= rate).sum()), len(order) - 1)] for rate in FPIRS]
        right = top[own] == whose[own]
        found.append([right.mean(), *(float((right & (best[own] > limit)).mean()) for limit in least)])
    rank, *identified = np.mean(found, axis=0)
    return {"rank_1": float(rank)} | {
        f"tpir_at_{rate:g}": float(share) for rate, share in zip(FPIRS, identified, strict=True)
    }


def photos(
    known: Mapping[str, Enrolled], people: Path, strangers: Path, enrol: int, embedder: Embedder
) -> dict[str, Any]:
    """The tables of single photos."""
    paths: list[tuple[str | None, Path]] = [
        (name, path)
        for name, mine in photos_by_person(people).items()
        if known[name].embeddings
        for path in mine[enrol:]
    ]
    paths += [(None, path) for path in sorted(strangers.iterdir()) if path.is_file()]
    answers = [ask(label, path, embedder) for label, path in tqdm(paths, desc="Asking", unit="photo")]
    faces = [face for face in answers if face]
    missing = sum(face is None for (label, _), face in zip(paths, answers, strict=True) if label)
    gallery = trained(known, [name for name in known if known[name].embeddings], embedder)
    vectors = np.stack([face.track.embeddings[0] for face in faces if face.label])
    best = np.array(gallery.labels)[gallery.scores(vectors).argmax(axis=1)]
    rank = float((best == [face.label for face in faces if face.label]).sum() / (len(vectors) + missing))
    rows = {}
    for strictness, rate in FPIR_BY_STRICTNESS.items():
        margin = gallery.operating_points[strictness].margin
        present, perhaps = (shares(faces, named(faces, gallery, at, margin), missing) for at in (rate, 10 * rate))
        rows[strictness] = present | {
            "or_to_be_confirmed": perhaps["identified"],
            "strangers_to_be_confirmed": perhaps["strangers"],
        }
    stacked = np.stack([face.raw for face in faces])
    for rule, decide in peers_rules({name: known[name] for name in gallery.labels}, embedder.id).items():
        rows[rule] = shares(faces, decide(stacked), missing)
    return {
        "people": len(gallery.labels),
        "asked": len(vectors) + missing,
        "strangers": sum(face.label is None for face in faces),
        "rank_1": rank,
        "half": open_set(faces, known, embedder),
        "rules": rows,
    }


def seat(person: Person, seats: Mapping[str, Mapping[str, float]]) -> str:
    """Who sits where the person was seen."""
    x, y = (person.median_box[:2] + person.median_box[2:]) / 2
    return min(seats, key=lambda name: (seats[name]["x"] - x) ** 2 + (seats[name]["y"] - y) ** 2)


def majority(labels: Sequence[str | None]) -> str | None:
    return Counter(labels).most_common(1)[0][0] if labels else None


def lecture(path: Path, known: Mapping[str, Enrolled], embedder: Embedder) -> dict[str, dict[str, int]]:
    """What each rule makes of one lecture: rule -> statuses and right ones, strangers and those taken for students,
    unknown people.

    The peers' rules name each picture that was kept of a track, which are its best, and most of a person's pictures
    decide.
    """
    truth = json.loads(path.with_suffix(".json").read_text())
    roster, present = truth["roster"], set(truth["present"])
    info, results = probe(path), recognised(path, embedder)
    gallery = trained(known, roster, embedder)
    people = link_tracks([track for result in results for track in result.tracks], gallery.linking_threshold)
    people = [person for person in people if len(person.times) >= VotePolicy().min_samples]
    seated = [seat(person, truth["seats"]) for person in people]

    def row(there: set[str], names: Sequence[str | None], unknown: int) -> dict[str, int]:
        taken = {who for who, name in zip(seated, names, strict=True) if name and who not in roster}
        right = sum((label in there) == (label in present) for label in roster)
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
        rows[strictness] = row({person.label for person in attendance.presences if person.present}, names, unknown)
    pictures = [[crop.jpeg for track in person.tracks for crop in track.crops] for person in people]
    vectors = np.split(
        raw(embedder, [jpeg for mine in pictures for jpeg in mine]), np.cumsum([len(mine) for mine in pictures])[:-1]
    )
    for rule, decide in peers_rules({name: known[name] for name in roster if known[name].raw}, embedder.id).items():
        names = [majority(decide(mine)) for mine in vectors]
        rows[rule] = row({name for name in names if name}, names, sum(name is None for name in names))
    return rows


def videos(folder: Path | None, shared: Path) -> list[Path]:
    """The lectures of the folder, or the twenty that are composed once and kept."""
    if folder:
        return sorted(path.with_suffix(".mp4") for path in folder.glob("*.json") if path.with_suffix(".mp4").exists())
    bench = Bench(peers=Peers(), data=shared / "data", tools=shared / "tools", cache=REPOSITORY / "var" / "bench")
    arguments = ("--face", "24-90", "--noise", "6", "--duration", "60")
    return [
        composed(
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


def print_photos(found: Mapping[str, Any]) -> None:
    half = found["half"]
    print(f"\nSingle photos: {found['people']} people, {found['asked']} photos asked, {found['strangers']} strangers")
    print(
        f"rank 1 {found['rank_1']:.2%}; half of the people as the class, {DRAWS} draws: rank 1 {half['rank_1']:.2%}, ",
        end="",
    )
    print(", ".join(f"TPIR {half[f'tpir_at_{rate:g}']:.2%} at FPIR {rate:.1%}" for rate in FPIRS))
    print(f"{'':58} identified  as another  strangers  | with those to be confirmed: identified  strangers")
    for rule, row in found["rules"].items():
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
    parser.add_argument("--embedder", default="dlib-resnet-v1")
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
    embedder = load_embedder(given.embedder)
    known = enrolled(people, given.enrol, embedder)
    single = photos(known, people, strangers, given.enrol, embedder)
    print_photos(single)
    found = {
        path.stem: lecture(path, known, embedder)
        for path in tqdm(videos(given.lectures, given.shared), desc="Lectures")
    }
    if found:
        print_lectures(found)
    given.results.mkdir(parents=True, exist_ok=True)
    about = {"embedder": embedder.id, "enrol": given.enrol, "photos": single, "lectures": found}
    (given.results / "accuracy.json").write_text(json.dumps(about, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
