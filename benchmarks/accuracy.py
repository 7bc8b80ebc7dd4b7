"""How accurate Rollcall is, compared with the peers' rules on the same faces: `make bench-accuracy`, or

    python -m benchmarks.accuracy [--people DIR] [--strangers DIR] [--enrol N ...] [--photos A:B] [--embedder ID ...]
        [--lectures DIR]

The first photos of each person, by number, make the gallery: one, three and ten of them, one after the other. Those of
--photos, which are never enrolled, and one photo of each stranger are identified one by one like photos of a room, as
they are and with small faces. Then come lectures with known attendance: those of --lectures (a .json of make_lecture.py
beside each), or lectures of 1, 5 and 20 minutes that are composed of the same photos once and kept in var/bench. In
them people come late, for two or five minutes, change seats, leave and come back. A status is right at once, or after
a person truthfully answered whatever is to be confirmed; a class's second lecture also as it is once the first was
confirmed, by other photos of the same people. Thresholds are always the gallery's own.

In brackets are 95 % intervals, by bootstrap over people. Prints tables and writes benchmarks/results/accuracy.json. The
time it takes is printed, too.
"""

import argparse
import json
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from itertools import pairwise
from pathlib import Path
from typing import Any

from tqdm import tqdm

from benchmarks.composing import compose_lectures
from benchmarks.lecture_accuracy import Case, judge_lecture, process_lecture
from benchmarks.mixed_photos import find_mixed_folders
from benchmarks.people_intervals import Share, measure_share
from benchmarks.photo_accuracy import (
    FPIRS,
    EnrolledPerson,
    ProbeFace,
    enrol_people,
    first_photos,
    measure_open_set,
    measure_photos,
    read_probes,
)
from benchmarks.versus import REPOSITORY
from recognition import Embedder, load_embedder
from recognition.embedding import EMBEDDERS
from recognition.errors import WeightsMissing
from recognition.identification.gallery import DEFAULT_STRICTNESS
from recognition.people_folder import photos_by_person

FACE_SIZES_PX = (24, 40, 60, 91)  # the bounds of the rows by face size
SHORT_VISIT_SECONDS = 300


def measure_embedder(
    embedder: Embedder, people: Path, strangers: Path, counts: Sequence[int], shown: slice, lectures: Sequence[Path]
) -> dict[str, Any]:
    """Print the tables of one embedder, and return their figures."""
    known = enrol_people(people, max(counts), embedder)
    faces_by_size = read_probes(people, strangers, shown, embedder)
    warn_of_mixed_folders(known, next(iter(faces_by_size.values())), embedder)
    figures: dict[str, Any] = {"photos": {}, "lectures": {}}
    for size, faces in faces_by_size.items():
        for count in counts:
            enrolled = first_photos(known, count)
            rows, half = measure_photos(faces, enrolled, embedder), measure_open_set(faces, enrolled, embedder)
            print_photos(rows, half, f"{embedder.id}: photos, faces {size}, {count} enrolled")
            shares = {rule: {name: asdict(share) for name, share in row.items()} for rule, row in rows.items()}
            figures["photos"].setdefault(size, {})[count] = {"rules": shares, "half": half}
    for count in counts:
        enrolled = first_photos(known, count)
        processed = {path.stem: process_lecture(path, enrolled, embedder) for path in tqdm(lectures, desc="Lectures")}
        cases = [
            case
            for lecture in processed.values()
            for case in judge_lecture(lecture, enrolled, embedder, processed.get(lecture.follows))
        ]
        if cases:
            print_lectures(cases, f"{embedder.id}: lectures, {count} enrolled")
            figures["lectures"][count] = summarise_lectures(cases)
    return figures


def warn_of_mixed_folders(known: Mapping[str, EnrolledPerson], faces: Sequence[ProbeFace], embedder: Embedder) -> None:
    vectors = {name: list(person.embeddings) for name, person in known.items()}
    for face in faces:
        if face.label and face.track:
            vectors[face.label].append(face.track.embeddings[0])
    for name, reason in find_mixed_folders(vectors, embedder.id):
        print(f"{name}: {reason}", file=sys.stderr)


def print_photos(rows: Mapping[str, Mapping[str, Share]], half: Mapping[str, Any], title: str) -> None:
    first = next(iter(rows.values()))
    print(f"\n{title}; {first['identified'].of} photos of {first['identified'].people} people, ", end="")
    print(f"{first['strangers'].of} strangers")
    rates = {"rank_1": "rank 1"} | {f"tpir_at_{rate:g}": f"identified at {rate:.1%} of strangers" for rate in FPIRS}
    says = [
        f"{words} {half[name]['value']:.1%} ({100 * half[name]['low']:.1f}-{100 * half[name]['high']:.1f})"
        for name, words in rates.items()
    ]
    print(f"half of the people as the class: {', '.join(says)}")
    columns = {
        "identified": "identified",
        "or_to_confirm": "or to be confirmed",
        "as_another": "as another",
        "strangers": "strangers taken",
        "strangers_to_confirm": "or to be confirmed",
    }
    print_table(list(columns.values()), ((rule, [row.get(name, "") for name in columns]) for rule, row in rows.items()))


