"""Who was present: what the machine saw in each recording, the lecture's records, and every change that people made
to them.
"""

import uuid
from functools import cache, cached_property
from typing import Any

from django.conf import settings
from django.db import models
from django.db.models import Case, DateTimeField, ExpressionWrapper, F, OuterRef, Q, Subquery, Value, When
from django.db.models.functions import Coalesce, TruncDate
from django.db.models.signals import post_delete
from django.dispatch import receiver
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from campus.academics.models import Course, Lecture, Student
from campus.attendance.annotated_models import AnnotatedVideo
from campus.attendance.comparison_models import UnknownComparison
from campus.attendance.excuse_models import Excuse, covering_excuses
from campus.attendance.feed_models import FeedEntry, FeedState
from campus.attendance.objection_models import Objection
from campus.attendance.policy import RegisterPolicy
from campus.attendance.statuses import (
    EXCUSABLE,
    STATUS_CODE_LENGTH,
    AttendanceStatus,
    Status,
    override_choices,
    status_choices,
    status_label,
)
from campus.cctv.models import FootageFile
from campus.common import jobs
from campus.common.append_only import AppendOnlyModel, AppendOnlyQuerySet
from campus.common.storage import delete_media_after_commit
from campus.recordings.models import Recording

__all__ = [
    "AnnotatedVideo",
    "AttendanceChange",
    "AttendanceRecord",
    "AttendanceStatus",
    "Excuse",
    "FaceOverride",
    "FeedEntry",
    "FeedState",
    "Objection",
    "RegisterPolicy",
    "Report",
    "Sighting",
    "SignOff",
    "Snapshot",
    "Status",
    "UnknownComparison",
    "UnknownPerson",
]


class Sighting(models.Model):
    """What one recording shows of one student of the roster. All of a recording's sightings are replaced when it is
    voted on again.

    `intervals` is a list of [start, end] in seconds of the recording; `crops` a list of {"file": storage name, "time":
    seconds, "quality": 0..1, "box": place in the frame}, best first, at most three; `face_positions` a list of [time,
    box], one for each track. A box is [x1, y1, x2, y2] in pixels of the upright frame.
    """

    recording = models.ForeignKey(Recording, on_delete=models.CASCADE, related_name="sightings")
    student = models.ForeignKey(Student, on_delete=models.CASCADE, related_name="sightings")
    present = models.BooleanField()
    to_confirm = models.BooleanField(_("to be confirmed"), default=False)
    runner_up = models.ForeignKey(
        Student,
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        related_name="+",
        verbose_name=_("or else"),
        help_text=_("Of a face that is to be confirmed: the student whom it resembles next."),
    )
    recognisable = models.BooleanField(
        _("recognisable"), default=True, help_text=_("Whether the gallery knew the student's face.")
    )
    intervals = models.JSONField(default=list)
    seconds = models.FloatField(default=0)
    share = models.FloatField(default=0)
    confidence = models.FloatField(default=0)
    lead = models.FloatField(
        null=True, help_text=_("How far the next student is behind, in shares of the way from the threshold to 1.")
    )
    crops = models.JSONField(default=list)
    face_positions = models.JSONField(default=list)

    class Meta:
        ordering = ["recording", "student__sort_key"]
        constraints = [
            models.UniqueConstraint(fields=["recording", "student"], name="unique_sighting_of_student_in_recording"),
            models.CheckConstraint(
                condition=Q(present=False) | Q(to_confirm=False), name="sighting_is_not_present_and_to_confirm"
            ),
            models.CheckConstraint(condition=Q(share__gte=0, share__lte=1), name="sighting_share_is_0_to_1"),
            models.CheckConstraint(
                condition=Q(confidence__gte=0, confidence__lte=1), name="sighting_confidence_is_0_to_1"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.student} in {self.recording}"


class FaceOverride(models.Model):
    """What a person said about a face in a recording. A later vote follows it.

    `face_positions` are the times and places by which the face is found again, so that no embedding has to be stored:
    a list of [id of the footage file or null, index of its video stream, second of the file, box]. The box is in shares
    of the file's picture, so that it stays right when the recording's picture settings or place change.
    """

    class Action(models.TextChoices):
        NAMED = "named", _("is this student")
        REJECTED = "rejected", _("is not this student")
        VISITOR = "visitor", _("visitor")
        DELETED = "deleted", _("deleted")

    recording = models.ForeignKey(Recording, on_delete=models.CASCADE, related_name="face_overrides")
    action = models.CharField(max_length=10, choices=Action.choices)
    student = models.ForeignKey(Student, null=True, blank=True, on_delete=models.CASCADE, related_name="face_overrides")
    face_positions = models.JSONField(default=list)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL)
    user_name = models.CharField(max_length=150)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["pk"]
        constraints = [
            models.CheckConstraint(
                condition=Q(action__in=["named", "rejected"], student__isnull=False)
                | Q(action__in=["visitor", "deleted"], student=None),
                name="face_override_has_student_if_named",
            )
        ]

    def __str__(self) -> str:
        return f"{self.get_action_display()} ({self.recording})"


