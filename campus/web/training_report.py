"""The report of a training for registrars: the error rates to expect, what more photos would bring, and the photos to
check.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Self

from django.db.models import Count, Q
from django.urls import reverse
from django.utils.formats import number_format
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from campus.academics.models import Strictness, Student
from campus.academics.selectors import students_for
from campus.accounts.roles import AnyUser
from campus.biometrics.models import FacePhoto, Gallery
from campus.biometrics.selectors import USABLE_VERDICTS, photos_for
from campus.web.similarity_plot import draw_similarity_plot
from recognition.identification.calibration import MAX_COUNTED_OBSERVATIONS

MAX_CONFIRMED_SHOWN = 50
NETWORK_NAMES = {"dlib-resnet-v1": "dlib", "facenet-20180408": "FaceNet"}


@dataclass(frozen=True, kw_only=True)
class Rate:
    """Expected accuracy of one strictness, in words."""

    strictness: str
    label: str
    strangers: str
    missed: str
    threshold: float


@dataclass(frozen=True, kw_only=True)
class CurvePoint:
    """The share of appearances that would be missed if each student had so many photos, in per cent; None where too few
    students have enough photos to say. `by_network`: the name of each network, and what it alone would miss.
    """

    photos: int
    students: int
    miss: float | None
    low: float | None
    high: float | None
    by_network: list[tuple[str, float]]

    @property
    def interval_width(self) -> float:
        return (self.high or 0) - (self.low or 0)

    @property
    def needed_photos(self) -> int:
        return self.photos + MAX_COUNTED_OBSERVATIONS


@dataclass(frozen=True, kw_only=True)
class Face:
    """A student with the URLs of face pictures, best first."""

    student: Student
    address: str
    photos: int
    faces: list[str]


@dataclass(frozen=True, kw_only=True)
class Suspect:
    """A photo that looks less like its student than like `nearest`, with the cosines to both; `by_network` has the name
    of each network, and its two.
    """

    address: str
    delete: str
    move: str
    confirm: str
    face: str
    student: Face
    nearest: Face
    similarity: float
    nearest_similarity: float
    by_network: list[tuple[str, float, float]]


@dataclass(frozen=True, kw_only=True)
class ConfirmedPhoto:
    """A photo of which a person said that it shows its student."""

    photo: FacePhoto
    address: str
    confirm: str
    face: str
    student: Face


@dataclass(frozen=True, kw_only=True)
class TrainingReport:
    gallery: Gallery
    rates: list[Rate]
    plot: SafeString
    similar_pairs: list[tuple[Face, Face, float]]
    learning_curve: list[CurvePoint]
    suspects: list[Suspect]
    confirmed: list[ConfirmedPhoto]
    few: list[Face]
    without: list[Face]

    @classmethod
    def of(cls, user: AnyUser, gallery: Gallery) -> Self:
        """Students who left the class and photos deleted since the training are left out."""
        report = gallery.report
        pairs = report.get("too_alike", [])
        suspects = {photo["photo"]: photo for photos in report.get("suspect_photos", {}).values() for photo in photos}
        nearest = {photo: suspect["nearest"] for photo, suspect in suspects.items()}
        photos = [
            photo
            for photo in photos_for(user).filter(pk__in=suspects, confirmed_at=None)
            if str(photo.student_id) != nearest[str(photo.pk)]
        ]
        confirmed = photos_for(user).filter(student__enrolments__course=gallery.course).exclude(confirmed_at=None)
        shown = list(confirmed.distinct().order_by("-confirmed_at", "pk")[:MAX_CONFIRMED_SHOWN])
        few, without = report.get("few_photos", []), report.get("without_photos", [])
        paired = [label for pair in pairs for label in pair[:2]]
        owners = [str(photo.student_id) for photo in (*photos, *shown)]
        faces = _faces(user, {*few, *without, *paired, *owners, *nearest.values()}, suspects)
        rates = error_rates(gallery)
        return cls(
            gallery=gallery,
            rates=rates,
            plot=draw_similarity_plot(report.get("curves", {}), [(rate.label, rate.threshold) for rate in rates]),
            learning_curve=_learning_curve(report, gallery.course.strictness),
            similar_pairs=[(faces[a], faces[b], cosine) for a, b, cosine in pairs if a in faces and b in faces],
            suspects=[
                Suspect(
                    address=reverse("admin:biometrics_facephoto_change", args=[photo.pk]),
                    delete=reverse("admin:biometrics_facephoto_delete", args=[photo.pk]),
                    move=reverse("admin:biometrics_facephoto_move", args=[photo.pk]) + f"?to={nearest[str(photo.pk)]}",
                    confirm=reverse("admin:biometrics_gallery_photo", args=[gallery.pk, photo.pk]),
                    face=reverse("admin:biometrics_facephoto_thumbnail", args=[photo.pk]),
                    student=faces[str(photo.student_id)],
                    nearest=faces[nearest[str(photo.pk)]],
                    similarity=suspects[str(photo.pk)]["similarity"],
                    nearest_similarity=suspects[str(photo.pk)]["nearest_similarity"],
                    by_network=[
                        (NETWORK_NAMES[network], own, other)
                        for network, (own, other) in suspects[str(photo.pk)]["by_network"].items()
                    ],
                )
                for photo in photos
                if nearest[str(photo.pk)] in faces
            ],
            confirmed=[
                ConfirmedPhoto(
                    photo=photo,
                    address=reverse("admin:biometrics_facephoto_change", args=[photo.pk]),
                    confirm=reverse("admin:biometrics_gallery_photo", args=[gallery.pk, photo.pk]),
                    face=reverse("admin:biometrics_facephoto_thumbnail", args=[photo.pk]),
                    student=faces[str(photo.student_id)],
                )
                for photo in shown
            ],
            few=[faces[label] for label in few if label in faces],
            without=[faces[label] for label in without if label in faces],
        )


def _faces(user: AnyUser, labels: set[str], suspects: Iterable[str]) -> dict[str, Face]:
    """The students by their ids. Suspect photos are not used as their faces."""
    students = students_for(user).filter(pk__in=labels).order_by("sort_key")
    usable = students.annotate(usable=Count("photos", filter=Q(photos__state__in=USABLE_VERDICTS), distinct=True))
    shown: dict[int, list[str]] = {}
    crops = (
        photos_for(user)
        .filter(student__pk__in=labels, state__in=USABLE_VERDICTS)
        .exclude(crop="")
        .exclude(pk__in=suspects)
    )
    for student, photo in crops.order_by("-quality", "pk").values_list("student", "pk"):
        shown.setdefault(student, []).append(reverse("admin:biometrics_facephoto_thumbnail", args=[photo]))
    return {
        str(student.pk): Face(
            student=student,
            address=reverse("admin:academics_student_change", args=[student.pk]),
            photos=student.usable,
            faces=shown.get(student.pk, []),
        )
        for student in usable
    }


def _learning_curve(report: dict[str, Any], strictness: str) -> list[CurvePoint]:
    curves = {
        NETWORK_NAMES[network]: curve[strictness]
        for network, curve in report.get("learning_curve_by_network", {}).items()
    }
    return [
        CurvePoint(
            photos=row["photos"],
            students=row["students"],
            **{name: None if row[name] is None else 100 * row[name] for name in ("miss", "low", "high")},
            by_network=[
                (network, 100 * curve[i]["miss"]) for network, curve in curves.items() if row["miss"] is not None
            ],
        )
        for i, row in enumerate(report.get("learning_curve", {}).get(strictness, []))
    ]


def error_rates(gallery: Gallery | None) -> list[Rate]:
    """The rates that the training measured, strictest first; empty if it measured none."""
    measured: dict[str, Any] = gallery.report.get("rates", {}) if gallery else {}
    return [
        Rate(
            strictness=strictness.value,
            label=str(strictness.label),
            strangers=_describe_stranger_rate(measured[strictness]["fpir"]),
            missed=_describe_miss_rate(measured[strictness]["miss"]),
            threshold=measured[strictness]["threshold"],
        )
        for strictness in Strictness
        if strictness in measured
    ]


def _describe_stranger_rate(rate: float) -> str:
    if not rate:
        return _("no stranger accepted in the test")
    within = round(1 / rate)
    digits = max(len(str(within)) - 2, 0)
    return _("about 1 stranger in %(n)s accepted as a student") % {
        "n": number_format(round(within, -digits), force_grouping=True)
    }


def _describe_miss_rate(rate: float | None) -> str:
    if rate is None:
        return _("too few photos to say how many are missed")
    if not rate:
        return _("no student missed in the test")
    decimals = max(2 - math.floor(math.log10(100 * rate)), 0)
    return _("about %(percent)s %% of a student's appearances missed") % {
        "percent": number_format(100 * rate, decimals)
    }
