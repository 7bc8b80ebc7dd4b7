"""From the segments of a recording to attendance: the vote over all of them, and what one segment shows before that."""

import logging
from typing import TYPE_CHECKING

from django.db import transaction
from django.db.models import Exists, OuterRef, Q, prefetch_related_objects
from django.utils import timezone

from campus.academics.models import Lecture
from campus.academics.selectors import lecture_roster
from campus.attendance.annotated_videos import dump_paths, store_face_paths
from campus.attendance.face_positions import identity_overrides
from campus.attendance.joint_vote import Vote, gather_parts, link_unknown_people, vote_on_parts
from campus.attendance.proposals import save_attendance, store_crops
from campus.attendance.recording_review import publish_result, recheck_places
from campus.attendance.reports import request_recording_report
from campus.attendance.strangers import forget_strangers
from campus.biometrics.gallery_files import load_gallery
from campus.biometrics.models import Gallery
from campus.biometrics.selectors import HAS_FILE, embedder_in_use, gallery_for
from campus.biometrics.services import discard_gallery, request_training
from campus.common import jobs
from campus.common.errors import UserError
from campus.consent.selectors import students_with_basis
from campus.recordings.models import Recording
from campus.recordings.review import MIN_STRANGERS, ReviewReason, consecutive_uploads, review_recording
from campus.recordings.selectors import (
    coverage,
    describe_gaps,
    processed_share,
    video_info,
)
from campus.recordings.services import finish_recording, restart_recording
from recognition.errors import Cancelled, GalleryMismatch, RecognitionError
from recognition.types import SegmentResult

if TYPE_CHECKING:
    from recognition.identification.gallery import Gallery as LoadedGallery

log = logging.getLogger(__name__)

MIN_PROCESSED_SHARE = 0.5  # of the recording, for a result that says something
# A recording of strangers is compared with so many other classes, and so many of them are named.
MAX_COMPARED_CLASSES = 50
MAX_FITTING_CLASSES = 3


def finalize_recording(*, recording: Recording, vote: Vote) -> None:
    """Vote over all segments, and write the attendance and the workbook. One attempt writes all of it or nothing.

    Files of the lecture that were uploaded one by one are voted on together, as long as their tracks are kept.

    Raises UserError if there is too little to go by, Postponed until the class has a gallery, and Cancelled if this
    attempt does not hold the recording any more.
    """
    recording.lecture = Lecture.objects.select_related("course").get(pk=recording.lecture_id)
    prefetch_related_objects([recording], "segments")
    course = recording.lecture.course
    processed, missing = processed_share(recording), describe_gaps(recording)
    if processed < MIN_PROCESSED_SHARE:
        raise UserError(
            "Only {share} of the recording could be processed. {missing} Retry, or upload another copy.",
            share=f"{processed:.0%}",
            missing=missing,
        )
    roster = _roster_labels(recording)
    if not roster and lecture_roster(recording.lecture).exists():
        raise UserError(
            "The face of no student of {course} may be recognised now. Take the roll by hand.", course=course
        )
    if not roster:
        raise UserError(
            "Nobody is enrolled in {course} on the lecture's day. "
            "Add students to the class, then take attendance again.",
            course=course,
        )
    gallery = _gallery_for(recording)
    parts = gather_parts(recording)
    try:
        templates = load_gallery(gallery)
    except GalleryMismatch as error:
        discard_gallery(gallery=gallery, error=error.message)
        request_training(course=course)
        raise RuntimeError("The gallery's file is damaged; another one is being made.") from error
    voted = vote_on_parts(parts, vote, templates, roster, strictness=course.strictness)
    own = next(result for result in voted if result.part.recording == recording)
    # What is not complete yet can't be judged.
    findings = [] if recording.provisional else review_recording(recording, own.attendance)
    if any(finding.code == ReviewReason.STRANGERS for finding in findings):
        fitting_courses = _find_fitting_courses(recording, own.part.results, vote)
    else:
        fitting_courses = []
    # The transaction is kept short: other changes of the lecture wait for it.
    for result in voted:
        store_crops(recording=result.part.recording, attendance=result.attendance)
    face_paths = [dump_paths(results=result.part.results, attendance=result.attendance) for result in voted]
    with transaction.atomic():
        # The lecture is locked before its recordings, in the same order as when a footage file arrives.
        Lecture.objects.select_for_update().get(pk=recording.lecture_id)
        if not finish_recording(
            recording=recording,
            gallery=gallery,
            strictness=course.strictness,
            coverage=coverage(recording),
            error=missing,
            findings=findings,
            fitting_courses=fitting_courses,
        ):
            raise Cancelled("The recording was cancelled, or another worker has counted it.")
        for result, paths in zip(voted, face_paths, strict=True):
            save_attendance(recording=result.part.recording, attendance=result.attendance)
            store_face_paths(recording=result.part.recording, paths=paths)
        link_unknown_people(voted)
        transaction.on_commit(lambda: forget_strangers(voted))  # after the deletion of what no vote needs
        if [part.recording for part in parts] != consecutive_uploads(recording) or any(
            identity_overrides(part.recording) != part.overrides for part in parts
        ):
            raise jobs.Postponed  # another file was counted or somebody named a face during the vote
        for part in parts:
            if part.recording != recording and not part.recording.held:
                request_recording_report(recording=part.recording)
        publish_result(recording=recording)
        recheck_places(lecture=recording.lecture)


