"""What is exchanged with learning platforms and registry systems: rosters, and the marks that should stand there."""

import uuid
from typing import Any, Final

from django.conf import settings
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import Q
from django.db.models.signals import post_delete
from django.dispatch import receiver
from django.utils.translation import gettext_lazy as _

from campus.academics.models import Course, FileImport, Lecture, Student
from campus.common import jobs
from campus.common.encrypted_fields import EncryptedTextField
from campus.common.errors import UserError
from campus.common.messages import MessageField
from campus.common.storage import clear_storage, delete_media_after_commit
from campus.identity.models import IdentityProvider

MAX_REMOTE_ID_LENGTH = 255


class Connection(models.Model):
    """One other system. `settings` are those of its kind, as its adapter's form says."""

    class Kind(models.TextChoices):
        LTI = "lti", "LTI 1.3"
        MOODLE = "moodle", _("Moodle attendance")
        CANVAS = "canvas", "Canvas"
        ONEROSTER = "oneroster", "OneRoster 1.2"
        CALENDAR = "calendar", _("calendar feed")

    class Schedule(models.TextChoices):
        BY_HAND = "by-hand", _("only when somebody asks for it")
        HOURLY = "hourly", _("every hour")
        NIGHTLY = "nightly", _("every night")

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    kind = models.CharField(_("kind"), max_length=10, choices=Kind.choices)
    name = models.CharField(_("name"), max_length=100, unique=True)
    active = models.BooleanField(
        _("active"), default=False, help_text=_("Off: nothing is fetched and nothing is sent; what waits stays.")
    )
    dry_run = models.BooleanField(
        _("dry run"), default=False, help_text=_("Everything is compared, and nothing is changed on either side.")
    )
    settings = models.JSONField(default=dict, blank=True)
    secret = EncryptedTextField(blank=True, default="")
    calls_per_minute = models.PositiveSmallIntegerField(
        _("calls a minute"),
        null=True,
        blank=True,
        validators=[MinValueValidator(10)],
        help_text=_(
            "At most so many requests are sent in a minute, for rosters and marks together; what is more waits. Empty: "
            "as many as suit the kind."
        ),
    )
    schedule = models.CharField(_("fetched"), max_length=10, choices=Schedule.choices, default=Schedule.NIGHTLY)
    change_limit_percent = models.PositiveSmallIntegerField(
        _("change limit (%)"),
        default=10,
        validators=[MinValueValidator(0), MaxValueValidator(100)],
        help_text=_("Where more of a class than this would join, leave or change by itself, a person is asked first."),
    )
    sign_in = models.ForeignKey(
        IdentityProvider,
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        limit_choices_to={"kind": IdentityProvider.Kind.LTI},
        related_name="connections",
        verbose_name=_("sign-in"),
        help_text=_("By whose rules people sign in who come from this platform."),
    )
    due_at = models.DateTimeField(_("next run"), null=True, editable=False)
    last_run_at = models.DateTimeField(_("last run"), null=True, editable=False)
    last_ok_at = models.DateTimeField(_("last success"), null=True, editable=False)
    last_error = MessageField(_("last error"))
    calls_minute = models.DateTimeField(null=True, editable=False)
    calls = models.PositiveIntegerField(default=0, editable=False, help_text="In `calls_minute`.")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        verbose_name = _("connection")
        verbose_name_plural = _("connections")
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name

    @property
    def call_limit(self) -> int:
        """How many requests are sent in a minute at most."""
        return self.calls_per_minute or DEFAULT_CALLS_PER_MINUTE[self.Kind(self.kind)]


DEFAULT_CALLS_PER_MINUTE: Final = {
    Connection.Kind.LTI: 600,
    Connection.Kind.MOODLE: 300,
    Connection.Kind.CANVAS: 300,
    Connection.Kind.ONEROSTER: 300,
    Connection.Kind.CALENDAR: 10,
}


