"""Give everything that is encrypted an envelope of the newest key, while others read and write.

A row is changed only if its value is still the one that was read (compare and swap). A file's envelope is replaced
within the file: whoever writes or deletes the file meanwhile puts another one in its place or none, which this does not
touch. So nothing that somebody writes is lost, and nothing that is deleted comes back.
"""

import fcntl
import os
from collections import Counter
from collections.abc import Iterator
from enum import Enum, auto
from pathlib import Path
from typing import Any

from django.apps import apps
from django.conf import settings

from campus.common.encrypted_fields import EncryptedBinaryField
from campus.common.encryption import ENVELOPE_BYTES, MAGIC, DecryptionError, rewrap

ROWS_PER_QUERY = 500


class Outcome(Enum):
    """What was found of one value or file."""

    NEWEST_KEY = auto()
    ROTATED = auto()
    OLDER_KEY = auto()
    UNREADABLE = auto()


def encrypted_fields() -> list[EncryptedBinaryField]:
    """All fields of all models that are encrypted."""
    fields = [field for model in apps.get_models() for field in model._meta.local_fields]
    return [field for field in fields if isinstance(field, EncryptedBinaryField)]


def rotate_field(field: EncryptedBinaryField, *, only_check: bool = False) -> Counter[Outcome]:
    """Rewrap a field's values of all rows, or only count them."""
    outcomes: Counter[Outcome] = Counter()
    rows = field.model._base_manager
    for pk, value in _values(field):
        try:
            rewrapped = value.with_newest_key()
            if rewrapped == value:
                outcomes[Outcome.NEWEST_KEY] += 1
            elif only_check:
                outcomes[Outcome.OLDER_KEY] += 1
            elif rows.filter(pk=pk, **{field.name: value}).update(**{field.name: rewrapped}):
                outcomes[Outcome.ROTATED] += 1
        except DecryptionError:
            outcomes[Outcome.UNREADABLE] += 1
    return outcomes


def _values(field: EncryptedBinaryField) -> Iterator[tuple[Any, Any]]:
    """The primary keys and values of all rows, in short queries."""
    rows = field.model._base_manager.order_by("pk").values_list("pk", field.name)
    batch = list(rows[:ROWS_PER_QUERY])
    while batch:
        yield from ((pk, value) for pk, value in batch if value)
        batch = list(rows.filter(pk__gt=batch[-1][0])[:ROWS_PER_QUERY])


def rotate_media(*, only_check: bool = False) -> Counter[Outcome]:
    """Rewrap all media files that are encrypted, or only count them."""
    outcomes: Counter[Outcome] = Counter()
    for folder, _, names in os.walk(settings.MEDIA_ROOT):
        for name in names:
            try:
                if outcome := _rotate_file(Path(folder, name), only_check):
                    outcomes[outcome] += 1
            except FileNotFoundError:
                continue  # deleted meanwhile
            except DecryptionError:
                outcomes[Outcome.UNREADABLE] += 1
    return outcomes


def _rotate_file(path: Path, only_check: bool) -> Outcome | None:
    """None for a file that is not encrypted."""
    with path.open("r+b", buffering=0) as file:
        fcntl.flock(file, fcntl.LOCK_EX)  # nobody reads half an envelope
        envelope = file.read(ENVELOPE_BYTES)
        if not envelope.startswith(MAGIC):
            return None
        rewrapped = rewrap(envelope)
        if rewrapped == envelope:
            return Outcome.NEWEST_KEY
        if only_check:
            return Outcome.OLDER_KEY
        before = os.fstat(file.fileno())
        os.pwrite(file.fileno(), rewrapped, 0)
        os.fsync(file.fileno())
        os.utime(file.fileno(), ns=(before.st_atime_ns, before.st_mtime_ns))  # its age says when it expires
    return Outcome.ROTATED
