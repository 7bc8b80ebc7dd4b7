"""No embedding of somebody who was matched with no student outlives the vote, also where the tracks are kept for
another one: because of gaps, or since more footage or more uploads are awaited.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from uuid import uuid4

from django.utils import timezone

from campus.attendance.joint_vote import PartAttendance
from campus.common.storage import write_media
from campus.recordings.models import Recording, Segment
from campus.recordings.selectors import OPEN_STATES
from campus.recordings.services import delete_tracks
from recognition.types import SegmentResult, Stranger

MAX_WAIT = timedelta(hours=6)  # of a stranger's embeddings, for the vote over another file of the lecture


def forget_strangers(voted: Sequence[PartAttendance]) -> None:
    """Take the embeddings of strangers out of the tracks that are kept after this vote. While another upload of the
    lecture is under way, they wait for the vote over both.
    """
    recording = voted[0].part.recording
    segments = Segment.objects.filter(recording__in=[result.part.recording.pk for result in voted])
    kept = set(segments.exclude(result="").values_list("result", flat=True))
    if not kept:
        return
    if not recording.collected and recording.lecture.recordings.filter(state__in=OPEN_STATES).exists():
        return
    keys: dict[int, str] = {}
    for result in voted:
        strangers = _strangers_of(result, keys)
        for file, tracks in zip(result.part.files, result.part.results, strict=True):
            if file in kept:
                _rewrite(file, tracks, strangers)
                segments.filter(result=file).update(strangers_forgotten=True)


def _strangers_of(result: PartAttendance, keys: dict[int, str]) -> dict[int, Stranger | None]:
    """By the ids of the tracks, who of the unknown people it is; None for those of students, which stay as they are.

    `keys`: of the unknown people of all parts, by their numbers.
    """
    named = {override.key for override in result.part.overrides if override.label and not override.denied}
    found: dict[int, Stranger | None] = {
        id(track): None for presence in result.attendance.presences for track in presence.tracks
    }
    for number, person in zip(result.people, result.attendance.unknown, strict=True):
        is_named = person.override_key in named
        stranger = Stranger(
            key=keys.setdefault(number, uuid4().hex), is_static=person.is_static, resembles=person.resembles
        )
        found |= dict.fromkeys(map(id, person.tracks), None if is_named else stranger)
    return found


def _rewrite(file: str, result: SegmentResult, strangers: Mapping[int, Stranger | None]) -> None:
    from recognition.tracking.result_file import dump_segment_result

    tracks = []
    for track in result.tracks:
        stranger = strangers.get(id(track))
        is_student = id(track) in strangers and stranger is None
        tracks.append(track if is_student else track.forget_embeddings(stranger or track.stranger))
    write_media(file, dump_segment_result(replace(result, tracks=tuple(tracks))))


def delete_tracks_of_strangers() -> None:
    """Delete the tracks that still hold embeddings of strangers some hours after the vote, or after a failure: the
    other upload takes long, or the worker stopped just then. What needs them is processed again.
    """
    over = (Recording.State.DONE, Recording.State.NEEDS_REVIEW, Recording.State.FAILED)
    segments = Segment.objects.filter(strangers_forgotten=False, recording__state__in=over).exclude(result="")
    late = segments.filter(finished_at__lt=timezone.now() - MAX_WAIT)
    for recording in set(late.values_list("recording", flat=True)):
        delete_tracks(recording_id=recording)
