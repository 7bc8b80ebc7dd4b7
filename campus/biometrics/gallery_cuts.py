"""No gallery outlives the photos that it was made of: what is in the way of a student's wish or a photo's deletion is
cut out of the gallery in use, and destroyed where it is in one that nobody uses.
"""

import hashlib
import logging
from collections.abc import Collection
from typing import Any
from uuid import uuid4

from django.db import transaction

from campus.academics.models import Course
from campus.academics.services import mark_galleries_outdated
from campus.biometrics.gallery_files import load_gallery
from campus.biometrics.models import Gallery
from campus.common.storage import delete_media_after_commit, write_media
from recognition.errors import GalleryMismatch

log = logging.getLogger(__name__)


@transaction.atomic
def forget_in_galleries(students: Collection[int]) -> int:
    """Take the templates of these students (ids) out of every gallery; returns of how many.

    The galleries in use are cut, and their classes trained again soon, since the SVMs of the others have seen these
    students' photos; the other galleries are destroyed. A training under way starts again (`finish_training`), if the
    caller has deleted the photos or embeddings in the same transaction.
    """
    rows = Gallery.objects.filter(members__in=students).distinct()
    courses = Course.objects.filter(pk__in=rows.order_by().values("course"))
    list(courses.select_for_update().order_by("pk"))
    found = list(rows.select_related("course"))
    for gallery in found:
        if gallery.active:
            _cut(gallery, students)
        else:
            destroy_gallery(gallery)
    mark_galleries_outdated(courses=Course.objects.filter(pk__in={gallery.course_id for gallery in found}))
    return len(found)


@transaction.atomic
def forget_photo_in_galleries(student: int) -> None:
    """Destroy the galleries that a deleted photo of the student may be in and that nobody uses. Those in use follow
    when the next training has taken their place.
    """
    rows = Gallery.objects.filter(members=student)
    rows.update(photos_deleted=True)
    for gallery in rows.filter(active=False):
        destroy_gallery(gallery)


def destroy_gallery(gallery: Gallery) -> None:
    """Delete the gallery's file and whom it knew; the row stays, with the figures of its training."""
    Gallery.objects.filter(pk=gallery.pk).update(active=False, path="", report={})
    gallery.members.clear()
    if gallery.path:
        delete_media_after_commit(gallery.path)


def _cut(gallery: Gallery, students: Collection[int]) -> None:
    labels = {str(student) for student in students}
    try:
        rest = load_gallery(gallery).without(labels)
    except GalleryMismatch as error:
        log.warning("gallery %s can't be cut, so it is destroyed: %s", gallery.pk, error)
        rest = None
    if rest is None:
        destroy_gallery(gallery)
        return
    name, content = f"galleries/{gallery.pk}-{uuid4().hex}.npz", rest.to_bytes()
    write_media(name, content)
    Gallery.objects.filter(pk=gallery.pk).update(
        path=name,
        sha256=hashlib.sha256(content).hexdigest(),
        students=len(rest.labels),
        report=_without_labels(gallery.report, labels),
        photos_deleted=True,
    )
    gallery.members.remove(*students)
    delete_media_after_commit(gallery.path)


def _without_labels(value: Any, labels: Collection[str]) -> Any:
    """A training's report without what it says of these students."""
    if isinstance(value, dict):
        return {key: _without_labels(part, labels) for key, part in value.items() if key not in labels}
    if isinstance(value, list):
        return [_without_labels(part, labels) for part in value if not _names(part, labels)]
    return value


def _names(part: Any, labels: Collection[str]) -> bool:
    return part in labels if isinstance(part, str) else isinstance(part, list) and any(p in labels for p in part[:2])
