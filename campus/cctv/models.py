"""Where footage comes from by itself: the stores of cameras, what stands in which room, and the files that were seen there."""

import uuid
from datetime import tzinfo
from typing import Any
from zoneinfo import ZoneInfo

from django.core.exceptions import ValidationError
from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from campus.academics.models import Lecture, Room
from campus.academics.timetable_models import known_time_zone
from campus.cctv.path_patterns import compile_pattern
from campus.common import jobs
from campus.common.errors import UserError
from campus.common.file_names import file_suffix
from campus.common.messages import MessageField

DAY = 24 * 3600  # seconds


class Source(jobs.LeasedJob):
    """A place that recordings are fetched from: a folder, a server, or a camera that is recorded while a lecture runs.

    Being looked through (`scanning`) is work that a worker claims, so that one looks at a time.
    """

    class Kind(models.TextChoices):
        FOLDER = "folder", _("Folder on this server (also a mounted one)")
        SFTP = "sftp", _("SFTP")
        FTPS = "ftps", _("FTPS")
        SMB = "smb", _("SMB (Windows share)")
        WEBDAV = "webdav", _("WebDAV")
        HTTP = "http", _("HTTP(S) with a list of files")
        S3 = "s3", _("S3 and compatible")
        RTSP = "rtsp", _("RTSP (a camera, recorded during the lecture)")

    class ClockReference(models.TextChoices):
        """What shows how far off the clock is."""

        FILES = "files", _("names of files, and when they were last written")
        STREAM = "stream", _("the camera's own word")

    class State(models.TextChoices):
        IDLE = "idle", _("at rest")
        SCANNING = "scanning", _("being looked through")

    name = models.CharField(_("name"), max_length=100, unique=True)
    kind = models.CharField(_("kind"), max_length=10, choices=Kind.choices)
    address = models.CharField(
        _("address"),
        max_length=500,
        help_text=_("Like sftp://nvr.example.org/recordings, or a folder like /srv/cctv. Without name and password."),
    )
    username = models.CharField(_("user name"), max_length=200, blank=True, help_text=_("Of S3 the access key."))
    # Encrypted; see campus.cctv.credentials.
    secret = models.TextField(_("password"), blank=True, editable=False)
    host_key = models.CharField(
        _("host key"),
        max_length=800,
        blank=True,
        help_text=_(
            "Of SFTP: the server's key as in known_hosts, like “ssh-ed25519 AAAA…”. It is taken over at the first test."
        ),
    )
    pattern = models.CharField(
        _("path pattern"),
        max_length=300,
        blank=True,
        help_text=_(
            "Like {camera}/{date:%Y%m%d}/{start:%H%M%S}.mp4. Also {room}, {end:%H%M%S} and * for anything else."
        ),
    )
    time_zone = models.CharField(
        _("time zone"),
        max_length=60,
        blank=True,
        validators=[known_time_zone],
        help_text=_("Of the times in the names. Empty: ours."),
    )
    clock_offset = models.FloatField(
        _("clock is ahead by"),
        default=0,
        help_text=_("Seconds by which the clock in the names is fast; negative when it is slow."),
    )
    delay_minutes = models.PositiveSmallIntegerField(
        _("first look after"), default=5, help_text=_("Minutes after the end of a lecture.")
    )
    deadline_hours = models.PositiveSmallIntegerField(
        _("give up after"),
        default=24,
        help_text=_("Hours after the end of a lecture. Then a person is told what is missing."),
    )
    scan_interval_minutes = models.PositiveSmallIntegerField(
        _("look every"),
        default=15,
        help_text=_("Minutes, also when no lecture waits, so that footage without a lecture is noticed."),
    )
    max_kib_per_second = models.PositiveIntegerField(
        _("at most KiB a second"), default=0, help_text=_("0: as fast as it goes.")
    )
    max_file_gib = models.PositiveSmallIntegerField(_("largest file in GiB"), default=16)
    max_gib_per_day = models.PositiveSmallIntegerField(_("at most GiB a day"), default=200)
    enabled = models.BooleanField(_("in use"), default=True)
    created_at = models.DateTimeField(auto_now_add=True)

    state = models.CharField(_("state"), max_length=10, choices=State.choices, default=State.IDLE, editable=False)
    failed_scans = models.PositiveSmallIntegerField(_("looks since one came off"), default=0, editable=False)
    next_scan_at = models.DateTimeField(_("next look"), null=True, editable=False)
    measured_clock_offset = models.FloatField(
        _("clock seen to be ahead by"), null=True, editable=False, help_text=_("Seconds.")
    )
    clock_measured_by = models.CharField(
        _("seen by"), max_length=10, choices=ClockReference.choices, blank=True, editable=False
    )
    clock_measured_at = models.DateTimeField(_("seen at"), null=True, editable=False)
    last_checked_at = models.DateTimeField(_("last looked"), null=True, editable=False)
    last_new_file_at = models.DateTimeField(_("last new file"), null=True, editable=False)

    class Meta:
        verbose_name = _("footage source")
        verbose_name_plural = _("footage sources")
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name

    @property
    def tzinfo(self) -> tzinfo:
        """The time zone of the times in its file names."""
        return ZoneInfo(self.time_zone) if self.time_zone else timezone.get_default_timezone()

    def clean(self) -> None:
        wrong: dict[str, Any] = {}
        if "@" in self.address.split("://", 1)[-1].split("/", 1)[0]:
            wrong["address"] = _("Leave name and password out of the address; they have fields of their own.")
        if not abs(self.clock_offset) <= DAY:  # nor what is no number
            wrong["clock_offset"] = _("A clock is off by a day at most.")
        try:
            compile_pattern(self.pattern)
        except UserError as error:
            wrong["pattern"] = str(error)
        if wrong:
            raise ValidationError(wrong)