def summarise_lectures(cases: Sequence[Case]) -> dict[str, dict[str, dict[str, Any]]]:
    """By rule, the shares of statuses right, of strangers taken for a student, and by what they depend on."""
    return {
        rule: {name: asdict(share) for name, share in lecture_shares(own).items()}
        for rule, own in _by_rule(cases).items()
    }


def lecture_shares(cases: Sequence[Case]) -> dict[str, Share]:
    """The shares of one rule's cases."""
    students = [case for case in cases if not case.is_stranger]

    def right_at_once(chosen: Iterable[Case]) -> Share:
        return measure_share((case.person, case.at_once) for case in chosen)

    lengths = sorted({case.minutes for case in students})
    shares = {
        "at once": right_at_once(students),
        "after answers": measure_share((case.person, case.answered) for case in students),
        "asked": measure_share((case.person, case.asked) for case in students),
        "strangers taken": measure_share((case.person, not case.at_once) for case in cases if case.is_stranger),
    }
    shares |= {f"{length:g} min": right_at_once(c for c in students if c.minutes == length) for length in lengths}
    for low, high in pairwise(FACE_SIZES_PX):
        shares[f"{low}-{high - 1} px"] = right_at_once(case for case in students if low <= case.face_px < high)
    shares["short visits"] = right_at_once(
        case for case in students if 0 < case.seconds <= min(SHORT_VISIT_SECONDS, 30 * case.minutes)
    )
    shares["absent"] = right_at_once(case for case in students if not case.seconds)
    return {name: share for name, share in shares.items() if share.of}


def print_lectures(cases: Sequence[Case], title: str) -> None:
    shares = {rule: lecture_shares(own) for rule, own in _by_rule(cases).items()}
    balanced = shares[DEFAULT_STRICTNESS]
    print(f"\n{title}; {balanced['at once'].of} statuses, ", end="")
    print(f"{balanced['strangers taken'].of if 'strangers taken' in balanced else 0} strangers")
    columns = ["at once", "after answers", "asked", "strangers taken", *(n for n in balanced if n.endswith(" min"))]
    print_table(columns, ((rule, [row.get(name, "") for name in columns]) for rule, row in shares.items()))
    rest = [name for name in balanced if name not in columns]
    print(f"balanced, at once: {', '.join(f'{name} {balanced[name]} of {balanced[name].of}' for name in rest)}")


def print_table(columns: Sequence[str], rows: Iterable[tuple[str, Sequence[object]]]) -> None:
    print(f"{'':44}" + "".join(f"{column:>21}" for column in columns))
    for name, cells in rows:
        print(f"{name:44}" + "".join(f"{cell!s:>21}" for cell in cells))


def _by_rule(cases: Iterable[Case]) -> dict[str, list[Case]]:
    rules: dict[str, list[Case]] = {}
    for case in cases:
        rules.setdefault(case.rule, []).append(case)
    return rules


def parse_slice(text: str) -> slice:
    """`10:` or `10:20`: which photos of each person, counted from 0."""
    first, _, last = text.partition(":")
    return slice(int(first), int(last) if last else None)


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
    parser.add_argument("--enrol", type=int, nargs="+", default=[1, 3, 10], help="photos of each person (%(default)s)")
    parser.add_argument(
        "--photos", type=parse_slice, metavar="A:B", help="which photos are shown (all after those that are enrolled)"
    )
    parser.add_argument("--embedder", nargs="+", choices=sorted(EMBEDDERS), help="(all whose weights are there)")
    parser.add_argument(
        "--results", type=Path, default=REPOSITORY / "benchmarks" / "results", help="where to write (%(default)s)"
    )
    given = parser.parse_args()
    people = given.people or given.shared / "data" / "people"
    strangers = given.strangers or given.shared / "data" / "strangers"
    for folder in filter(None, (people, strangers, given.lectures)):
        if not folder.is_dir():
            sys.exit(
                f"There is no folder {folder}. Give the folders of photos, or that of the test data: make "
                "bench-accuracy SHARED=FOLDER"
            )
    counts, shown = sorted(given.enrol), given.photos or slice(max(given.enrol), None)
    if shown.start < counts[-1]:
        sys.exit(
            f"Photos from {shown.start} on are shown, but the first {counts[-1]} are enrolled. Nobody may be "
            f"recognised by the photo that is shown: give --photos {counts[-1]}: or fewer to enrol."
        )
    if not any(paths[shown] for paths in photos_by_person(people).values()):
        sys.exit(f"Nobody in {people} has more than {shown.start} photos. Give fewer to enrol, such as --enrol 1 3")
    if given.lectures:
        lectures = sorted(path.with_suffix(".mp4") for path in given.lectures.glob("*.json"))
    else:
        folder = REPOSITORY / "var" / "bench"
        lectures = compose_lectures(folder, people, strangers, shown, given.shared / "tools")
    about: dict[str, Any] = {"enrol": counts, "embedders": {}}
    for id in given.embedder or EMBEDDERS:
        began = time.monotonic()
        try:
            embedder = load_embedder(id)
        except WeightsMissing as error:
            print(f"{id} is left out: {error}", file=sys.stderr)
            continue
        about["embedders"][id] = measure_embedder(embedder, people, strangers, counts, shown, lectures)
        print(f"\n{id}: measured in {time.monotonic() - began:.0f} s")
    given.results.mkdir(parents=True, exist_ok=True)
    (given.results / "accuracy.json").write_text(json.dumps(about, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
