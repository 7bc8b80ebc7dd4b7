"""The report of a training for registrars: the error rates to expect, and the photos to check."""

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
from campus.biometrics.models import Gallery
from campus.biometrics.selectors import USABLE_VERDICTS, photos_for
from campus.web.similarity_plot import draw_similarity_plot


@dataclass(frozen=True, kw_only=True)
class Rate:
    """Expected accuracy of one strictness, in words."""

    strictness: str
    label: str
    strangers: str
    missed: str
    threshold: float


@dataclass(frozen=True, kw_only=True)
class Face:
    """A student with the URLs of face pictures, best first."""

    student: Student
    address: str
    photos: int
    faces: list[str]


@dataclass(frozen=True, kw_only=True)
class Suspect:
    """A photo that looks less like its student than like `nearest`."""

    address: str
    delete: str
    move: str
    face: str
    student: Face
    nearest: Face


@dataclass(frozen=True, kw_only=True)
class TrainingReport:
    gallery: Gallery
    rates: list[Rate]
    plot: SafeString
    similar_pairs: list[tuple[Face, Face, float]]
    suspects: list[Suspect]
    few: list[Face]
    without: list[Face]

    @classmethod
    def of(cls, user: AnyUser, gallery: Gallery) -> Self:
        """Students who left the class and photos deleted since the training are left out."""
        report = gallery.report
        pairs = report.get("too_alike", [])
        suspects = {
            photo["photo"]: photo["nearest"] for photos in report.get("suspect_photos", {}).values() for photo in photos
        }
        photos = [
            photo
            for photo in photos_for(user).filter(pk__in=suspects)
            if str(photo.student_id) != suspects[str(photo.pk)]
        ]
        few, without = report.get("few_photos", []), report.get("without_photos", [])
        paired = [label for pair in pairs for label in pair[:2]]
        owners = [str(photo.student_id) for photo in photos]
        faces = _faces(user, {*few, *without, *paired, *owners, *suspects.values()}, suspects)
        rates = error_rates(gallery)
        return cls(
            gallery=gallery,
            rates=rates,
            plot=draw_similarity_plot(report.get("curves", {}), [(rate.label, rate.threshold) for rate in rates]),
            similar_pairs=[(faces[a], faces[b], cosine) for a, b, cosine in pairs if a in faces and b in faces],
            suspects=[
                Suspect(
                    address=reverse("admin:biometrics_facephoto_change", args=[photo.pk]),
                    delete=reverse("admin:biometrics_facephoto_delete", args=[photo.pk]),
                    move=reverse("admin:biometrics_facephoto_move", args=[photo.pk]) + f"?to={suspects[str(photo.pk)]}",
                    face=reverse("admin:biometrics_facephoto_thumbnail", args=[photo.pk]),
                    student=faces[str(photo.student_id)],
                    nearest=faces[suspects[str(photo.pk)]],
                )
                for photo in photos
                if suspects[str(photo.pk)] in faces
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


def _describe_miss_rate(rate: float) -> str:
    if not rate:
        return _("no student missed in the test")
    of = next((of for of in (100, 1000, 10_000) if rate * of >= 1), 100_000)
    facts = {"n": round(rate * of), "of": number_format(of, force_grouping=True)}
    return _("about %(n)s of %(of)s appearances of a student missed") % facts
