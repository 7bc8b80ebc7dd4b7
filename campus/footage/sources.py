"""Everything that people write about sources: what they are, a look at what they have, and what becomes of a file."""

from collections.abc import Iterable
from datetime import datetime
from typing import Protocol

from django.db import transaction

from campus.footage.models import Source, SourceTest
from campus.work import WAITING, finish, request

SHOWN = 200  # files of a test that are kept to be looked at


class FileThere(Protocol):
    """A file at a source: its path below the source's address, bytes, and when it was changed."""

    @property
    def path(self) -> str: ...
    @property
    def size(self) -> int: ...
    @property
    def modified(self) -> datetime | None: ...


def source_test(*, source: Source) -> SourceTest:
    """Ask a worker to look at what the source has, and to fetch nothing. Asked for again meanwhile, it is looked at anew."""
    with transaction.atomic():
        queued = {"state": SourceTest.State.QUEUED, "files": [], "count": 0, "error": "", "error_detail": ""} | WAITING
        test, _made = SourceTest.objects.update_or_create(source=source, defaults=queued)
        request("rollcall.test_source", test.pk)
    return test


def source_tested(*, test: SourceTest, files: Iterable[FileThere]) -> bool:
    """What the worker saw; the newest are kept. False: this attempt lost its lease."""
    seen = sorted(files, key=lambda file: (file.modified is not None, file.modified, file.path), reverse=True)
    shown = [[file.path, file.size, file.modified and file.modified.isoformat()] for file in seen[:SHOWN]]
    return finish(test, SourceTest.State.DONE, files=shown, count=len(seen))