class CourseLink(models.Model):
    """Which class is which course there. `settings` are of the adapter, such as where its marks are sent to.

    `course` is empty once the class was unlinked or erased: the row stays until no mark of the class stands there.

    `marks_changed_at`: since then the marks are due to be compared. After `marks_tries` failures in a row they are
    tried again at `marks_due_at`. `question`: why a person has to look at the roster before it is applied; false where
    nobody has to.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    connection = models.ForeignKey(Connection, on_delete=models.CASCADE, related_name="links")
    course = models.ForeignKey(
        Course, null=True, on_delete=models.SET_NULL, related_name="connection_links", verbose_name=_("class")
    )
    remote_id = models.CharField(_("course there"), max_length=MAX_REMOTE_ID_LENGTH)
    remote_name = models.CharField(_("its name there"), max_length=255, blank=True)
    settings = models.JSONField(default=dict, blank=True)
    takes_roster = models.BooleanField(_("the roster comes from there"), default=True)
    sends_marks = models.BooleanField(_("marks are sent there"), default=True)
    marks_changed_at = models.DateTimeField(null=True, editable=False)
    marks_tries = models.PositiveSmallIntegerField(default=0, editable=False)
    marks_due_at = models.DateTimeField(null=True, editable=False)
    question = MessageField(_("question"))
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        verbose_name = _("linked class")
        verbose_name_plural = _("linked classes")
        ordering = ["course__code", "remote_id"]
        constraints = [
            models.UniqueConstraint(fields=["connection", "remote_id"], name="one_link_a_course_there"),
        ]

    def __str__(self) -> str:
        return f"{self.course.code if self.course else '-'} ↔ {self.remote_name or self.remote_id}"

    def linked_course(self) -> Course:
        """The class. Raises UserError where it was unlinked or erased."""
        if self.course is None:
            raise UserError("This class is not linked any more.")
        return self.course


# Of links: those of classes that are neither unlinked nor archived.
CURRENT_LINKS: Final = Q(course__isnull=False) & ~Q(course__archived=True) & ~Q(course__term__archived=True)


class RemotePerson(models.Model):
    """Somebody on a roster there: the id there, and which student that is, once the student is known here."""

    connection = models.ForeignKey(Connection, on_delete=models.CASCADE, related_name="people")
    remote_id = models.CharField(max_length=MAX_REMOTE_ID_LENGTH)
    number_key = models.CharField(max_length=80, help_text="The match key of the student number there.")
    student = models.ForeignKey(Student, null=True, on_delete=models.CASCADE, related_name="remote_people")

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["connection", "remote_id"], name="one_person_a_remote_id"),
        ]

    def __str__(self) -> str:
        return f"{self.remote_id}: {self.student_id}"


def zip_path(row: "ConnectionRun", _name: str) -> str:
    """Names from outside are data, never paths: the stored name is the row's UUID."""
    return f"imports/{row.id}"


