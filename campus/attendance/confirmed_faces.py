"""Which faces in a class's lectures a person has confirmed, and that the class learns from them.

The machine's own word is not enough. A person confirms a face by naming it, by marking its student as having attended,
or by signing off the lecture; taking that back takes the face back.
"""

from collections.abc import Iterator
from typing import Any

from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.db.models import Q

from campus.academics.models import Course
from campus.academics.services import mark_galleries_outdated
from campus.attendance.models import AttendanceRecord, FaceOverride, Sighting, UnknownPerson
from campus.attendance.selectors import can_edit_until_sign_off
from campus.attendance.statuses import ATTENDED, meaning_of
from campus.audit.models import Action
from campus.audit.services import record_event
from campus.biometrics.lecture_faces import (
    ConfirmedFace,
    decide_lecture_face,
    replace_lecture_faces,
)
from campus.biometrics.look_alikes import students_in_doubt
from campus.biometrics.models import LectureFace
from campus.biometrics.services import courses_with_changed_faces


def learn_later(*, course: int) -> None:
    """What is confirmed in a lecture of this class (its id) has changed: it learns once nothing changes any more."""
    # After the transaction, which has locked the lecture: others lock a class before its lectures.
    courses = Course.objects.filter(pk=course)
    transaction.on_commit(lambda: mark_galleries_outdated(courses=courses), robust=True)


def update_lecture_faces() -> None:
    """For each class in which something has changed, and then stayed the same for a minute: learn what is confirmed
    now, and forget what is not.
    """
    for course in courses_with_changed_faces():
        replace_lecture_faces(course=course, confirmed=confirmed_faces(course))


def decide_face(*, face: LectureFace, is_learnt: bool, user: User) -> None:
    """Say whether the class learns from this face. Raises PermissionDenied for who may not change its lecture."""
    if not can_edit_until_sign_off(user, face.lecture):
        raise PermissionDenied
    decide_lecture_face(face=face, is_learnt=is_learnt)
    record_event(
        user,
        Action.CHANGED_PHOTOS,
        student=face.student_id,
        lecture=face.lecture_id,
        course=face.lecture.course_id,
        about=f"lectureface {face.pk} {'learnt' if is_learnt else 'refused'}",
    )


def confirmed_faces(course: Course) -> Iterator[ConfirmedFace]:
    """The confirmed face crops of the class's students in its lectures. Where the retention rules have deleted a
    recording's crops, the copies that the class has learnt from stand for them.

    Students who can't be told from another one are left out.
    """
    seen_by_machine, to_confirm = _attendances_confirmed_by_people(course)
    in_doubt = students_in_doubt(course)
    scope: dict[str, Any] = {
        "recording__lecture__course": course,
        "recording__lecture__cancelled": False,
        "recording__held": False,
    }
    copies: dict[tuple[int, int], list[LectureFace]] = {}
    without_crops = course.lectures.filter(recordings__crops_deleted_at__isnull=False)
    for face in LectureFace.objects.filter(lecture__in=without_crops):
        copies.setdefault((face.lecture_id, face.student_id), []).append(face)
    sightings = Sighting.objects.filter(Q(present=True) | Q(to_confirm=True), **scope)
    for sighting in sightings.select_related("recording__lecture").defer("face_positions"):
        attendance = (sighting.recording.lecture_id, sighting.student_id)
        if sighting.student_id not in in_doubt and attendance in (seen_by_machine if sighting.present else to_confirm):
            yield from _crops_of(sighting, sighting.student_id, copies)
    named = UnknownPerson.objects.filter(override__action=FaceOverride.Action.NAMED, is_static=False, **scope)
    for person in named.select_related("recording__lecture", "override").defer("face_positions"):
        if person.student_id is not None:
            yield from _crops_of(person, person.student_id, copies)


def _attendances_confirmed_by_people(course: Course) -> tuple[set[tuple[int, int]], set[tuple[int, int]]]:
    """The lectures and students where a person said that the student attended: in any way, and of the student alone."""
    records = AttendanceRecord.objects.filter(lecture__course=course).exclude(
        override_status="", lecture__sign_off=None
    )
    in_any_way, alone = set(), set()
    for lecture, student, override, proposal in records.values_list(
        "lecture", "student", "override_status", "machine_status"
    ):
        if meaning_of(override or proposal) in ATTENDED:
            in_any_way.add((lecture, student))
            if override:
                alone.add((lecture, student))
    return in_any_way, alone


def _crops_of(
    face: Sighting | UnknownPerson, student: int, copies: dict[tuple[int, int], list[LectureFace]]
) -> Iterator[ConfirmedFace]:
    lecture = face.recording.lecture
    crops = [(crop["file"], crop["quality"]) for crop in face.crops]
    if face.recording.crops_deleted_at:
        crops = [(copy.crop, copy.quality) for copy in copies.pop((lecture.pk, student), [])]
    for crop, quality in crops:
        yield ConfirmedFace(
            student=student, lecture=lecture.pk, starts_at=lecture.starts_at, crop=crop, quality=quality
        )
