"""How near other people come to a student, by an embedder: `python -m tools.measure_tails PEOPLE [--strangers FOLDER]`.

PEOPLE has a folder of photos for each person, and FOLDER one photo of each of some more people. Templates of 1, 2, 5
and 10 photos of each person are compared with the photos of everybody else, as one, two, and three observations, half
of them as a near and half as a distant camera sees them. Prints what `recognition/identification/calibration.py` holds:
where the tail of Fisher's z begins, the scale of what lies above it, and one shape of the generalised Pareto
distribution for all tails (by moments; Hosking and Wallis 1987), with 95 % intervals over people; and by how much
enrolment photos come nearer than observations. Then it says whether the rates hold for people who were not measured:
it fits the tails to a half of the people and counts the pairs of the other half.
"""

import argparse
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from zlib import crc32

import cv2
import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from recognition import Detector, Embedder
from recognition.cli.models import load_chosen_embedder
from recognition.detection.alignment import align_face, simulate_distance
from recognition.embedding import EMBEDDERS
from recognition.embedding.averaging import embed_crops, embed_single_crops
from recognition.embedding.base import RGB
from recognition.errors import RecognitionError
from recognition.identification.calibration import (
    MAX_COUNTED_OBSERVATIONS,
    PHOTO_GROUPS,
    TAIL_SHARE,
    ImpostorModel,
    rows_of_three,
)
from recognition.media.photo import read_photo
from recognition.people_folder import photos_by_person
from recognition.types import Face
from recognition.vectors import Floats, normalise

TEMPLATE_PHOTOS = (1, 2, 5, 10)  # the most of each of PHOTO_GROUPS: more photos are nearer to everybody
LEAST_SHAPE, GREATEST_SHAPE = -0.5, -0.01  # of a bounded tail
CHECKED_FMRS = (1e-3, 1e-4, 2.5e-5)
SPLITS = 50
MAX_PHOTOS = 12  # of a person
SINGLE_PHOTOS = 2  # of a person that are embedded in several views, as the only observation of a face
DRAWS = 20  # of observations and templates, for each person
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
        enrolled=embedder.normalise(views[:, 0] + views[:, 1:].mean(axis=1)),
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
    """The mean of `count` observations of a person, as a unit vector (d,)."""
    if count == 1:
        return person.single[rng.integers(len(person.single))]
    order = rng.permutation(len(person.near))[:count]
    is_near = rng.permutation(np.arange(count) % 2 == rng.integers(2))
    return normalise(np.where(is_near[:, None], person.near[order], person.far[order]).sum(axis=0))


def enrol(person: PersonVectors, count: int, rng: np.random.Generator) -> Floats:
    """The mean of at most `count` enrolment photos of a person, as a unit vector (d,)."""
    return normalise(person.enrolled[rng.permutation(len(person.enrolled))[:count]].sum(axis=0))


def score_impostors(
    people: Sequence[PersonVectors], photos: int, observations: int, *, as_enrolled: bool = False
) -> Floats:
    """Fisher's z (draws, people, people) of faces in rows with others' templates in columns, NaN where there is none.

    People have no template if they have so few photos that they belong to another group. `as_enrolled` compares
    enrolment photos in place of observations.
    """
    rng = np.random.default_rng(0)
    view = enrol if as_enrolled else observe
    least = PHOTO_GROUPS[TEMPLATE_PHOTOS.index(photos)]
    enrolled = [i for i, person in enumerate(people) if len(person.enrolled) >= least]
    seen = [i for i, person in enumerate(people) if len(person.near) >= observations]
    scores = np.full((DRAWS, len(people), len(people)), np.nan, np.float32)
    for draw in scores:
        probes = np.stack([view(people[i], observations, rng) for i in seen])
        templates = np.stack([enrol(people[i], photos, rng) for i in enrolled])
        draw[np.ix_(seen, enrolled)] = np.arctanh(np.minimum(probes @ templates.T, 0.9999))
        np.fill_diagonal(draw, np.nan)
    return scores


def fit_tails(cells: Iterable[Floats]) -> ImpostorModel:
    """The tails of the scores of each group of photos and, within it, number of observations.

    The groups of photos share a scale: too few people look alike to tell the groups' scales apart.
    """
    starts, means, shapes = [], [], []
    for scores in cells:
        known = scores[np.isfinite(scores)].astype(np.float64)
        starts.append(np.quantile(known, 1 - TAIL_SHARE))
        excess = known[known > starts[-1]] - starts[-1]
        means.append(excess.mean())
        shapes.append((1 - excess.mean() ** 2 / excess.var()) / 2)
    shape = float(np.clip(np.mean(shapes), LEAST_SHAPE, GREATEST_SHAPE))
    by_group = (len(PHOTO_GROUPS), MAX_COUNTED_OBSERVATIONS)
    scales = (1 - shape) * np.reshape(means, by_group).mean(axis=0, keepdims=True)
    return ImpostorModel(rows_of_three(np.reshape(starts, by_group)), rows_of_three(scales)[0], shape)


