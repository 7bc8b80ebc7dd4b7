"""A recording as people look at it: each face in a box with its name, which follows it, and others' faces blurred."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any, Literal

import av
import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from recognition.blurring import BLUR_BLOCKS
from recognition.captions import Colour, draw_caption
from recognition.errors import RecognitionError, UnreadableRecording
from recognition.files import atomic_write
from recognition.media.clock import DEFAULT_FPS
from recognition.media.video import sample_frames
from recognition.types import FacePath, Frame, Segment, VideoInfo

Certainty = Literal["present", "to confirm", "unknown"]

COLOURS: dict[Certainty, Colour] = {"present": (24, 150, 66), "to confirm": (242, 153, 0), "unknown": (52, 108, 214)}
WATERMARK_COLOUR: Colour = (0, 0, 0)
WATERMARK_OPACITY = 0.55
VIDEO_SUFFIX = ".mp4"
PHOTO_SUFFIXES = (".jpg", ".jpeg", ".png")
MAX_SIDE_PX = 1920
MAX_FPS = 25.0
MAX_PICTURES = 3600  # of a video: an hour has one a second, since decoding more takes too long
EVERY_PICTURE = 0.001  # seconds
PICTURES_PER_LINE = 54  # text heights that fit a picture one above the other
MIN_TEXT_PX = 14
MAX_STEPS_BRIDGED = 2.5  # between samples, for a box that goes on
MAX_SECONDS_BLURRED_ON = 10.0  # while a face is hidden or not found
BLUR_MARGIN = 0.3  # of the box, on each side
TICKS = 90_000  # a second


@dataclass(frozen=True, slots=True, kw_only=True)
class Stretch:
    """A part of a file, from second `start` to `end`, that lies at second `recording_start` of the recording."""

    path: Path
    info: VideoInfo
    start: float
    end: float
    recording_start: float


@dataclass(frozen=True, slots=True, kw_only=True)
class FaceMark:
    """How somebody is shown, wherever `paths` say that the face is.

    The first of the `captions` that can be written is; a number should come last. Without a `certainty` there is no
    box.
    """

    paths: Sequence[FacePath]
    captions: tuple[str, ...] = ()
    certainty: Certainty | None = None
    is_blurred: bool = False


def annotate_recording(
    stretches: Sequence[Stretch],
    marks: Sequence[FaceMark],
    output: Path,
    *,
    watermark: str = "",
    on_progress: Callable[[float], None] | None = None,
) -> None:
    """Write the stretches of a recording, one after the other, with faces marked: a video as MP4 (H.264, no sound), a
    photo as JPEG or PNG.

    Boxes move in a straight line between the samples at which a face was found, and last half a step longer. What is
    blurred stays so while a face is hidden, up to MAX_SECONDS_BLURRED_ON seconds. Pictures are at most MAX_SIDE_PX
    pixels large, and a long recording has fewer a second. `on_progress` is called with the share that is done (0..1)
    after each picture, and may raise to stop the work.

    Raises RecognitionError where the output's name does not fit, UnreadableRecording where there is no picture.
    """
    is_photo = stretches[0].info.is_photo
    check_output_name(output, is_photo=is_photo)
    annotator = _Annotator(marks, watermark)
    with atomic_write(output) as beside:
        if is_photo:
            (frame,) = sample_frames(stretches[0].path, stretches[0].info, Segment(0, 0.0, 0.0))
            Image.fromarray(annotator.draw(frame)).save(beside, quality=90)
        else:
            _write_video(stretches, annotator, beside, on_progress or (lambda share: None))


def check_output_name(output: Path, *, is_photo: bool) -> None:
    """Raise RecognitionError where the annotated recording can't be written under that name."""
    suffixes = PHOTO_SUFFIXES if is_photo else (VIDEO_SUFFIX,)
    if output.suffix.lower() not in suffixes:
        raise RecognitionError(
            "The annotated recording can't be written as {name}. Choose a name that ends in {suffixes}.",
            name=output.name,
            suffixes=" or ".join(suffixes),
        )


