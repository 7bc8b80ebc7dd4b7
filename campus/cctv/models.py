"""Sources of footage, their cameras and files, the collection of each lecture's footage, and alarms."""

import uuid
from datetime import tzinfo
from typing import Any
from zoneinfo import ZoneInfo

from django.core.exceptions import ValidationError
from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from campus.academics.models import Lecture, Room, known_time_zone
from campus.cctv.path_patterns import MAX_PATH_LENGTH, compile_pattern
from campus.common import jobs
from campus.common.encrypted_fields import EncryptedTextField
from campus.common.errors import UserError
from campus.common.file_names import file_suffix
from campus.common.messages import MessageField
from campus.common.picture_settings import PictureSettings
from campus.common.storage import clear_storage

MAX_CLOCK_OFFSET_SECONDS = 24 * 3600


class Source(jobs.LeasedJob):
    """Where recordings are fetched from: a folder, a server, or cameras that are recorded while a lecture takes place.

    A scan lists the files. A worker claims the source for it, so one scan runs at a time; a recorder claims an RTSP
    source.
    """

    class Kind(models.TextChoices):
        FOLDER = "folder", _("Folder on this server (also a mounted one)")
        SFTP = "sftp", _("SFTP")
        FTPS = "ftps", _("FTPS")
        SMB = "smb", _("SMB (Windows share)")
        WEBDAV = "webdav", _("WebDAV")
        HTTP = "http", _("HTTP(S) with a list of files")
        S3 = "s3", _("S3 and compatible")
        HIKVISION = "hikvision", _("Hikvision recorder or camera (ISAPI)")
        DAHUA = "dahua", _("Dahua recorder or camera")
        ONVIF = "onvif", _("ONVIF recorder or camera (profile G)")
        OPENCAST = "opencast", _("Opencast")
        BBB = "bbb", _("BigBlueButton")
        ZOOM = "zoom", _("Zoom (recordings in the cloud)")
        RTSP = "rtsp", _("RTSP (a camera, recorded during the lecture)")

    # These say themselves when each of their recordings begins and ends, and are asked for the time of each lecture.
    RECORDER_KINDS = frozenset({Kind.HIKVISION, Kind.DAHUA, Kind.ONVIF, Kind.OPENCAST, Kind.BBB, Kind.ZOOM})

    # Of these, the recorders of cameras cut what they are asked for, so that nobody knows its size before it was sent.
    CUTTING_KINDS = frozenset({Kind.HIKVISION, Kind.DAHUA, Kind.ONVIF})

    class ClockReference(models.TextChoices):
        """What the clock offset was measured by."""

        FILES = "files", _("file names compared with modification times")
        STREAM = "stream", _("the camera's stream")
        RECORDER = "recorder", _("the recorder's own time")

    class State(models.TextChoices):
        IDLE = "idle", _("idle")
        SCANNING = "scanning", _("being scanned")

    name = models.CharField(_("name"), max_length=100, unique=True)
    kind = models.CharField(_("kind"), max_length=10, choices=Kind.choices)
    address = models.CharField(
        _("address"),
        max_length=500,
        help_text=_(
            "Such as sftp://nvr.example.org/recordings, a folder such as /srv/cctv, or of a recorder "
            "https://nvr.example.org. Without user name and password."
        ),
    )
    username = models.CharField(_("user name"), max_length=200, blank=True, help_text=_("For S3, the access key."))
    secret = EncryptedTextField(_("password"), blank=True, default="")
    message_secret = EncryptedTextField(_("secret token of its messages"), blank=True, default="")
    host_key = models.CharField(
        _("host key"),
        max_length=800,
        blank=True,
        help_text=_(
            "For SFTP: the server's key as in known_hosts, such as “ssh-ed25519 AAAA…”. The first test fills it in."
        ),
    )
    pattern = models.CharField(
        _("path pattern"),
        max_length=300,
        blank=True,
        help_text=_(
            "Such as {camera}/{date:%Y%m%d}/{start:%H%M%S}.mp4. Also {room}, {end:%H%M%S}, and * for anything else."
        ),
    )
    time_zone = models.CharField(
        _("time zone"),
        max_length=60,
        blank=True,
        validators=[known_time_zone],
        help_text=_("Of the times in file names, or of a recorder's clock. Empty: the institution's."),
    )
    clock_offset = models.FloatField(
        _("clock is ahead by"),
        default=0,
        help_text=_("Seconds by which the camera's clock is fast; negative if it is slow."),
    )
    delay_minutes = models.PositiveSmallIntegerField(
        _("first check after"), default=5, help_text=_("Minutes after the end of a lecture.")
    )
    deadline_hours = models.PositiveSmallIntegerField(
        _("give up after"),
        default=24,
        help_text=_("Hours after the end of a lecture. People are then notified of what is missing."),
    )
    scan_interval_minutes = models.PositiveSmallIntegerField(
        _("scan every"),
        default=15,
        help_text=_("Minutes. Scans also run when no lecture waits for footage, to discover files without a lecture."),
    )
    max_kib_per_second = models.PositiveIntegerField(
        _("maximum KiB per second"), default=0, help_text=_("0: no limit.")
    )
    max_file_gib = models.PositiveSmallIntegerField(_("maximum GiB per file"), default=16)
    max_gib_per_day = models.PositiveSmallIntegerField(_("maximum GiB per day"), default=200)
    enabled = models.BooleanField(_("in use"), default=True)
    created_at = models.DateTimeField(auto_now_add=True)

    state = models.CharField(_("state"), max_length=10, choices=State.choices, default=State.IDLE, editable=False)
    failed_scans = models.PositiveSmallIntegerField(_("scans since the last successful one"), default=0, editable=False)
    next_scan_at = models.DateTimeField(_("next scan"), null=True, editable=False)
    measured_clock_offset = models.FloatField(
        _("clock measured to be ahead by"), null=True, editable=False, help_text=_("Seconds.")
    )
    clock_measured_by = models.CharField(
        _("measured by"), max_length=10, choices=ClockReference.choices, blank=True, editable=False
    )
    clock_measured_at = models.DateTimeField(_("measured at"), null=True, editable=False)
    last_checked_at = models.DateTimeField(_("last checked"), null=True, editable=False)
    last_new_file_at = models.DateTimeField(_("last new file"), null=True, editable=False)

    class Meta:
        verbose_name = _("footage source")
        verbose_name_plural = _("footage sources")
        ordering = ["name"]

    @property
    def has_password(self) -> bool:
        """Whether a password or private key is stored, even one that can't be decrypted any more."""
        return bool(self.__dict__["secret"])

    def __str__(self) -> str:
        return self.name

    @property
    def is_recorder(self) -> bool:
        """Whether it says itself when its recordings begin and end, and is asked for those of a channel and a time."""
        return self.kind in self.RECORDER_KINDS

    @property
    def tzinfo(self) -> tzinfo:
        """The time zone of the times in its file names, or of a recorder's clock."""
        return ZoneInfo(self.time_zone) if self.time_zone else timezone.get_default_timezone()

    def clean(self) -> None:
        errors: dict[str, Any] = {}
        if "@" in self.address.split("://", 1)[-1].split("/", 1)[0]:
            errors["address"] = _("Leave user name and password out of the address. They have their own fields.")
        if not abs(self.clock_offset) <= MAX_CLOCK_OFFSET_SECONDS:  # NaN is refused, too
            errors["clock_offset"] = _("A clock can be off by a day at most.")
        try:
            compile_pattern(self.pattern)
        except UserError as error:
            errors["pattern"] = str(error)
        if errors:
            raise ValidationError(errors)


