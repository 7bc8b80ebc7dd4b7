"""What people said about faces, and where these faces are in the footage, whatever the picture settings are by now."""

from collections.abc import Iterable
from typing import Any

from campus.attendance.models import FaceOverride
from campus.common.messages import LocalizedMessage, localize
from campus.recordings.models import Clip, Recording
from campus.recordings.selectors import picture_at, video_info
from recognition.media.orientation import box_in_file, box_in_frame
from recognition.messages import Message
from recognition.types import FacePosition, IdentityOverride


def positions_in_files(recording: Recording, face_positions: Iterable[Any]) -> list[list[Any]]:
    """The positions of a face in the recording, [second, box], as `FaceOverride` keeps them."""
    kept = []
    for second, box in face_positions:
        if picture := picture_at(recording, second):
            info, footage_file, file_start = picture
            pk = str(footage_file.pk) if footage_file else None
            kept.append([pk, info.stream, round(second - file_start, 3), box_in_file(box, info)])
    return kept


def identity_overrides(recording: Recording) -> list[IdentityOverride]:
    """What people said about the recording's faces, for the vote."""
    clips: dict[str, Clip] = {}
    if recording.collected:
        clips = {str(clip.footage_file_id): clip for clip in recording.clips.select_related("footage_file")}

    def positions(override: FaceOverride) -> Iterable[FacePosition]:
        for pk, stream, second, box in override.face_positions:
            if pk is None:
                info, file_start = video_info(recording), 0.0
            elif clip := clips.get(pk):
                info = recording.adjust_picture(video_info(clip.footage_file))
                file_start = clip.recording_start - clip.start
            else:
                continue  # the file is no longer of this lecture
            if stream == info.stream:
                yield second + file_start, box_in_frame(box, info)

    return [
        IdentityOverride(
            key=str(override.pk),
            face_positions=tuple(positions(override)),
            label=str(override.student_id) if override.student_id else None,
            denied=override.action == FaceOverride.Action.REJECTED,
        )
        for override in recording.face_overrides.order_by("pk")
    ]


def describe_lost_names(recording: Recording) -> list[LocalizedMessage]:
    """Says whose faces a person named but the latest count did not find again, such as in another video stream."""
    lost = recording.face_overrides.filter(action=FaceOverride.Action.NAMED, people=None).select_related("student")
    names = ", ".join(str(override.student) for override in lost)
    sentence = "Faces that were named by hand were not found again: {names}. Name them again, or mark them on the roll."
    return [localize(Message(sentence, names=names))] if names else []
