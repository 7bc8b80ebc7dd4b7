"""Attendance of one recording in one call, from a folder of photos or a gallery."""

import json
import logging
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from os import PathLike
from pathlib import Path
from typing import Any, Literal

from recognition.annotate import FaceMark, Stretch, annotate_recording
from recognition.detection.detector import Detector, DetectorSettings
from recognition.embedding import DEFAULT_EMBEDDER, Embedder, load_embedder
from recognition.errors import NoEnrolment, RecognitionError
from recognition.excel.lecture_workbook import LectureReport, StudentRow, UnknownRow, write_lecture_workbook
from recognition.identification.gallery import DEFAULT_STRICTNESS, FPIR_BY_STRICTNESS, Gallery, train_gallery
from recognition.identification.vote import VotePolicy, vote
from recognition.inference import Runtime
from recognition.media.video import plan_segments, probe
from recognition.messages import Message
from recognition.people_folder import photos_by_person
from recognition.pipeline import SAMPLE_EVERY_SECONDS, check_enrolment_photos, choose_stream, process_segment
from recognition.tracking.face_paths import collect_face_paths
from recognition.types import Crop, FacePath, Interval, Presence, SegmentResult, UnknownPerson, VideoInfo
from recognition.vectors import Floats

logger = logging.getLogger(__name__)

Status = Literal["present", "to confirm", "absent", "not recognisable"]