def _write_video(
    stretches: Sequence[Stretch], annotator: "_Annotator", output: Path, on_progress: Callable[[float], None]
) -> None:
    length = sum(stretch.end - stretch.start for stretch in stretches)
    fps = min(max(stretch.info.fps or DEFAULT_FPS for stretch in stretches), MAX_FPS, MAX_PICTURES / max(length, 1e-9))
    with av.open(str(output), "w", format="mp4", options={"movflags": "+faststart"}) as container:
        stream: Any = None
        last_tick = -1
        for time, frame in _timed_frames(stretches, fps):
            image = annotator.draw(frame)
            if stream is None:
                stream = container.add_stream(
                    "h264", rate=Fraction(fps).limit_denominator(1000), options={"preset": "superfast", "crf": "23"}
                )
                stream.pix_fmt = "yuv420p"
                stream.height, stream.width = (side // 2 * 2 for side in image.shape[:2])
                stream.codec_context.time_base = Fraction(1, TICKS)
            # The second half of the lecture may be from another file.
            picture = av.VideoFrame.from_ndarray(cv2.resize(image, (stream.width, stream.height)), format="rgb24")
            last_tick = max(round(time * TICKS), last_tick + 1)
            picture.pts, picture.time_base = last_tick, Fraction(1, TICKS)
            container.mux(stream.encode(picture))
            on_progress(min(time / length, 1.0) if length else 1.0)
        if stream is None:
            raise UnreadableRecording("There is no picture at that moment of the recording.")
        container.mux(stream.encode())


def _timed_frames(stretches: Sequence[Stretch], fps: float) -> Iterator[tuple[float, Frame]]:
    """The pictures with their seconds in what is written. A frame's own time is the recording's second."""
    written = 0.0
    for stretch in stretches:
        every = 1 / fps if fps < (stretch.info.fps or DEFAULT_FPS) else EVERY_PICTURE
        for frame in sample_frames(stretch.path, stretch.info, Segment(0, stretch.start, stretch.end), every):
            seconds = frame.time - stretch.start
            yield written + seconds, Frame(stretch.recording_start + seconds, frame.image)
        written += stretch.end - stretch.start


class _Annotator:
    """Draws marks on the pictures of one recording."""

    def __init__(self, marks: Sequence[FaceMark], watermark: str) -> None:
        steps = [np.diff(path.times) for mark in marks for path in mark.paths]
        steps_or_none = np.concatenate([np.empty(0), *steps])
        self.step = float(np.median(steps_or_none)) if len(steps_or_none) else 0.0
        self.marks = [(mark, _Motion(mark.paths)) for mark in marks if mark.paths]
        self.watermark = watermark

    def draw(self, frame: Frame) -> NDArray[np.uint8]:
        """The frame in the size in which it is shown, with what is marked at its time."""
        shrunk = min(MAX_SIDE_PX / max(frame.image.shape[:2]), 1.0)
        image = frame.image.copy()
        if shrunk < 1:
            image = np.asarray(cv2.resize(image, None, fx=shrunk, fy=shrunk, interpolation=cv2.INTER_AREA), np.uint8)
        text_px = max(round(image.shape[0] / PICTURES_PER_LINE), MIN_TEXT_PX)
        for mark, motion in self.marks:
            blurred_on = max(MAX_STEPS_BRIDGED * self.step, MAX_SECONDS_BLURRED_ON)
            if mark.is_blurred and (box := motion.box_at(frame.time, blurred_on, self.step)) is not None:
                _blur(image, box * shrunk)
        for mark, motion in self.marks:
            box = motion.box_at(frame.time, MAX_STEPS_BRIDGED * self.step, self.step / 2)
            if mark.certainty is not None and box is not None:
                colour = COLOURS[mark.certainty]
                x1, y1, x2, y2 = (round(float(side)) for side in box * shrunk)
                cv2.rectangle(image, (x1, y1), (x2, y2), colour, max(text_px // 8, 2), cv2.LINE_AA)
                caption = draw_caption(mark.captions, text_px, colour)
                above = y1 - caption.shape[0]
                _paste(image, caption, x1, above if above >= 0 else y2)
        if self.watermark:
            caption = draw_caption((self.watermark,), text_px, WATERMARK_COLOUR, WATERMARK_OPACITY)
            _paste(image, caption, text_px // 2, image.shape[0] - caption.shape[0] - text_px // 2)
        return image


class _Motion:
    """The boxes of one person over time."""

    def __init__(self, paths: Sequence[FacePath]) -> None:
        times = np.concatenate([path.times for path in paths])
        order = np.argsort(times, kind="stable")
        self.times = times[order]
        self.boxes = np.concatenate([path.boxes for path in paths])[order].astype(np.float64)

    def box_at(self, time: float, max_gap: float, reach: float) -> NDArray[np.float64] | None:
        """The box at that time: on the line between two samples that are at most `max_gap` seconds apart, or that of a
        sample up to `reach` seconds away."""
        after = int(np.searchsorted(self.times, time))
        before = max(after - 1, 0)
        after = min(after, len(self.times) - 1)
        gap = self.times[after] - self.times[before]
        if 0 < gap <= max_gap and _is_one_motion(self.boxes[before], self.boxes[after]):
            share = np.clip((time - self.times[before]) / gap, 0, 1)
            return np.asarray((1 - share) * self.boxes[before] + share * self.boxes[after])
        nearest = before if time - self.times[before] <= self.times[after] - time else after
        if abs(self.times[nearest] - time) <= reach + EVERY_PICTURE:
            return np.asarray(self.boxes[nearest])
        return None


def _is_one_motion(first: NDArray[np.float64], second: NDArray[np.float64]) -> bool:
    """Whether somebody may have moved from one box to the other; a face that jumps was cut to."""
    moved = np.abs(first[:2] + first[2:] - second[:2] - second[2:]).max() / 2
    return bool(moved <= 3 * max(first[2] - first[0], second[2] - second[0]))


def _blur(image: NDArray[np.uint8], box: NDArray[np.float64]) -> None:
    """Replace what is in the box by a few blocks of one colour each."""
    margin = BLUR_MARGIN * (box[2:] - box[:2])
    height, width = image.shape[:2]
    x1, y1 = np.maximum(np.floor(box[:2] - margin), 0).astype(int)
    x2, y2 = np.minimum(np.ceil(box[2:] + margin), (width, height)).astype(int)
    if x2 <= x1 or y2 <= y1:
        return
    blocks = cv2.resize(image[y1:y2, x1:x2], (BLUR_BLOCKS, BLUR_BLOCKS), interpolation=cv2.INTER_AREA)
    image[y1:y2, x1:x2] = cv2.resize(blocks, (int(x2 - x1), int(y2 - y1)), interpolation=cv2.INTER_LINEAR)


def _paste(image: NDArray[np.uint8], picture: NDArray[np.uint8], x: int, y: int) -> None:
    """Lay an RGBA picture on the image, moved so that it does not leave the image, and cut where it is larger."""
    height, width = image.shape[:2]
    x, y = max(min(x, width - picture.shape[1]), 0), max(min(y, height - picture.shape[0]), 0)
    picture = picture[: height - y, : width - x]
    below = image[y : y + picture.shape[0], x : x + picture.shape[1]]
    opacity = picture[..., 3:] / np.float32(255)
    below[:] = (opacity * picture[..., :3] + (1 - opacity) * below).astype(np.uint8)
