"""Encrypt everything that is stored with the newest of ROLLCALL_ENCRYPTION_KEYS, while Rollcall runs. Afterwards the
older keys can be removed, except for backups. It can be stopped and repeated at any time.
"""

from collections import Counter
from collections.abc import Iterator
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from campus.common.key_rotation import Outcome, encrypted_fields, rotate_field, rotate_media


class Command(BaseCommand):
    help = __doc__

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--check", action="store_true", help="only say what still uses an older key")

    def handle(self, *args: Any, check: bool, **options: Any) -> None:
        if not check:
            for place, outcomes in _rotate(only_check=False):
                self.stdout.write(f"{place}: {outcomes[Outcome.ROTATED]} encrypted with the newest key")
        total: Counter[Outcome] = Counter()
        for place, outcomes in _rotate(only_check=True):  # a process with the old keys may have written meanwhile
            total += outcomes
            if outcomes[Outcome.OLDER_KEY] or outcomes[Outcome.UNREADABLE]:
                self.stdout.write(
                    f"{place}: {outcomes[Outcome.OLDER_KEY]} with an older key, {outcomes[Outcome.UNREADABLE]} with a "
                    "key that is missing, or damaged"
                )
        if total[Outcome.UNREADABLE]:
            raise CommandError("Some can't be decrypted. Add the keys that are missing, or restore a backup.")
        if total[Outcome.OLDER_KEY]:
            raise CommandError("Some use an older key. Restart what does not know the newest key, and rotate again.")
        self.stdout.write(f"All {total[Outcome.NEWEST_KEY]} use the newest key.")


def _rotate(*, only_check: bool) -> Iterator[tuple[str, Counter[Outcome]]]:
    for field in encrypted_fields():
        yield f"{field.model._meta.label}.{field.name}", rotate_field(field, only_check=only_check)
    yield "media files", rotate_media(only_check=only_check)