class UnknownPerson(models.Model):
    """Somebody in a recording whom the machine matched with nobody on the roster. The fields are those of Sighting.

    `is_static`: the face never moves, as in a portrait, a poster or on a screen. `override`: which student a person
    said this is, or that it is a visitor. `resembles` has the ids of the students whom the face resembles, the most
    similar first; None where nobody knows. `same_as`: the same person in an earlier file of the lecture. `group` is
    that of everybody in the class's lectures who seems to be the same person; empty until they were compared.
    """

    recording = models.ForeignKey(Recording, on_delete=models.CASCADE, related_name="unknown_people")
    index = models.PositiveIntegerField()
    is_static = models.BooleanField(_("no living person"), default=False)
    intervals = models.JSONField(default=list)
    seconds = models.FloatField(default=0)
    crops = models.JSONField(default=list)
    face_positions = models.JSONField(default=list)
    resembles = models.JSONField(null=True)
    override = models.ForeignKey(FaceOverride, null=True, blank=True, on_delete=models.SET_NULL, related_name="people")
    same_as = models.ForeignKey("self", null=True, blank=True, on_delete=models.SET_NULL, related_name="appearances")
    group = models.UUIDField(null=True, editable=False, db_index=True)

    class Meta:
        verbose_name_plural = _("unknown people")
        ordering = ["recording", "index"]
        constraints = [models.UniqueConstraint(fields=["recording", "index"], name="unique_unknown_person_index")]

    def __str__(self) -> str:
        return f"unknown person {self.index + 1} in {self.recording}"

    # Constants in place of Sighting's fields, for unknown people whom a person has named: a person is certain, and the
    # machine has no say in it.
    present = True
    to_confirm = False
    recognisable = True
    confidence = 0.0
    lead = None

    @property
    def student_id(self) -> int | None:
        """The student who this is, as a person said."""
        return self.override.student_id if self.override else None

    @property
    def share(self) -> float:
        duration = self.recording.duration
        return min(self.seconds / duration, 1.0) if duration else 1.0


class RecordManager(models.Manager["AttendanceRecord"]):
    """Records come with the reason of the excuse that counts for them, so that nobody has to think of excuses.

    The database looks for it only where neither a person nor the machine says that the student attended.
    """

    def get_queryset(self) -> models.QuerySet["AttendanceRecord"]:
        return super().get_queryset().annotate(excuse_reason=_excuse_reason())  # type: ignore[no-redef]  # for other rows, too


@cache
def _excuse_reason() -> Coalesce:
    """The same for all queries, and made once: a page may ask for records a dozen times."""
    day = TruncDate(ExpressionWrapper(OuterRef("lecture__starts_at"), output_field=DateTimeField()))
    excuses = covering_excuses(OuterRef("lecture__course"), day).filter(student=OuterRef("student"))
    needed = When(override_status="", machine_status__in=EXCUSABLE, then=Subquery(excuses.values("reason")[:1]))
    return Coalesce(Case(needed), Value(""))