def _find_fitting_courses(recording: Recording, results: list[SegmentResult], vote: Vote) -> list[tuple[int, int]]:
    """The ids of other classes whose students are in the recording, with how many; the class with most comes first."""
    day = timezone.localtime(recording.lecture.starts_at).date()
    same_day = Lecture.objects.filter(course=OuterRef("course"), starts_at__date=day)
    others = Gallery.objects.filter(active=True, embedder=recording.embedder).exclude(course=recording.lecture.course)
    found = []
    for gallery in others.order_by(Exists(same_day).desc(), "-created_at")[:MAX_COMPARED_CLASSES]:
        try:
            templates = load_gallery(gallery)
        except (RecognitionError, OSError) as error:
            log.warning("gallery %s can't be compared: %s", gallery.pk, error)
            continue
        attendance = vote(
            results, templates, templates.labels, video_info(recording), strictness=recording.lecture.course.strictness
        )
        present = sum(presence.present for presence in attendance.presences)
        if present >= MIN_STRANGERS:
            found.append((gallery.course_id, present))
    return sorted(found, key=lambda item: -item[1])[:MAX_FITTING_CLASSES]


def load_present_gallery(recording: Recording) -> "LoadedGallery | None":
    """The gallery that the recording would be voted with now; None while the class has none that can be read."""
    gallery = gallery_for(recording.lecture.course, recording.embedder)
    try:
        return load_gallery(gallery) if gallery else None
    except GalleryMismatch as error:
        log.warning("recording %s: its segments are processed without a gallery: %s", recording.pk, error)
        return None


def preview_present_students(
    *, recording: Recording, result: SegmentResult, gallery: "LoadedGallery | None", vote: Vote
) -> list[int]:
    """The ids of the students whom one segment shows by itself, for people who watch the progress.

    Empty while the class has no gallery. The vote over all segments decides.
    """
    if gallery is None:
        return []
    strictness = recording.lecture.course.strictness
    try:
        attendance = vote([result], gallery, _roster_labels(recording), video_info(recording), strictness=strictness)
    except (RecognitionError, OSError) as error:
        log.warning("recording %s: no preview of a segment: %s", recording.pk, error)
        return []
    return [int(presence.label) for presence in attendance.presences if presence.present]


def _roster_labels(recording: Recording) -> list[str]:
    """The students of the roster who may be recognised. The others are nobody to the vote, like any stranger."""
    students = students_with_basis(lecture_roster(recording.lecture), recording.lecture.course)
    return [str(pk) for pk in students.values_list("pk", flat=True)]


def _gallery_for(recording: Recording) -> Gallery:
    """The gallery of the recording's embedder. Requests a training if there is none, and raises Postponed until it is
    done.

    If the class has changed to another embedder since, and has no gallery of the first one, the recording starts again.
    """
    course = recording.lecture.course
    latest_first = course.galleries.filter(embedder=recording.embedder).order_by("-active", "-created_at")
    galleries = list(latest_first.filter(Q(state=Gallery.State.QUEUED) | HAS_FILE))
    if any(gallery.state == Gallery.State.QUEUED for gallery in galleries):
        raise jobs.Postponed
    if galleries:
        return galleries[0]
    if embedder_in_use(course) != recording.embedder and jobs.renew(recording):
        restart_recording(recording=recording, user=None)
        raise Cancelled("The class has another face model now; the recording is processed again with it.")
    latest = course.galleries.filter(embedder=recording.embedder).order_by("-created_at").first()
    was_planned_before = latest and recording.planned_at and latest.created_at >= recording.planned_at
    if latest and was_planned_before and latest.state == Gallery.State.FAILED:
        raise UserError(latest.error)
    request_training(course=course)
    raise jobs.Postponed
