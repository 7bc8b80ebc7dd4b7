"""Photos that students send by their links, and a registrar's word on each.

A photo is not an enrolment photo before it is approved, so nothing can learn from it.
"""

import logging
import uuid
from typing import Any

from django.conf import settings
from django.contrib.auth.models import User
from django.core.files import File
from django.db import transaction
from django.db.models import Count, OuterRef, Prefetch, Q, QuerySet, Subquery
from django.db.models.functions import Coalesce
from django.utils import timezone

from campus.academics.models import Course, Student
from campus.accounts.names import display_name
from campus.accounts.roles import AnyUser
from campus.audit.models import Action
from campus.audit.services import record_event
from campus.biometrics.models import FacePhoto, SentPhoto
from campus.biometrics.photo_faults import FAULTS, UNREADABLE, FaultWords
from campus.biometrics.selectors import USABLE_VERDICTS
from campus.biometrics.services import add_photo, check_photo_file
from campus.common import jobs
from campus.common.errors import UserError, explain_full_disk
from campus.common.file_names import sanitize_file_name
from campus.common.storage import delete_media, delete_media_after_commit, write_media
from campus.consent.links import student_links_for
from campus.consent.models import StudentLink
from campus.consent.selectors import has_basis, without_refusal
from recognition.types import EnrolmentPhoto, PhotoFault

log = logging.getLogger(__name__)

MAX_PHOTOS_PER_LINK = 5
REPLACEABLE = (SentPhoto.State.REJECTED, SentPhoto.State.WAITING, SentPhoto.State.REFUSED)


def sent_photos_for(user: AnyUser) -> QuerySet[SentPhoto]:
    return SentPhoto.objects.filter(link__in=student_links_for(user))


def waiting_sent_photos(user: AnyUser) -> QuerySet[SentPhoto]:
    """Those that wait for a registrar, who has sent first first."""
    return sent_photos_for(user).filter(state=SentPhoto.State.WAITING)


def students_with_links(students: QuerySet[Student]) -> QuerySet[Any]:
    """The students by surname, with `usable_photos`, their numbers of photos sent and waiting, and their link."""
    usable = FacePhoto.objects.filter(student=OuterRef("pk"), state__in=USABLE_VERDICTS).order_by().values("student")
    links = StudentLink.objects.annotate(
        sent=Count("photos"), waiting=Count("photos", filter=Q(photos__state=SentPhoto.State.WAITING))
    )
    return (
        students.annotate(usable_photos=Coalesce(Subquery(usable.annotate(n=Count("pk")).values("n")), 0))
        .prefetch_related(Prefetch("link", links))
        .order_by("sort_key", "number_key")
    )


def students_lacking_photos(course: Course) -> QuerySet[Any]:
    """The students on the class's roster now who have fewer usable photos than wanted, with their links; without those
    who do not want to be recognised.
    """
    today = timezone.localdate()
    here = Q(enrolments__valid_to=None) | Q(enrolments__valid_to__gte=today)
    students = Student.objects.filter(here, enrolments__course=course, guest=False)
    return students_with_links(without_refusal(students)).filter(usable_photos__lt=settings.PHOTOS_PER_STUDENT)


