"""The chain of hashes: how an entry's is computed, and whether all are right.

A hash is SHA-256 over the JSON of a list: the entry's number, the hash of the entry before, and FIELDS in their order.
It has no spaces, non-ASCII characters are escaped, and the time is in UTC, as "2026-11-29T22:34:20.000000".
"""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, timedelta
from typing import Any, Final

from django.utils import timezone

from campus.audit.models import FIELDS, AuditCheckpoint, AuditEntry

ENTRIES_PER_QUERY: Final = 5000
MAX_SEALING_TIME: Final = timedelta(minutes=5)
MAX_FAULTS: Final = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Verification:
    """The chain's end, how many entries it has, and what is wrong with it: sentences."""

    head: str
    entries: int
    faults: list[str]


def hash_of(entry: AuditEntry, sequence: int, previous_hash: str) -> str:
    """The hash of an entry that has this number, and follows the entry with that hash."""
    return _hash(sequence, previous_hash, [getattr(entry, name) for name in FIELDS])


def _hash(sequence: int, previous_hash: str, values: list[Any]) -> str:
    values[1] = values[1].astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")
    text = json.dumps([sequence, previous_hash, *values], separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def verify_chain(printed_head: str = "") -> Verification:
    """Recompute all hashes. With a head that was printed before, find also what was cut off or written anew since."""
    checkpoint = AuditCheckpoint.objects.first() or AuditCheckpoint()
    walk = _Walk(checkpoint, printed_head)
    faults = []
    for fault in walk.find_faults():
        faults.append(fault)
        if len(faults) == MAX_FAULTS:
            faults.append("There may be more: this stops here.")
            break
    return Verification(head=f"{walk.sequence}:{walk.hash}", entries=walk.entries, faults=faults)


class _Walk:
    def __init__(self, checkpoint: AuditCheckpoint, printed_head: str) -> None:
        self.begin, self.sequence, self.hash = checkpoint.sequence, checkpoint.sequence, checkpoint.hash
        number, _, self.printed_hash = printed_head.partition(":")
        self.printed = int(number) if printed_head else None
        self.entries = 0

    def find_faults(self) -> Iterator[str]:
        if self.printed is not None and self.printed < self.begin:
            yield f"Entry {self.printed} of the printed head was deleted on schedule. Compare a newer head."
        rows = (
            AuditEntry.objects.exclude(sequence=None)
            .order_by("sequence")
            .values_list("sequence", "previous_hash", "hash", *FIELDS)
        )
        if self.printed == self.begin and self.printed_hash != self.hash:
            yield "The chain does not begin where the printed head says: its beginning was written anew."
        for sequence, previous_hash, digest, *values in rows.iterator(chunk_size=ENTRIES_PER_QUERY):
            yield from self.check(sequence, previous_hash, digest, values)
        if self.printed is not None and self.printed > self.sequence:
            yield f"Entries {self.sequence + 1} to {self.printed} are missing: the end was cut off."
        overdue = AuditEntry.objects.filter(sequence=None, at__lt=timezone.now() - MAX_SEALING_TIME)
        if count := overdue.count():
            yield f"{count} entries have waited for more than five minutes to be sealed. Does the scheduler run?"

    def check(self, sequence: int, previous_hash: str, digest: str, values: list[Any]) -> Iterator[str]:
        at = values[1]
        if sequence <= self.begin:
            yield f"Entry {sequence} is still there, although the entries up to {self.begin} were deleted on schedule."
            return
        if sequence > self.sequence + 1:
            yield f"Entries {self.sequence + 1} to {sequence - 1} are missing."
        elif previous_hash != self.hash:
            yield f"Entry {sequence} follows another entry {self.sequence}, which was written anew."
        if digest != _hash(sequence, previous_hash, values):
            yield f"Entry {sequence} of {at:%Y-%m-%d %H:%M} UTC was changed."
        elif sequence == self.printed and digest != self.printed_hash:
            yield f"Entry {sequence} is not that of the printed head: the log up to there was written anew."
        self.sequence, self.hash = sequence, digest
        self.entries += 1
