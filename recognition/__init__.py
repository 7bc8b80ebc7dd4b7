"""Who was in a lecture, from its recording: faces are found, followed, embedded and compared with enrolment photos.

Knows no Django, no Celery and no database. Importing it is cheap: what needs TensorFlow, OpenVINO or OpenCV is imported
at its first use.

    from recognition import take_attendance
    result = take_attendance("lecture.mp4", people="photos/", strictness="balanced")
    for student in result.students:
        print(student.label, student.status, student.intervals)
    result.to_excel("lecture.xlsx")
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from recognition.attendance import AttendanceResult, StudentAttendance, enrol_people, take_attendance
    from recognition.detection.detector import Detector, DetectorSettings
    from recognition.embedding import EMBEDDERS, Embedder, load_embedder
    from recognition.errors import RecognitionError
    from recognition.identification.gallery import Gallery, train_gallery
    from recognition.identification.vote import VotePolicy, vote
    from recognition.inference import Runtime
    from recognition.media.video import plan_segments, probe
    from recognition.pipeline import check_enrolment_photo, check_enrolment_photos, process_segment

# Name -> the module that defines it.
_MODULES = {
    "AttendanceResult": "attendance",
    "Detector": "detection.detector",
    "DetectorSettings": "detection.detector",
    "EMBEDDERS": "embedding",
    "Embedder": "embedding",
    "Gallery": "identification.gallery",
    "RecognitionError": "errors",
    "Runtime": "inference",
    "StudentAttendance": "attendance",
    "VotePolicy": "identification.vote",
    "check_enrolment_photo": "pipeline",
    "check_enrolment_photos": "pipeline",
    "enrol_people": "attendance",
    "load_embedder": "embedding",
    "plan_segments": "media.video",
    "probe": "media.video",
    "process_segment": "pipeline",
    "take_attendance": "attendance",
    "train_gallery": "identification.gallery",
    "vote": "identification.vote",
}

__all__ = [
    "EMBEDDERS",
    "AttendanceResult",
    "Detector",
    "DetectorSettings",
    "Embedder",
    "Gallery",
    "RecognitionError",
    "Runtime",
    "StudentAttendance",
    "VotePolicy",
    "check_enrolment_photo",
    "check_enrolment_photos",
    "enrol_people",
    "load_embedder",
    "plan_segments",
    "probe",
    "process_segment",
    "take_attendance",
    "train_gallery",
    "vote",
]


def __getattr__(name: str) -> object:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__
