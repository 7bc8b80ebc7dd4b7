"""What a user may see of sources and their footage: registrars and auditors everything, lecturers that of their own
lectures.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import Exists, F, OuterRef, Q, QuerySet
from django.utils import timezone

from campus.academics.models import Lecture
from campus.academics.selectors import in_classes_of
from campus.accounts.roles import AnyUser, sees_everything
from campus.cctv.file_discovery import ParsedFile, RemoteFile, parse_files
from campus.cctv.models import Alarm, Camera, Collection, FootageFile, Source, SourceTest
from campus.cctv.path_patterns import compile_pattern
from campus.common.messages import localize
from campus.recordings.models import Clip
from recognition.messages import Message

ASSIGNABLE_DISTANCE = timedelta(days=4)  # between a footage file and a lecture that it may be assigned to


def sources_for(user: AnyUser) -> QuerySet[Source]:
    return Source.objects.all() if sees_everything(user) else Source.objects.none()


def sources_with_messages(kind: Source.Kind) -> QuerySet[Source]:
    """The sources of a kind that sends messages by itself; each is signed."""
    return Source.objects.filter(kind=kind, enabled=True)


def cameras_for(user: AnyUser) -> QuerySet[Camera]:
    return Camera.objects.filter(source__in=sources_for(user))


def footage_files_for(user: AnyUser) -> QuerySet[FootageFile]:
    return FootageFile.objects.filter(source__in=sources_for(user))


def collections_for(user: AnyUser) -> QuerySet[Collection]:
    return in_classes_of(user, Collection.objects.all(), "lecture__course")


def alarms_for(user: AnyUser) -> QuerySet[Alarm]:
    return Alarm.objects.all() if sees_everything(user) else Alarm.objects.none()


def latest_stored_file(camera: Camera) -> FootageFile | None:
    """The camera's latest footage file whose bytes are here."""
    stored = camera.footage_files.filter(state=FootageFile.State.STORED).exclude(file="")
    return stored.order_by(F("starts_at").desc(nulls_last=True), "path").first()


def without_lecture(footage_files: QuerySet[FootageFile]) -> QuerySet[FootageFile]:
    """Those that no lecture uses: discovered and not fetched, or stored and in no recording."""
    idle = Q(state=FootageFile.State.DISCOVERED) | (
        Q(state=FootageFile.State.STORED) & ~Exists(Clip.objects.filter(footage_file=OuterRef("pk")))
    )
    return footage_files.filter(idle, lecture=None)


def awaiting_assignment(footage_files: QuerySet[FootageFile]) -> QuerySet[FootageFile]:
    """Those that a person has to assign: their camera or time is unknown, or two lectures were in the room at once.

    Other footage without a lecture needs nobody: a room is filmed at night, too.
    """
    return without_lecture(footage_files).filter(needs_assignment=True)


def lectures_near(moment: datetime | None) -> QuerySet[Lecture]:
    """The lectures around that moment, or around today, that footage may be assigned to; not cancelled ones."""
    moment = moment or timezone.now()
    near = Lecture.objects.filter(
        cancelled=False, starts_at__lt=moment + ASSIGNABLE_DISTANCE, ends_at__gt=moment - ASSIGNABLE_DISTANCE
    )
    return near.select_related("course", "room").order_by("-starts_at")


@dataclass(frozen=True, slots=True, kw_only=True)
class FilePreview:
    """A file at a source: whether its path fits the pattern, what that says, and the footage file if there is one."""

    file: RemoteFile
    fits: bool
    parsed: ParsedFile | None
    footage_file: FootageFile | None

    @property
    def lectures(self) -> Sequence[Lecture]:
        return self.parsed.lectures if self.parsed else []

    @property
    def note(self) -> Message:
        """Why it can't be used as it is; empty if it can."""
        if self.parsed is None:
            return localize(Message("This is not a video."))
        return self.parsed.error or self.parsed.note


def preview_files(source: Source, files: Sequence[RemoteFile]) -> list[FilePreview]:
    """How the source's present settings read the files. Raises UserError if its pattern is wrong."""
    pattern, zone = compile_pattern(source.pattern), source.tzinfo
    parsed_files = {parsed.file: parsed for parsed in parse_files(source, files)}
    footage_files = {
        footage_file.path: footage_file
        for footage_file in source.footage_files.filter(path__in=[file.path for file in files])
    }
    return [
        FilePreview(
            file=file,
            fits=file.starts is not None or pattern.match(file.path, zone) is not None,
            parsed=parsed_files.get(file),
            footage_file=footage_files.get(file.path),
        )
        for file in files
    ]


def preview_test_files(test: SourceTest) -> list[FilePreview]:
    """What the last test of a source found. Raises UserError if the pattern is wrong."""
    return preview_files(
        test.source,
        [
            RemoteFile(path, size, _moment(modified), channel, _moment(starts), _moment(ends))
            for path, size, modified, channel, starts, ends in test.files
        ],
    )


def _moment(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None
