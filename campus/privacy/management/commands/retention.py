from datetime import timedelta
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from campus.privacy.models import RetentionRule
from campus.privacy.retention import apply_retention, count_due


class Command(BaseCommand):
    help = "Delete what the retention rules say, now. With --dry-run, say only what would be deleted."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--dry-run", action="store_true")

    def handle(self, *_args: Any, dry_run: bool, **_options: Any) -> None:
        if dry_run:
            counts = count_due(ahead=timedelta())
        else:
            run = apply_retention()
            kinds = RetentionRule.Kind
            counts = {kind: (run.deleted.get(kind.value, 0), run.held.get(kind.value, 0)) for kind in kinds}
        self.stdout.write(f"{'to delete' if dry_run else 'deleted today':>13} {'held':>6}")
        for kind, (deleted, held) in counts.items():
            self.stdout.write(f"{deleted:>13} {held:>6}  {kind.label}")
