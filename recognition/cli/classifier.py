"""`classifier`: train a classifier on aligned faces, or try one, with the words of FaceNet's classifier.py."""

import argparse
import sys
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from tqdm import tqdm

from recognition.cli.models import chosen_runtime, load_chosen_embedder
from recognition.cli.options import existing_folder, positive_int
from recognition.embedding import EMBEDDERS, Embedder, facenet
from recognition.embedding.weights import facenet_files
from recognition.errors import GalleryMismatch, NoEnrolment, RecognitionError
from recognition.identification.classifier import Classifier, train_classifier
from recognition.media.photo import read_photo
from recognition.people_folder import photos_by_person

Photos = Mapping[str, Sequence[Path]]


def add_parser(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    parser = commands.add_parser(
        "classifier", help="train or try a classifier of aligned faces, as FaceNet's classifier.py does"
    )
    parser.add_argument("mode", choices=["TRAIN", "CLASSIFY"])
    parser.add_argument(
        "data_dir",
        type=existing_folder,
        metavar="DATA",
        help="what `align` made: a folder of face crops for each person",
    )
    parser.add_argument("model", metavar="MODEL", help=f"weights that `weights add` takes, or {', '.join(EMBEDDERS)}")
    parser.add_argument(
        "classifier_filename",
        type=Path,
        metavar="OUT",
        help="the classifier's file, written by TRAIN and read by CLASSIFY",
    )
    parser.add_argument(
        "--use_split_dataset", action="store_true", help="train on some images of each person, classify the others"
    )
    parser.add_argument(
        "--test_data_dir",
        type=existing_folder,
        metavar="DIR",
        help="for CLASSIFY: the images to classify, instead of DATA",
    )
    parser.add_argument(
        "--batch_size", type=positive_int, default=90, metavar="N", help="images embedded at once (%(default)s)"
    )
    parser.add_argument(
        "--image_size",
        type=positive_int,
        default=160,
        metavar="PX",
        help="larger images are cut to their middle (%(default)s)",
    )
    parser.add_argument("--seed", type=int, default=666, metavar="N", help="of the split (%(default)s)")
    parser.add_argument(
        "--min_nrof_images_per_class",
        type=positive_int,
        default=20,
        metavar="N",
        help="a split leaves people with fewer out (%(default)s)",
    )
    parser.add_argument(
        "--nrof_train_images_per_class",
        type=positive_int,
        default=10,
        metavar="N",
        help="images of each person to train on (%(default)s)",
    )
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    if options.test_data_dir and (options.mode == "TRAIN" or options.use_split_dataset):
        raise NoEnrolment(
            "--test_data_dir is for CLASSIFY, and a test set of its own needs no --use_split_dataset. Leave one of "
            "them out."
        )
    return _train(options) if options.mode == "TRAIN" else _classify(options)


def _train(options: argparse.Namespace) -> int:
    photos: Photos = photos_by_person(options.data_dir)
    if options.use_split_dataset:
        photos = split(photos, options.min_nrof_images_per_class, options.nrof_train_images_per_class, options.seed)
        if not photos:
            raise NoEnrolment(
                "Nobody in {data_dir} has {min_nrof_images_per_class} images. Lower --min_nrof_images_per_class.",
                data_dir=options.data_dir,
                min_nrof_images_per_class=options.min_nrof_images_per_class,
            )
    embedder = _embedder(options.model)
    read, vectors = _embedded(photos, embedder, options)
    people = list(dict.fromkeys(person for person, _ in read))
    for person in sorted(set(photos) - set(people)):
        print(f"{person} has no image that can be used, and is left out.", file=sys.stderr)
    rows = {person: [i for i, (whose, _) in enumerate(read) if whose == person] for person in people}
    print("Training classifier")
    known = train_classifier(
        {name(person): vectors[mine] for person, mine in rows.items()},
        embedder.id,
        embedder.version,
        [f"{person}/{photo.name}" for person, photo in read],
    )
    known.save(options.classifier_filename)
    print(f'Saved classifier model to file "{options.classifier_filename}"')
    return 0


def _classify(options: argparse.Namespace) -> int:
    known = Classifier.load(options.classifier_filename)
    names = known.about.names
    print(f'Loaded classifier model from file "{options.classifier_filename}"')
    folder = options.test_data_dir or options.data_dir
    photos: Photos = photos_by_person(folder)
    for person in [person for person in photos if name(person) not in names]:
        print(f"{person} is nobody whom the classifier knows, and is left out.", file=sys.stderr)
    photos = {person: mine for person, mine in photos.items() if name(person) in names}
    if options.use_split_dataset:
        trained = set(known.about.trained)
        photos = {
            person: [photo for photo in mine if f"{person}/{photo.name}" not in trained]
            for person, mine in photos.items()
        }
    if not any(photos.values()):
        more = "; it was trained on all of them" if options.use_split_dataset else ""
        raise NoEnrolment(
            "There is no image in {folder} to try the classifier on{more}. Add images, or give --test_data_dir.",
            folder=folder,
            more=more,
        )
    embedder = _embedder(options.model)
    if (embedder.id, embedder.version) != (known.about.embedder, known.about.version):
        raise GalleryMismatch(
            "The classifier was trained with {embedder} (version {version}), and {model} is {id} "
            "(version {model_version}). Give the model that it was trained with, or train again.",
            embedder=known.about.embedder,
            version=known.about.version,
            model=options.model,
            id=embedder.id,
            model_version=embedder.version,
        )
    read, vectors = _embedded(photos, embedder, options)
    if not read:
        raise NoEnrolment("None of the images in {folder} can be read.", folder=folder)
    print("Testing classifier")
    probabilities = known.probabilities(vectors)
    best = probabilities.argmax(axis=1)
    for i, k in enumerate(best):
        print(f"{i:4d}  {names[k]}: {probabilities[i, k]:.3f}")
    right = sum(names[k] == name(person) for (person, _), k in zip(read, best, strict=True))
    print(f"Accuracy: {right / len(read):.3f}")
    return 0


def name(person: str) -> str:
    """What a folder's person is called, as in the original."""
    return person.replace("_", " ")


def split(photos: Photos, least: int, count: int, seed: int) -> dict[str, list[Path]]:
    """`count` images to train on of each person who has at least `least`.

    The choice hangs on the names of the folder and its images alone, neither on the order of a listing nor on other
    people.
    """
    chosen = {}
    for person, mine in photos.items():
        if len(mine) >= least:
            order = np.random.default_rng([abs(seed), zlib.crc32(person.encode())]).permutation(len(mine))
            chosen[person] = [mine[i] for i in sorted(order[:count])]
    return chosen


def _embedder(model: str) -> Embedder:
    print("Loading feature extraction model")
    if Path(model).exists():
        return facenet.build_embedder(facenet_files.read(Path(model)), chosen_runtime())[0]
    return load_chosen_embedder(model)


def _embedded(
    photos: Photos, embedder: Embedder, options: argparse.Namespace
) -> tuple[list[tuple[str, Path]], NDArray[np.float32]]:
    """The images that can be read, with their people, and their unit vectors (n, d); says which can't be."""
    pairs = [(person, photo) for person, mine in photos.items() for photo in mine]
    print(f"Number of classes: {len(photos)}")
    print(f"Number of images: {len(pairs)}")
    read: list[tuple[str, Path]] = []
    vectors = [np.empty((0, embedder.dimension), np.float32)]
    with tqdm(total=len(pairs), desc="Calculating features", unit="image") as bar:
        for start in range(0, len(pairs), options.batch_size):
            crops = []
            for person, photo in pairs[start : start + options.batch_size]:
                try:
                    crops.append(crop(photo, options.image_size, embedder.crop_size))
                    read.append((person, photo))
                except (RecognitionError, OSError) as error:
                    tqdm.write(f"{photo}: {error}", file=sys.stderr)
                bar.update()
            if crops:
                vectors.append(embedder.embed(np.stack(crops)))
    return read, np.concatenate(vectors)


def crop(photo: Path, image_size: int, crop_size: int) -> NDArray[np.uint8]:
    """The middle of an image, a square of at most `image_size`, as (chip_size, chip_size, 3)."""
    image = read_photo(photo)[0]
    height, width = image.shape[:2]
    side = min(image_size, height, width)
    top, left = (height - side) // 2, (width - side) // 2
    middle = Image.fromarray(image[top : top + side, left : left + side])
    return np.array(middle.resize((crop_size, crop_size), Image.Resampling.BILINEAR))
