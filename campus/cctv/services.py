"""What people do with sources: describe and test them, and assign, discard or restore their footage."""

import logging
from collections.abc import Iterable, Mapping
from datetime import datetime
from functools import partial
from typing import TypeVar

from django.contrib.auth.models import User
from django.core.exceptions import ValidationError
from django.db import IntegrityError, models, transaction
from django.db.models import F
from django.db.models.functions import Greatest
from django.utils import timezone
from django.utils.translation import gettext as _

from campus.academics.models import Lecture, Room
from campus.cctv import credentials
from campus.cctv.clips import lectures_shown_by, update_recordings_of
from campus.cctv.fetch_queue import MIN_COLLECTION_TIME, queue_file, queue_wanted_files
from campus.cctv.file_discovery import RemoteFile
from campus.cctv.lecture_matching import lectures_between
from campus.cctv.models import Camera, Collection, DeviceSearch, FootageFile, Source, SourceTest
from campus.common import jobs
from campus.common.errors import UserError
from campus.common.keys import match_key
from campus.common.storage import delete_media
from recognition.messages import Message

log = logging.getLogger(__name__)

Row = TypeVar("Row", Source, Camera)

MAX_TEST_FILES = 200  # of a source test, kept to be shown


def save_source(
    *, source: Source, password: str | None = None, message_secret: str | None = None, **changes: object
) -> Source:
    """Validate and save a source. A `password` of None keeps the present one, "" deletes it.

    For SFTP it may be a private key. `message_secret` is what the source signs its messages with; None keeps it, too.
    Raises ValidationError by field, also if the address changes and the password was not entered again.
    """
    for name, value in changes.items():
        setattr(source, name, value)
    secret = clean_password(source, password)
    with transaction.atomic():
        _save(source)  # before its password, which is encrypted for the key of the row
        if secret is not None:
            source.secret = secret
            source.save(update_fields=["secret"])
        if message_secret is not None:
            source.message_secret = message_secret
            source.save(update_fields=["message_secret"])
    return source


def clean_password(source: Source, password: str | None) -> str | None:
    """The password or private key to store; None keeps the present one.

    It is only ever sent to the address that it was entered for: otherwise whoever may edit a source could have it sent
    elsewhere. Raises ValidationError.
    """
    before = Source.objects.filter(pk=source.pk).exclude(secret="").first()
    if before and password is None and (before.kind, before.address) != (source.kind, source.address):
        raise ValidationError({"password": _("The address has changed. Enter the password again, or delete it.")})
    if password is None or not password.startswith(credentials.PRIVATE_KEY_PREFIX):
        return password
    if source.kind != Source.Kind.SFTP:  # another kind would send it as a password
        raise ValidationError({"password": _("Only SFTP takes a private key.")})
    try:
        return credentials.normalize_private_key(password)
    except UserError as error:
        raise ValidationError({"password": str(error)}) from error


def save_camera(*, camera: Camera, **changes: object) -> Camera:
    """Validate and save a camera. Raises ValidationError by field."""
    for name, value in changes.items():
        setattr(camera, name, value)
    return _save(camera)


@transaction.atomic
def save_channel_rooms(*, source: Source, rooms: Mapping[str, Room]) -> None:
    """Say which room each of a recorder's channels shows; the other channels stay as they are.

    Raises ValidationError by field.
    """
    cameras = {match_key(camera.label): camera for camera in source.cameras.all()}
    for channel, room in rooms.items():
        save_camera(camera=cameras.get(match_key(channel)) or Camera(source=source, label=channel), room=room)


def _save(row: Row) -> Row:
    row.full_clean(exclude={"secret", "message_secret"})  # of a source: it may be that it can't be decrypted any more
    try:
        with transaction.atomic():
            row.save()
    except IntegrityError as error:
        raise UserError("Somebody else saved the same at this moment. Check it, then try again.") from error
    return row


def delete_source(*, source: Source) -> None:
    """Delete a source with its cameras and its footage files. Raises UserError if attendance was taken from its
    footage.
    """
    files = [footage_file.file for footage_file in source.footage_files.exclude(file="")]
    with transaction.atomic():
        _delete(source)
        for file in files:
            transaction.on_commit(partial(file.delete, save=False))


