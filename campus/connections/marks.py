"""The marks that should stand in another system: compared with what is confirmed there, and sent until they stand.

The row says what is wanted, with a version; the latest wins. A mark is noted as tried before it is sent. Of one that
was tried and not confirmed, nobody knows whether it arrived: it is looked up there first, where that can be done. What
is sent twice all the same has the effect of being sent once.
"""

import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime, timedelta
from typing import Final

from django.db import transaction
from django.db.models import F, Q, QuerySet
from django.utils import timezone

from campus.attendance.register import Tally, build_register
from campus.common import jobs
from campus.common.errors import UserError
from campus.common.outgoing_http import OutgoingError
from campus.connections.adapters import MarkAdapter, MarkRefused, MarkSender, WantedMark
from campus.connections.models import Connection, ConnectionRun, CourseLink, MarkDelivery, RemotePerson
from campus.connections.quota import calls_left
from recognition.errors import Cancelled
from recognition.messages import Message

BATCH_SECONDS: Final = 60  # of one run: then others have their turn
MAX_REFUSED: Final = 20  # in a row
MAX_TRIES: Final = 6  # of one mark that the other system can't deal with
CLOCK_STEP: Final = timedelta(milliseconds=1)
State = MarkDelivery.State


def signed_off_tallies(link: CourseLink) -> Iterator[tuple[int, str, Tally]]:
    """Of each student who is known there, over the lectures that are signed off: the id, the id there, and the tally.
    Those for whom nothing counts yet are left out.
    """
    known = RemotePerson.objects.filter(connection=link.connection_id, student__isnull=False)
    people = {student: remote for student, remote in known.values_list("student", "remote_id") if student}
    for row in build_register(link.linked_course(), only=people.keys(), signed_off_only=True).rows:
        if row.tally.share is not None:
            yield row.student.pk, people[row.student.pk], row.tally


def waiting_marks() -> QuerySet[MarkDelivery]:
    """Those that do not stand there yet, and are not given up."""
    return MarkDelivery.objects.filter(state=State.WAITING)


@transaction.atomic
def compare_marks(*, link: CourseLink, find_wanted: Callable[[CourseLink], Iterable[WantedMark]]) -> int:
    """Note what should stand there; what is not wanted any more is taken away: all of a class that is not linked any
    more. Returns how many have changed."""
    link = CourseLink.objects.select_for_update().get(pk=link.pk)  # no erasure comes between this and what is found
    wanted = find_wanted(link) if link.course_id else ()
    rows = {(row.remote_person, row.remote_item): row for row in link.marks.all()}
    now, new, changed = timezone.now(), [], []
    for mark in wanted:
        row = rows.pop((mark.remote_person, mark.remote_item), None)
        if row is None:
            new.append(
                MarkDelivery(
                    link=link,
                    student_id=mark.student_id,
                    lecture_id=mark.lecture_id,
                    remote_person=mark.remote_person,
                    remote_item=mark.remote_item,
                    value=mark.value,
                    changed_at=now,
                )
            )
        elif (row.value, row.student_id) != (mark.value, mark.student_id):
            row.student_id = mark.student_id
            changed.append(_change(row, mark.value, now))
    changed += [_change(row, "", now) for row in rows.values() if row.value]
    MarkDelivery.objects.bulk_create(new, batch_size=500)
    fields = ["student", "value", "version", "changed_at", "state", "tries", "error"]
    MarkDelivery.objects.bulk_update(changed, fields, batch_size=200)
    return len(new) + len(changed)


def _change(row: MarkDelivery, value: str, now: datetime) -> MarkDelivery:
    """The later version has the later time, whatever the clock says: others go by it."""
    row.value, row.version = value, row.version + 1
    row.changed_at = max(now, row.changed_at + CLOCK_STEP)
    row.state, row.tries, row.error = State.WAITING, 0, Message()
    return row


@transaction.atomic
def withdraw_marks(*, student: int) -> int:
    """Have taken away what stands elsewhere of a student who is erased; returns how many marks that are.

    Nobody there is known as the student from now on. A step of an erasure: it may be repeated.
    """
    marks = MarkDelivery.objects.filter(student=student)
    known_in = RemotePerson.objects.filter(student=student)
    concerned = CourseLink.objects.select_for_update().filter(
        Q(pk__in=marks.values("link")) | Q(connection__in=known_in.values("connection"))
    )
    links = [link.pk for link in concerned.order_by("pk")]
    known_in.delete()
    marks.filter(confirmed_version=0, tried_version=0).delete()  # never sent
    now = timezone.now()
    rows = [_change(row, "", now) for row in marks if row.value or row.state != State.SENT]
    for row in rows:
        row.save(update_fields=["value", "version", "changed_at", "state", "tries", "error"])
    marks.update(student=None, lecture=None)
    _delete_withdrawn()
    CourseLink.objects.filter(pk__in=links).update(marks_due_at=None)
    return len(rows)


