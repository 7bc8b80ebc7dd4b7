"""The registrar's first page: what is to do, today's lectures, recordings in progress, storage and workers."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.db.models import Count, Exists, OuterRef, Q, QuerySet, Sum
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from kombu.exceptions import OperationalError

from campus.academics.models import Course, Lecture
from campus.academics.selectors import current_courses_for, students_for
from campus.accounts.roles import AnyUser
from campus.attendance.models import Status
from campus.attendance.objections import open_objections
from campus.attendance.selectors import records_for, unknown_people_for, unmarked_records
from campus.biometrics.models import Gallery, LectureFace, WaitingPhoto
from campus.biometrics.selectors import (
    enrolments_lacking_photos,
    galleries_for,
    lecture_faces_for,
    look_alikes_for,
    photo_imports_for,
    photos_for,
)
from campus.cctv.models import Collection, FootageFile
from campus.cctv.selectors import alarms_for, awaiting_assignment, collections_for, footage_files_for
from campus.common import jobs
from campus.common.storage import disk_usages
from campus.connections.selectors import questions_for
from campus.recordings.models import Recording, Segment
from campus.recordings.progress import progress_share, with_processed_share
from campus.recordings.selectors import OPEN_STATES, current_recordings_for, recordings_for
from campus.web.agenda import todays_lectures
from campus.web.lecture_states import LectureRow

MAX_LINKS_PER_TODO = 6
MAX_RECORDINGS_SHOWN = 20
TODO_PERIOD = timedelta(days=60)  # nobody acts on anything older
WORKER_REPLY_SECONDS = 0.7


@dataclass(frozen=True)
class Link:
    """`dismiss_url` is where it can be taken off the list."""

    text: str
    url: str
    dismiss_url: str = ""


@dataclass(frozen=True, kw_only=True)
class Todo:
    """One kind of thing to do: how many there are, in words, with links to the first ones."""

    text: str
    icon: str
    links: Sequence[Link]
    more: int = 0


@dataclass(frozen=True)
class RecordingInProgress:
    recording: Recording
    url: str
    percent: int


@dataclass(frozen=True)
class QueueStatus:
    name: str
    waiting: int
    running: int


@dataclass(frozen=True, kw_only=True)
class Storage:
    """Of the disk with the media files, in bytes, and of what is stored on it."""

    free: int
    total: int
    recordings: int
    recordings_size: int
    photos: int

    @property
    def percent_used(self) -> int:
        return round(100 * (self.total - self.free) / self.total)

    @property
    def is_low(self) -> bool:
        return self.free < self.total / 10


@dataclass(frozen=True, kw_only=True)
class Dashboard:
    todos: list[Todo]
    lectures: list[LectureRow]
    recordings: list[RecordingInProgress]
    more_recordings: int
    storage: Storage


def build_dashboard(user: AnyUser) -> Dashboard:
    open_recordings = current_recordings_for(user).filter(state__in=OPEN_STATES)
    return Dashboard(
        todos=list(_todos(user)),
        lectures=todays_lectures(user),
        recordings=_recordings_in_progress(open_recordings),
        more_recordings=max(open_recordings.count() - MAX_RECORDINGS_SHOWN, 0),
        storage=storage_for(user),
    )


def _recordings_in_progress(recordings: QuerySet[Recording]) -> list[RecordingInProgress]:
    rows = with_processed_share(recordings.select_related("lecture__course")).order_by("created_at")[
        :MAX_RECORDINGS_SHOWN
    ]
    return [
        RecordingInProgress(
            row,
            reverse("recording", args=[row.pk]),
            round(100 * progress_share(row.state, row.processed)),
        )
        for row in rows
    ]


def _todos(user: AnyUser) -> Iterator[Todo]:
    """Each kind of thing to do of which there is at least one."""
    groups = (_attendance_todos(user), _footage_todos(user), _face_todos(user))
    return (todo for group in groups for todo in group if todo is not None)


def _attendance_todos(user: AnyUser) -> Iterator[Todo | None]:
    since = timezone.now() - TODO_PERIOD
    courses = current_courses_for(user)
    to_check = current_recordings_for(user).filter(
        created_at__gte=since, lecture__cancelled=False, state=Recording.State.NEEDS_REVIEW
    )
    yield _todo(
        to_check.select_related("lecture__course").order_by("-created_at"),
        "recording",
        icon="rule",
        text=lambda n: ngettext("%(n)d recording to check", "%(n)d recordings to check", n),
    )
    to_confirm = records_for(user).filter(
        lecture__course__in=courses,
        lecture__starts_at__gte=since,
        lecture__sign_off=None,
        lecture__cancelled=False,
        machine_status=Status.TO_CONFIRM,
        override_status="",
    )
    yield _todo_by_lecture(
        to_confirm,
        "lecture",
        icon="person_search",
        text=lambda n: ngettext("%(n)d student to confirm", "%(n)d students to confirm", n),
    )
    yield _todo_by_lecture(
        unmarked_records().filter(lecture__course__in=courses, lecture__starts_at__gte=since),
        "lecture",
        icon="checklist",
        text=lambda n: ngettext("%(n)d student is not marked yet", "%(n)d students are not marked yet", n),
    )
    if due := list(open_objections(user).filter(due_on__lt=timezone.localdate())):
        text = ngettext("%(n)d overdue objection", "%(n)d overdue objections", len(due)) % {"n": len(due)}
        links = [Link(str(row.record.lecture), reverse("objection", args=[row.pk])) for row in due[:MAX_LINKS_PER_TODO]]
        yield Todo(text=text, icon="gavel", links=links, more=len(due) - len(links))
    if questions := list(questions_for(user)):
        text = ngettext("%(n)d roster elsewhere to look at", "%(n)d rosters elsewhere to look at", len(questions))
        links = [Link(row.linked_course().code, reverse("connections")) for row in questions[:MAX_LINKS_PER_TODO]]
        yield Todo(text=text % {"n": len(questions)}, icon="sync", links=links, more=len(questions) - len(links))
    unknown_people = unknown_people_for(user).filter(
        recording__lecture__course__in=courses,
        recording__lecture__starts_at__gte=since,
        recording__lecture__sign_off=None,
        recording__lecture__cancelled=False,
        is_static=False,
        override=None,
        same_as=None,
    )
    yield _todo_by_lecture(
        unknown_people,
        "recording__lecture",
        icon="no_accounts",
        text=lambda n: ngettext("%(n)d unknown face", "%(n)d unknown faces", n),
    )
    finished = current_recordings_for(user).filter(
        created_at__gte=since,
        lecture__cancelled=False,
        dismissed=False,
        state__in=(Recording.State.DONE, Recording.State.FAILED, Recording.State.CANCELLED),
    )
    with_gaps = Segment.objects.filter(state=Segment.State.FAILED).values("recording")
    failed = finished.filter(~Q(state=Recording.State.DONE) | Q(pk__in=with_gaps))
    yield _todo(
        failed.select_related("lecture__course").order_by("-created_at"),
        "recording",
        icon="videocam_off",
        text=lambda n: ngettext(
            "%(n)d recording that failed, was cancelled or has gaps",
            "%(n)d recordings that failed, were cancelled or have gaps",
            n,
        ),
        dismiss=lambda recording: reverse("recording-action", args=[recording.pk, "dismiss"]),
    )


def _footage_todos(user: AnyUser) -> Iterator[Todo | None]:
    """Alarms, missing footage, and files that need a decision."""
    since = timezone.now() - TODO_PERIOD
    yield _todo(
        alarms_for(user).filter(ended_at=None),
        "admin:cctv_alarm_change",
        icon="e911_emergency",
        text=lambda n: ngettext("%(n)d alarm", "%(n)d alarms", n),
    )
    missing = collections_for(user).filter(
        lecture__course__in=current_courses_for(user), state=Collection.State.MISSING, lecture__starts_at__gte=since
    )
    yield _todo(
        missing.select_related("lecture__course").order_by("-lecture__starts_at"),
        "admin:cctv_collection_change",
        icon="videocam_alert",
        text=lambda n: ngettext("%(n)d lecture without footage", "%(n)d lectures without footage", n),
        name=lambda collection: str(collection.lecture),
    )
    footage_files = (
        footage_files_for(user).filter(discovered_at__gte=since).select_related("source").order_by("-discovered_at")
    )
    yield _todo(
        awaiting_assignment(footage_files),
        "admin:cctv_footagefile_change",
        icon="unknown_document",
        text=lambda n: ngettext("%(n)d file to assign or discard", "%(n)d files to assign or discard", n),
    )
    yield _todo(
        footage_files.filter(state=FootageFile.State.FAILED),
        "admin:cctv_footagefile_change",
        icon="cloud_off",
        text=lambda n: ngettext(
            "%(n)d file could not be fetched or read", "%(n)d files could not be fetched or read", n
        ),
    )


def _face_todos(user: AnyUser) -> Iterator[Todo | None]:
    """Students with too few photos, and trainings that failed."""
    courses = current_courses_for(user)
    lacking = dict(
        enrolments_lacking_photos(courses).values_list("course").annotate(n=Count("pk")).values_list("course", "n")
    )
    if lacking:
        most_lacking = sorted(lacking, key=lambda pk: -lacking[pk])[:MAX_LINKS_PER_TODO]
        lacking_courses = Course.objects.in_bulk(most_lacking)
        links = [
            Link(
                f"{lacking_courses[pk].code}: {lacking[pk]}", reverse("course-photos", args=[pk], query={"lacking": ""})
            )
            for pk in most_lacking
        ]
        n = sum(lacking.values())
        text = ngettext(
            "%(n)d student with fewer than %(wanted)d usable photos",
            "%(n)d students with fewer than %(wanted)d usable photos",
            n,
        )
        text %= {"n": n, "wanted": settings.PHOTOS_PER_STUDENT}
        yield Todo(text=text, icon="add_a_photo", links=links, more=len(lacking) - len(links))
    yield _todo(
        photo_imports_for(user).filter(pk__in=WaitingPhoto.objects.values("photo_import")),
        "admin:biometrics_facephoto_import",
        icon="person_search",
        text=lambda n: ngettext(
            "%(n)d import has photos of whom it is not sure", "%(n)d imports have photos of whom it is not sure", n
        ),
    )
    if n := look_alikes_for(user).filter(decided_at=None).count():
        text = ngettext("%(n)d pair of students may be one person", "%(n)d pairs of students may be one person", n)
        link = Link(_("Compare the photos"), reverse("admin:biometrics_facephoto_same_person"))
        yield Todo(text=text % {"n": n}, icon="group", links=[link], more=0)
    unlike = lecture_faces_for(user).filter(lecture__course__in=courses, state=LectureFace.State.UNLIKE)
    yield _todo(
        students_for(user).filter(lecture_faces__in=unlike).distinct(),
        "student",
        icon="face",
        text=lambda n: ngettext(
            "%(n)d student has a face from a lecture that looks unlike the photos",
            "%(n)d students have a face from a lecture that looks unlike the photos",
            n,
        ),
    )
    later = Gallery.objects.filter(course=OuterRef("course"), created_at__gt=OuterRef("created_at"))
    yield _todo(
        galleries_for(user)
        .filter(~Exists(later), course__in=courses, state=Gallery.State.FAILED)
        .select_related("course"),
        "admin:biometrics_gallery_change",
        icon="model_training",
        text=lambda n: ngettext("%(n)d failed training", "%(n)d failed trainings", n),
    )


def _todo_by_lecture(rows: QuerySet[Any], path: str, *, icon: str, text: Callable[[int], str]) -> Todo | None:
    """The rows counted by the lecture at `path`, the latest lecture first."""
    counts = list(
        rows.order_by().values(path).annotate(n=Count("pk")).order_by(f"-{path}__starts_at").values_list(path, "n")
    )
    if not counts:
        return None
    shown = counts[:MAX_LINKS_PER_TODO]
    lectures = Lecture.objects.select_related("course").in_bulk([pk for pk, _n in shown])
    links = [Link(f"{lectures[pk]}: {n}", reverse("lecture", args=[pk])) for pk, n in shown]
    total = sum(n for _pk, n in counts)
    return Todo(text=text(total) % {"n": total}, icon=icon, links=links, more=len(counts) - len(links))


def _todo(
    rows: QuerySet[Any],
    url_name: str,
    *,
    icon: str,
    text: Callable[[int], str],
    name: Callable[[Any], str] = str,
    dismiss: Callable[[Any], str] = lambda _row: "",
) -> Todo | None:
    """The rows, each with a link to its page."""
    n = rows.count()
    links = [Link(name(row), reverse(url_name, args=[row.pk]), dismiss(row)) for row in rows[:MAX_LINKS_PER_TODO]]
    return Todo(text=text(n) % {"n": n}, icon=icon, links=links, more=n - len(links)) if n else None


def storage_for(user: AnyUser) -> Storage:
    """How full the disk is, and how much of it the user's recordings and photos take."""
    disk = disk_usages()["media"]
    recordings = recordings_for(user).aggregate(n=Count("pk"), size=Sum("size"))
    return Storage(
        free=disk.free,
        total=disk.total,
        recordings=recordings["n"],
        recordings_size=recordings["size"] or 0,
        photos=photos_for(user).count(),
    )


