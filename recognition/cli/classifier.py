"""`classifier`: train or test a classifier of aligned faces, with the options and output of FaceNet's classifier.py."""

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
from recognition.errors import GalleryMismatch, NoEnrolment, RecognitionError
from recognition.identification.classifier import Classifier, train_classifier
from recognition.media.photo import read_photo
from recognition.people_folder import photos_by_person

Photos = Mapping[str, Sequence[Path]]


def add_parser(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    parser = commands.add_parser(
        "classifier", help="train or test a classifier of aligned faces, as FaceNet's classifier.py does"
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
        photos = select_training_photos(
            photos, options.min_nrof_images_per_class, options.nrof_train_images_per_class, options.seed
        )
        if not photos:
            raise NoEnrolment(
                "Nobody in {data_dir} has {min_nrof_images_per_class} images. Lower --min_nrof_images_per_class.",
                data_dir=options.data_dir,
                min_nrof_images_per_class=options.min_nrof_images_per_class,
            )
    embedder = _load_embedder(options.model)
    embedded, vectors = _embed_photos(photos, embedder, options)
    people = list(dict.fromkeys(person for person, _ in embedded))
    for person in sorted(set(photos) - set(people)):
        print(f"{person} has no image that can be used, and is left out.", file=sys.stderr)
    rows = {person: [i for i, (owner, _) in enumerate(embedded) if owner == person] for person in people}
    print("Training classifier")
    classifier = train_classifier(
        {display_name(person): vectors[indices] for person, indices in rows.items()},
        embedder.id,
        embedder.version,
        [f"{person}/{photo.name}" for person, photo in embedded],
    )
    classifier.save(options.classifier_filename)
    print(f'Saved classifier model to file "{options.classifier_filename}"')
    return 0


def _classify(options: argparse.Namespace) -> int:
    classifier = Classifier.load(options.classifier_filename)
    names = classifier.about.names
    print(f'Loaded classifier model from file "{options.classifier_filename}"')
    folder = options.test_data_dir or options.data_dir
    photos: Photos = photos_by_person(folder)
    for person in [person for person in photos if display_name(person) not in names]:
        print(f"{person} is unknown to the classifier, and is left out.", file=sys.stderr)
    photos = {person: paths for person, paths in photos.items() if display_name(person) in names}
    if options.use_split_dataset:
        trained = set(classifier.about.trained)
        photos = {
            person: [path for path in paths if f"{person}/{path.name}" not in trained]
            for person, paths in photos.items()
        }
    if not any(photos.values()):
        more = "; it was trained on all of them" if options.use_split_dataset else ""
        raise NoEnrolment(
            "There is no image in {folder} to try the classifier on{more}. Add images, or give --test_data_dir.",
            folder=folder,
            more=more,
        )
    embedder = _load_embedder(options.model)
    if (embedder.id, embedder.version) != (classifier.about.embedder, classifier.about.version):
        raise GalleryMismatch(
            "The classifier was trained with {embedder} (version {version}), and {model} is {id} "
            "(version {model_version}). Give the model that it was trained with, or train again.",
            embedder=classifier.about.embedder,
            version=classifier.about.version,
            model=options.model,
            id=embedder.id,
            model_version=embedder.version,
        )
    embedded, vectors = _embed_photos(photos, embedder, options)
    if not embedded:
        raise NoEnrolment("None of the images in {folder} can be read.", folder=folder)
    print("Testing classifier")
    probabilities = classifier.probabilities(vectors)
    best = probabilities.argmax(axis=1)
    for i, k in enumerate(best):
        print(f"{i:4d}  {names[k]}: {probabilities[i, k]:.3f}")
    correct_count = sum(names[k] == display_name(person) for (person, _), k in zip(embedded, best, strict=True))
    print(f"Accuracy: {correct_count / len(embedded):.3f}")
    return 0


def display_name(person: str) -> str:
    """The name of the person in a folder, as the original writes it."""
    return person.replace("_", " ")


def select_training_photos(photos: Photos, min_count: int, count: int, seed: int) -> dict[str, list[Path]]:
    """`count` images to train on, of each person who has at least `min_count`.

    The choice depends on the seed, the folder's name and its images alone, not on the other people.
    """
    selected = {}
    for person, paths in photos.items():
        if len(paths) >= min_count:
            order = np.random.default_rng([abs(seed), zlib.crc32(person.encode())]).permutation(len(paths))
            selected[person] = [paths[i] for i in sorted(order[:count])]
    return selected


def _load_embedder(model: str) -> Embedder:
    print("Loading feature extraction model")
    if Path(model).exists():
        return facenet.load_any(Path(model), chosen_runtime())
    return load_chosen_embedder(model)


def _embed_photos(
    photos: Photos, embedder: Embedder, options: argparse.Namespace
) -> tuple[list[tuple[str, Path]], NDArray[np.float32]]:
    """The (person, image) pairs that can be read, and their unit vectors (n, d). Prints which can't be read."""
    pairs = [(person, path) for person, paths in photos.items() for path in paths]
    print(f"Number of classes: {len(photos)}")
    print(f"Number of images: {len(pairs)}")
    embedded: list[tuple[str, Path]] = []
    vectors = [np.empty((0, embedder.dimension), np.float32)]
    with tqdm(total=len(pairs), desc="Calculating features", unit="image") as bar:
        for start in range(0, len(pairs), options.batch_size):
            crops = []
            for person, photo in pairs[start : start + options.batch_size]:
                try:
                    crops.append(crop_middle(photo, options.image_size, embedder.crop_size))
                    embedded.append((person, photo))
                except (RecognitionError, OSError) as error:
                    tqdm.write(f"{photo}: {error}", file=sys.stderr)
                bar.update()
            if crops:
                vectors.append(embedder.embed(np.stack(crops)))
    return embedded, np.concatenate(vectors)


def crop_middle(photo: Path, image_size: int, crop_size: int) -> NDArray[np.uint8]:
    """The middle of an image, a square of at most `image_size` pixels, scaled to (crop_size, crop_size, 3) uint8."""
    image = read_photo(photo)[0]
    height, width = image.shape[:2]
    side = min(image_size, height, width)
    top, left = (height - side) // 2, (width - side) // 2
    middle = Image.fromarray(image[top : top + side, left : left + side])
    return np.array(middle.resize((crop_size, crop_size), Image.Resampling.BILINEAR))
