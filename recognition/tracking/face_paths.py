"""Where each face was, without what says whose it is by its looks: kept for drawing, when the tracks are gone."""

import io
from collections.abc import Sequence

import numpy as np

from recognition.errors import RecognitionError
from recognition.files import READ_ERRORS
from recognition.types import Attendance, FacePath, SegmentResult

NOBODY = -1  # in place of no number in the file


def collect_face_paths(results: Sequence[SegmentResult], attendance: Attendance) -> tuple[FacePath, ...]:
    """The path of each track of the results, with whose face the vote over them says it is."""
    labels = {id(track): presence.label for presence in attendance.presences for track in presence.tracks}
    numbers = {id(track): n for n, person in enumerate(attendance.unknown) for track in person.tracks}
    return tuple(
        FacePath(times=track.times, boxes=track.boxes, label=labels.get(id(track)), unknown=numbers.get(id(track)))
        for result in results
        for track in result.tracks
    )


def dump_face_paths(face_paths: Sequence[FacePath]) -> bytes:
    """The paths as the content of a file."""
    file = io.BytesIO()
    np.savez_compressed(
        file,
        lengths=np.array([len(face.times) for face in face_paths], np.int64),
        times=np.concatenate([np.empty(0), *(face.times for face in face_paths)]),
        boxes=np.concatenate([np.empty((0, 4), np.float32), *(face.boxes for face in face_paths)]),
        labels=np.array([face.label or "" for face in face_paths], np.str_),
        unknown=np.array([NOBODY if face.unknown is None else face.unknown for face in face_paths], np.int64),
    )
    return file.getvalue()


def load_face_paths(content: bytes) -> tuple[FacePath, ...]:
    """The paths that `dump_face_paths` made `content` of. Raises RecognitionError when it is empty or damaged."""
    try:
        with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
            ends = np.cumsum(arrays["lengths"])[:-1]
            all_times, all_boxes = np.split(arrays["times"], ends), np.split(arrays["boxes"], ends)
            return tuple(
                FacePath(times=times, boxes=boxes, label=str(label) or None, unknown=None if n == NOBODY else int(n))
                for times, boxes, label, n in zip(
                    all_times, all_boxes, arrays["labels"], arrays["unknown"], strict=len(arrays["lengths"]) > 0
                )
            )
    except READ_ERRORS as error:
        raise RecognitionError(
            "Where the faces of this recording are is not known any more. Take attendance again."
        ) from error
