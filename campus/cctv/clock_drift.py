"""How far cameras' clocks are off, as far as files show it. A person decides what counts: `Source.clock_offset`.

A clock that is burnt into the picture is the camera's own, like the one in its file names, so reading it adds nothing.
A second clock is needed: ours where a camera is recorded live, otherwise that of the store which the files are written
to.
"""

from datetime import timedelta

from django.utils import timezone

from campus.cctv.models import FootageFile, Source
from campus.cctv.path_patterns import compile_pattern

MAX_SAMPLED_FILES = 40  # the newest of a source
MIN_AGREEING_FILES = 5
AGREEMENT_SECONDS = 5.0
MAX_OFFSET_SECONDS = 12 * 3600.0  # a clock that is off by more was never set, or is in another time zone


def save_measured_clock_offset(*, source_id: int, ahead: float, by: Source.ClockReference) -> None:
    """Save by how many seconds the clock was measured to be fast. Implausible values are ignored."""
    if abs(ahead) < MAX_OFFSET_SECONDS:
        Source.objects.filter(pk=source_id).update(
            measured_clock_offset=round(ahead, 1), clock_measured_by=by, clock_measured_at=timezone.now()
        )


def measure_clock_offsets() -> None:
    """Measure the clock of each source whose file names contain times."""
    for source in Source.objects.filter(enabled=True).exclude(kind=Source.Kind.RTSP).exclude(pattern=""):
        ahead = clock_offset_from_files(source)
        if ahead is not None:
            save_measured_clock_offset(source_id=source.pk, ahead=ahead, by=Source.ClockReference.FILES)


def clock_offset_from_files(source: Source) -> float | None:
    """Seconds by which the clock in the file names is ahead of the store's clock. None if too few files agree.

    A camera writes a file until its recording ends, so the store's time of the last write is that end, or later if the
    file was copied afterwards. The files that were written soonest after their end therefore count.
    """
    pattern, zone = compile_pattern(source.pattern), source.tzinfo
    stored = source.footage_files.filter(state=FootageFile.State.STORED, modified_at__isnull=False).exclude(info={})
    newest = stored.order_by("-fetched_at").values_list("path", "modified_at", "info")[:MAX_SAMPLED_FILES]
    offsets = []
    for path, modified_at, info in newest:
        fields = pattern.match(path, zone)
        if fields and fields.starts and modified_at and info.get("duration"):
            named_end = fields.starts + timedelta(seconds=info["duration"])
            offsets.append((named_end - modified_at).total_seconds())
    if not offsets:
        return None
    ahead = max(offsets)
    agreeing = sum(ahead - offset < AGREEMENT_SECONDS for offset in offsets)
    return ahead if agreeing >= max(MIN_AGREEING_FILES, len(offsets) / 2) else None
