"""`enrol`: a gallery from a folder of people, to be used for many recordings."""

import argparse
import sys
from pathlib import Path

from tqdm import tqdm

from recognition.attendance import enrol_people
from recognition.cli.models import chosen_runtime, load_chosen_embedder
from recognition.embedding import DEFAULT_EMBEDDER, EMBEDDERS, Embedder
from recognition.identification.gallery import Gallery
from recognition.messages import Message
from recognition.people_folder import photos_by_person


def add_parser(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    enrol = commands.add_parser("enrol", help="make a gallery of a folder of people, for `attend --gallery`")
    enrol.set_defaults(run=run)
    enrol.add_argument("people", type=Path, metavar="DIR", help="a folder of photos for each student")
    enrol.add_argument("gallery", type=Path, metavar="FILE", help="where to write the gallery")
    add_people_options(enrol)


def add_people_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--enrol", type=int, metavar="N", help="use only the first N photos of each student, by number")
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
    gallery = enrol_with_progress(options.people, options.enrol, embedder)
    gallery.save(options.gallery)
    print(f"{len(gallery.labels)} people with {gallery.report['photos']} photos are in {options.gallery}.")
    return 0


def enrol_with_progress(people: Path, photos_per_person: int | None, embedder: Embedder) -> Gallery:
    """`enrol_people` with a progress bar. Prints which photos can't be used, and why."""
    total = sum(map(len, photos_by_person(people, photos_per_person).values())) if people.is_dir() else 0
    with tqdm(total=total, desc="Enrolling", unit="photo") as bar:

        def on_photo(path: Path, reason: Message | None) -> None:
            if reason:
                tqdm.write(f"{path}: {reason}", file=sys.stderr)
            bar.update()

        return enrol_people(
            people,
            embedder=embedder,
            photos_per_person=photos_per_person,
            runtime=chosen_runtime(),
            on_photo=on_photo,
        )
