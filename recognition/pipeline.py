"""The steps in order: for one segment (decode, detect, track, embed) and for enrolment photos."""

import errno
import io
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from itertools import islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from recognition.blurring import blur_crop
from recognition.detection.alignment import align_face
from recognition.detection.detector import Detector
from recognition.detection.quality import assess_face, judge_enrolment_photo
from recognition.detection.search_schedule import find_faces
from recognition.embedding import Embedder
from recognition.embedding.averaging import embed_enrolment_crops
from recognition.embedding.stored_crops import aligned_part, cut_stored_crop
from recognition.errors import RecognitionError, UnreadableRecording
from recognition.evidence import embed_observations
from recognition.identification.gallery import Gallery
from recognition.media.image_statistics import ImageStatistics
from recognition.media.photo import StoredPhoto, read_photo
from recognition.media.prefetch import prefetch
from recognition.media.video import probe, sample_frames
from recognition.messages import Message
from recognition.tracking.tracker import Observation, OpenTrack, Tracker
from recognition.types import Crop, EnrolmentPhoto, Face, Frame, PhotoFault, Segment, SegmentResult, Track, VideoInfo
from recognition.vectors import Floats

SAMPLE_EVERY_SECONDS = 2.0
MAX_CROPS_PER_TRACK = 3
PREFETCHED_FRAMES = 4
STREAM_SAMPLES = 6  # pictures of each video stream by which one is chosen
MIN_FACE_SCORE = 0.8  # of the detector; half of what it finds below this is no face
MAX_PHOTO_SIDE = 1600  # pixels; a face in an enrolment photo is large, so larger photos are shrunk before the search
THUMBNAIL_SIDE = 192  # pixels
MIN_PHOTO_FACE = 32  # pixels
PHOTOS_PER_BATCH = 16
PHOTO_READERS = 4  # threads

MIN_BYSTANDER_AREA = 0.25  # of the enrolled face: smaller faces beside it are not worth a warning

RGB = NDArray[np.uint8]


def process_segment(
    path: Path,
    info: VideoInfo,
    segment: Segment,
    embedder: Embedder,
    detector: Detector | None = None,
    *,
    gallery: Gallery | None = None,
    sample_every: float = SAMPLE_EVERY_SECONDS,
    on_progress: Callable[[float], None] | None = None,
) -> SegmentResult:
    """Find and follow the faces in one segment of a recording, and embed the best observations of each track.

    `info` is of the whole recording. With the `gallery` of the class, made by the same embedder, more observations are
    embedded of the faces that it leaves in doubt. `sample_every`: seconds between the frames that are decoded and
    searched.
    `detector` defaults to one that finds faces from 24 pixels on. `on_progress` is called after each frame with the
    share that is done (0..1), and may raise to stop the work. Raises UnreadableRecording when nothing of the segment
    can be decoded.
    """
    tracker, statistics = Tracker(), ImageStatistics()
    frame_count = face_count = 0
    frames = prefetch(sample_frames(path, info, segment, sample_every), PREFETCHED_FRAMES)
    searched_frames = prefetch(find_faces(frames, detector or Detector(), MIN_FACE_SCORE), PREFETCHED_FRAMES)
    for searched in searched_frames:
        observations = [_observe(searched.frame, face, embedder) for face in searched.faces]
        tracker.update(searched.frame.time, observations, searched.starts_scene)
        tracker.measure_motion(searched.frame)
        statistics.add(searched.frame.image)
        frame_count += 1
        face_count += len(observations)
        if on_progress:
            length = max(segment.end - segment.start, 1e-9)
            on_progress(float(np.clip((searched.frame.time - segment.start) / length, 0, 1)))
    evidence = embed_observations([track.best_observations() for track in tracker.tracks], info, embedder, gallery)
    tracks = [_finish_track(track, segment, *seen) for track, seen in zip(tracker.tracks, evidence, strict=True)]
    return SegmentResult(
        embedder=embedder.id,
        frames=frame_count,
        faces=face_count,
        tracks=tuple(tracks),
        light=statistics.light,
        motion=statistics.motion,
    )