class SourceTest(jobs.LeasedJob):
    """The last test of a source that a person asked for. It lists the source's files and fetches nothing."""

    class State(models.TextChoices):
        QUEUED = "queued", _("being tested")
        DONE = "done", _("done")
        FAILED = "failed", _("failed")

    source = models.OneToOneField(Source, on_delete=models.CASCADE, related_name="test", verbose_name=_("source"))
    state = models.CharField(_("state"), max_length=10, choices=State.choices, default=State.QUEUED)
    requested_at = models.DateTimeField(_("requested at"), auto_now=True)
    files = models.JSONField(
        _("files"),
        default=list,
        help_text="The newest files: path, size and modification time of each, and a recorder's channel and times.",
    )
    file_count = models.PositiveIntegerField(_("files at the source"), default=0)
    channels = models.JSONField(
        _("channels"),
        default=list,
        help_text="What a recorder calls each of its channels, and the name for people.",
    )
    camera_report = MessageField(
        _("what the cameras send"), help_text="For a source without files: one line per camera."
    )

    class Meta:
        verbose_name = _("test of a source")
        verbose_name_plural = _("tests of sources")

    def __str__(self) -> str:
        return f"test of {self.source}"


class DeviceSearch(jobs.LeasedJob):
    """The last search for ONVIF devices that a person asked for; the table has one row."""

    class State(models.TextChoices):
        QUEUED = "queued", _("under way")
        DONE = "done", _("done")
        FAILED = "failed", _("failed")

    state = models.CharField(_("state"), max_length=10, choices=State.choices, default=State.QUEUED)
    requested_at = models.DateTimeField(_("requested at"), auto_now=True)
    devices = models.JSONField(_("devices"), default=list, help_text="Address, name and hardware of each.")

    class Meta:
        verbose_name = _("search for devices")
        verbose_name_plural = _("searches for devices")

    def __str__(self) -> str:
        return f"search for devices of {self.requested_at}"


