"""Whether a recording makes sense as one of its lecture. One that does not waits until a person has checked it."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.db import models
from django.db.models import Exists, OuterRef, Q
from django.utils.translation import gettext_lazy as _

from campus.academics.models import Lecture
from campus.common.intervals import merge_intervals, place_intervals, total_length
from campus.common.messages import LocalizedMessage, dump_message, load_message
from campus.recordings.models import Recording, Segment
from recognition.messages import Message
from recognition.types import Attendance

DARK_MAX_BRIGHTNESS = 0.03  # of white: the brightest picture of a camera that sees nothing
FROZEN_MAX_MOTION = 0.0005  # mean difference of two pictures: less than the noise of any sensor
MAX_BLIND_SHARE = 0.5  # of the recording, dark or frozen
EMPTY_SHARE = 0.1  # of the roster: where no more people are seen, hardly anybody is there
STRANGE_SHARE = 0.2  # of the students whom the gallery knows: where no more are recognised, it may be another class
STRANGERS_PER_STUDENT = 2  # and there are more strangers than so many for each recognised student
MIN_STRANGERS = 2
MIN_LECTURE_SHARE = 0.5  # of the lecture that its recordings should show
MIN_INSIDE_SHARE = 0.5  # of the recording that should lie within its lecture
MAX_LENGTH_FACTOR = 1.5  # of the lecture's length
MAX_OVERRUN_SECONDS = 1200.0
MAX_PHOTO_DISTANCE_SECONDS = 3600.0  # from the lecture
MAX_OVERLAP_SHARE = 0.1  # of the shorter of two recordings


class ReviewReason(models.TextChoices):
    EMPTY = "empty", _("hardly anybody is seen")
    STRANGERS = "strangers", _("strangers to this class")
    GAPS = "gaps", _("not searched completely")
    DARK = "dark", _("too dark")
    FROZEN = "frozen", _("the picture stands still")
    SHORT = "short", _("far shorter than the lecture")
    LONG = "long", _("far longer than the lecture")
    ELSEWHEN = "elsewhen", _("at another time than the lecture")
    OVERLAP = "overlap", _("at the same time as another recording")
    DUPLICATE = "duplicate", _("the same file as another lecture's")


@dataclass(frozen=True, slots=True)
class Finding:
    """One reason why a person should check a recording, in a sentence."""

    code: ReviewReason
    message: Message

    def to_json(self) -> dict[str, Any]:
        return {"code": self.code.value, "message": dump_message(self.message)}


def review_messages(recording: Recording) -> list[LocalizedMessage]:
    """Why the recording is to be checked, a sentence for each reason."""
    return [load_message(reason["message"]) for reason in recording.review_reasons]


def consecutive_uploads(recording: Recording) -> list[Recording]:
    """The recording, and the lecture's other uploaded videos that show other parts of it and whose tracks are kept, in
    the order of time. One that waits for a check is left out, unless all that is wrong is that it is short.
    """
    if recording.collected or not recording.duration:
        return [recording]
    done = Segment.objects.filter(recording=OuterRef("pk"), state=Segment.State.DONE)
    others = recording.lecture.recordings.filter(
        Exists(done.exclude(result="")),
        ~Exists(done.filter(result="")),
        state__in=(Recording.State.DONE, Recording.State.NEEDS_REVIEW),
        embedder=recording.embedder,
        duration__gt=0,
    )
    uploads = [recording]
    others = others.exclude(file="").exclude(pk=recording.pk).exclude(replacements=recording)
    for other in others.order_by("created_at"):
        if unaccepted_reasons(other) <= {ReviewReason.SHORT} and not any(_overlap(other, upload) for upload in uploads):
            uploads.append(other)
    return sorted(uploads, key=lambda upload: upload.offset)


def unaccepted_reasons(recording: Recording) -> set[str]:
    """The codes of the reasons for which a person should check the recording, and has not yet."""
    return {reason["code"] for reason in recording.review_reasons} - {*recording.accepted_reasons}


def review_recording(recording: Recording, attendance: Attendance) -> list[Finding]:
    """Every reason why a person should check the recording before what was found in it counts."""
    return [
        *_review_coverage(recording),
        *_review_pictures(recording),
        *_review_people(attendance),
        *review_place(recording, recording.lecture.recordings.all()),
        *_review_file(recording),
    ]


def review_place(recording: Recording, recordings: Iterable[Recording]) -> list[Finding]:
    """What is odd about the length of the recording and its place in the lecture, which has these recordings; of a
    photo, about its time. Nothing is about footage that was collected for the lecture."""
    lecture = recording.lecture
    if recording.collected:
        return []
    if not recording.duration:
        return _review_time_of_photo(recording)
    length, lecture_length = format_minutes(recording.duration), format_minutes(lecture.length)
    inside = total_length(place_intervals([(0.0, recording.duration)], recording.offset, lecture.length))
    if inside < MIN_INSIDE_SHARE * min(recording.duration, lecture.length):
        return [
            Finding(
                ReviewReason.ELSEWHEN,
                Message(
                    "It was recorded from {begin} to {end}, but the lecture was from {start} to {finish}.",
                    begin=lecture.starts_at + timedelta(seconds=recording.offset),
                    end=lecture.starts_at + timedelta(seconds=recording.offset + recording.duration),
                    start=lecture.starts_at,
                    finish=lecture.ends_at,
                ),
            )
        ]
    others = _other_uploads(recording, recordings)
    if _uploaded_length(lecture, [*others, recording]) < MIN_LECTURE_SHARE * lecture.length:
        message = Message(
            "It lasts {length}, but the lecture {lecture_length}.", length=length, lecture_length=lecture_length
        )
        return [Finding(ReviewReason.SHORT, message)]
    if recording.offset_source == Recording.OffsetSource.ASSUMED and _overlaps_earlier_upload(recording, others):
        message = Message(
            "Another recording shows the same part of the lecture, and nothing says when this one began. "
            "Set when it began, unless both were made at the same time."
        )
        return [Finding(ReviewReason.OVERLAP, message)]
    longest = max(MAX_LENGTH_FACTOR * lecture.length, lecture.length + MAX_OVERRUN_SECONDS)
    if recording.offset_source == Recording.OffsetSource.ASSUMED and recording.duration > longest:
        message = Message(
            "It lasts {length}, but the lecture only {lecture_length}, and nothing says when it began.",
            length=length,
            lecture_length=lecture_length,
        )
        return [Finding(ReviewReason.LONG, message)]
    return []


def _review_time_of_photo(recording: Recording) -> list[Finding]:
    lecture = recording.lecture
    if -MAX_PHOTO_DISTANCE_SECONDS <= recording.offset <= lecture.length + MAX_PHOTO_DISTANCE_SECONDS:
        return []
    taken = lecture.starts_at + timedelta(seconds=recording.offset)
    message = Message("It was taken on {taken}, but the lecture was on {start}.", taken=taken, start=lecture.starts_at)
    return [Finding(ReviewReason.ELSEWHEN, message)]


def _overlaps_earlier_upload(recording: Recording, others: Iterable[Recording]) -> bool:
    counted = (Recording.State.DONE, Recording.State.NEEDS_REVIEW)
    return any(
        other.created_at < recording.created_at
        and other.state in counted
        and other.duration > 0
        and _overlap(recording, other)
        for other in others
    )


def _overlap(one: Recording, other: Recording) -> bool:
    """Whether two recordings show the same part of their lecture, by their places in it."""
    start, end = max(one.offset, other.offset), min(one.offset + one.duration, other.offset + other.duration)
    return end - start > MAX_OVERLAP_SHARE * min(one.duration, other.duration)


def _other_uploads(recording: Recording, recordings: Iterable[Recording]) -> list[Recording]:
    """Those of the recordings that were uploaded and have not failed, without this one and the one that it replaces."""
    failed = (Recording.State.FAILED, Recording.State.CANCELLED)
    left_out = (recording.pk, recording.replaces_id)
    return [row for row in recordings if not row.collected and row.pk not in left_out and row.state not in failed]


def _uploaded_length(lecture: Lecture, recordings: Iterable[Recording]) -> float:
    """How many seconds of the lecture these recordings show together."""
    return total_length(
        merge_intervals(
            interval
            for row in recordings
            for interval in place_intervals([(0.0, row.duration)], row.offset, lecture.length)
        )
    )


def _review_coverage(recording: Recording) -> Iterable[Finding]:
    """Who was not seen may be in the segments that failed."""
    segments = list(recording.segments.all())
    failed = sum(segment.state == Segment.State.FAILED for segment in segments)
    if failed:
        message = Message(
            "{failed} of its {n} segments could not be searched for faces, so who was not seen may have been there. "
            "Retry them, or count the recording as it is.",
            failed=failed,
            n=len(segments),
        )
        yield Finding(ReviewReason.GAPS, message)


def _review_pictures(recording: Recording) -> Iterable[Finding]:
    segments = [segment for segment in recording.segments.all() if segment.state == Segment.State.DONE]
    total = sum(segment.end - segment.start for segment in segments)
    if not total:  # a photo, in which nothing moves
        return
    dark = sum(
        segment.end - segment.start
        for segment in segments
        if segment.light is not None and segment.light < DARK_MAX_BRIGHTNESS
    )
    frozen = sum(
        segment.end - segment.start
        for segment in segments
        if segment.motion is not None and segment.motion < FROZEN_MAX_MOTION
    )
    if dark > MAX_BLIND_SHARE * total:
        yield Finding(ReviewReason.DARK, Message("{share} of it is black.", share=f"{dark / total:.0%}"))
    elif frozen > MAX_BLIND_SHARE * total:
        message = Message("The picture does not change in {share} of it.", share=f"{frozen / total:.0%}")
        yield Finding(ReviewReason.FROZEN, message)


def _review_people(attendance: Attendance) -> Iterable[Finding]:
    students = len(attendance.presences)
    recognisable = sum(presence.recognisable for presence in attendance.presences)
    recognised = sum(presence.present or presence.to_confirm for presence in attendance.presences)
    named = sum(bool(person.override_key) for person in attendance.unknown)
    strangers = sum(not person.is_static and not person.override_key for person in attendance.unknown)
    people = recognised + named + strangers
    if people <= EMPTY_SHARE * students:
        message = Message.with_count(
            "{people} of the {n} student of the class is seen, and nobody else.",
            "{people} of the {n} students of the class are seen, and nobody else.",
            n=students,
            people=people,
        )
        yield Finding(ReviewReason.EMPTY, message)
    elif (
        recognised + named <= STRANGE_SHARE * recognisable
        and strangers >= MIN_STRANGERS
        and strangers > STRANGERS_PER_STUDENT * (recognised + named)
    ):
        message = Message(
            "{strangers} people are seen who are not of this class, and {recognised} of its students. "
            "Is this the recording of another class?",
            strangers=strangers,
            recognised=recognised + named,
        )
        yield Finding(ReviewReason.STRANGERS, message)


def _review_file(recording: Recording) -> Iterable[Finding]:
    same = Recording.objects.filter(~Q(sha256=""), sha256=recording.sha256).exclude(lecture=recording.lecture_id)
    if same.exists():
        message = Message("The same file is a recording of another lecture.")
        yield Finding(ReviewReason.DUPLICATE, message)


def format_minutes(seconds: float) -> Message:
    """A length as people say it."""
    if seconds < 100:
        return Message.with_count("{n} second", "{n} seconds", n=round(seconds))
    return Message.with_count("{n} minute", "{n} minutes", n=round(seconds / 60))