class SourceTest(jobs.LeasedJob):
    """A look at a source that a person asked for, the last one. It lists what is there and fetches nothing."""

    class State(models.TextChoices):
        QUEUED = "queued", _("being looked at")
        DONE = "done", _("done")
        FAILED = "failed", _("failed")

    source = models.OneToOneField(Source, on_delete=models.CASCADE, related_name="test", verbose_name=_("source"))
    state = models.CharField(_("state"), max_length=10, choices=State.choices, default=State.QUEUED)
    requested_at = models.DateTimeField(_("asked for at"), auto_now=True)
    files = models.JSONField(_("files"), default=list, help_text="The newest: path, size and time of each.")
    file_count = models.PositiveIntegerField(_("files that are there"), default=0)
    camera_report = MessageField(
        _("what the cameras send"), help_text="Of a source that has no files: a line a camera."
    )

    class Meta:
        verbose_name = _("test of a source")
        verbose_name_plural = _("tests of sources")

    def __str__(self) -> str:
        return f"test of {self.source}"


class Camera(models.Model):
    """What a source shows of a room. Its label is what the source's path pattern calls it; the only one may have none."""

    source = models.ForeignKey(Source, on_delete=models.CASCADE, related_name="cameras", verbose_name=_("source"))
    label = models.CharField(_("name in the path"), max_length=100, blank=True)
    room = models.ForeignKey(Room, on_delete=models.CASCADE, related_name="cameras", verbose_name=_("room"))

    class Meta:
        verbose_name = _("camera")
        verbose_name_plural = _("cameras")
        ordering = ["source__name", "label"]
        constraints = [
            models.UniqueConstraint(
                fields=["source", "label"],
                name="one_camera_a_source_and_label",
                violation_error_message=_("This source has a camera of that name already."),
            )
        ]

    def __str__(self) -> str:
        return f"{self.source.name}/{self.label}" if self.label else self.source.name


def footage_file_path(footage_file: "FootageFile", name: str) -> str:
    """Names from outside are data, never paths: the stored name is the row's UUID."""
    return f"footage/{footage_file.id}{file_suffix(name)}"