def choose_stream(path: Path, info: VideoInfo, detector: Detector | None = None) -> VideoInfo:
    """What the recording is by the video stream in which most faces are found; `info` is by its largest one.

    Lecture capture puts slides and camera into one file, and the slides are often the larger. STREAM_SAMPLES pictures
    of each stream are searched; a recording with one stream comes back as it is. Raises UnreadableRecording when the
    file can't be opened.
    """
    if not info.other_streams:
        return info
    detector = detector or Detector()
    candidates = [info]
    for index in info.other_streams:
        with suppress(RecognitionError):  # a stream that can't be read is none to choose
            candidates.append(probe(path, stream=index))
    return max(candidates, key=lambda candidate: _count_faces(path, candidate, detector))


def _count_faces(path: Path, info: VideoInfo, detector: Detector) -> int:
    count = 0
    for number in range(STREAM_SAMPLES):
        time = info.duration * (number + 0.5) / STREAM_SAMPLES
        segment = Segment(number, time, min(time + SAMPLE_EVERY_SECONDS, info.duration))
        with suppress(UnreadableRecording):
            for frame in islice(sample_frames(path, info, segment, SAMPLE_EVERY_SECONDS), 1):
                faces = detector.detect([frame.image])[0]
                count += sum(face.score >= MIN_FACE_SCORE for face in faces)
    return count


def _observe(frame: Frame, face: Face, embedder: Embedder) -> Observation:
    stored_crop = cut_stored_crop(frame.image, face)
    crop = aligned_part(stored_crop)
    return Observation(
        time=frame.time,
        face=face,
        quality=assess_face(face, crop).value,
        crop=crop,
        stored_crop=stored_crop,
        embedder_crop=embedder.crop(frame.image, face, crop),
    )


def _finish_track(
    open_track: OpenTrack, segment: Segment, observations: Sequence[Observation], embeddings: Floats
) -> Track:
    qualities = np.array([observation.quality for observation in observations], np.float32)
    # The crops that show a person best are the most typical of the good observations: a hand before the face is sharp
    # too.
    mean_direction = qualities @ embeddings
    is_good = qualities >= qualities.max() / 2
    typicality = np.where(is_good, embeddings @ mean_direction, -1.0)
    ranked = np.argsort(-typicality, kind="stable")[:MAX_CROPS_PER_TRACK]
    shown = [observations[i] for i in ranked if typicality[i] > -1]
    return Track(
        segment=segment.index,
        times=np.array(open_track.times, np.float64),
        boxes=np.stack(open_track.boxes).astype(np.float32),
        embeddings=embeddings,
        qualities=qualities,
        crops=tuple(
            Crop(
                time=observation.time,
                quality=observation.quality,
                jpeg=jpeg(observation.stored_crop),
                blurred=blur_crop(observation.stored_crop),
            )
            for observation in shown
        ),
        motion=open_track.motion,
    )


def check_enrolment_photo(
    path: Path, embedder: Embedder, detector: Detector | None = None, *, strict: bool = True
) -> EnrolmentPhoto:
    """Judge an enrolment photo and embed its face. Of several faces the one nearest the centre counts.

    A rejected photo has no embedding; with `strict` off it has one wherever there is a face.
    Raises UnreadableRecording when the file is no photo, RecordingOutOfLimits when it is absurdly large.
    """
    return _check_photos([_read_enrolment_photo(path)], embedder, detector or Detector(), strict)[0]


def check_enrolment_photos(
    files: Iterable[Path | StoredPhoto], embedder: Embedder, detector: Detector | None = None, *, strict: bool = True
) -> Iterator[EnrolmentPhoto]:
    """Judge many enrolment photos as `check_enrolment_photo` does, in the order given and somewhat faster.

    A photo that can't be read is rejected, with the reason.
    """
    detector = detector or Detector()
    for batch in prefetch(_read_in_batches(files), 1):
        images = [image for image in batch if not isinstance(image, Message)]
        checked = iter(_check_photos(images, embedder, detector, strict))
        for image in batch:
            if isinstance(image, Message):
                yield EnrolmentPhoto(verdict="rejected", reason=image)
            else:
                yield next(checked)