def delete_camera(*, camera: Camera) -> None:
    """Raises UserError if attendance was taken from its footage."""
    _delete(camera)


def _delete(row: Source | Camera) -> None:
    try:
        row.delete()
    except models.ProtectedError as error:
        raise UserError(
            "Attendance was taken from its footage, so it can't be deleted. Disable the source instead."
        ) from error


def request_source_test(*, source: Source) -> SourceTest:
    """Have a worker list what the source has, without fetching anything. A repeated request starts the test again."""
    with transaction.atomic():
        queued = {
            "state": SourceTest.State.QUEUED,
            "files": [],
            "file_count": 0,
            "channels": [],
            "camera_report": "",
            "error": "",
            "error_detail": "",
        } | jobs.RESET_FIELDS
        test, _made = SourceTest.objects.update_or_create(source=source, defaults=queued)
        jobs.TEST_SOURCE.request(test.pk)
    return test


def finish_source_test(
    *,
    test: SourceTest,
    files: Iterable[RemoteFile] = (),
    channels: Iterable[tuple[str, str]] = (),
    camera_report: Message | None = None,
) -> bool:
    """Save what the worker found: the newest files, a recorder's channels with their names, or what the cameras send.

    False: this attempt lost its lease.
    """
    seen = sorted(files, key=lambda file: (file.modified is not None, file.modified, file.path), reverse=True)
    shown = [
        [file.path, file.size, _iso(file.modified), file.channel, _iso(file.starts), _iso(file.ends)]
        for file in seen[:MAX_TEST_FILES]
    ]
    return jobs.finish(
        test,
        SourceTest.State.DONE,
        files=shown,
        file_count=len(seen),
        channels=[list(channel) for channel in channels],
        camera_report=camera_report or Message(),
    )


def request_device_search() -> DeviceSearch:
    """Have a worker look for ONVIF devices. A repeated request starts the search again."""
    with transaction.atomic():
        queued = {"state": DeviceSearch.State.QUEUED, "devices": [], "error": "", "error_detail": ""}
        search, _made = DeviceSearch.objects.update_or_create(pk=1, defaults=queued | jobs.RESET_FIELDS)
        jobs.FIND_DEVICES.request(search.pk)
    return search


def finish_device_search(*, search: DeviceSearch, devices: Iterable[tuple[str, str, str]]) -> bool:
    """Save the address, name and hardware of each device that answered. False: this attempt lost its lease."""
    return jobs.finish(search, DeviceSearch.State.DONE, devices=[list(device) for device in devices])


def _iso(moment: datetime | None) -> str | None:
    return moment.isoformat() if moment else None


def restore_footage_file(*, footage_file: FootageFile, user: User | None = None) -> None:
    """Treat a discarded file as if it had just been discovered. Raises UserError if it is not discarded, or not at the
    source any more.
    """
    if footage_file.source.kind == Source.Kind.RTSP:
        raise UserError("This was recorded live from a camera, so there is no other copy of it.")
    if not FootageFile.objects.filter(pk=footage_file.pk, state=FootageFile.State.DISCARDED).update(
        state=FootageFile.State.DISCOVERED, fully_written=True
    ):
        raise UserError("This file is not discarded.")
    log.info("footage file %s: restored by user %s", footage_file.pk, user and user.pk)
    shown = (
        lectures_between(footage_file.starts_at, footage_file.ends_at)
        if footage_file.starts_at and footage_file.ends_at
        else ()
    )
    queue_wanted_files(source=footage_file.source, lectures=shown)