def worker_status() -> dict[str, Any]:
    """For templates: the workers that answer, the jobs in all queues, and the queues that no worker serves."""
    workers, queues = queues_by_worker(), queue_statuses()
    served = {queue for names in (workers or {}).values() for queue in names}
    unserved = [queue.name for queue in queues if workers is not None and queue.name not in served]
    return {
        "workers": workers,
        "queues": queues,
        "unserved": unserved,
        "waiting": sum(queue.waiting for queue in queues),
        "running": sum(queue.running for queue in queues),
    }


def queue_statuses() -> list[QueueStatus]:
    """How many jobs wait and run in each queue."""
    totals: dict[str, list[int]] = {}
    for queue, rows in (lane for job in jobs.JOBS for lane in job.lanes()):
        counts = rows.aggregate(
            waiting=Count("pk", filter=~jobs.held_by_workers()),
            running=Count("pk", filter=jobs.held_by_workers()),
        )
        total = totals.setdefault(queue, [0, 0])
        total[0] += counts["waiting"]
        total[1] += counts["running"]
    return [QueueStatus(name, *counts) for name, counts in totals.items()]


def queues_by_worker() -> dict[str, list[str]] | None:
    """The workers that answer, each with the queues that it serves. None: the broker cannot be reached."""
    try:
        answers = jobs.producer().control.inspect(timeout=WORKER_REPLY_SECONDS).active_queues() or {}
    except (OperationalError, OSError):
        return None
    return {name: sorted(queue["name"] for queue in queues) for name, queues in sorted(answers.items())}