def send_photo(*, link: StudentLink, file: "File[Any]", name: str, replaces: uuid.UUID | None = None) -> SentPhoto:
    """Store a photo that the student sends, and request a check of it.

    `replaces` is the id of the photo whose place it takes. Raises UserError: no basis to use it, too many,
    too large, no photo, sent before.
    """
    if not has_basis(link.student):
        raise UserError("We may not use photos of you. Agree first, then send them.")
    digest = check_photo_file(file, name)
    with transaction.atomic():
        # One at a time: no more than may be sent.
        if not StudentLink.objects.select_for_update().filter(pk=link.pk, key=link.key).exists():
            raise UserError("This link was withdrawn, or replaced by a newer one.")
        sent = link.photos.all()
        enrolled = FacePhoto.objects.filter(student=link.student, sha256=digest)
        if sent.filter(sha256=digest).exists() or enrolled.exists():
            raise UserError("You have sent this photo before. Take another one.")
        if replaces:
            sent.filter(pk=replaces, state__in=REPLACEABLE).delete()
        if sent.count() >= MAX_PHOTOS_PER_LINK:
            raise UserError("You have sent {n} photos, which is all we need.", n=MAX_PHOTOS_PER_LINK)
        photo = SentPhoto(link=link, original_name=sanitize_file_name(name), sha256=digest)
        with explain_full_disk():
            photo.file.save(photo.original_name, file, save=False)
        photo.save(force_insert=True)
        jobs.CHECK_SENT_PHOTO.request(photo.pk)
        record_event(None, Action.CHANGED_PHOTOS, student=link.student_id, about="sent by the student")
    log.info("photo link %s: photo %s was sent", link.pk, photo.pk)
    return photo


def finish_sent_photo(*, photo: SentPhoto, result: EnrolmentPhoto) -> None:
    """Store the verdict on a photo that the caller has claimed. Of one that can't be used, a small picture is kept."""
    is_usable = result.verdict != FacePhoto.Verdict.REJECTED
    picture = f"sent/{photo.pk}.small.jpg" if (small := result.crop or result.thumbnail) else ""
    if small:
        write_media(picture, small)
    with transaction.atomic():
        done = jobs.finish(
            photo,
            SentPhoto.State.WAITING if is_usable else SentPhoto.State.REJECTED,
            fault=result.fault or "",
            picture=picture,
            **({} if is_usable else {"file": ""}),
        )
        if done and not is_usable:
            _delete_after_commit(photo.file)
    if not done and picture and not SentPhoto.objects.filter(pk=photo.pk).exists():
        delete_media(picture)


@transaction.atomic
def approve_sent_photo(*, photo: SentPhoto, user: User) -> FacePhoto:
    """Make it an enrolment photo of its student, which is checked like any other.

    Raises UserError if somebody has decided meanwhile, or the student has this photo already.
    """
    waiting = _lock_waiting(photo)
    with waiting.file.open("rb") as content:
        added = add_photo(
            student=waiting.link.student,
            file=File(content, name=waiting.original_name),
            name=waiting.original_name,
        )
    _decide(waiting, SentPhoto.State.APPROVED, user)
    return added


@transaction.atomic
def refuse_sent_photo(*, photo: SentPhoto, reason: str, user: User) -> None:
    """Do not take it; the student reads why. Raises UserError if somebody has decided meanwhile."""
    _decide(_lock_waiting(photo), SentPhoto.State.REFUSED, user, refusal=reason)


def _lock_waiting(photo: SentPhoto) -> SentPhoto:
    rows = SentPhoto.objects.select_for_update(of=("self",)).select_related("link__student")
    waiting = rows.filter(pk=photo.pk, state=SentPhoto.State.WAITING).first()
    if waiting is None:
        raise UserError("This photo does not wait any more: it was decided on, or sent anew.")
    return waiting


def _decide(photo: SentPhoto, state: SentPhoto.State, user: User, **fields: str) -> None:
    _delete_after_commit(photo.file)
    decided = {"state": state, "decided_by": display_name(user), "file": ""} | fields
    SentPhoto.objects.filter(pk=photo.pk).update(**decided)
    log.info("sent photo %s: %s by user %s", photo.pk, state, user.pk)


def _delete_after_commit(file: Any) -> None:
    delete_media_after_commit(str(file.name))


def fault_words(photo: SentPhoto) -> FaultWords | None:
    """What is wrong with the photo, or could be better; None: nothing."""
    if photo.fault:
        return FAULTS[PhotoFault(photo.fault)]
    return UNREADABLE if photo.state == SentPhoto.State.REJECTED else None
