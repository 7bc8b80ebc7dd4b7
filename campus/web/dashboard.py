"""The registrar's first page: today's lectures, recordings in work, what needs a person, and how the machines are."""

import shutil
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, time, timedelta
from typing import Any

from django.conf import settings
from django.db.models import Count, Exists, OuterRef, Q, QuerySet, Sum
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from kombu.exceptions import OperationalError

from campus.academics.models import Course, Lecture
from campus.academics.selectors import courses_for, lectures_for
from campus.accounts.roles import AnyUser
from campus.attendance.models import AttendanceRecord, SignOff, Status
from campus.attendance.selectors import records_for, unknown_people_for
from campus.biometrics.models import Gallery
from campus.biometrics.selectors import enrolments_lacking_photos, galleries_for, photos_for
from campus.cctv.models import Collection, FootageFile
from campus.cctv.selectors import alarms_for, awaiting_assignment, collections_for, footage_files_for
from campus.common import jobs
from campus.recordings.models import Recording, Segment
from campus.recordings.progress import progress_share, with_processed_share
from campus.recordings.selectors import OPEN_STATES, recordings_for

SHOWN = 6  # links of a kind
IN_WORK = 20
RECENT = timedelta(days=60)  # what is older waits for nobody any more
PATIENCE = 0.7  # seconds for the workers to answer


@dataclass(frozen=True)
class Link:
    text: str
    address: str


@dataclass(frozen=True)
class Task:
    """Something that only a person can settle: how many, in words, and where."""

    text: str
    icon: str
    links: Sequence[Link]
    more: int = 0


@dataclass(frozen=True)
class Today:
    lecture: Lecture
    address: str
    state: str
    variant: str


@dataclass(frozen=True)
class InWork:
    recording: Recording
    address: str
    percent: int


@dataclass(frozen=True)
class Queue:
    name: str
    waiting: int
    running: int


@dataclass(frozen=True)
class Dashboard:
    lectures: list[Today]
    in_work: list[InWork]
    in_work_more: int
    tasks: list[Task]
    storage: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, user: AnyUser) -> "Dashboard":
        work = recordings_for(user).filter(state__in=OPEN_STATES)
        return cls(
            _today(user),
            _in_work(work),
            max(work.count() - IN_WORK, 0),
            [task for task in _tasks(user) if task],
            _storage(user),
        )


def _today(user: AnyUser) -> list[Today]:
    start = timezone.make_aware(datetime.combine(timezone.localdate(), time()))
    to_confirm = AttendanceRecord.objects.filter(
        lecture=OuterRef("pk"), machine_status=Status.TO_CONFIRM, override_status=""
    )
    lectures = (
        lectures_for(user)
        .filter(starts_at__gte=start, starts_at__lt=start + timedelta(days=1))
        .select_related("course", "room")
        .prefetch_related("recordings")
        .annotate(to_confirm=Exists(to_confirm), signed=Exists(SignOff.objects.filter(lecture=OuterRef("pk"))))
        .order_by("starts_at", "course__code")
    )
    return [Today(lecture, reverse("lecture", args=[lecture.pk]), *_state(lecture)) for lecture in lectures]


def _state(lecture: Any) -> tuple[str, str]:
    """In a few words how far the lecture is, and the colour of that."""
    states = {recording.state for recording in lecture.recordings.all()}
    now = timezone.now()
    if lecture.cancelled:
        return _("cancelled"), ""
    if lecture.signed:
        return _("signed off"), "success"
    if states & {Recording.State.FAILED, Recording.State.CANCELLED} and Recording.State.DONE not in states:
        return _("recording failed"), "danger"
    if states & set(OPEN_STATES):
        return _("in progress"), "info"
    if lecture.to_confirm:
        return _("to confirm"), "warning"
    if states:
        return _("attendance taken"), "success"
    if lecture.starts_at > now:
        return _("upcoming"), ""
    return (_("now"), "info") if lecture.ends_at > now else (_("no recording yet"), "warning")


def _in_work(recordings: QuerySet[Recording]) -> list[InWork]:
    rows = with_processed_share(recordings.select_related("lecture__course")).order_by("created_at")[:IN_WORK]
    return [
        InWork(row, reverse("admin:recordings_recording_change", args=[row.pk]), round(100 * progress_share(row)))
        for row in rows
    ]


