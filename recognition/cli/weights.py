"""`weights`: where the embedders' weights come from, and installing those that don't come with a package."""

import argparse
from collections.abc import Callable
from functools import partial
from pathlib import Path

from recognition.cli.environment import weights_folder
from recognition.embedding import EMBEDDERS, dlib_facenet, dlib_resnet, facenet
from recognition.embedding.weights.facenet_files import MODELS
from recognition.embedding.weights.installed import SOURCES, InstalledWeights, WeightsFolder
from recognition.errors import RecognitionError, WeightsMissing


def add_parser(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    actions = commands.add_parser("weights", help="get the weights of FaceNet").add_subparsers(
        required=True, metavar="ACTION"
    )
    actions.add_parser("list", help="what is installed, and what can be fetched").set_defaults(run=run_list)
    add = actions.add_parser("add", help="convert and install a file that you have")
    add.add_argument(
        "file",
        type=Path,
        metavar="FILE",
        help="facenet-pytorch's .pt, deepface's .h5, or the original's folder, zip or .pb",
    )
    add.set_defaults(run=lambda options: install(lambda folder: folder.add(options.file)))
    fetch = actions.add_parser("fetch", help="download from the publisher, convert and install")
    fetch.add_argument("name", choices=list(SOURCES), metavar="NAME", help=", ".join(SOURCES))
    fetch.set_defaults(run=lambda options: install(lambda folder: folder.fetch(options.name)))
    find = actions.add_parser("find", help="check that the weights of some models are there; they are not read")
    find.add_argument("names", nargs="+", choices=list(EMBEDDERS), metavar="NAME", help=", ".join(EMBEDDERS))
    find.set_defaults(run=run_find)
    actions.add_parser("verify", help="check that what is installed is unchanged and works").set_defaults(
        run=run_verify
    )


def install(install_into: Callable[[WeightsFolder], InstalledWeights]) -> int:
    folder = WeightsFolder(weights_folder())
    try:
        entry = install_into(folder)
    except OSError as error:
        raise RecognitionError(
            "The weights folder {path} cannot be written ({reason}). Set ROLLCALL_WEIGHTS_DIR to a folder that can be, "
            "for example on a mounted volume.",
            path=folder.path,
            reason=error.strerror or error,
        ) from error
    model = MODELS[entry.embedder]
    print(f"{entry.origin}: {entry.form}, model {model.name}, trained on {model.faces}.")
    print(f"Installed as {entry.embedder}, version {entry.version}: {folder.path / entry.file}")
    return 0


def run_list(_options: argparse.Namespace) -> int:
    installed = {entry.embedder: entry for entry in WeightsFolder(weights_folder()).installed()}
    print(f"{dlib_resnet.ID}: {find_package(dlib_resnet.packaged_weights)}")
    print(f"  trained on {dlib_resnet.TRAINED_ON}; the network is in the public domain (CC0)")
    print(f"{dlib_facenet.ID}: both {dlib_resnet.ID} and {dlib_facenet.FACENET_ID}")
    for embedder, model in MODELS.items():
        entry = installed.get(embedder)
        state = (
            f"version {entry.version}, added {entry.added} from {entry.origin}"
            if entry
            else find_package(partial(facenet.packaged_weights, embedder))
        )
        print(f"{embedder}: {state}")
        print(f"  trained on {model.faces}, pictures of {model.people:,} people that were collected for research: ask")
        print("  whether the terms of that data set allow your use; the network is under the MIT licence")
    print("To fetch:")
    for name, url in SOURCES.items():
        print(f"  {name:16}  {url}")
    return 0


def find_package(packaged_weights: Callable[[], Path]) -> str:
    """Where an embedder's packaged weights are, or why there are none."""
    try:
        return f"comes with a package, {packaged_weights()}"
    except WeightsMissing as error:
        return str(error)


def run_find(options: argparse.Namespace) -> int:
    folder = WeightsFolder(weights_folder())
    for name in options.names:
        for part in (dlib_resnet.ID, dlib_facenet.FACENET_ID) if name == dlib_facenet.ID else (name,):
            file = dlib_resnet.packaged_weights() if part == dlib_resnet.ID else folder.file_of(part)
            print(f"{part}: {file or facenet.packaged_weights(part)}")
    return 0


def run_verify(_options: argparse.Namespace) -> int:
    folder = WeightsFolder(weights_folder())
    faults = 0
    for entry, fault in folder.verify():
        print(f"{entry.embedder}: {fault or 'as it was added, and its vectors are unit vectors'}")
        faults += fault is not None
    if not folder.installed():
        print(f"No weights are installed in {folder.path}.")
    return min(faults, 1)
