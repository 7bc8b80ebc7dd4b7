"""Which recordings a user may see, and what is known of one."""

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise
from uuid import UUID

from django.db.models import QuerySet

from campus.academics.models import Lecture
from campus.academics.selectors import courses_for, current_courses_for, in_classes_of
from campus.accounts.roles import AnyUser
from campus.cctv.models import FootageFile
from campus.common.errors import UserError
from campus.common.intervals import merge_intervals, subtract_intervals
from campus.common.messages import LocalizedMessage, localize
from campus.recordings.models import Clip, Recording, Segment, Upload
from recognition.messages import Message, join_messages
from recognition.types import Interval, VideoInfo

# How much may be missing between two footage files without being reported. All such gaps together may add up to the
# share.
GAP_TOLERANCE_SECONDS = 5.0
GAP_TOLERANCE_SHARE = 0.01  # of the lecture, if that is less
OPEN_STATES = (Recording.State.UPLOADED, Recording.State.PROCESSING, Recording.State.AGGREGATING)


def recordings_for(user: AnyUser) -> QuerySet[Recording]:
    return in_classes_of(user, Recording.objects.all(), "lecture__course")


def current_recordings_for(user: AnyUser) -> QuerySet[Recording]:
    """Those of classes that are not archived, for lists and first pages."""
    return Recording.objects.filter(lecture__course__in=current_courses_for(user))


def find_replaceable(user: AnyUser, lecture: Lecture, pk: str) -> Recording | None:
    """The uploaded recording of the lecture with that id, in place of which the user uploads another file; None if `pk`
    is empty. Raises UserError if there is none."""
    if not pk:
        return None
    try:
        return recordings_for(user).exclude(file="").get(lecture=lecture, pk=UUID(pk))
    except (ValueError, Recording.DoesNotExist):
        raise UserError(
            "The recording that this file was to replace is not one of the lecture's uploads. Upload it as another one."
        ) from None


def uploads_for(user: AnyUser) -> QuerySet[Upload]:
    """The user's own uploads, for lectures that the user still has access to: nobody continues another's upload."""
    return Upload.objects.filter(user=user.pk, lecture__course__in=courses_for(user))


def video_info(row: Recording | FootageFile) -> VideoInfo:
    """What the file is, as it was probed when it arrived; a recording's, with its picture settings."""
    return VideoInfo.from_json(row.info)


def segment_length(segment: Segment) -> float:
    """In seconds; 1 for a photo, so that it counts as a whole."""
    return (segment.end - segment.start) or 1.0


def processed_share(recording: Recording) -> float:
    """The share (0 to 1) of the recording that could be processed; of the length that its file claims to have, where
    less can be read."""
    segments = list(recording.segments.all())
    if not segments:
        return 0.0
    done = sum(segment_length(segment) for segment in segments if segment.state == Segment.State.DONE)
    planned = sum(segment_length(segment) for segment in segments)
    return done / max(planned, float(recording.info.get("claimed_duration", 0.0)))


def processed_intervals(recording: Recording) -> list[Interval]:
    """When, in the recording's seconds, it had pictures and they were processed; none of a photo."""
    done = [
        (segment.start, segment.end)
        for segment in recording.segments.all()
        if segment.state == Segment.State.DONE and segment.end > segment.start
    ]
    return subtract_intervals(done, gaps_in_files(recording))


def gaps_in_files(recording: Recording) -> list[Interval]:
    """When, in the recording's seconds, its files have no pictures, such as while the recorder was paused."""
    if not recording.collected:
        return list(video_info(recording).gaps) if recording.info else []
    gaps = []
    for clip in recording.clips.all():
        file_start = clip.recording_start - clip.start
        for start, end in clip.footage_file.info.get("gaps", ()):
            gaps.append((file_start + max(start, clip.start), file_start + min(end, clip.end)))
    return [(start, end) for start, end in gaps if start < end]


def coverage(recording: Recording) -> float:
    """The share (0 to 1) that was processed: of the recording, or of the whole lecture if its footage is collected."""
    claimed = 0.0 if recording.collected else float(recording.info.get("claimed_duration", 0.0))
    length = max(recording.duration, claimed)
    if not length:  # a photo
        return processed_share(recording)
    return min(sum(end - start for start, end in processed_intervals(recording)) / length, 1.0)


def format_clock(seconds: float) -> str:
    """A position in a recording, such as "1:02:03"."""
    minutes, second = divmod(round(seconds), 60)
    return f"{minutes // 60}:{minutes % 60:02}:{second:02}"


def describe_gaps(recording: Recording) -> Message:
    """Says which segments could not be processed, and which times have no footage; empty if nothing is missing."""
    messages: list[Message] = []
    failed = [segment for segment in recording.segments.all() if segment.state == Segment.State.FAILED]
    failed.sort(key=lambda segment: segment.start)
    if failed:
        times = _describe_intervals(merge_intervals((segment.start, segment.end) for segment in failed))
        messages += [Message("These segments could not be processed: {times}.", times=times), failed[0].error]
    claimed = float(recording.info.get("claimed_duration", 0.0))
    if claimed and not recording.collected:
        messages.append(
            Message(
                "The file claims to last {claimed}, but only {readable} of it can be read: it was cut short.",
                claimed=format_clock(claimed),
                readable=format_clock(recording.duration),
            )
        )
    if gaps := gaps_in_files(recording):
        messages.append(Message("The recording has no pictures of {times}.", times=_describe_intervals(gaps)))
    if recording.collected and not recording.provisional:
        covered = [(clip.recording_start, clip.recording_end) for clip in recording.clips.order_by("recording_start")]
        if missing := find_gaps(covered, recording.duration):
            messages.append(Message("There is no footage of {times}.", times=_describe_intervals(missing)))
    return join_messages(messages)


