"""Deletes what the rules say, every hour. Each row is deleted by itself: one that can't be stops no other."""

import logging
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils import timezone

from campus.audit.models import Action, AuditEntry
from campus.audit.services import prune_before, record_event
from campus.privacy import retention_steps as steps
from campus.privacy.legal_holds import active_holds, end_hold, held_courses, held_lectures, held_students
from campus.privacy.models import LegalHold, RetentionRule, RetentionRun
from campus.privacy.retention_terms import Terms

log = logging.getLogger(__name__)

Kind = RetentionRule.Kind
RUN_RETENTION = timedelta(days=365)
LOOK_AHEAD = timedelta(days=1)  # the page says what goes within a day


@dataclass(frozen=True, kw_only=True)
class Step:
    """One kind: which rows are due, how a row is deleted, and the fields by which a hold keeps a row."""

    due: Callable[[Terms], QuerySet[Any]]
    delete: Callable[[Any, Terms], None]
    lecture: str = ""
    course: str = ""
    student: str = ""

    def held(self) -> Q:
        """The rows that a hold keeps."""
        held = Q(pk__in=())
        for field, rows in (
            (self.lecture, held_lectures()),
            (self.course, held_courses()),
            (self.student, held_students()),
        ):
            if field:
                held |= Q(**{f"{field}__in": rows.values("pk")})
        return held


# What shows faces goes first. Two kinds may have several steps.
STEPS: Final[list[tuple[Kind, Step]]] = [
    (
        Kind.UNKNOWN_FACES,
        Step(due=steps.due_unknown_people, delete=steps.delete_unknown_crops, lecture="recording__lecture"),
    ),
    (Kind.ANNOTATED_VIDEOS, Step(due=steps.due_videos, delete=steps.delete_row, lecture="recording__lecture")),
    (Kind.SNAPSHOTS, Step(due=steps.due_snapshots, delete=steps.delete_row, lecture="recording__lecture")),
    (Kind.FOOTAGE, Step(due=steps.due_recordings, delete=steps.delete_footage, lecture="lecture")),
    (
        Kind.FOOTAGE,
        Step(due=steps.due_footage_files, delete=steps.delete_footage_file, lecture="lecture"),
    ),
    (Kind.CROPS, Step(due=steps.due_evidence, delete=steps.delete_crops, lecture="lecture")),
    (
        Kind.LECTURE_FACES,
        Step(due=steps.due_lecture_faces, delete=steps.delete_lecture_face, lecture="lecture", student="student"),
    ),
    (Kind.PHOTOS, Step(due=steps.due_photos, delete=steps.delete_enrolment_photo, student="student")),
    (Kind.GALLERIES, Step(due=steps.due_galleries, delete=steps.delete_gallery, course="course", student="members")),
    (
        Kind.EXCUSE_DOCUMENTS,
        Step(due=steps.due_excuses, delete=steps.delete_document, course="course", student="student"),
    ),
    (Kind.WORKBOOKS, Step(due=steps.due_workbooks, delete=steps.delete_workbook, course="course", lecture="lecture")),
    (Kind.MESSAGES, Step(due=steps.due_messages, delete=steps.delete_row)),
    (Kind.ACCOUNT_EVENTS, Step(due=steps.due_account_events, delete=steps.delete_row)),
    (Kind.ACCOUNT_EVENTS, Step(due=steps.due_failed_sign_ins, delete=steps.delete_row)),
    (Kind.ATTENDANCE, Step(due=steps.due_lectures, delete=steps.delete_lecture, lecture="pk")),
    (Kind.STUDENTS, Step(due=steps.due_students, delete=steps.delete_student, student="pk")),
]


def count_due(*, ahead: timedelta = LOOK_AHEAD) -> dict[Kind, tuple[int, int]]:
    """Of each kind, how much is deleted by then, and how much would be but for a hold."""
    terms, is_held = Terms(timezone.now() + ahead), active_holds().exists()
    found: dict[Kind, tuple[int, int]] = {}
    for kind, step in STEPS:
        rows = step.due(terms)
        total = rows.count()
        held = rows.filter(step.held()).distinct().count() if is_held and total else 0
        deleted, kept = found.get(kind, (0, 0))
        found[kind] = (deleted + total - held, kept + held)
    found[Kind.AUDIT_LOG] = (_count_old_audit_entries(terms), 0)
    return found


def _count_old_audit_entries(terms: Terms) -> int:
    before = terms.before(Kind.AUDIT_LOG)
    return AuditEntry.objects.exclude(sequence=None).filter(at__lt=before).count() if before else 0


def apply_retention() -> RetentionRun:
    """Delete all that is due, and note it in the day's report."""
    for hold in LegalHold.objects.filter(until__lt=timezone.localdate()):
        end_hold(hold=hold, user=None)
    terms, is_held = Terms(), active_holds().exists()
    deleted: Counter[Kind] = Counter()
    held: Counter[Kind] = Counter()
    failed = set()
    for kind, step in STEPS:
        rows = step.due(terms)
        if is_held:
            kept = rows.filter(step.held()).distinct().count()
            held[kind] += kept
            rows = rows.exclude(pk__in=rows.filter(step.held()).values("pk")) if kept else rows
        for row in rows.order_by("pk"):
            try:
                with transaction.atomic():
                    step.delete(row, terms)
            except Exception:
                log.exception("%s %s could not be deleted", kind, row.pk)
                failed.add(kind)
            else:
                deleted[kind] += 1
    if before := terms.before(Kind.AUDIT_LOG):
        deleted[Kind.AUDIT_LOG] = prune_before(before)
    for kind, count in deleted.items():
        if count:
            record_event(None, Action.EXPIRED, about=f"{kind.value}: {count}")
    return _note(deleted, held, failed)


@transaction.atomic
def _note(deleted: Counter[Kind], held: Counter[Kind], failed: set[Kind]) -> RetentionRun:
    run, _created = RetentionRun.objects.select_for_update().get_or_create(day=timezone.localdate())
    run.deleted = dict(Counter(run.deleted) + Counter({kind.value: n for kind, n in deleted.items()}))
    run.held = {kind.value: n for kind, n in held.items() if n}
    run.failed = sorted(kind.value for kind in failed)
    run.ended_at = timezone.now()
    run.save()
    RetentionRun.objects.filter(day__lt=timezone.localdate() - RUN_RETENTION).delete()
    return run
