"""Read recordings: what a file is, segments that start on key frames, and a frame every few seconds.

All of it happens in the sandbox.
"""

from collections.abc import Iterator
from pathlib import Path

from recognition.media.decoder_requests import DECODER, PlanRequest, ProbeRequest, SampleRequest
from recognition.media.limits import LIMITS, Limits
from recognition.types import Frame, Segment, VideoInfo

MAX_READING_SECONDS = 120  # of the processor, for all packets of a file
MIN_DECODING_SECONDS = 60  # for a segment, and SECONDS_PER_SECOND more for each second of it
SECONDS_PER_SECOND = 2


def probe(path: Path, limits: Limits = LIMITS, stream: int | None = None) -> VideoInfo:
    """What the recording at `path` is; a photo is a recording of one frame.

    All packets are read once, and a few pictures decoded. Of several video streams the one with index `stream` counts,
    else the largest. Raises UnreadableRecording for a file that is no video or photo, is damaged or has no picture in
    it, and RecordingOutOfLimits for one that is absurdly large, fast or long.
    """
    request = ProbeRequest(path=str(path.absolute()), seconds=MAX_READING_SECONDS, limits=limits, stream=stream)
    return DECODER.read_value(request, VideoInfo)


def plan_segments(path: Path, info: VideoInfo, seconds: float = 60.0) -> list[Segment]:
    """Segments of about `seconds` that start on key frames and cover [0, duration] without gap or overlap.

    None is shorter than a third of `seconds` but the only one of a short recording. Where key frames are far apart, a
    segment is as long as it takes to the next, so that nothing is decoded twice; only after twenty minutes does one
    start between two, which `sample_frames` reads too, only slower. A photo has one, [0, 0].
    """
    request = PlanRequest(path=str(path.absolute()), seconds=MAX_READING_SECONDS, info=info, length=seconds)
    return DECODER.read_value(request, list[Segment])


def sample_frames(path: Path, info: VideoInfo, segment: Segment, every: float = 2.0) -> Iterator[Frame]:
    """A frame about every `every` seconds of `segment`, upright, in order of time.

    The recording is divided into cells of `every` seconds around 0, `every`, 2 `every`, ...; the last picture of each
    cell is taken, by the segment that it lies in. So all segments together give what the whole recording would. Where
    key frames are hardly farther apart than `every`, only they are looked at; where they are farther, every picture
    that others are built on; where `every` is hardly longer than a picture, all of them.

    What is damaged is left out. Raises UnreadableRecording if nothing of the segment can be read, and
    RecordingOutOfLimits if that takes absurdly much memory or time.
    """
    seconds = MIN_DECODING_SECONDS + round(SECONDS_PER_SECOND * (segment.end - segment.start + info.preroll))
    request = SampleRequest(path=str(path.absolute()), seconds=seconds, info=info, segment=segment, every=every)
    for time, image in DECODER.read_pictures(request, info.height, info.width):
        yield Frame(time, image)
