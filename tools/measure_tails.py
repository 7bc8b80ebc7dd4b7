"""How near other people come to a student, by an embedder: `python -m tools.measure_tails PEOPLE [--strangers FOLDER]`.

PEOPLE has a folder of photos for each person, and FOLDER one photo of each of some more people. Each person's first
photos make a template; the photos of everybody else are compared with it, as one, two, and three observations, half of
them as a near and half as a distant camera sees them. Prints what `recognition/identification/calibration.py` holds:
the tail of Fisher's z (the normal distribution whose quantiles from 98 to 99.9 % are nearest to those found; each
person weighs the same) with its 95 % interval over people, and by how much enrolment photos come nearer than
observations.
"""

import argparse
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from zlib import crc32

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri
from tqdm import tqdm

from recognition import Detector, Embedder
from recognition.cli.models import load_chosen_embedder
from recognition.detection.alignment import align_face, simulate_distance
from recognition.embedding import EMBEDDERS
from recognition.embedding.averaging import embed_crops, embed_single_crops
from recognition.embedding.base import RGB
from recognition.errors import RecognitionError
from recognition.identification.calibration import MAX_COUNTED_OBSERVATIONS, TAIL_SHARE, Tail
from recognition.media.photo import read_photo
from recognition.people_folder import photos_by_person
from recognition.types import Face
from recognition.vectors import Floats, normalise

QUANTILES = (0.98, 0.99, 0.995, 0.998, 0.999)  # through which the tail is laid
MAX_PHOTOS = 12  # of a person
SINGLE_PHOTOS = 2  # of a person that are embedded in several views, as the only observation of a face
DRAWS = 60  # of several observations, for each person
RESAMPLES = 200
MIN_FACE_PX = 32
DISTANT_FACE_PX = (24, 90)
DISTANT_NOISE_STD = 6.0
BOX_ERROR, POINT_ERROR = 0.03, 0.015  # of the face's height, that the detector makes


@dataclass(frozen=True, slots=True, kw_only=True)
class PersonVectors:
    """Unit vectors (p, d) of a person's photos: as a near and as a distant camera sees them, as they are enrolled, and
    of some of them as the only observation of a face."""

    near: Floats
    far: Floats
    enrolled: Floats
    single: Floats


def embed_photos(paths: Sequence[Path], embedder: Embedder, detector: Detector) -> PersonVectors | None:
    """The vectors of the photos that have a face; None if none has."""
    crops, distant = [], []
    for path in paths:
        try:
            image = read_photo(path)[0]
        except RecognitionError as error:
            print(f"{path}: {error}", file=sys.stderr)
            continue
        faces = detector.detect([image], MIN_FACE_PX)[0]
        if faces:
            centre = np.array(image.shape[1::-1]) / 2
            face = min(faces, key=lambda face: float(np.linalg.norm((face.box[:2] + face.box[2:]) / 2 - centre)))
            crops.append(embedder.crop(image, face, align_face(image, face)))
            distant.append(embedder.crop(*shrink(image, face)))
    if not crops:
        return None
    views = embed_crops([view for crop in crops for view in (crop, *simulate_distance(crop))], embedder)
    views = views.reshape(len(crops), 3, embedder.dimension)
    return PersonVectors(
        near=views[:, 0],
        far=embed_crops(distant, embedder),
        enrolled=normalise(views[:, 0] + views[:, 1:].mean(axis=1)),
        single=embed_single_crops(crops[:SINGLE_PHOTOS], embedder),
    )


def shrink(image: RGB, face: Face) -> tuple[RGB, Face, RGB]:
    """The picture as a distant camera sees it, with a sensor's noise, and the face in it, not quite where it is."""
    rng = np.random.default_rng(crc32(image.tobytes()))
    scale = min(rng.uniform(*DISTANT_FACE_PX) / float(face.box[3] - face.box[1]), 1.0)
    small = cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    noisy = np.asarray(np.clip(small + rng.normal(0, DISTANT_NOISE_STD, small.shape), 0, 255), np.uint8)
    side = float(face.box[3] - face.box[1]) * scale
    box = face.box * scale + rng.normal(0, BOX_ERROR * side, 4)
    points = face.points * scale + rng.normal(0, POINT_ERROR * side, (5, 2))
    found = Face(box.astype(np.float32), face.score, points.astype(np.float32))
    return noisy, found, align_face(noisy, found)


