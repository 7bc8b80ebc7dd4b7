from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from campus.common.errors import UserError
from campus.connections.models import Connection
from campus.connections.oneroster_adapter import read_zip
from campus.connections.registry_update import update_from_registry


class Command(BaseCommand):
    help = "Bring terms, classes and rosters up to date with a zip of OneRoster's CSV files."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("connection", help="the name of a connection of the kind OneRoster")
        parser.add_argument("zip", type=Path)
        parser.add_argument("--dry-run", action="store_true", help="say only what would be done")

    def handle(self, *_args: Any, connection: str, zip: Path, dry_run: bool, **_options: Any) -> None:
        try:
            row = Connection.objects.get(name=connection, kind=Connection.Kind.ONEROSTER)
            outcome = update_from_registry(connection=row, registry=read_zip(zip.read_bytes()), is_trial=dry_run)
        except Connection.DoesNotExist as error:
            raise CommandError(f"There is no connection “{connection}” of the kind OneRoster.") from error
        except (UserError, OSError) as error:
            raise CommandError(str(error)) from error
        for name, count in sorted(outcome.counts.items()):
            if count:
                self.stdout.write(f"{name}: {count}")
        for problem in outcome.problems:
            self.stdout.write(str(problem))
        if outcome.questions:
            raise CommandError(f"A person has to decide: {outcome.remark}")
