"""What a user may see of sources and of what came from them: who looks after all classes all of it, a lecturer the own
lectures'.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import Exists, OuterRef, Q, QuerySet
from django.utils import timezone

from campus.academics.models import Lecture
from campus.academics.selectors import courses_for
from campus.accounts.roles import AnyUser, sees_everything
from campus.cctv.file_discovery import ParsedFile, RemoteFile, parse_files
from campus.cctv.models import Alarm, Camera, Collection, FootageFile, Source, SourceTest
from campus.cctv.path_patterns import compile_pattern
from campus.common.messages import localize
from campus.recordings.models import Clip
from recognition.messages import Message

NEAR = timedelta(days=4)  # how far from a footage file the lectures are that it may be of


def sources_for(user: AnyUser) -> QuerySet[Source]:
    return Source.objects.all() if sees_everything(user) else Source.objects.none()


def cameras_for(user: AnyUser) -> QuerySet[Camera]:
    return Camera.objects.filter(source__in=sources_for(user))


def footage_files_for(user: AnyUser) -> QuerySet[FootageFile]:
    return FootageFile.objects.filter(source__in=sources_for(user))


def collections_for(user: AnyUser) -> QuerySet[Collection]:
    return Collection.objects.filter(lecture__course__in=courses_for(user))


def alarms_for(user: AnyUser) -> QuerySet[Alarm]:
    return Alarm.objects.all() if sees_everything(user) else Alarm.objects.none()


def without_lecture(footage_files: QuerySet[FootageFile]) -> QuerySet[FootageFile]:
    """Those that no lecture wants: seen and not asked for, or here and in no recording."""
    idle = Q(state=FootageFile.State.DISCOVERED) | (
        Q(state=FootageFile.State.STORED) & ~Exists(Clip.objects.filter(footage_file=OuterRef("pk")))
    )
    return footage_files.filter(idle, lecture=None)


def awaiting_assignment(footage_files: QuerySet[FootageFile]) -> QuerySet[FootageFile]:
    """The unmatched ones that wait for a person: nobody can tell the camera or the time, or two lectures were there at
    once.

    Not the others: a room is filmed at night, too.
    """
    return without_lecture(footage_files).filter(needs_assignment=True)


def lectures_near(moment: datetime | None) -> QuerySet[Lecture]:
    """The lectures that footage of that time, or of these days, may be of; those that take place."""
    moment = moment or timezone.now()
    near = Lecture.objects.filter(cancelled=False, starts_at__lt=moment + NEAR, ends_at__gt=moment - NEAR)
    return near.select_related("course", "room").order_by("-starts_at")


@dataclass(frozen=True, slots=True)
class FilePreview:
    """A file at a source: whether its path fits the pattern, what that makes of it, and the footage file that it is
    already.
    """

    file: RemoteFile
    fits: bool
    parsed: ParsedFile | None
    footage_file: FootageFile | None

    @property
    def lectures(self) -> Sequence[Lecture]:
        return self.parsed.lectures if self.parsed else []

    @property
    def note(self) -> Message:
        """Why it is of no use by itself; empty where it is."""
        return self.parsed.note if self.parsed else localize(Message("It is no video."))


def preview_files(source: Source, files: Sequence[RemoteFile]) -> list[FilePreview]:
    """How files are read, as the source is described now. Raises UserError where its pattern is wrong."""
    pattern, zone = compile_pattern(source.pattern), source.tzinfo
    parsed_files = {parsed.file: parsed for parsed in parse_files(source, files)}
    footage_files = {
        footage_file.path: footage_file
        for footage_file in source.footage_files.filter(path__in=[file.path for file in files])
    }
    return [
        FilePreview(
            file, pattern.match(file.path, zone) is not None, parsed_files.get(file), footage_files.get(file.path)
        )
        for file in files
    ]


def preview_test_files(test: SourceTest) -> list[FilePreview]:
    """What the last test of a source found. Raises UserError where the pattern is wrong."""
    return preview_files(
        test.source,
        [RemoteFile(path, size, moment and datetime.fromisoformat(moment)) for path, size, moment in test.files],
    )