@transaction.atomic
def withdraw_class_marks(*, link: CourseLink) -> None:
    """Have taken away what stands there of a class that is unlinked or erased; its link goes once nothing is left.

    It may be repeated.
    """
    # Not in the order of classes: PostgreSQL locks no row that may be missing.
    row = CourseLink.objects.select_for_update().filter(pk=link.pk).order_by("pk").first()
    if row is None:
        return
    if row.course_id:
        row.marks_tries, row.marks_due_at = 0, None
    row.course, row.takes_roster, row.question = None, False, Message()
    row.save(update_fields=["course", "takes_roster", "question", "marks_tries", "marks_due_at"])
    row.marks.filter(confirmed_version=0, tried_version=0).delete()  # never sent
    compare_marks(link=row, find_wanted=lambda _link: ())
    is_left = row.marks.exclude(state=State.SENT, value="").exists()
    if not is_left and not row.runs.filter(state=ConnectionRun.State.QUEUED).exists():
        row.delete()


def withdraw_ended_links() -> None:
    """Go on with the links whose class is unlinked, erased or deleted."""
    for link in CourseLink.objects.filter(course=None):
        withdraw_class_marks(link=link)


def _delete_withdrawn() -> None:
    """Nothing is left to say of a mark that is taken away and whose student is gone."""
    MarkDelivery.objects.filter(state=State.SENT, student=None, value="").delete()


def send_marks(*, run: ConnectionRun, link: CourseLink, adapter: MarkAdapter) -> None:
    """Send what waits, for a minute at most and as far as requests are left. Raises OutgoingError where the other
    system can't be used now; what was sent until then is confirmed.
    """
    waiting = waiting_marks().filter(link=link)
    counts: Counter[str] = Counter()
    try:
        if waiting.exists():
            with adapter.open_sender(link) as sender:
                _send_batch(run, list(waiting.order_by("tries", "pk")), sender, counts)
    finally:
        _delete_withdrawn()
        counts["waiting_for_calls" if calls_left(run.connection) == 0 else "waiting"] = waiting.count()
        run.counts = {**run.counts, **{name: n for name, n in counts.items() if n}}


def _send_batch(run: ConnectionRun, marks: list[MarkDelivery], sender: MarkSender, counts: Counter[str]) -> None:
    is_dry = run.connection.dry_run
    deadline = time.monotonic() + BATCH_SECONDS
    refused = 0
    for number, mark in enumerate(marks):
        if number and calls_left(run.connection) == 0:
            return  # the first one waits for its turn, so that each exchange gets on
        if time.monotonic() > deadline or not Connection.objects.filter(pk=run.connection_id, active=True).exists():
            return
        if not jobs.renew(run):
            raise Cancelled("Another worker goes on with this exchange.")
        try:
            if is_dry:
                counts["would_change" if sender.read(mark) != mark.value else "unchanged"] += 1
            else:
                counts[_send_one(mark, sender)] += 1
            refused = 0
        except MarkRefused as error:
            counts["failed"] += _note_failure(mark, error.message, is_final=True)
            refused += 1
            if refused == MAX_REFUSED:
                raise UserError(
                    "{n} marks in a row were refused, so no others are sent for now: {why}",
                    n=refused,
                    why=error.message,
                ) from error
        except OutgoingError as error:
            _note_failure(mark, error.message, is_final=error.final or mark.tries + 1 >= MAX_TRIES)
            raise


def _send_one(mark: MarkDelivery, sender: MarkSender) -> str:
    """Have it stand there, and note that it does. Returns what to count."""
    rows = MarkDelivery.objects.filter(pk=mark.pk, version=mark.version)
    is_known = 0 < mark.confirmed_version == mark.tried_version < mark.version  # nothing is under way
    stands = is_known and mark.confirmed_value == mark.value  # changed, and changed back
    if not stands and mark.tried_version == mark.version:
        stands = sender.read(mark) == mark.value
    if not stands:
        if not rows.update(tried_version=mark.version):
            return "overtaken"  # a later version is wanted meanwhile
        sender.send(mark)
    _confirm(mark)
    return "sent" if mark.value else "removed"


def _confirm(mark: MarkDelivery) -> None:
    """It stands there."""
    MarkDelivery.objects.filter(pk=mark.pk, version=mark.version).update(
        state=State.SENT,
        tried_version=mark.version,
        confirmed_version=mark.version,
        confirmed_value=mark.value,
        confirmed_at=timezone.now(),
        tries=0,
        error="",
    )


def _note_failure(mark: MarkDelivery, error: Message, *, is_final: bool) -> int:
    return MarkDelivery.objects.filter(pk=mark.pk, version=mark.version).update(
        state=State.FAILED if is_final else State.WAITING, tries=F("tries") + 1, error=error
    )


def retry_failed_marks(*, link: CourseLink) -> int:
    """Send those that were given up, as if they were new; returns how many."""
    CourseLink.objects.filter(pk=link.pk).update(marks_due_at=None, marks_tries=0)
    return link.marks.filter(state=State.FAILED).update(state=State.WAITING, tries=0, error="")