class FootageFile(jobs.LeasedJob):
    """A file that a source has, or had. Several footage files make a lecture, and one footage file may serve two.

    found --a lecture or a person wants it--> wanted --fetched--> here; or failed, double (the same bytes are here), discarded.
    A failed try that is worth another waits in `retry` until `retry_at`.
    """

    class State(models.TextChoices):
        DISCOVERED = "discovered", _("discovered")
        FETCHING = "fetching", _("being fetched")
        RETRY = "retry", _("waiting to be retried")
        STORED = "stored", _("stored")
        DUPLICATE = "duplicate", _("duplicate of another file")
        FAILED = "failed", _("failed")
        DISCARDED = "discarded", _("discarded")

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    source = models.ForeignKey(Source, on_delete=models.CASCADE, related_name="footage_files", verbose_name=_("source"))
    camera = models.ForeignKey(
        Camera, null=True, blank=True, on_delete=models.SET_NULL, related_name="footage_files", verbose_name=_("camera")
    )
    lecture = models.ForeignKey(
        Lecture,
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        related_name="footage_files",
        editable=False,
        verbose_name=_("lecture"),
        help_text=_("That a person said it shows. Empty: the lectures that were in the camera's room at its time."),
    )
    path = models.CharField(_("path"), max_length=1000)
    size = models.PositiveBigIntegerField(_("size in bytes"), default=0)
    modified_at = models.DateTimeField(_("changed"), null=True)
    starts_at = models.DateTimeField(_("from"), null=True, help_text=_("By our clock: the camera's, put right."))
    ends_at = models.DateTimeField(_("to"), null=True, help_text=_("By its name, or its length once it is here."))
    state = models.CharField(_("state"), max_length=10, choices=State.choices, default=State.DISCOVERED)
    file = models.FileField(upload_to=footage_file_path, max_length=200, blank=True)
    fetched_bytes = models.PositiveBigIntegerField(_("bytes that are here"), default=0)
    sha256 = models.CharField(max_length=64, blank=True)
    info = models.JSONField(_("what the file is"), default=dict)
    retry_count = models.PositiveSmallIntegerField(_("retries"), default=0)
    retry_at = models.DateTimeField(_("next try"), null=True, blank=True)
    fully_written = models.BooleanField(
        _("no longer being written"), default=False, help_text=_("Found unchanged a while later.")
    )
    note = MessageField(_("note"), help_text=_("What is odd about it: no lecture at that time, cut off, …"))
    needs_assignment = models.BooleanField(
        default=False, editable=False, help_text="Only a person can tell what it shows."
    )
    discovered_at = models.DateTimeField(_("first seen"), auto_now_add=True)
    fetched_at = models.DateTimeField(_("fetched"), null=True)

    class Meta:
        verbose_name = _("footage file")
        verbose_name_plural = _("footage files")
        ordering = ["-starts_at", "path"]
        constraints = [models.UniqueConstraint(fields=["source", "path"], name="a_footage_file_once_a_source")]
        indexes = [
            models.Index(fields=["camera", "starts_at"], name="footage_by_camera_and_time"),
            models.Index(fields=["state", "retry_at"], name="footage_files_that_are_due"),
            models.Index(
                fields=["discovered_at"], condition=Q(needs_assignment=True), name="footage_that_needs_a_person"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.path} of {self.source}"


class Collection(models.Model):
    """That a lecture's footage comes by itself, and how far that is. One a lecture, so that each slot runs once.

    waiting --the lecture ends, or a footage file comes--> collecting --all of it is here--> complete; at the deadline complete with
    what there is, or missing. Nothing holds it: each step is one conditional UPDATE.
    """

    class State(models.TextChoices):
        WAITING = "waiting", _("waits for the lecture")
        COLLECTING = "collecting", _("being collected")
        COMPLETE = "complete", _("complete")
        MISSING = "missing", _("missing")
        OFF = "off", _("not collected")

    lecture = models.OneToOneField(
        Lecture, on_delete=models.CASCADE, related_name="collection", verbose_name=_("lecture")
    )
    # When and where the lecture was when this was planned; another one means that it was moved.
    slot = models.CharField(max_length=200, blank=True, editable=False)
    state = models.CharField(_("state"), max_length=10, choices=State.choices, default=State.WAITING)
    check_count = models.PositiveSmallIntegerField(_("looks"), default=0)
    next_check_at = models.DateTimeField(_("next look"))
    deadline_at = models.DateTimeField(_("given up at"))
    finished_at = models.DateTimeField(_("finished at"), null=True, blank=True)
    note = MessageField(_("what is missing"))

    class Meta:
        verbose_name = _("collection of footage")
        verbose_name_plural = _("collections of footage")
        ordering = ["-lecture__starts_at"]
        indexes = [
            models.Index(
                fields=["next_check_at"],
                condition=Q(state__in=["waiting", "collecting"]),
                name="collections_that_are_due",
            ),
        ]

    def __str__(self) -> str:
        return f"footage of {self.lecture}"


class Alarm(models.Model):
    """Something that stopped: told to people when it begins and again when it is over. `key` names what it is about."""

    class Kind(models.TextChoices):
        UNREACHABLE = "unreachable", _("source can't be looked through")
        SILENT = "silent", _("source is silent")
        QUEUE = "queue", _("work waits too long")
        DARK = "dark", _("camera shows nothing but black")
        FROZEN = "frozen", _("camera's picture stands still")
        FACELESS = "faceless", _("camera shows no faces")

    kind = models.CharField(_("kind"), max_length=12, choices=Kind.choices)
    key = models.CharField(max_length=80)
    text = MessageField(_("what happened"))
    started_at = models.DateTimeField(_("since"), auto_now_add=True)
    ended_at = models.DateTimeField(_("over"), null=True, blank=True)

    class Meta:
        verbose_name = _("alarm")
        verbose_name_plural = _("alarms")
        ordering = ["-started_at"]
        constraints = [models.UniqueConstraint(fields=["key"], condition=Q(ended_at=None), name="an_alarm_rings_once")]

    def __str__(self) -> str:
        return str(self.text)
