"""How far the clocks of cameras are off, as far as it shows. A person decides what counts: `Source.clock_offset`.

A clock that is burnt into the picture is the camera's, as is the one in the names of its files, so reading it says
nothing more. What is needed is a second clock: ours, where a camera is recorded live, or the one of the store that the
files are written to.
"""

from datetime import timedelta

from django.utils import timezone

from campus.cctv.models import FootageFile, Source
from campus.cctv.path_patterns import compile_pattern

FILES = 40  # the newest, that are looked at
LEAST = 5
ALIKE = 5.0  # seconds
ABSURD = 12 * 3600.0  # seconds: more is no clock that is off but one that was never set, or another time zone


def save_measured_clock_offset(*, source_id: int, ahead: float, by: Source.ClockReference) -> None:
    """Keep by how many seconds the clock was seen to be fast. What cannot be a clock is passed over."""
    if abs(ahead) < ABSURD:
        Source.objects.filter(pk=source_id).update(
            measured_clock_offset=round(ahead, 1), clock_measured_by=by, clock_measured_at=timezone.now()
        )


def measure_clock_offsets() -> None:
    """See how far off the clocks in the names of files are, for each source whose files say so."""
    for source in Source.objects.filter(enabled=True).exclude(kind=Source.Kind.RTSP).exclude(pattern=""):
        ahead = clock_offset_from_files(source)
        if ahead is not None:
            save_measured_clock_offset(source_id=source.pk, ahead=ahead, by=Source.ClockReference.FILES)


def clock_offset_from_files(source: Source) -> float | None:
    """Seconds by which the clock in the names is ahead of the one by which the store says when a file was last written.

    A camera writes to the end, so a file was last written when it was over, or later where it was copied afterwards: of
    all files the ones that were written soonest count. None where too few agree, or nothing is known.
    """
    pattern, zone = compile_pattern(source.pattern), source.tzinfo
    here = FootageFile.objects.filter(source=source, state=FootageFile.State.STORED, modified_at__isnull=False).exclude(
        info={}
    )
    seen = []
    for path, modified, info in here.order_by("-fetched_at").values_list("path", "modified_at", "info")[:FILES]:
        fields = pattern.match(path, zone)
        if fields and fields.starts and modified and info.get("duration"):
            seen.append((fields.starts + timedelta(seconds=info["duration"]) - modified).total_seconds())
    if not seen:
        return None
    ahead = max(seen)
    return ahead if sum(ahead - one < ALIKE for one in seen) >= max(LEAST, len(seen) / 2) else None
