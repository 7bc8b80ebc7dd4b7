"""`enrol`: a gallery from a folder of people, to be used for many recordings."""

import argparse
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tqdm import tqdm

from recognition.attendance import enrol_people
from recognition.cli.models import chosen_runtime, load_chosen_embedder
from recognition.embedding import DEFAULT_EMBEDDER, EMBEDDERS, Embedder
from recognition.identification.calibration import MAX_COUNTED_OBSERVATIONS
from recognition.identification.gallery import DEFAULT_STRICTNESS, ENOUGH_PHOTOS, Gallery
from recognition.messages import Message
from recognition.people_folder import photos_by_person

MAX_LINE_CHARACTERS = 200


def add_parser(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    enrol = commands.add_parser("enrol", help="make a gallery of a folder of people, for `attend --gallery`")
    enrol.set_defaults(run=run)
    enrol.add_argument("people", type=Path, metavar="DIR", help="a folder of photos for each student")
    enrol.add_argument("gallery", type=Path, metavar="FILE", help="where to write the gallery")
    add_people_options(enrol)


def add_people_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--enrol", type=int, metavar="N", help="use only the first N photos of each student, by number")
    parser.add_argument(
        "--keep",
        type=Path,
        action="append",
        default=[],
        metavar="PHOTO",
        help="a photo that counts although it looks like another student's; may be given again",
    )
    parser.add_argument(
        "--embedder", choices=sorted(EMBEDDERS), help=f"what compares faces (the gallery's, or {DEFAULT_EMBEDDER})"
    )
    parser.add_argument(
        "--weights",
        type=Path,
        metavar="FILE",
        help="the embedder's weights, where they are neither in a package nor installed",
    )


def run(options: argparse.Namespace) -> int:
    embedder = load_chosen_embedder(options.embedder or DEFAULT_EMBEDDER, options.weights)
    gallery = enrol_with_progress(options.people, options.enrol, options.keep, embedder)
    gallery.save(options.gallery)
    for line in format_report(gallery.report):
        print(line)
    print(f"{len(gallery.labels)} people with {gallery.report['photos']} photos are in {options.gallery}.")
    return 0


def enrol_with_progress(people: Path, photos_per_person: int | None, keep: list[Path], embedder: Embedder) -> Gallery:
    """`enrol_people` with a progress bar. Prints which photos don't count, and why."""
    total = sum(map(len, photos_by_person(people, photos_per_person).values())) if people.is_dir() else 0
    usable: dict[str, list[Path]] = {}
    with tqdm(total=total, desc="Enrolling", unit="photo") as bar:

        def on_photo(path: Path, reason: Message | None) -> None:
            if reason:
                tqdm.write(f"{path}: {reason}", file=sys.stderr)
            else:
                usable.setdefault(path.parent.name, []).append(path)
            bar.update()

        gallery = enrol_people(
            people,
            embedder=embedder,
            photos_per_person=photos_per_person,
            keep=keep,
            runtime=chosen_runtime(),
            on_photo=on_photo,
        )
    for label, suspects in gallery.report["suspect_photos"].items():
        for suspect in suspects:
            path = usable[label][suspect["photo"]]
            print(
                f"{path}: It looks more like {suspect['nearest']} (similarity {suspect['nearest_similarity']:.3f}) "
                f"than like {label}'s other photos ({suspect['similarity']:.3f}), so it doesn't count. "
                f"If it is right, add --keep {path}",
                file=sys.stderr,
            )
    return gallery


def format_report(report: dict[str, Any]) -> Iterator[str]:
    """What a training expects of its gallery, as lines of text."""
    yield f"{'strictness':12}{'strangers taken':>17}{'students missed':>17}{'threshold':>11}"
    for strictness, rate in report["rates"].items():
        missed = "too few photos" if rate["miss"] is None else format_share(rate["miss"])
        yield f"{strictness:12}{format_share(rate['fpir']):>17}{missed:>17}{rate['threshold']:>11.3f}"
    yield f"Of a student's appearances missed, {DEFAULT_STRICTNESS}, if everybody had"
    for i, row in enumerate(report["learning_curve"][DEFAULT_STRICTNESS]):
        if row["miss"] is None:
            says = f"too few to say: {row['students']} have {row['photos'] + MAX_COUNTED_OBSERVATIONS} or more"
        else:
            interval = f"{format_share(row['low'])} to {format_share(row['high'])}"
            says = f"{format_share(row['miss'])} ({interval}, of {row['students']} students)"
            for network, curves in report["learning_curve_by_network"].items():
                says += f"; {network} alone {format_share(curves[DEFAULT_STRICTNESS][i]['miss'])}"
        yield f"{row['photos']:4} photo{'s' if row['photos'] > 1 else ' '}  {says}"
    for key, lack in (("few_photos", f"fewer than {ENOUGH_PHOTOS} photos"), ("without_photos", "no usable photo")):
        if labels := report[key]:
            line = f"{len(labels)} with {lack}: {', '.join(labels)}"
            yield textwrap.shorten(line, MAX_LINE_CHARACTERS, placeholder=" ...")
    for first, second, similarity in report["too_alike"]:
        yield f"{first} and {second} look alike (similarity {similarity:.3f})."


def format_share(share: float) -> str:
    """A share (0..1) in per cent with three digits."""
    return f"{100 * share:#.3g}".rstrip(".") + " %" if share >= 1e-6 else "0 %"