def observe(person: PersonVectors, count: int, rng: np.random.Generator) -> Floats:
    """Means of `count` observations of a person, as unit vectors (m, d)."""
    if count == 1:
        return person.single
    draws = []
    for _ in range(DRAWS):
        order = rng.permutation(len(person.near))[:count]
        is_near = rng.permutation(np.arange(len(order)) % 2 == rng.integers(2))
        draws.append(np.where(is_near[:, None], person.near[order], person.far[order]).sum(axis=0))
    return normalise(np.stack(draws))


def enrol_means(person: PersonVectors, count: int, rng: np.random.Generator) -> Floats:
    """Means of `count` enrolment photos of a person, as unit vectors (m, d)."""
    if count == 1:
        return person.enrolled
    orders = [rng.permutation(len(person.enrolled))[:count] for _ in range(DRAWS)]
    return normalise(np.stack([person.enrolled[order].sum(axis=0) for order in orders]))


def impostor_scores(probes: Sequence[Floats], templates: Floats) -> list[NDArray[np.float64]]:
    """Fisher's z of each person's probes with the others' templates (n, d), which are those of the first n people."""
    scores = []
    for index, vectors in enumerate(probes):
        others = np.arange(len(templates)) != index
        scores.append(np.arctanh((vectors @ templates[others].T).astype(np.float64)).ravel())
    return scores


def quantiles(scores: Sequence[NDArray[np.float64]]) -> NDArray[np.float64]:
    """QUANTILES of all scores, where each person weighs the same."""
    values = np.concatenate(scores)
    weights = np.concatenate([np.full(len(own), 1 / len(own)) for own in scores])
    order = np.argsort(values)
    shares = np.cumsum(weights[order]) / weights.sum()
    return np.array([values[order][np.searchsorted(shares, quantile)] for quantile in QUANTILES])


def fit_tail(scores: Sequence[NDArray[np.float64]]) -> Tail:
    """Mean and standard deviation of the normal distribution with nearly the scores' QUANTILES."""
    deviation, mean = np.polyfit(ndtri(QUANTILES), quantiles(scores), 1)
    return float(mean), float(deviation)


def format_row(count: int, people: Sequence[PersonVectors], templates: Floats) -> Iterator[str]:
    rng = np.random.default_rng(0)
    people = [person for person in people if len(person.near) >= count]
    scores = impostor_scores([observe(person, count, rng) for person in people], templates)
    mean, deviation = fit_tail(scores)
    resamples = [fit_tail([scores[i] for i in rng.integers(0, len(scores), len(scores))]) for _ in range(RESAMPLES)]
    (low_mean, low_deviation), (high_mean, high_deviation) = np.quantile(resamples, (0.025, 0.975), axis=0)
    enrolled = impostor_scores([enrol_means(person, count, rng) for person in people], templates)
    tail_start = QUANTILES.index(1 - TAIL_SHARE)
    shift = float(quantiles(enrolled)[tail_start] - quantiles(scores)[tail_start])
    yield f"{count} observation{'s' * (count > 1)}: mean {mean:.3f} ({low_mean:.3f} to {high_mean:.3f}), "
    yield f"deviation {deviation:.3f} ({low_deviation:.3f} to {high_deviation:.3f}), "
    yield f"enrolment photos come nearer by {shift:.3f} ({len(people)} people)"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("people", type=Path, metavar="PEOPLE")
    parser.add_argument("--strangers", type=Path, metavar="FOLDER", help="one photo of each of some more people")
    parser.add_argument("--photos", type=int, default=10, metavar="N", help="in a template, at most (%(default)s)")
    parser.add_argument("--embedder", choices=EMBEDDERS, default="dlib-resnet-v1")
    given = parser.parse_args()
    embedder, detector = load_chosen_embedder(given.embedder), Detector()
    groups = list(photos_by_person(given.people, MAX_PHOTOS).values())
    groups += [[path] for path in sorted(given.strangers.iterdir())] if given.strangers else []
    found = [embed_photos(paths, embedder, detector) for paths in tqdm(groups, unit="person")]
    # Templates are of people with more than one photo, who come first.
    people = sorted(filter(None, found), key=lambda person: len(person.near) == 1)
    templates = normalise(
        np.stack([person.enrolled[: given.photos].sum(axis=0) for person in people if len(person.near) > 1])
    )
    print(f"{embedder.id}: {len(people)} people, {len(templates)} templates of {given.photos} photos at most")
    for count in range(1, MAX_COUNTED_OBSERVATIONS + 1):
        print("".join(format_row(count, people, templates)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