def _read_in_batches(files: Iterable[Path | StoredPhoto]) -> Iterator[list[RGB | Message]]:
    """The photos, or why they can't be read."""

    def read(file: Path | StoredPhoto) -> RGB | Message:
        try:
            return _read_enrolment_photo(file)
        except RecognitionError as error:
            return error.message
        except OSError as error:
            if error.errno not in (errno.ENOENT, errno.EIO):
                raise
            return Message("The photo's file is missing or damaged. Add the photo again.")

    remaining = iter(files)
    with ThreadPoolExecutor(PHOTO_READERS, "photos") as pool:
        while batch := list(islice(remaining, PHOTOS_PER_BATCH)):
            yield list(pool.map(read, batch))


def _read_enrolment_photo(file: Path | StoredPhoto) -> RGB:
    return _shrink_photo(read_photo(file)[0], MAX_PHOTO_SIDE)


def _check_photos(images: Sequence[RGB], embedder: Embedder, detector: Detector, strict: bool) -> list[EnrolmentPhoto]:
    faces: dict[int, list[Face]] = {}
    for shape in {image.shape for image in images}:
        indices = [index for index, image in enumerate(images) if image.shape == shape]
        faces |= zip(indices, detector.detect([images[index] for index in indices], MIN_PHOTO_FACE), strict=True)
    photos, crops = [], {}
    for index, image in enumerate(images):
        photo, crop = _judge_photo(image, faces[index], embedder)
        photos.append(photo)
        if crop is not None and not (strict and photo.verdict == "rejected"):
            crops[index] = crop
    embeddings = embed_enrolment_crops(list(crops.values()), embedder)
    for index, embedding in zip(crops, embeddings, strict=True):
        photos[index] = replace(photos[index], embedding=embedding)
    return photos


def _judge_photo(image: RGB, faces: Sequence[Face], embedder: Embedder) -> tuple[EnrolmentPhoto, RGB | None]:
    """The judgement, not embedded yet, and what the embedder sees of the face, None where there is none."""
    if not faces:
        no_face = Message("No face was found in the photo; use one that shows the student's face from the front.")
        thumbnail = jpeg(_shrink_photo(image, THUMBNAIL_SIDE))
        return (
            EnrolmentPhoto(verdict="rejected", reason=no_face, fault=PhotoFault.NO_FACE, thumbnail=thumbnail),
            None,
        )
    height, width = image.shape[:2]
    centre = (width / 2, height / 2)
    face = min(faces, key=lambda face: float(np.hypot(*((face.box[:2] + face.box[2:]) / 2 - centre))))
    crop = align_face(image, face)
    quality = assess_face(face, crop)
    verdict, fault, reason = judge_enrolment_photo(quality)
    large_faces = sum(_area(other) > MIN_BYSTANDER_AREA * _area(face) for other in faces)
    if verdict == "accepted" and large_faces > 1:
        verdict, fault = "warning", PhotoFault.SEVERAL_FACES
        reason = Message("Several faces ({n}) are in the photo; the one nearest the centre was taken.", n=large_faces)
    photo = EnrolmentPhoto(
        verdict=verdict,
        reason=reason,
        fault=fault,
        face_px=quality.face_px,
        sharpness=quality.sharpness,
        quality=quality.value,
        crop=jpeg(crop),
    )
    return photo, embedder.crop(image, face, crop)


def read_thumbnail(photo: Path | StoredPhoto) -> bytes:
    """The photo as a small JPEG for lists. Raises as `check_enrolment_photo`."""
    return jpeg(read_photo(photo, max_side=THUMBNAIL_SIDE)[0])


def _shrink_photo(image: RGB, max_side: int) -> RGB:
    height, width = image.shape[:2]
    longer_side = max(height, width)
    if longer_side <= max_side:
        return image
    size = (max(round(width * max_side / longer_side), 1), max(round(height * max_side / longer_side), 1))
    return np.asarray(Image.fromarray(image).resize(size, Image.Resampling.BOX))


def _area(face: Face) -> np.float32:
    return np.prod(face.box[2:] - face.box[:2])


def jpeg(crop: RGB) -> bytes:
    """The picture (height, width, 3) as a JPEG file."""
    buffer = io.BytesIO()
    Image.fromarray(crop).save(buffer, "JPEG", quality=85)
    return buffer.getvalue()
