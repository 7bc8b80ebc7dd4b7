"""`align`: crop the faces of a folder of people, with the options and output of FaceNet's align_dataset_mtcnn.py.

Faces are found by Rollcall's own detector, at the settings of that tool.
"""

import argparse
import random
import sys
from pathlib import Path
from typing import TextIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from tqdm import tqdm

from recognition.cli.models import chosen_runtime
from recognition.cli.options import boolean, existing_folder, positive_int
from recognition.detection.alignment import crop_with_margin
from recognition.detection.detector import Detector, DetectorSettings
from recognition.errors import RecognitionError
from recognition.files import atomic_write
from recognition.media.photo import read_photo
from recognition.people_folder import photos_by_person
from recognition.types import Face

ORIGINAL_SETTINGS = DetectorSettings(min_face=20, thresholds=(0.6, 0.7, 0.7), factor=0.709)


def add_parser(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    align = commands.add_parser(
        "align", help="crop the faces of a folder of people, as FaceNet's align_dataset_mtcnn.py does"
    )
    align.add_argument("input_dir", type=existing_folder, metavar="RAW", help="a folder of photos for each person")
    align.add_argument(
        "output_dir", type=Path, metavar="ALIGNED", help="where the crops go, in folders of the same names"
    )
    align.add_argument(
        "--image_size", type=positive_int, default=182, metavar="PX", help="side of a crop (%(default)s)"
    )
    align.add_argument(
        "--margin", type=int, default=44, metavar="PX", help="pixels of the photo around the face, in all (%(default)s)"
    )
    align.add_argument(
        "--random_order", action="store_true", help="take the photos in random order, for several processes at once"
    )
    align.add_argument(
        "--detect_multiple_faces",
        type=boolean,
        nargs="?",
        const=True,
        default=False,
        metavar="True|False",
        help="crop all faces of a photo",
    )
    align.add_argument(
        "--gpu_memory_fraction", type=float, help=argparse.SUPPRESS
    )  # of the original; there is nothing to limit here
    align.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    out: Path = options.output_dir
    out.mkdir(parents=True, exist_ok=True)
    settings = {name: value for name, value in vars(options).items() if name != "run"}
    (out / "revision_info.txt").write_text("".join(f"{name}: {value}\n" for name, value in settings.items()))
    photos = [(person, path) for person, paths in photos_by_person(options.input_dir).items() for path in paths]
    rng = random.Random()  # noqa: S311 - to spread work, not to hide it
    if options.random_order:
        rng.shuffle(photos)
    crop_count = 0
    with (out / f"bounding_boxes_{rng.randrange(99999):05d}.txt").open("w") as box_file:
        for person, photo in tqdm(photos, desc="Aligning", unit="photo"):
            crop_count += _align(photo, out / person / f"{photo.stem}.png", options, box_file)
    print(f"Total number of images: {len(photos)}")
    print(f"Number of successfully aligned images: {crop_count}")
    return 0


def _align(photo: Path, target: Path, options: argparse.Namespace, box_file: TextIO) -> int:
    """Write the crops of one photo, and a line with the box of each; returns their number."""
    all_faces: bool = options.detect_multiple_faces
    first_target = target.with_stem(f"{target.stem}_0") if all_faces else target
    if first_target.exists():
        return 0
    try:
        image = read_photo(photo)[0]
    except (RecognitionError, OSError) as error:
        tqdm.write(f"{photo}: {error}", file=sys.stderr)
        return 0
    faces = Detector(ORIGINAL_SETTINGS, chosen_runtime()).detect([image])[0]
    if faces and not all_faces:
        faces = [most_central_face(faces, image.shape)]
    results = (crop_with_margin(image, face, options.image_size, options.margin) for face in faces)
    crops = [result for result in results if result]
    if not crops:
        tqdm.write(f'Unable to align "{photo}"', file=sys.stderr)
        print(target, file=box_file)
    for index, (crop, box) in enumerate(crops):
        path = target.with_stem(f"{target.stem}_{index}") if all_faces else target
        with atomic_write(path) as beside:
            Image.fromarray(crop).save(beside)
        print(path, *box, file=box_file)
    return len(crops)


def most_central_face(faces: list[Face], shape: tuple[int, ...]) -> Face:
    """The largest face, with some extra weight on the centre of an image of `shape` (height, width, 3)."""

    def weight(face: Face) -> float:
        size: NDArray[np.float32] = face.box[2:] - face.box[:2]
        offset = (face.box[:2] + face.box[2:]) / 2 - np.array([shape[1], shape[0]]) / 2
        return float(np.prod(size) - 2 * (offset**2).sum())

    return max(faces, key=weight)
