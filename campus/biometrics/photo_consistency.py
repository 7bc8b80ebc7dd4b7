"""Whether an enrolment photo fits its student: a double of one that is here, or nearer to somebody else."""

import io

import numpy as np

from campus.academics.models import Student
from campus.biometrics.models import Embedding, FacePhoto
from campus.biometrics.selectors import USABLE_VERDICTS, usable_embeddings
from recognition.identification.calibration import MAX_COUNTED_OBSERVATIONS, prior_impostor_model
from recognition.messages import Message
from recognition.types import EnrolmentPhoto
from recognition.vectors import Floats, normalise

# The similarity of two face crops of one picture, measured on photographs of the press that were scaled and packed
# again: 0.90 and more for nineteen of twenty, and at most 0.73 for different pictures of one person.
DUPLICATE_SIMILARITY = 0.85
THUMBNAIL_PIXELS = 32  # pixels
DOUBTFUL_FALSE_MATCH_RATE = 0.001  # of strangers who come so near that a single photo is doubtful


def vectors_of(rows: "list[Embedding]") -> Floats:
    return np.stack([np.frombuffer(bytes(row.vector or b""), dtype="<f4") for row in rows])


def check_consistency(photo: FacePhoto, result: EnrolmentPhoto, crop: bytes, embedder: str) -> tuple[str, Message]:
    """The verdict and the reason for a photo that is usable by itself; both empty where nothing speaks against it."""
    if twin := _find_duplicate(photo, crop):
        name, similarity = twin
        return FacePhoto.Verdict.REJECTED, Message(
            "It is the same picture as {name} (similarity {similarity:.2f} of 1); use one of another moment.",
            name=name,
            similarity=similarity,
        )
    if result.embedding is None:
        return "", Message()
    nearest = _nearest_other_student(photo, result.embedding, embedder)
    if nearest is None:
        return "", Message()
    other, cosine, own = nearest
    values = {"other": _name(other, photo.student), "name": _name(photo.student, other), "cosine": cosine}
    if own is None:
        reason = Message(
            "The face is very like {other}'s (similarity {cosine:.3f}). Make sure that it is {name}.", **values
        )
    else:
        reason = Message(
            "The face is nearer to {other} (similarity {cosine:.3f}) than to {name}'s other photos ({own:.3f}).",
            **values,
            own=own,
        )
    return FacePhoto.Verdict.WARNING, reason


def _name(student: Student, other: Student) -> str:
    """The name; with the number where the other one has the same name."""
    return str(student) if student.name_key == other.name_key else student.name


def _find_duplicate(photo: FacePhoto, crop: bytes) -> tuple[str, float] | None:
    """The student's photo that shows the same picture, if there is one, and how alike they are."""
    others = list(
        FacePhoto.objects.filter(student=photo.student_id, state__in=USABLE_VERDICTS)
        .exclude(pk=photo.pk)
        .exclude(crop="")
    )
    if not others:
        return None
    vector = _thumbnail_vector(crop)
    for other in others:
        try:
            with other.crop.open("rb") as file:
                similarity = float(vector @ _thumbnail_vector(file.read()))
        except OSError:
            continue
        if similarity >= DUPLICATE_SIMILARITY:
            return other.original_name, similarity
    return None


def _thumbnail_vector(crop: bytes) -> Floats:
    """A face crop (JPEG) as a unit vector of its small grey picture, free of its light."""
    from PIL import Image  # for workers alone: a web process has no decoders

    with Image.open(io.BytesIO(crop), formats=("JPEG",)) as image:
        grey = np.asarray(image.convert("L").resize((THUMBNAIL_PIXELS, THUMBNAIL_PIXELS)), np.float32).ravel()
    return normalise(grey - grey.mean())


def _nearest_other_student(
    photo: FacePhoto, vector: Floats, embedder: str
) -> tuple[Student, float, float | None] | None:
    """The student of the same classes who is nearer than the photo's own one, the cosine, and that of the own
    one.

    A student without other photos is doubtful only where somebody else is as near as strangers hardly ever come.
    """
    known = usable_embeddings(embedder).filter(photo__state__in=USABLE_VERDICTS).exclude(photo=photo.pk)
    own = list(known.filter(photo__student=photo.student_id))
    courses = photo.student.enrolments.values("course")
    others = (
        known.filter(photo__student__enrolments__course__in=courses).exclude(photo__student=photo.student_id).distinct()
    )
    groups: dict[int, list[Embedding]] = {}
    for row in others.select_related("photo__student"):
        groups.setdefault(row.photo.student_id, []).append(row)
    if not groups:
        return None
    templates = np.stack([normalise(vectors_of(rows).mean(axis=0)) for rows in groups.values()])
    scores = templates @ vector
    best = int(scores.argmax())
    nearest = list(groups.values())[best][0].photo.student
    if own:
        own_score = float(normalise(vectors_of(own).mean(axis=0)) @ vector)
        return (nearest, float(scores[best]), own_score) if scores[best] > own_score else None
    near = float(
        prior_impostor_model(embedder).threshold(MAX_COUNTED_OBSERVATIONS, DOUBTFUL_FALSE_MATCH_RATE, len(groups))
    )
    return (nearest, float(scores[best]), None) if scores[best] >= near else None
