"""Pictures of faces: crops from recordings, and faces of enrolment photos."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from django.urls import reverse

from campus.accounts.roles import AnyUser
from campus.attendance.models import Sighting, UnknownPerson
from campus.biometrics.selectors import USABLE_VERDICTS, photos_for

MAX_ENROLMENT_FACES = 3

# A face in a recording: of a student, or of nobody on the roster.
Appearance = Sighting | UnknownPerson


@dataclass(frozen=True)
class Picture:
    url: str
    time: float


def best_pictures(appearances: Sequence[Appearance]) -> list[Picture]:
    """The pictures of the appearance that has the best one, best first."""
    with_crops = [appearance for appearance in appearances if appearance.crops]
    return crop_pictures(max(with_crops, key=lambda appearance: appearance.crops[0]["quality"], default=None))


def crop_pictures(appearance: Appearance | None) -> list[Picture]:
    """The face crops of an appearance, best first."""
    if appearance is None:
        return []
    name = "crop" if isinstance(appearance, Sighting) else "unknown-person-crop"
    return [
        Picture(reverse(name, args=[appearance.pk, n]), float(crop.get("time", 0)))
        for n, crop in enumerate(appearance.crops)
    ]


def blurred_picture(appearance: Appearance) -> str:
    """The address of the best crop's blurred picture, which holds the picture itself; empty where there is none."""
    blurred = appearance.crops[0].get("blurred") if appearance.crops else ""
    return f"data:image/png;base64,{blurred}" if blurred else ""


def enrolment_face_urls(user: AnyUser, students: Collection[int]) -> dict[int, list[str]]:
    """By student id, the URLs of the faces of the best enrolment photos, best first, at most MAX_ENROLMENT_FACES."""
    faces: dict[int, list[str]] = {}
    if not students:
        return faces
    photos = photos_for(user).filter(student__in=students, state__in=USABLE_VERDICTS).exclude(crop="")
    for student, photo in photos.order_by("-quality", "pk").values_list("student", "pk"):
        if len(shown := faces.setdefault(student, [])) < MAX_ENROLMENT_FACES:
            shown.append(reverse("photo-face", args=[photo]))
    return faces