class AttendanceRecord(models.Model):
    """A student in a lecture. The machine writes only `machine_status`, people write only `override_status`.

    `machine_status` is empty where no recording counts.
    """

    lecture = models.ForeignKey(Lecture, on_delete=models.CASCADE, related_name="records", verbose_name=_("lecture"))
    student = models.ForeignKey(Student, on_delete=models.CASCADE, related_name="records", verbose_name=_("student"))
    machine_status = models.CharField(
        _("proposed by the machine"), max_length=STATUS_CODE_LENGTH, choices=Status.choices, blank=True
    )
    override_status = models.CharField(
        _("set by a person"), max_length=STATUS_CODE_LENGTH, choices=override_choices, blank=True
    )
    first_seen = models.DateTimeField(_("first seen"), null=True, blank=True)
    last_seen = models.DateTimeField(_("last seen"), null=True, blank=True)
    seconds = models.FloatField(_("seconds seen"), default=0)
    share = models.FloatField(_("share of the lecture"), default=0)
    confidence = models.FloatField(_("confidence"), default=0)
    updated_at = models.DateTimeField(_("changed at"), auto_now=True)

    objects = RecordManager()
    without_excuses = models.Manager()  # noqa: DJ012 - a manager, for what no excuse can change: a faster query

    class Meta:
        verbose_name = _("attendance record")
        verbose_name_plural = _("attendance records")
        ordering = ["lecture", "student__sort_key"]
        constraints = [
            models.UniqueConstraint(fields=["lecture", "student"], name="unique_record_of_student_in_lecture"),
            models.CheckConstraint(condition=~Q(machine_status="excused"), name="machine_status_is_not_excused"),
            models.CheckConstraint(
                condition=~Q(override_status__in=["to_confirm", "not_recognisable"]),
                name="override_status_is_not_the_machines",
            ),
        ]
        # The dashboard counts the records that wait for a person: few among all records of a faculty.
        indexes = [
            models.Index(
                fields=["lecture"],
                condition=Q(machine_status="to_confirm", override_status=""),
                name="records_to_confirm",
            ),
            models.Index(
                fields=["lecture"], condition=Q(machine_status="", override_status=""), name="records_not_marked"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.student} in {self.lecture}: {self.get_status_display()}"

    @property
    def status(self) -> str:
        """The status that counts: a person's override, or else the machine's proposal, unless the student is excused
        and did not attend. Empty: nothing is known yet.
        """
        if not self.override_status and self.machine_status in EXCUSABLE and self.excuse_reason:
            return Status.EXCUSED.value
        return self.override_status or self.machine_status

    @cached_property
    def excuse_reason(self) -> str:
        """Why the student is excused; empty where no excuse covers the lecture, or something else counts more.

        Queries have it already.
        """
        if self.override_status or self.machine_status not in EXCUSABLE:
            return ""
        day = timezone.localtime(self.lecture.starts_at).date()
        excuse = covering_excuses(self.lecture.course_id, day).filter(student=self.student_id).first()
        return excuse.reason if excuse else ""

    def get_status_display(self) -> str:
        return status_label(self.status)


# AttendanceRecord.status as a database expression.
EFFECTIVE_STATUS = Case(
    When(~Q(override_status=""), then=F("override_status")),
    When(~Q(excuse_reason=""), then=Value(Status.EXCUSED.value)),
    default=F("machine_status"),
)


class AttendanceChange(AppendOnlyModel):
    """One change that a person made to a lecture's result. Append-only: rows are never changed or deleted while the
    lecture exists.

    `record` is the record whose status changed, from `old_status` to `new_status`; `about` says which face it was
    about. What one action changed has one `batch`, also where it is taken back. `old_override` is the record's override
    before.
    """

    class ChangeKind(models.TextChoices):
        STATUS = "status", _("status set")
        NAMED = "named", _("face named")
        REJECTED = "rejected", _("match rejected")
        VISITOR = "visitor", _("marked as a visitor")
        DELETED = "deleted", _("unknown person deleted")
        CLEARED = "cleared", _("name removed from a face")
        SIGNED = "signed", _("signed off")
        REOPENED = "reopened", _("reopened")
        UNDONE = "undone", _("taken back")
        ACCEPTED = "accepted", _("recording accepted")
        PLACED = "placed", _("recording's start set")
        MOVED = "moved", _("recording moved")
        REPLACED = "replaced", _("recording replaced")
        REMOVED = "removed", _("recording removed")
        WATCHED = "watched", _("recording watched")
        MERGED = "merged", _("merged with another student")

    lecture = models.ForeignKey(Lecture, on_delete=models.CASCADE, related_name="changes", verbose_name=_("lecture"))
    record = models.ForeignKey(
        AttendanceRecord, null=True, blank=True, on_delete=models.CASCADE, related_name="changes"
    )
    kind = models.CharField(_("kind"), max_length=10, choices=ChangeKind.choices, default=ChangeKind.STATUS)
    batch = models.UUIDField(default=uuid.uuid4, db_index=True)
    old_override = models.CharField(max_length=STATUS_CODE_LENGTH, blank=True)
    old_status = models.CharField(_("before"), max_length=STATUS_CODE_LENGTH, choices=status_choices, blank=True)
    new_status = models.CharField(_("after"), max_length=STATUS_CODE_LENGTH, choices=status_choices, blank=True)
    about = models.CharField(_("about"), max_length=300, blank=True)
    reason = models.CharField(_("reason"), max_length=300, blank=True)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL)
    user_name = models.CharField(
        _("by"), max_length=150, help_text=_("As it was then, in case the account is deleted.")
    )
    created_at = models.DateTimeField(_("when"), auto_now_add=True)

    objects = AppendOnlyQuerySet["AttendanceChange"].as_manager()

    class Meta:
        verbose_name = _("correction")
        verbose_name_plural = _("corrections")
        ordering = ["-created_at", "-id"]

    def __str__(self) -> str:
        if self.record:
            change = f"{self.record.student}: {self.old_status} to {self.new_status}"
        else:
            change = self.get_kind_display()
        return f"{change} by {self.user_name}"