STATUS_LABELS: dict[Status, str] = {
    "present": "Present",
    "to confirm": "To be confirmed",
    "absent": "Absent",
    "not recognisable": "Not recognisable",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class StudentAttendance:
    """One student in one recording.

    `status` is "present", "to confirm" (a person has to look, see `crops`), "absent", or "not recognisable" (there was
    no usable photo, so nothing can be said). `intervals` are (start, end) in seconds of the recording, `seconds` their
    sum and `share` their part of it (0..1). `confidence` is in 0..1. `crops`: at most three face crops as JPEG, best
    first.
    """

    label: str
    status: Status
    intervals: tuple[Interval, ...]
    seconds: float
    share: float
    confidence: float
    crops: tuple[Crop, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class AttendanceResult:
    """Who was in a recording. `students` are all of the roster, in its order; `unknown` are people who are nobody on
    the roster; `static_faces` are portraits, posters and faces on screens, which count as nobody.
    """

    recording: Path
    info: VideoInfo
    gallery: Gallery
    strictness: str
    students: tuple[StudentAttendance, ...]
    unknown: tuple[UnknownPerson, ...]
    static_faces: tuple[UnknownPerson, ...]
    face_paths: tuple[FacePath, ...] = field(default=(), compare=False, repr=False)

    @property
    def duration(self) -> float:
        """Seconds; 0 for a photo."""
        return self.info.duration

    def to_dict(self) -> dict[str, Any]:
        """Plain values: the duration, each student's status, intervals and confidence, and how many are unknown."""
        students = {
            student.label: {
                "present": student.status == "present",
                "to_confirm": student.status == "to confirm",
                "intervals": [[round(start, 2), round(end, 2)] for start, end in student.intervals],
                "confidence": round(student.confidence, 4),
            }
            for student in self.students
        }
        return {
            "duration": self.duration,
            "students": students,
            "unknown": len(self.unknown),
            "static_faces": len(self.static_faces),
        }

    def to_json(self) -> str:
        """`to_dict` as JSON."""
        return json.dumps(self.to_dict(), indent=1)

    def to_excel(self, path: str | PathLike[str]) -> None:
        """Write a workbook with sheets for attendance, timeline, unknown people and a summary. Raises OSError."""
        point = self.gallery.operating_points[self.strictness]
        started_at = self.info.started_at.astimezone().replace(tzinfo=None) if self.info.started_at else None
        report = LectureReport(
            course="",
            lecture=self.recording.stem,
            recording=self.recording.name,
            duration=self.duration,
            started_at=started_at,
            embedder=self.gallery.embedder,
            threshold=point.thresholds[-1],
            margin=point.margin,
            coverage=1.0,
            students=tuple(_student_row(student) for student in self.students),
            unknown=tuple(_unknown_row(person) for person in (*self.unknown, *self.static_faces)),
        )
        write_lecture_workbook(Path(path), report)

    def annotate(
        self,
        path: str | PathLike[str],
        *,
        blur_others: bool = False,
        progress: Callable[[float], None] | None = None,
    ) -> None:
        """Write the recording with a box around each face: a video as .mp4 without sound, a photo as .jpg or .png.

        Green boxes have the names of those present, amber ones of those to be confirmed, with a question mark, and
        blue ones the number that an unknown person has in the workbook. A name that no font of this machine can write
        is replaced by its number in the list of students. With `blur_others` the faces of all who are not on the roster
        are made unrecognisable, so far as they were found. `progress` is as in `take_attendance`.

        Raises RecognitionError for another name, UnreadableRecording when the recording is not there any more, OSError.
        """
        paths: dict[str | int | None, list[FacePath]] = {}
        for face in self.face_paths:
            paths.setdefault(face.label if face.unknown is None else face.unknown, []).append(face)
        marks = [FaceMark(paths=paths.get(None, []), is_blurred=blur_others)]
        for number, student in enumerate(self.students, 1):
            is_doubtful = student.status == "to confirm"
            captions = (student.label, f"No. {number}")
            marks.append(
                FaceMark(
                    paths=paths.get(student.label, []),
                    captions=tuple(f"{caption}?" for caption in captions) if is_doubtful else captions,
                    certainty="to confirm" if is_doubtful else "present",
                )
            )
        for number in range(len(self.unknown) + len(self.static_faces)):
            marks.append(
                FaceMark(
                    paths=paths.get(number, []),
                    captions=(f"Unknown {number + 1}",),
                    certainty="unknown" if number < len(self.unknown) else None,
                    is_blurred=blur_others,
                )
            )
        whole = Stretch(path=self.recording, info=self.info, start=0.0, end=self.duration, recording_start=0.0)
        annotate_recording([whole], marks, Path(path), on_progress=progress)


def take_attendance(
    recording: str | PathLike[str],
    *,
    people: str | PathLike[str] | None = None,
    gallery: Gallery | str | PathLike[str] | None = None,
    strictness: str = DEFAULT_STRICTNESS,
    embedder: Embedder | str | None = None,
    every: float = SAMPLE_EVERY_SECONDS,
    min_face: int = DetectorSettings().min_face,
    runtime: Runtime | None = None,
    progress: Callable[[float], None] | None = None,
) -> AttendanceResult:
    """Take attendance of a video or photo.

    Give either `people`, a folder with a folder of photos for each student, or a `gallery` that `enrol_people` made of
    such a folder, or the path of one that was saved. Everybody in it is on the roster.

    `strictness` is "strict", "balanced" or "lenient": one stranger in 10,000, 1,000 or 100 may be taken for somebody of
    the class. `embedder` is one that `load_embedder` gave, or its id (default: the gallery's, or "dlib-resnet-v1").
    `every`: seconds between the frames that are searched. `min_face`: height in pixels of the smallest face to find.
    `runtime`: device, threads and precision. `progress` is called with the share that is done (0..1) after each frame,
    and may raise to stop the work.

    Raises UnreadableRecording and RecordingOutOfLimits for a recording that can't be read, NoEnrolment when nobody has
    a usable photo, GalleryMismatch for a gallery that is damaged or another embedder's, WeightsMissing when the
    embedder's weights are not there.

    >>> from recognition import take_attendance
    >>> result = take_attendance("lecture.mp4", people="photos/", strictness="balanced")
    >>> for student in result.students:
    ...     print(student.label, student.status, student.intervals)
    Amara Obi present ((0.0, 7.0),)
    Bo Lindqvist absent ()
    >>> len(result.unknown)
    1
    >>> result.to_excel("lecture.xlsx")
    >>> result.annotate("annotated.mp4")
    """
    if (people is None) == (gallery is None):
        raise ValueError("give either people or a gallery")
    if strictness not in FPIR_BY_STRICTNESS:
        raise RecognitionError(
            "There is no strictness {strictness!r}. Choose one of {known}.",
            strictness=strictness,
            known=", ".join(FPIR_BY_STRICTNESS),
        )
    recording = Path(recording)
    detector = Detector(DetectorSettings(min_face=min_face), runtime)
    info = choose_stream(recording, probe(recording), detector)
    if gallery is not None and not isinstance(gallery, Gallery):
        gallery = Gallery.load(Path(gallery))
    if not isinstance(embedder, Embedder):
        embedder = load_embedder(embedder or (gallery.embedder if gallery else DEFAULT_EMBEDDER), runtime=runtime)
    if people is not None:
        gallery = enrol_people(people, embedder=embedder, runtime=runtime)
    assert gallery is not None  # noqa: S101
    results: list[SegmentResult] = []
    for segment in plan_segments(recording, info):

        def on_progress(share: float, start: float = segment.start, end: float = segment.end) -> None:
            if progress:
                progress((start + share * (end - start)) / info.duration if info.duration else share)

        results.append(
            process_segment(
                recording,
                info,
                segment,
                embedder,
                detector,
                gallery=gallery,
                sample_every=every,
                on_progress=on_progress,
            )
        )
    # Those without a usable photo are on the roster, too.
    roster = sorted([*gallery.labels, *gallery.report["without_photos"]])
    attendance = vote(results, gallery, roster, info, VotePolicy(strictness=strictness))
    return AttendanceResult(
        recording=recording,
        info=info,
        gallery=gallery,
        strictness=strictness,
        students=tuple(_student(presence) for presence in attendance.presences),
        unknown=tuple(person for person in attendance.unknown if not person.is_static),
        static_faces=tuple(person for person in attendance.unknown if person.is_static),
        face_paths=collect_face_paths(results, attendance),
    )


def enrol_people(
    people: str | PathLike[str],
    *,
    embedder: Embedder | str = DEFAULT_EMBEDDER,
    photos_per_person: int | None = None,
    keep: Collection[Path] = (),
    runtime: Runtime | None = None,
    on_photo: Callable[[Path, Message | None], None] | None = None,
) -> Gallery:
    """Make a gallery of a folder of people, `<name>/1.jpg` and so on, for use with many recordings.

    With `photos_per_person` only the first photos of each count, by the number in the name. The photos that
    look like another person's don't count, except those in `keep`. `on_photo` is called for each photo with the reason
    why it can't be used, or None; without it the reasons are logged as warnings. Raises NoEnrolment when there is no
    folder, or nobody has a usable photo.

    >>> from recognition import Gallery, enrol_people
    >>> gallery = enrol_people("photos/")
    >>> gallery.labels
    ('Amara Obi', 'Bo Lindqvist')
    >>> digest = gallery.save("class.gallery")
    >>> Gallery.load("class.gallery").labels == gallery.labels
    True
    """
    folder = Path(people)
    if not folder.is_dir():
        raise NoEnrolment(
            "There is no folder {folder}. Give one that has a folder of photos for each student.", folder=folder
        )
    photos = photos_by_person(folder, photos_per_person)
    if not photos:
        raise NoEnrolment(
            "There is no folder of photos in {folder}. Make one for each student: {folder}/<name>/1.jpg, 2.jpg, ...",
            folder=folder,
        )
    if not isinstance(embedder, Embedder):
        embedder = load_embedder(embedder, runtime=runtime)
    detector = Detector(runtime=runtime)
    embeddings: dict[str, list[Floats]] = {name: [] for name in photos}
    confirmed: dict[str, list[int]] = {name: [] for name in photos}
    kept = {path.resolve() for path in keep}
    named_paths = [(name, path) for name, paths in photos.items() for path in paths]
    checked = check_enrolment_photos((path for _, path in named_paths), embedder, detector)
    for (name, path), photo in zip(named_paths, checked, strict=True):
        reason = photo.reason if photo.embedding is None else None
        if photo.embedding is not None:
            if path.resolve() in kept:
                confirmed[name].append(len(embeddings[name]))
            embeddings[name].append(photo.embedding)
        if on_photo:
            on_photo(path, reason)
        elif reason:
            logger.warning("%s: %s", path, reason)
    return train_gallery(embeddings, embedder.id, confirmed=confirmed)


def _student(presence: Presence) -> StudentAttendance:
    return StudentAttendance(
        label=presence.label,
        status=_status(presence),
        intervals=presence.intervals,
        seconds=presence.seconds,
        share=presence.share,
        confidence=presence.confidence,
        crops=presence.crops,
    )


def _status(presence: Presence) -> Status:
    if presence.present:
        return "present"
    if presence.to_confirm:
        return "to confirm"
    return "absent" if presence.recognisable else "not recognisable"


def _student_row(student: StudentAttendance) -> StudentRow:
    return StudentRow(
        number="",
        name=student.label,
        status=STATUS_LABELS[student.status],
        intervals=student.intervals,
        seconds=student.seconds,
        share=student.share,
        confidence=student.confidence,
        picture=student.crops[0].jpeg if student.crops else None,
        status_code=student.status.replace(" ", "_"),
    )


def _unknown_row(person: UnknownPerson) -> UnknownRow:
    return UnknownRow(
        intervals=person.intervals,
        seconds=person.seconds,
        pictures=tuple(crop.jpeg for crop in person.crops),
        is_static=person.is_static,
    )
