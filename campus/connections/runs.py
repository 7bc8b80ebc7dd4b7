"""Exchanges with other systems: who asks for one, when one is due, and what a worker does."""

from datetime import datetime, timedelta
from typing import Final

from django.contrib.auth.models import User
from django.db import IntegrityError, transaction
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.utils import timezone

from campus.common import jobs
from campus.common.errors import UserError
from campus.common.outgoing_http import OutgoingError
from campus.connections.adapters import (
    Adapter,
    MarkAdapter,
    RosterAdapter,
    SyncAdapter,
    ZipAdapter,
    adapter_for,
    check_settings,
)
from campus.connections.marks import compare_marks, send_marks, waiting_marks, withdraw_ended_links
from campus.connections.models import CURRENT_LINKS, Connection, ConnectionRun, CourseLink
from campus.connections.quota import limit_calls
from campus.connections.rosters import exchange_roster, match_people
from campus.connections.uploaded_zips import ZIP_RETENTION, forget_zips, read_zip
from recognition.messages import Message

Task, State = ConnectionRun.Task, ConnectionRun.State
RUN_RETENTION: Final = timedelta(days=30)
FIRST_NIGHT_HOUR, NIGHT_MINUTES = 1, 240
FETCH_PAUSE: Final = timedelta(minutes=30)
# Of marks, until the next try, after each failure in a row.
RETRY_PAUSES: Final = [timedelta(minutes=minutes) for minutes in (1, 5, 30, 120, 480, 1440)]


def request_run(
    *, connection: Connection, task: str, link: CourseLink | None = None, user: User | None = None
) -> ConnectionRun:
    """Ask workers for an exchange. Where the same is under way already, that is the one."""
    try:
        with transaction.atomic():
            run = ConnectionRun.objects.create(connection=connection, link=link, task=task, user=user)
            jobs.EXCHANGE.request(run.pk)
            return run
    except IntegrityError:
        rows = ConnectionRun.objects.filter(connection=connection, link=link, task=task)
        return rows.filter(state=State.QUEUED).first() or rows.latest("started_at")


def request_marks(*, links: QuerySet[CourseLink]) -> None:
    """Have the marks of these classes compared and sent."""
    for link in links.select_related("connection"):
        request_run(connection=link.connection, task=Task.MARKS, link=link)


def request_everything(*, connection: Connection, user: User | None = None) -> None:
    """Have all of a connection exchanged now, but for classes that are archived."""
    if isinstance(adapter_for(connection.kind), SyncAdapter):
        request_run(connection=connection, task=Task.SYNC, user=user)
    for link in connection.links.filter(CURRENT_LINKS):
        if link.takes_roster:
            request_run(connection=connection, task=Task.ROSTER, link=link)
        if link.sends_marks:
            CourseLink.objects.filter(pk=link.pk).update(
                marks_changed_at=timezone.now(), marks_tries=0, marks_due_at=None
            )
            request_run(connection=connection, task=Task.MARKS, link=link)


def request_due_runs() -> None:
    """Request what is due: each connection by its schedule, and marks that have changed or wait."""
    now = timezone.now()
    scheduled = Connection.objects.filter(active=True).exclude(schedule=Connection.Schedule.BY_HAND)
    for connection in scheduled.filter(Q(due_at=None) | Q(due_at__lte=now)):
        was_due = connection.due_at
        rows = Connection.objects.filter(pk=connection.pk, due_at=was_due)
        if rows.update(due_at=next_due(connection, now)) and was_due is not None:
            request_everything(connection=connection)
    due = Q(marks_changed_at__isnull=False) | Exists(waiting_marks().filter(link=OuterRef("pk")))
    links = CourseLink.objects.filter(
        due, Q(marks_due_at=None) | Q(marks_due_at__lte=now), connection__active=True, connection__dry_run=False
    )
    withdraw_ended_links()
    request_marks(links=links)
    forget_zips(rows=ConnectionRun.objects.filter(started_at__lt=now - ZIP_RETENTION))
    ConnectionRun.objects.filter(started_at__lt=now - RUN_RETENTION).exclude(state=State.QUEUED).delete()


def next_due(connection: Connection, now: datetime) -> datetime:
    """When the connection runs next. Nightly ones are spread over the night."""
    if connection.schedule == Connection.Schedule.HOURLY:
        return now + timedelta(hours=1)
    local = timezone.localtime(now)
    minute = connection.pk.int % NIGHT_MINUTES
    tonight = local.replace(hour=FIRST_NIGHT_HOUR, minute=0, second=0, microsecond=0) + timedelta(minutes=minute)
    return tonight if tonight > local else tonight + timedelta(days=1)


def perform(*, run: ConnectionRun) -> None:
    """Do an exchange, by the worker that has claimed it. Raises Postponed while no more requests are allowed."""
    connection, link = run.connection, run.link
    is_trial = run.task in ConnectionRun.TRIALS
    try:
        if not connection.active and not is_trial:
            raise UserError("The connection is switched off.")
        check_settings(connection)
        with limit_calls(run):
            result = _perform(run, connection, link, adapter_for(connection.kind))
    except UserError as error:
        now = timezone.now()
        rows = Connection.objects.filter(pk=connection.pk)
        if not is_trial and connection.active:
            rows.update(last_run_at=now, last_error=error.message)
        if link and run.task == Task.MARKS:
            pause = RETRY_PAUSES[min(link.marks_tries, len(RETRY_PAUSES) - 1)]
            CourseLink.objects.filter(pk=link.pk).update(marks_tries=link.marks_tries + 1, marks_due_at=now + pause)
        elif not is_trial and isinstance(error, OutgoingError) and not run.user:
            rows.filter(due_at__gt=now + FETCH_PAUSE).update(due_at=now + FETCH_PAUSE)
        _finish(run, State.FAILED, error=error.message)
        return
    if not is_trial:
        now = timezone.now()
        Connection.objects.filter(pk=connection.pk).update(last_run_at=now, last_ok_at=now, last_error="")
    _finish(run, State.DONE, result=result)


def _perform(run: ConnectionRun, connection: Connection, link: CourseLink | None, adapter: Adapter) -> Message:
    match run.task, link, adapter:
        case Task.CHECK, _, _:
            return adapter.check(connection)
        case Task.SYNC, _, SyncAdapter():
            return adapter.sync(connection, run)
        case ((Task.PREVIEW | Task.ZIP), _, ZipAdapter()):
            return read_zip(run=run, adapter=adapter)
        case Task.ROSTER, CourseLink(), RosterAdapter():
            exchange_roster(run=run, link=link, adapter=adapter)
        case Task.MARKS, CourseLink(), MarkAdapter():
            match_people(connection=connection)
            if changed_at := link.marks_changed_at:
                compare_marks(link=link, find_wanted=adapter.wanted_marks)
                CourseLink.objects.filter(pk=link.pk, marks_changed_at=changed_at).update(marks_changed_at=None)
            send_marks(run=run, link=link, adapter=adapter)
            CourseLink.objects.filter(pk=link.pk).update(marks_tries=0, marks_due_at=None)
    return Message()


def _finish(run: ConnectionRun, state: str, **fields: object) -> None:
    jobs.finish(run, state, counts=run.counts, file_import=run.file_import, ended_at=timezone.now(), **fields)
    if run.zip and (run.task == Task.ZIP or state == State.FAILED):
        forget_zips(rows=ConnectionRun.objects.filter(pk=run.pk, state=state))