def describe_reading(recording: Recording) -> list[LocalizedMessage]:
    """What people should know of how its files were read: which streams and pictures, and what their clocks did."""
    return [localize(message) for message in _describe_reading(recording)] if recording.info else []


def _describe_reading(recording: Recording) -> list[Message]:
    if not recording.collected:
        info = video_info(recording)
        return [*_describe_stream(recording, info), *_describe_clock(info, (0.0, info.duration), 0.0)]
    messages = _describe_stream(recording, video_info(recording))
    for clip in recording.clips.all():
        of_clip = _describe_clock(
            video_info(clip.footage_file), (clip.start, clip.end), clip.recording_start - clip.start
        )
        messages += [message for message in of_clip if message not in messages]
    return messages


def used_stream(recording: Recording) -> int:
    """Which of its video streams was read; 1 is the first. 0 as long as its file was not probed."""
    info = video_info(recording) if recording.info else None
    return info.streams.index(info.stream) + 1 if info else 0


def _describe_stream(recording: Recording, info: VideoInfo) -> list[Message]:
    if not info.other_streams:
        return []
    used = {"n": used_stream(recording), "all": len(info.streams)}
    if recording.stream == used["n"]:
        return [Message("Stream {n} of {all} was used, as somebody chose.", **used)]
    if recording.segments.filter(faces__gt=0).exists():
        return [Message("Stream {n} of {all} was used: faces were seen in it.", **used)]
    return [Message("Stream {n} of {all} was used. No faces were seen in it.", **used)]


def _describe_clock(info: VideoInfo, clip: Interval, file_start: float) -> list[Message]:
    """What the file's clock does in that part of the file, which begins at second `file_start` of the recording."""
    messages = []
    for before, run in pairwise(info.runs):
        if not clip[0] < run.start < clip[1]:
            continue
        time = format_clock(file_start + run.start)
        if run.raw_start < before.raw_start + run.start - before.start:
            messages.append(Message("The file's clock starts again at {time}.", time=time))
        else:
            messages.append(Message("The file's clock jumps ahead at {time}.", time=time))
    if info.has_unread_pictures:
        messages.append(Message("The file has several pictures. Only the first was used."))
    if info.counts_pictures:
        messages.append(Message("Times were counted from the pictures, since the file has none that make sense."))
    return messages


def _describe_intervals(intervals: list[Interval]) -> Message:
    spans = (Message("{start} to {end}", start=format_clock(start), end=format_clock(end)) for start, end in intervals)
    return join_messages(spans, ", ")


def gap_tolerance(length: float) -> float:
    """Seconds that may be missing between two footage files of a lecture of `length` seconds, or be in both, without
    being reported.
    """
    return min(GAP_TOLERANCE_SECONDS, GAP_TOLERANCE_SHARE * length)


def find_gaps(covered: Iterable[Interval], length: float) -> list[Interval]:
    """What intervals, in order and without overlap, leave out of [0, length]. Gaps within the tolerance are left
    out.
    """
    edges = [(0.0, 0.0), *covered, (length, length)]
    tolerance = gap_tolerance(length)
    return [(before[1], after[0]) for before, after in pairwise(edges) if after[0] - before[1] > tolerance]


def picture_at(recording: Recording, second: float) -> tuple[VideoInfo, FootageFile | None, float] | None:
    """How the pictures of that second of the recording are read, the footage file that shows it (None for an upload),
    and at which second of the recording that file starts. None where no footage shows it, or it was not probed yet."""
    if not recording.collected:
        return (video_info(recording), None, 0.0) if recording.info else None
    clip = _clip_at(recording, second)
    if clip is None:
        return None
    info = recording.adjust_picture(video_info(clip.footage_file))
    return info, clip.footage_file, clip.recording_start - clip.start


def _clip_at(recording: Recording, second: float) -> Clip | None:
    earlier = recording.clips.filter(recording_start__lte=second).select_related("footage_file")
    clip = earlier.order_by("-recording_start").first()
    return clip if clip and second <= clip.recording_end else None


@dataclass(frozen=True, slots=True, kw_only=True)
class FootageStretch:
    """A part of a file, from second `start` to `end`, that lies at second `recording_start` of its recording."""

    name: str
    info: VideoInfo
    start: float
    end: float
    recording_start: float


def footage_between(recording: Recording, start: float, end: float) -> list[FootageStretch]:
    """What shows these seconds of the recording, in order. Raises UserError if nothing does."""
    if not recording.collected:
        name, info = str(recording.file.name), video_info(recording)
        return [FootageStretch(name=name, info=info, start=start, end=end, recording_start=start)]
    stretches = []
    for clip in recording.clips.select_related("footage_file").order_by("recording_start"):
        first, last = max(start, clip.recording_start), min(end, clip.recording_end)
        if first < last:
            file_starts = clip.recording_start - clip.start
            stretches.append(
                FootageStretch(
                    name=str(clip.footage_file.file.name),
                    info=recording.adjust_picture(video_info(clip.footage_file)),
                    start=first - file_starts,
                    end=last - file_starts,
                    recording_start=first,
                )
            )
    if not stretches:
        raise UserError("There is no footage of that moment.")
    return stretches


def footage_at(recording: Recording, second: float) -> tuple[str, VideoInfo, float]:
    """The name of the file that shows this second of the recording, what it is, and the second at which it starts.

    Raises UserError if there is no footage of that moment.
    """
    picture = picture_at(recording, second)
    if picture is None:
        raise UserError("There is no footage of that moment.")
    info, footage_file, file_start = picture
    return str((footage_file or recording).file.name), info, file_start