class Camera(PictureSettings):
    """A camera of a source, the room it shows, and how its pictures are read. The label is its name in the paths of
    files; a source's only camera needs none."""

    source = models.ForeignKey(Source, on_delete=models.CASCADE, related_name="cameras", verbose_name=_("source"))
    label = models.CharField(
        _("name in paths"), max_length=100, blank=True, help_text=_("Of a recorder: its channel, such as 101.")
    )
    room = models.ForeignKey(Room, on_delete=models.CASCADE, related_name="cameras", verbose_name=_("room"))

    class Meta:
        verbose_name = _("camera")
        verbose_name_plural = _("cameras")
        ordering = ["source__name", "label"]
        constraints = [
            models.UniqueConstraint(
                fields=["source", "label"],
                name="one_camera_a_source_and_label",
                violation_error_message=_("This source already has a camera with this name."),
            )
        ]

    def __str__(self) -> str:
        return f"{self.source.name}/{self.label}" if self.label else self.source.name

    def clean(self) -> None:
        if self.source.is_recorder and not self.label:
            raise ValidationError({"label": _("Enter the recorder's channel. “Test now” lists its channels.")})


def footage_file_path(footage_file: "FootageFile", name: str) -> str:
    """Names from outside are data, never paths: the stored name is the row's UUID."""
    return f"footage/{footage_file.id}{file_suffix(name)}"