def restart_collection(*, collection: Collection, user: User | None = None) -> None:
    """Look for the lecture's footage again, now and for some time. Raises UserError if none can exist."""
    now = timezone.now()
    if collection.state == Collection.State.OFF:
        raise UserError("The footage of this lecture is not collected: {why}", why=collection.note)
    if collection.lecture.starts_at > now:
        raise UserError("This lecture has not begun yet.")
    Collection.objects.filter(pk=collection.pk).exclude(state=Collection.State.OFF).update(
        state=Collection.State.COLLECTING,
        check_count=0,
        next_check_at=now,
        deadline_at=Greatest("deadline_at", now + MIN_COLLECTION_TIME),
        finished_at=None,
        note="",
    )
    log.info("lecture %s: collection restarted by user %s", collection.lecture_id, user and user.pk)


def fetch_sample_file(*, camera: Camera, user: User | None = None) -> None:
    """Fetch the camera's latest file although no lecture wants it, so that people see what the camera shows.

    Raises UserError if there is none.
    """
    found = camera.footage_files.filter(state=FootageFile.State.DISCOVERED, fully_written=True)
    latest = found.order_by(F("starts_at").desc(nulls_last=True), "path").first()
    if latest is None:
        raise UserError("No file of this camera has been found at its source yet. Wait for the next scan.")
    with transaction.atomic():
        if queue_file(latest.pk, FootageFile.State.DISCOVERED):
            log.info("footage file %s: wanted as a sample by user %s", latest.pk, user and user.pk)


@transaction.atomic
def assign_footage_file(*, footage_file: FootageFile, lecture: Lecture, user: User | None = None) -> None:
    """Make the footage file show this lecture and no other, as a person decided; fetch it if it is not stored yet.

    If its time does not fit the lecture, it is placed at the lecture's start. Raises UserError if the same bytes are
    stored under another name.
    """
    footage_file = FootageFile.objects.select_for_update().get(pk=footage_file.pk)
    if footage_file.state == FootageFile.State.DUPLICATE:
        raise UserError("The same file is stored under another name. Assign that one.")
    before = list(lectures_shown_by(footage_file))
    ends = footage_file.ends_at or footage_file.starts_at
    if (
        footage_file.starts_at is None
        or ends is None
        or footage_file.starts_at >= lecture.ends_at
        or ends <= lecture.starts_at
    ):
        length = ends - footage_file.starts_at if footage_file.starts_at and ends else None
        footage_file.starts_at, footage_file.ends_at = lecture.starts_at, lecture.starts_at + length if length else None
    if footage_file.camera is None:
        cameras = footage_file.source.cameras.all()
        in_room = cameras.filter(room=lecture.room_id)
        footage_file.camera = next((found.get() for found in (in_room, cameras) if found.count() == 1), None)
    footage_file.lecture, footage_file.note = lecture, ""
    footage_file.save(update_fields=["lecture", "starts_at", "ends_at", "camera", "note"])
    missing = FootageFile.objects.filter(pk=footage_file.pk).exclude(
        state__in=(FootageFile.State.STORED, FootageFile.State.FETCHING)
    )
    if missing.update(
        state=FootageFile.State.FETCHING, retry_count=0, retry_at=None, error="", error_detail="", **jobs.RESET_FIELDS
    ):
        jobs.FETCH.request(footage_file.pk)
    for affected in {*before, lecture}:
        update_recordings_of(lecture=affected)
    log.info("footage file %s: assigned to lecture %s by user %s", footage_file.pk, lecture.pk, user and user.pk)


@transaction.atomic
def discard_footage_file(*, footage_file: FootageFile, user: User | None = None) -> None:
    """Delete the bytes of a footage file that is of no use, and count the lectures that it showed without it."""
    footage_file = FootageFile.objects.select_for_update().get(pk=footage_file.pk)
    lectures, name = list(lectures_shown_by(footage_file)), footage_file.file.name
    discarded = {
        "state": FootageFile.State.DISCARDED,
        "file": "",
        "fetched_bytes": 0,
        "retry_at": None,
        "lecture": None,
        "note": "",
        "error": "",
    }
    FootageFile.objects.filter(pk=footage_file.pk).update(**discarded | jobs.RESET_FIELDS)
    for lecture in lectures:
        update_recordings_of(lecture=lecture)
    if name:
        transaction.on_commit(lambda: delete_media(name), robust=True)
    log.info("footage file %s: discarded by user %s", footage_file.pk, user and user.pk)