def _tasks(user: AnyUser) -> Iterable[Task | None]:
    since = timezone.now() - RECENT
    recent = Q(lecture__starts_at__gte=since, lecture__sign_off=None)
    to_confirm = records_for(user).filter(recent, machine_status=Status.TO_CONFIRM, override_status="")
    yield _by_lecture(
        to_confirm,
        "lecture",
        "person_search",
        lambda n: ngettext("%(n)d student to confirm", "%(n)d students to confirm", n),
    )
    of_recording = Q(recording__lecture__starts_at__gte=since, recording__lecture__sign_off=None)
    unknown = unknown_people_for(user).filter(of_recording, is_static=False, decision=None)
    yield _by_lecture(
        unknown, "recording__lecture", "no_accounts", lambda n: ngettext("%(n)d unknown face", "%(n)d unknown faces", n)
    )
    failed = recordings_for(user).filter(
        created_at__gte=since, state__in=(Recording.State.DONE, Recording.State.FAILED)
    )
    failed = failed.annotate(parts=Count("segments", filter=Q(segments__state=Segment.State.FAILED)))
    yield _listed(
        failed.filter(Q(state=Recording.State.FAILED) | Q(parts__gt=0))
        .select_related("lecture__course")
        .order_by("-created_at"),
        "admin:recordings_recording_change",
        "videocam_off",
        lambda n: ngettext("%(n)d recording with failed segments", "%(n)d recordings with failed segments", n),
    )
    yield from _footage(user)
    lacking = dict(
        enrolments_lacking_photos(courses_for(user))
        .values_list("course")
        .annotate(n=Count("pk"))
        .values_list("course", "n")
    )
    courses = Course.objects.in_bulk(sorted(lacking, key=lambda pk: -lacking[pk])[:SHOWN])
    links = [
        Link(f"{course.code}: {lacking[pk]}", reverse("admin:academics_course_change", args=[pk]))
        for pk, course in sorted(courses.items(), key=lambda item: -lacking[item[0]])
    ]
    n = sum(lacking.values())
    text = ngettext(
        "%(n)d student with fewer than %(wanted)d usable photos",
        "%(n)d students with fewer than %(wanted)d usable photos",
        n,
    ) % {"n": n, "wanted": settings.WANTED_PHOTOS}
    yield Task(text, "add_a_photo", links, len(lacking) - len(links)) if n else None
    later = Gallery.objects.filter(course=OuterRef("course"), created_at__gt=OuterRef("created_at"))
    yield _listed(
        galleries_for(user).filter(~Exists(later), state=Gallery.State.FAILED).select_related("course"),
        "admin:biometrics_gallery_change",
        "model_training",
        lambda n: ngettext("%(n)d failed training", "%(n)d failed trainings", n),
    )


def _footage(user: AnyUser) -> Iterable[Task | None]:
    """What stopped, what is missing, and what only a person can say of footage that comes by itself."""
    since = timezone.now() - RECENT
    yield _listed(
        alarms_for(user).filter(ended_at=None),
        "admin:cctv_alarm_change",
        "e911_emergency",
        lambda n: ngettext("%(n)d alarm", "%(n)d alarms", n),
    )
    missing = collections_for(user).filter(state=Collection.State.MISSING, lecture__starts_at__gte=since)
    yield _listed(
        missing.select_related("lecture__course").order_by("-lecture__starts_at"),
        "admin:cctv_collection_change",
        "videocam_alert",
        lambda n: ngettext("%(n)d lecture without footage", "%(n)d lectures without footage", n),
        name=lambda collection: str(collection.lecture),
    )
    footage_files = (
        footage_files_for(user).filter(discovered_at__gte=since).select_related("source").order_by("-discovered_at")
    )
    yield _listed(
        awaiting_assignment(footage_files),
        "admin:cctv_footagefile_change",
        "unknown_document",
        lambda n: ngettext("%(n)d file to assign or discard", "%(n)d files to assign or discard", n),
    )
    yield _listed(
        footage_files.filter(state=FootageFile.State.FAILED),
        "admin:cctv_footagefile_change",
        "cloud_off",
        lambda n: ngettext("%(n)d file could not be fetched or read", "%(n)d files could not be fetched or read", n),
    )


def _by_lecture(rows: QuerySet[Any], path: str, icon: str, text: Any) -> Task | None:
    counts = list(
        rows.order_by().values(path).annotate(n=Count("pk")).order_by(f"-{path}__starts_at").values_list(path, "n")
    )
    if not counts:
        return None
    lectures = Lecture.objects.select_related("course").in_bulk([pk for pk, _n in counts[:SHOWN]])
    links = [Link(f"{lectures[pk]}: {n}", reverse("lecture", args=[pk])) for pk, n in counts[:SHOWN]]
    total = sum(n for _pk, n in counts)
    return Task(text(total) % {"n": total}, icon, links, len(counts) - len(links))


def _listed(rows: QuerySet[Any], address: str, icon: str, text: Any, name: Callable[[Any], str] = str) -> Task | None:
    n = rows.count()
    links = [Link(name(row), reverse(address, args=[row.pk])) for row in rows[:SHOWN]]
    return Task(text(n) % {"n": n}, icon, links, n - len(links)) if n else None


def _storage(user: AnyUser) -> dict[str, Any]:
    disk = shutil.disk_usage(settings.MEDIA_ROOT)
    recordings = recordings_for(user).aggregate(n=Count("pk"), size=Sum("size"))
    return {
        "free": disk.free,
        "total": disk.total,
        "percent": round(100 * (disk.total - disk.free) / disk.total),
        "recordings": recordings["n"],
        "recordings_size": recordings["size"] or 0,
        "photos": photos_for(user).count(),
        "tight": disk.free < disk.total / 10,
    }


def queues() -> list[Queue]:
    """How much work waits and is being done in each queue."""
    found: dict[str, list[int]] = {}
    for job in jobs.JOBS:
        rows = job.waiting().aggregate(
            waiting=Count("pk", filter=jobs.not_leased()),
            running=Count("pk", filter=~jobs.not_leased() & Q(lease_until__isnull=False)),
        )
        total = found.setdefault(job.queue, [0, 0])
        total[0] += rows["waiting"]
        total[1] += rows["running"]
    return [Queue(name, *counts) for name, counts in found.items()]


def workers() -> dict[str, list[str]] | None:
    """Who answers, and the queues that each works on. None: the broker cannot be reached."""
    try:
        answers = jobs.producer().control.inspect(timeout=PATIENCE).active_queues() or {}
    except (OperationalError, OSError):
        return None
    return {name: sorted(queue["name"] for queue in found) for name, found in sorted(answers.items())}
