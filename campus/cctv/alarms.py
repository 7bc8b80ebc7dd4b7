"""Alarms when a source, a queue or a camera stops. Each is sent once when it starts and once when it ends.

The apps above have alarms of their own, which they hand to `update_alarms`.
"""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import Count, Max
from django.utils import timezone
from django_celery_beat.models import PeriodicTask

from campus.cctv.live_recording import unrecorded_since
from campus.cctv.models import Alarm, Camera, Collection, Source
from campus.cctv.notifications import notify_alarms
from campus.common import jobs
from campus.recordings.models import Recording
from campus.recordings.review import DARK_MAX_BRIGHTNESS, FROZEN_MAX_MOTION
from recognition.messages import Message, join_messages

MISSED_PERIODS = 2  # scans or lectures without anything, until there is an alarm
SCAN_GRACE_PERIOD = timedelta(minutes=5)  # for a scan to finish
MAX_QUEUE_WAIT = timedelta(hours=1)
SCHEDULER_TIMEOUT = timedelta(minutes=10)  # of the scheduler, which has something to send all the time
FACELESS_LECTURES = 3  # without a face
ALARM_RETENTION = timedelta(days=60)
MAX_JUDGED_LECTURE_AGE = timedelta(days=60)  # older lectures say nothing about a source or a camera

Alarms = Iterator[Alarm]


def update_alarms(others: Iterable[Alarm] = ()) -> None:
    """Check sources, queues and cameras, and send notifications about alarms that started or ended. `others` are what
    the apps above have found.
    """
    found = {alarm.key: alarm for alarm in (*_source_alarms(), *_queue_alarms(), *_all_camera_alarms(), *others)}
    now = timezone.now()
    active = {alarm.key: alarm for alarm in Alarm.objects.filter(ended_at=None)}
    with transaction.atomic():
        Alarm.objects.bulk_create((alarm for key, alarm in found.items() if key not in active), ignore_conflicts=True)
        started = list(Alarm.objects.filter(ended_at=None, key__in=found.keys() - active.keys()))
        ended = [
            alarm
            for key, alarm in active.items()
            if key not in found and Alarm.objects.filter(pk=alarm.pk, ended_at=None).update(ended_at=now)
        ]
        notify_alarms(started=started, ended=ended)


def find_stopped_sources() -> list[str]:
    """The keys of the scheduler and of sources that have stopped. Needs no worker, since none may be running."""
    sent = PeriodicTask.objects.aggregate(last=Max("last_run_at"))["last"]
    scheduler = [] if sent and sent > timezone.now() - SCHEDULER_TIMEOUT else ["scheduler"]
    sources = [f"unreachable:{source.pk}" for source in Source.objects.filter(enabled=True) if _is_unreachable(source)]
    return [*scheduler, *sources]


def delete_expired_alarms() -> None:
    """Delete alarms that ended long ago."""
    Alarm.objects.filter(ended_at__lt=timezone.now() - ALARM_RETENTION).delete()


def _source_alarms() -> Alarms:
    now = timezone.now()
    for source in Source.objects.filter(enabled=True).prefetch_related("cameras__room"):
        if _is_unreachable(source):
            text = Message(
                "{source} has not been reachable since {when}.",
                source=source,
                when=source.last_checked_at or source.created_at,
            )
            yield Alarm(
                kind=Alarm.Kind.UNREACHABLE, key=f"unreachable:{source.pk}", text=join_messages([text, source.error])
            )
        elif source.kind == Source.Kind.RTSP and (unrecorded := unrecorded_since(source, now)):
            text = Message(
                "A lecture is on, but nothing has been recorded from {source} since {when}.",
                source=source,
                when=unrecorded,
            )
            yield Alarm(
                kind=Alarm.Kind.UNREACHABLE, key=f"unrecorded:{source.pk}", text=join_messages([text, source.error])
            )
        elif quiet := _silent_lectures(source):
            text = Message(
                "There are no files from {source} of the last {n} lectures in its rooms, since {when}.",
                source=source,
                n=MISSED_PERIODS,
                when=quiet,
            )
            yield Alarm(kind=Alarm.Kind.SILENT, key=f"silent:{source.pk}", text=join_messages([text, source.error]))


def _is_unreachable(source: Source) -> bool:
    since = source.last_checked_at or source.created_at
    return source.kind != Source.Kind.RTSP and since < timezone.now() - (
        MISSED_PERIODS * timedelta(minutes=source.scan_interval_minutes) + SCAN_GRACE_PERIOD
    )