class ConnectionRun(jobs.LeasedJob):
    """One exchange, which a worker does. `counts` say what came of it: added, changed, removed, sent, waiting, failed,
    and others of the adapter. Of a roster that somebody asked for, `file_import` is the preview. `zip` is what somebody
    has uploaded, until it is applied, or for a day. `waits_until`: then the other system may be asked again.
    """

    class Task(models.TextChoices):
        CHECK = "check", _("test")
        SYNC = "sync", _("terms, classes and lectures")
        ROSTER = "roster", _("roster")
        MARKS = "marks", _("marks")
        PREVIEW = "preview", _("preview of a zip")
        ZIP = "zip", _("uploaded zip")

    TRIALS: Final = (Task.CHECK, Task.PREVIEW)  # change nothing

    class State(models.TextChoices):
        QUEUED = "queued", _("under way")
        DONE = "done", _("done")
        FAILED = "failed", _("failed")

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    connection = models.ForeignKey(Connection, on_delete=models.CASCADE, related_name="runs")
    link = models.ForeignKey(CourseLink, null=True, on_delete=models.CASCADE, related_name="runs")
    task = models.CharField(_("what"), max_length=10, choices=Task.choices)
    state = models.CharField(_("state"), max_length=10, choices=State.choices, default=State.QUEUED)
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+", help_text="Who asked for it."
    )
    file_import = models.ForeignKey(FileImport, null=True, on_delete=models.SET_NULL, related_name="+")
    zip = models.FileField(storage=clear_storage, upload_to=zip_path, blank=True)
    counts = models.JSONField(default=dict)
    result = MessageField(_("result"))
    started_at = models.DateTimeField(auto_now_add=True)
    waits_until = models.DateTimeField(null=True)
    ended_at = models.DateTimeField(null=True)

    class Meta:
        verbose_name = _("exchange")
        verbose_name_plural = _("exchanges")
        ordering = ["-started_at"]
        indexes = [models.Index(fields=["connection", "-started_at"], name="runs_of_a_connection")]
        constraints = [
            models.UniqueConstraint(
                fields=["link", "task"], condition=Q(state="queued"), name="one_open_run_a_link_and_task"
            ),
            models.UniqueConstraint(
                fields=["connection", "task"],
                condition=Q(state="queued", link=None),
                name="one_open_run_a_connection_and_task",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.connection}: {self.get_task_display()}"


@receiver(post_delete, sender=ConnectionRun)
def delete_zip(instance: ConnectionRun, **_kwargs: Any) -> None:
    """Nothing is left of a zip whose exchange is deleted."""
    if instance.zip:
        delete_media_after_commit(str(instance.zip.name))


class MarkDelivery(models.Model):
    """The mark of a student that should stand there, and what is confirmed to stand there.

    Each change of `value` is a new `version`; the latest wins, whatever was sent before. "" is no mark: what stands
    there is taken away. `tried_version` is written before a mark is sent, so that one of which nobody knows whether it
    arrived is looked up there first. Of a platform with a mark a lecture, `lecture` is set. The student goes with an
    erasure; what has to be taken away there then, stays until that is done.
    """

    class State(models.TextChoices):
        WAITING = "waiting", _("waits")
        SENT = "sent", _("stands there")
        FAILED = "failed", _("given up")

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    link = models.ForeignKey(CourseLink, on_delete=models.CASCADE, related_name="marks")
    student = models.ForeignKey(Student, null=True, on_delete=models.SET_NULL, related_name="mark_deliveries")
    lecture = models.ForeignKey(Lecture, null=True, on_delete=models.SET_NULL, related_name="+")
    remote_person = models.CharField(max_length=MAX_REMOTE_ID_LENGTH)
    remote_item = models.CharField(max_length=MAX_REMOTE_ID_LENGTH, blank=True)
    value = models.CharField(_("mark"), max_length=40, blank=True)
    version = models.PositiveIntegerField(default=1)
    changed_at = models.DateTimeField(_("since"))
    tried_version = models.PositiveIntegerField(default=0)
    confirmed_version = models.PositiveIntegerField(default=0)
    confirmed_value = models.CharField(_("mark there"), max_length=40, blank=True)
    confirmed_at = models.DateTimeField(_("confirmed"), null=True)
    state = models.CharField(_("state"), max_length=10, choices=State.choices, default=State.WAITING)
    tries = models.PositiveSmallIntegerField(_("tries"), default=0)
    error = MessageField(_("what went wrong"))

    class Meta:
        verbose_name = _("mark sent")
        verbose_name_plural = _("marks sent")
        ordering = ["link", "pk"]
        indexes = [models.Index(fields=["state", "link"], name="marks_that_wait")]
        constraints = [
            models.UniqueConstraint(
                fields=["link", "remote_item", "remote_person"], name="one_mark_a_link_person_and_item"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.remote_person}: {self.value or '-'}"


class SigningKey(models.Model):
    """A key with which Rollcall proves to platforms (LTI) who it is. Its public half is on the page of keys."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    private = EncryptedTextField()
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["-created_at"]

    def __str__(self) -> str:
        return str(self.pk)


class RegistrationLink(models.Model):
    """Lets a platform register Rollcall as its tool by itself, once, by an address with the key in it."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    key = models.CharField(max_length=64, unique=True, help_text="SHA-256 of what is secret in the address.")
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+")
    expires_at = models.DateTimeField()

    def __str__(self) -> str:
        return f"until {self.expires_at}"
