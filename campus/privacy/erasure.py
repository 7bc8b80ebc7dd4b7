"""Erases a student: everything that shows, names or recognises the person goes. That somebody was in a lecture stays,
of nobody who can be named. Erases a class, with all that was done in it.

A worker does it in steps, each of which may be repeated: one that is killed is done again by the next attempt, and the
last one looks whether anything has come back meanwhile, such as from a recording that was being counted.
"""

import json
import logging
from collections.abc import Callable

from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.utils import timezone

from campus.academics.models import Course, Enrolment, Student
from campus.accounts.names import display_name
from campus.accounts.roles import is_registrar
from campus.audit.models import Action
from campus.audit.services import record_event
from campus.biometrics.gallery_cuts import forget_in_galleries
from campus.biometrics.models import Embedding, LectureFace
from campus.common import jobs
from campus.privacy import erasure_steps as steps
from campus.privacy.legal_holds import refuse_if_held
from campus.privacy.models import Erasure
from campus.privacy.namesakes import namesakes_words
from campus.privacy.texts import Terms
from campus.recordings.models import Upload
from campus.recordings.uploads import delete_upload

log = logging.getLogger(__name__)

Step = Callable[[int, Terms], int]  # of the subject's id and the words to look for; returns how much was removed

STUDENT_STEPS: dict[str, Step] = {
    "galleries": steps.erase_templates,
    "photos": steps.erase_photos,
    "evidence": steps.erase_evidence,
    "tracks": steps.erase_tracks,
    "excuses": steps.erase_excuses,
    "objections": steps.erase_objections,
    "identity": steps.erase_identity,  # from here on nothing that is written names the student
    "imports": steps.erase_imports,
    "messages": steps.erase_messages,
    "log": steps.erase_log_texts,
    "corrections": steps.erase_corrections,
    "workbooks": steps.request_workbooks,
}
COURSE_STEPS: dict[str, Step] = {
    "recordings": steps.erase_recordings,
    "messages": steps.erase_messages,
    "log": steps.erase_log_texts,
    "class": steps.erase_course,
}
STEPS = {Erasure.Kind.STUDENT: STUDENT_STEPS, Erasure.Kind.COURSE: COURSE_STEPS}
AFTER_RESTORE = "manage.py restore"
MIN_NUMBER_LENGTH = 4  # of a student number that is looked for by itself: “12” stands for many things


@transaction.atomic
def request_student_erasure(*, student: Student, user: User | None) -> Erasure:
    """Have a student erased. From now on nothing recognises the student; a worker removes the rest within the hour.

    Without a user, it is an erasure that a restored backup has undone. Raises PermissionDenied for all but registrars,
    and UserError where a legal hold is in force.
    """
    refuse_if_held(student=student)
    names = {student.name, f"{student.surname}, {student.given_name}"}
    words = {str(student), student.email, student.guardian_phone}
    words |= set(student.photos.values_list("sha256", flat=True))
    if len(student.number) >= MIN_NUMBER_LENGTH:
        words.add(student.number)
    others = namesakes_words(student, names)
    terms = {"words": words | names} if others is None else {"words": words, "shared": names, "others": others}
    erasure = _request(Erasure.Kind.STUDENT, student.pk, terms, user)
    today = timezone.localdate()
    Enrolment.objects.filter(student=student, valid_to=None).update(valid_to=today)
    Embedding.objects.filter(photo__student=student).delete()
    LectureFace.objects.filter(student=student).delete()
    forget_in_galleries([student.pk])
    return erasure


@transaction.atomic
def request_course_erasure(*, course: Course, user: User | None) -> Erasure:
    """Have a class erased, with its lectures, recordings and attendance. Its students stay.

    Without a user, it is an erasure that a restored backup has undone. Raises PermissionDenied for all but registrars,
    and UserError where a legal hold is in force.
    """
    refuse_if_held(course=course)
    for upload in Upload.objects.filter(lecture__course=course):
        delete_upload(upload=upload)  # at once: nobody can send more of it, and its parts leave the store
    return _request(Erasure.Kind.COURSE, course.pk, {"words": {course.code}}, user)


def _request(kind: Erasure.Kind, subject: int, terms: dict[str, set[str]], user: User | None) -> Erasure:
    if user and not is_registrar(user):
        raise PermissionDenied
    erasure, created = Erasure.objects.get_or_create(
        kind=kind,
        subject=subject,
        state=Erasure.State.QUEUED,
        defaults={
            "terms": json.dumps({group: sorted(filter(None, words)) for group, words in terms.items()}),
            "requested_by": user,
            "requested_by_name": display_name(user) if user else AFTER_RESTORE,
        },
    )
    if created:
        jobs.ERASE.request(erasure.pk)
        record_event(user, Action.ERASED, about=f"{erasure.pk}: requested", **{kind.value: subject})
        log.info("erasure %s of %s %s: requested", erasure.pk, kind, subject)
    return erasure


def erase(*, erasure: Erasure) -> None:
    """Do the steps that are not done yet of an erasure that the caller has claimed.

    Raises Postponed where something is still in work that may bring the student back; what has come back is erased too.
    """
    name = steps.erased_name(erasure.kind, erasure.subject)
    terms = Terms.of(**json.loads(erasure.terms), replacement=name)
    _do_steps(erasure, terms)
    if erasure.kind == Erasure.Kind.STUDENT:
        steps.write_workbooks(erasure.subject)
        if steps.is_in_work(erasure.subject):
            raise jobs.Postponed
        if steps.has_come_back(erasure.subject):
            erasure.steps = []
            _do_steps(erasure, terms)
            steps.write_workbooks(erasure.subject)
        erasure.doubtful = steps.find_doubtful_texts(erasure.subject, terms)
    steps.clean_database()
    jobs.finish(erasure, Erasure.State.DONE, terms=b"", doubtful=erasure.doubtful, finished_at=timezone.now())
    record_event(None, Action.ERASED, about=f"{erasure.pk}: done", **{erasure.kind: erasure.subject})
    log.info("erasure %s: done", erasure.pk)


def _do_steps(erasure: Erasure, terms: Terms) -> None:
    for name, step in STEPS[Erasure.Kind(erasure.kind)].items():
        if name in erasure.steps:
            continue
        erasure.removed[name] = erasure.removed.get(name, 0) + step(erasure.subject, terms)
        erasure.steps.append(name)
        Erasure.objects.filter(pk=erasure.pk).update(removed=erasure.removed, steps=erasure.steps)