def _silent_lectures(source: Source) -> datetime | None:
    """When the first of the last lectures without any file from the source began; None while files arrive."""
    rooms = {camera.room_id for camera in source.cameras.all()}
    due_before = timezone.now() - timedelta(
        minutes=source.delay_minutes + MISSED_PERIODS * source.scan_interval_minutes
    )
    held = Collection.objects.exclude(state=Collection.State.OFF).filter(
        lecture__ends_at__lt=due_before, lecture__starts_at__gt=source.created_at
    )
    recent = (
        held.filter(lecture__ends_at__gt=due_before - MAX_JUDGED_LECTURE_AGE)
        .select_related("lecture")
        .order_by("-lecture__starts_at")
    )
    last = []
    for row in recent.iterator():
        if row.lecture.room_id in rooms:
            last.append(row.lecture)
            if len(last) == MISSED_PERIODS:
                break
    if len(last) < MISSED_PERIODS or (source.last_new_file_at and source.last_new_file_at >= last[-1].starts_at):
        return None
    return last[-1].starts_at


def _queue_alarms() -> Alarms:
    """Jobs that no worker has claimed for too long, and those that machines cannot do. Jobs that wait for other jobs
    are published again meanwhile.
    """
    before = timezone.now() - MAX_QUEUE_WAIT
    waiting: dict[str, int] = {}
    for job in jobs.JOBS:
        for queue, rows in job.lanes():
            old = rows.filter(jobs.not_leased(), published_at__lt=before, attempts__lt=settings.MAX_ATTEMPTS).count()
            if old:
                waiting[queue] = waiting.get(queue, 0) + old
        interrupted = job.waiting().filter(interrupted_at__lt=before).order_by("interrupted_at")
        if latest := interrupted.last():
            text = Message(
                "Work has been interrupted for more than an hour ({n} of the kind “{job}”). It goes on by itself once "
                "this is mended: {problem}",
                n=interrupted.count(),
                job=job.name,
                problem=latest.error,
            )
            yield Alarm(kind=Alarm.Kind.QUEUE, key=f"interrupted:{job.name}", text=text)
    for queue, n in waiting.items():
        text = Message(
            "Jobs have been waiting in the queue “{queue}” for more than an hour ({n}). Check that its worker is "
            "running.",
            queue=queue,
            n=n,
        )
        yield Alarm(kind=Alarm.Kind.QUEUE, key=f"queue:{queue}", text=text)


def _all_camera_alarms() -> Alarms:
    for camera in Camera.objects.filter(source__enabled=True).select_related("source", "room"):
        last = list(
            Recording.objects.filter(
                camera=camera,
                state__in=(Recording.State.DONE, Recording.State.NEEDS_REVIEW),
                provisional=False,
                lecture__starts_at__gt=timezone.now() - MAX_JUDGED_LECTURE_AGE,
            )
            .order_by("-lecture__starts_at")
            .annotate(
                segment_count=Count("segments"),
                faces=Max("segments__faces"),
                light=Max("segments__light"),
                motion=Max("segments__motion"),
            )
            .filter(segment_count__gt=0)[:FACELESS_LECTURES]
        )
        if last:
            yield from _camera_alarms(camera, last)


def _camera_alarms(camera: Camera, last: Sequence[Any]) -> Alarms:
    newest = last[0]
    named = {"camera": camera, "room": camera.room, "lecture": newest.lecture}
    if newest.light is not None and newest.light < DARK_MAX_BRIGHTNESS:
        yield Alarm(
            kind=Alarm.Kind.DARK,
            key=f"dark:{camera.pk}",
            text=Message("The camera {camera} in {room} was black during {lecture}.", **named),
        )
    elif newest.motion is not None and newest.motion < FROZEN_MAX_MOTION:
        yield Alarm(
            kind=Alarm.Kind.FROZEN,
            key=f"frozen:{camera.pk}",
            text=Message("The picture of the camera {camera} in {room} did not change during {lecture}.", **named),
        )
    elif len(last) == FACELESS_LECTURES and not any(recording.faces for recording in last):
        yield Alarm(
            kind=Alarm.Kind.FACELESS,
            key=f"faceless:{camera.pk}",
            text=Message(
                "The camera {camera} in {room} showed no face in its last three lectures. Has it been turned away?",
                **named,
            ),
        )