class FootageFile(jobs.LeasedJob):
    """A file that a source has, or had. A lecture may be shown by several files, and a file may show two lectures.

    discovered --a lecture or a person wants it--> fetching --> stored, failed, or duplicate (the same bytes are stored
    already). After an error that may pass, it waits in `retry` until `retry_at`. A person may discard a file, and
    restore it.
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
        help_text=_("Assigned by a person. Empty: the lectures that took place in the camera's room at the time."),
    )
    path = models.CharField(_("path"), max_length=MAX_PATH_LENGTH)
    size = models.PositiveBigIntegerField(_("size in bytes"), default=0)
    modified_at = models.DateTimeField(_("last modified"), null=True)
    starts_at = models.DateTimeField(_("from"), null=True, help_text=_("With the camera's clock corrected."))
    ends_at = models.DateTimeField(_("to"), null=True, help_text=_("By the file name; once fetched, by the duration."))
    state = models.CharField(_("state"), max_length=10, choices=State.choices, default=State.DISCOVERED)
    file = models.FileField(storage=clear_storage, upload_to=footage_file_path, max_length=200, blank=True)
    fetched_bytes = models.PositiveBigIntegerField(_("bytes fetched"), default=0)
    sha256 = models.CharField(max_length=64, blank=True)
    info = models.JSONField(_("technical data"), default=dict)
    retry_count = models.PositiveSmallIntegerField(_("retries"), default=0)
    retry_at = models.DateTimeField(_("next retry"), null=True, blank=True)
    fully_written = models.BooleanField(_("fully written"), default=False, help_text=_("Unchanged for a while."))
    note = MessageField(_("note"), help_text=_("Anything unusual: no lecture at that time, cut off, …"))
    needs_assignment = models.BooleanField(
        default=False, editable=False, help_text="Only a person can tell which lecture it shows."
    )
    discovered_at = models.DateTimeField(_("discovered"), auto_now_add=True)
    fetched_at = models.DateTimeField(_("fetched"), null=True)

    class Meta:
        verbose_name = _("footage file")
        verbose_name_plural = _("footage files")
        ordering = ["-starts_at", "path"]
        constraints = [models.UniqueConstraint(fields=["source", "path"], name="one_footage_file_a_source_and_path")]
        indexes = [
            models.Index(fields=["camera", "starts_at"], name="footage_camera_time"),
            models.Index(fields=["state", "retry_at"], name="footage_retry_due"),
            models.Index(fields=["discovered_at"], condition=Q(needs_assignment=True), name="footage_needs_assignment"),
        ]

    def __str__(self) -> str:
        return f"{self.path} of {self.source}"


class Collection(models.Model):
    """How far the automatic collection of a lecture's footage is; one row per lecture.

    waiting --the lecture ends, or a file arrives--> collecting --all footage is stored--> complete. At the deadline it
    becomes complete with the footage there is, or missing if there is none. No lease is needed: each step is one
    conditional UPDATE.
    """

    class State(models.TextChoices):
        WAITING = "waiting", _("waiting for the lecture")
        COLLECTING = "collecting", _("collecting")
        COMPLETE = "complete", _("complete")
        MISSING = "missing", _("missing")
        OFF = "off", _("not collected")

    OPEN_STATES = (State.WAITING, State.COLLECTING)

    lecture = models.OneToOneField(
        Lecture, on_delete=models.CASCADE, related_name="collection", verbose_name=_("lecture")
    )
    # Time and room of the lecture when this was planned. If they differ from the lecture's, it was moved.
    slot = models.CharField(max_length=200, blank=True, editable=False)
    state = models.CharField(_("state"), max_length=10, choices=State.choices, default=State.WAITING)
    check_count = models.PositiveSmallIntegerField(_("checks"), default=0)
    next_check_at = models.DateTimeField(_("next check"))
    deadline_at = models.DateTimeField(_("deadline"))
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
                name="collection_check_due",
            ),
        ]

    def __str__(self) -> str:
        return f"footage of {self.lecture}"


class Alarm(models.Model):
    """Something that stopped. People are notified when it starts and when it ends. `key` identifies what stopped."""

    class Kind(models.TextChoices):
        UNREACHABLE = "unreachable", _("source cannot be scanned")
        SILENT = "silent", _("source is silent")
        QUEUE = "queue", _("jobs wait too long")
        DARK = "dark", _("camera shows only black")
        FROZEN = "frozen", _("camera's picture is frozen")
        FACELESS = "faceless", _("camera shows no faces")
        ERASURE = "erasure", _("erasure is not done")

    kind = models.CharField(_("kind"), max_length=12, choices=Kind.choices)
    key = models.CharField(max_length=80)
    text = MessageField(_("what happened"))
    started_at = models.DateTimeField(_("since"), auto_now_add=True)
    ended_at = models.DateTimeField(_("ended"), null=True, blank=True)

    class Meta:
        verbose_name = _("alarm")
        verbose_name_plural = _("alarms")
        ordering = ["-started_at"]
        constraints = [models.UniqueConstraint(fields=["key"], condition=Q(ended_at=None), name="one_open_alarm_a_key")]

    def __str__(self) -> str:
        return str(self.text)