class SignOff(models.Model):
    """The lecturer's word that a lecture's result is final. From then on only a registrar can change it."""

    lecture = models.OneToOneField(Lecture, on_delete=models.CASCADE, related_name="sign_off")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL)
    user_name = models.CharField(max_length=150)
    signed_at = models.DateTimeField(auto_now_add=True)

    def __str__(self) -> str:
        return f"{self.lecture}, signed off by {self.user_name}"


class Snapshot(jobs.LeasedJob):
    """A whole frame of a recording: the one at that time, as it counted, as evidence; or one of a video stream (1 is
    the first) as it is in the file, from about that time, for people who choose how it is read. Of a camera whose
    recordings are still to come, a footage file takes the place of the recording.

    A worker extracts it when somebody asks for it; it can always be extracted again.
    """

    class State(models.TextChoices):
        QUEUED = "queued", _("being extracted")
        READY = "ready", _("ready")
        FAILED = "failed", _("failed")

    user = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        null=True,
        on_delete=models.SET_NULL,
        related_name="snapshots",
        help_text="Whose program asked for it; empty: a page or a worker did.",
    )
    recording = models.ForeignKey(Recording, null=True, on_delete=models.CASCADE, related_name="snapshots")
    footage_file = models.ForeignKey(FootageFile, null=True, on_delete=models.CASCADE, related_name="snapshots")
    time = models.FloatField(_("second of the recording"))
    stream = models.PositiveSmallIntegerField(default=0, help_text="0: the frame as it counted.")
    state = models.CharField(max_length=10, choices=State.choices, default=State.QUEUED)
    file = models.CharField(max_length=200, blank=True)

    class Meta:
        ordering = ["recording", "time"]
        constraints = [
            models.UniqueConstraint(fields=["recording", "time", "stream"], name="unique_snapshot_at_time"),
            models.UniqueConstraint(fields=["footage_file", "time", "stream"], name="unique_snapshot_of_footage"),
            models.CheckConstraint(
                condition=Q(recording=None, footage_file__isnull=False) | Q(recording__isnull=False, footage_file=None),
                name="snapshot_of_recording_or_footage",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.time:.1f} s of {self.recording or self.footage_file}"


@receiver(post_delete, sender=Snapshot)
@receiver(post_delete, sender=AnnotatedVideo)
def delete_picture(instance: Snapshot | AnnotatedVideo, **_kwargs: Any) -> None:
    """No picture is left of a source, recording, student or viewer that is deleted."""
    if instance.file:
        delete_media_after_commit(instance.file)


class Report(models.Model):
    """A workbook in Reports/.

    Of one recording; of a lecture over all its cameras, where `recording` is empty; or the register of a class, where
    `lecture` is empty too.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    course = models.ForeignKey(Course, on_delete=models.CASCADE, related_name="reports", verbose_name=_("class"))
    lecture = models.ForeignKey(
        Lecture, null=True, blank=True, on_delete=models.CASCADE, related_name="reports", verbose_name=_("lecture")
    )
    recording = models.OneToOneField(
        Recording, null=True, blank=True, on_delete=models.CASCADE, related_name="report", verbose_name=_("recording")
    )
    file_name = models.CharField(_("file in Reports/"), max_length=200, unique=True)
    sha256 = models.CharField(
        _("SHA-256"), max_length=64, blank=True, help_text=_("Empty while it is to be written again.")
    )
    created_at = models.DateTimeField(_("made at"), default=timezone.now)
    version = models.PositiveIntegerField(
        default=0, editable=False, help_text="Counts requests and writings: who finds another one writes again."
    )

    class Meta:
        verbose_name = _("report")
        verbose_name_plural = _("reports")
        ordering = ["-created_at"]
        indexes = [models.Index(fields=["id"], condition=Q(sha256=""), name="report_to_write")]

    def __str__(self) -> str:
        return self.file_name
