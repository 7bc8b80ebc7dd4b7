"""Give everything that is encrypted an envelope of the newest key, while others read and write.

A row's value and a file's envelope are changed only if they are still what was read (compare and swap). So nothing
that somebody writes is lost, and nothing that is deleted comes back.
"""

from collections import Counter
from collections.abc import Iterator
from enum import Enum, auto
from typing import Any

from django.apps import apps

from campus.common.encrypted_fields import EncryptedBinaryField
from campus.common.encryption import ENVELOPE_BYTES, MAGIC, DecryptionError, rewrap
from campus.common.storage import media

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
    for file in media().walk():
        try:
            if outcome := _rotate_file(file.name, only_check):
                outcomes[outcome] += 1
        except FileNotFoundError:
            continue  # deleted meanwhile
        except DecryptionError:
            outcomes[Outcome.UNREADABLE] += 1
    return outcomes


def _rotate_file(name: str, only_check: bool) -> Outcome | None:
    """None for a file that is not encrypted, or that somebody has just written."""
    envelope = media().read(name, ENVELOPE_BYTES)
    if not envelope.startswith(MAGIC):
        return None
    rewrapped = rewrap(envelope)
    if rewrapped == envelope:
        return Outcome.NEWEST_KEY
    if only_check:
        return Outcome.OLDER_KEY
    return Outcome.ROTATED if media().replace_head(name, envelope, rewrapped) else None