def choose_people(scores: Floats, people: NDArray[np.int64]) -> Floats:
    """The scores (draws, m, m) among some people, by their indices (m,)."""
    return scores[:, people][:, :, people]


def count_false_matches(cells: Sequence[Floats], rng: np.random.Generator) -> NDArray[np.float64]:
    """The share of pairs above the thresholds that other people gave: (CHECKED_FMRS, PHOTO_GROUPS, observations)."""
    photos, observations = np.meshgrid(PHOTO_GROUPS, np.arange(MAX_COUNTED_OBSERVATIONS) + 1, indexing="ij")
    rates = []
    for _ in range(SPLITS):
        order = rng.permutation(cells[0].shape[1])
        for half, rest in ((order[::2], order[1::2]), (order[1::2], order[::2])):
            model = fit_tails(choose_people(scores, half) for scores in cells)
            limits = [np.arctanh(model.threshold(observations, fmr, 1, photos)).ravel() for fmr in CHECKED_FMRS]
            others = [choose_people(scores, rest) for scores in cells]
            others = [scores[np.isfinite(scores)] for scores in others]
            rates.append([[np.mean(z > limit) for z, limit in zip(others, row, strict=True)] for row in limits])
    return np.mean(rates, axis=0).reshape(len(CHECKED_FMRS), *photos.shape)


def format_interval(value: float, resampled: Sequence[float]) -> str:
    low, high = np.quantile(resampled, (0.025, 0.975))
    return f"{value:.3f} ({low:.3f} to {high:.3f})"


def print_tails(people: Sequence[PersonVectors]) -> None:
    numbers = range(1, MAX_COUNTED_OBSERVATIONS + 1)
    cells = [score_impostors(people, photos, count) for photos in TEMPLATE_PHOTOS for count in numbers]
    model = fit_tails(cells)
    rng = np.random.default_rng(0)
    resamples = []
    for _ in range(RESAMPLES):
        chosen = rng.integers(0, len(people), len(people))
        resamples.append(fit_tails(choose_people(scores, chosen) for scores in cells))
    print("shape", format_interval(model.shape, [resample.shape for resample in resamples]))
    for column, count in enumerate(numbers):
        scales = [resample.scales[column] for resample in resamples]
        print(f"{count} observations: scale", format_interval(model.scales[column], scales))
    rates = count_false_matches(cells, rng)
    for row, photos in enumerate(TEMPLATE_PHOTOS):
        for column, count in enumerate(numbers):
            starts = [resample.starts[row][column] for resample in resamples]
            found = ", ".join(
                f"{fmr:g}: {rate[row, column]:.2g}" for fmr, rate in zip(CHECKED_FMRS, rates, strict=True)
            )
            start = format_interval(model.starts[row][column], starts)
            print(f"{photos} photos, {count} observations: start {start}; wanted and found rates {found}")
    for column, count in enumerate(numbers):
        enrolled = score_impostors(people, TEMPLATE_PHOTOS[-1], count, as_enrolled=True)
        enrolled = enrolled[np.isfinite(enrolled)]
        shift = float(np.quantile(enrolled, 1 - TAIL_SHARE)) - model.starts[-1][column]
        print(f"{count} enrolment photos come nearer than observations by {shift:.3f}")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("people", type=Path, metavar="PEOPLE")
    parser.add_argument("--strangers", type=Path, metavar="FOLDER", help="one photo of each of some more people")
    parser.add_argument("--embedder", choices=EMBEDDERS, default="dlib-resnet-v1")
    given = parser.parse_args()
    embedder, detector = load_chosen_embedder(given.embedder), Detector()
    groups = list(photos_by_person(given.people, MAX_PHOTOS).values())
    groups += [[path] for path in sorted(given.strangers.iterdir())] if given.strangers else []
    people = [person for paths in tqdm(groups, unit="person") if (person := embed_photos(paths, embedder, detector))]
    print(f"{embedder.id}: {len(people)} people")
    print_tails(people)
    return 0


if __name__ == "__main__":
    sys.exit(main())
