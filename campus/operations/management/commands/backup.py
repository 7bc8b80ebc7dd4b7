"""Back up the database and the stored files into a folder, encrypted, while Rollcall runs. A backup that was stopped
goes on when the command is repeated. The keys belong elsewhere: manage.py backup OTHER_FOLDER --part keys
"""

from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from campus.operations.backup import PARTS, BackupError, delete_old_backups, make_backup, open_folder
from campus.operations.passphrase import ask_passphrase
from campus.operations.sealed_files import DamagedBackup


class Command(BaseCommand):
    help = __doc__

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("folder", type=Path, metavar="FOLDER", help="where the backups are, on another disk")
        parser.add_argument("--part", action="append", choices=PARTS, help="by default database and storage")
        parser.add_argument("--keep", type=int, help="delete all but so many backups afterwards")

    def handle(
        self, *args: Any, folder: Path, part: list[str] | None, keep: int | None, verbosity: int, **options: Any
    ) -> None:
        parts = set(part or ("database", "storage"))
        if "keys" in parts and len(parts) > 1:
            raise CommandError("Back up the keys alone, into another folder: whoever finds both reads everything.")
        if keep is not None and keep < 1:
            raise CommandError("--keep is at least 1.")
        say = self.stdout.write if verbosity else lambda _line: None
        passphrase = ask_passphrase(is_new=not (folder / "backup.json").exists())
        try:
            opened = open_folder(folder, passphrase, create=True)
            say(f"{folder / make_backup(opened, parts, say)} is complete.")
            if keep:
                for name in delete_old_backups(opened, keep):
                    say(f"{folder / name} was deleted.")
        except (BackupError, DamagedBackup) as error:
            raise CommandError(str(error)) from error
        except OSError as error:
            raise CommandError(f"The backup could not be written: {error.strerror or error}.") from error
