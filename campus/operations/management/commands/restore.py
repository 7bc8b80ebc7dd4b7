"""Restore what `manage.py backup` has made: the database and the stored files, in the place of what is there. Stop
Rollcall first. A restore that was stopped goes on when the command is repeated. Who was erased after the backup is
erased again.
"""

import os
from argparse import ArgumentTypeError
from pathlib import Path
from typing import Any

from django.contrib.auth.models import User
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from campus.common.encryption import key_ids
from campus.operations.backup import (
    PARTS,
    BackupError,
    BackupFolder,
    check_backup,
    open_folder,
    restore_database,
    restore_storage,
    time_of,
)
from campus.operations.passphrase import ask_passphrase
from campus.operations.sealed_files import DamagedBackup
from campus.privacy.after_restore import Ended, Ending


def parse_receipt(text: str) -> Ending:
    """An erasure as its receipt is headed, such as “student 12”."""
    word, _, number = text.partition(" ")
    kind = {"student": Ended.STUDENT, "class": Ended.COURSE}.get(word)
    if kind is None or not number.isdecimal():
        raise ArgumentTypeError("write it as “student 12” or “class 3”, with the number of the receipt")
    return Ending(kind, int(number), timezone.now())


class Command(BaseCommand):
    help = __doc__

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("folder", type=Path, metavar="FOLDER", help="where the backups are")
        parser.add_argument("--backup", metavar="NAME", help="by default the newest")
        parser.add_argument("--part", action="append", choices=PARTS, help="by default all that it has but the keys")
        parser.add_argument("--keys-to", type=Path, metavar="FILE", help="where the keys are written, for --part keys")
        parser.add_argument("--overwrite", action="store_true", help="replace a database in which there are accounts")
        parser.add_argument(
            "--erase", action="append", type=parse_receipt, metavar="RECEIPT", help="“student 12”: erase this one, too"
        )
        action = parser.add_mutually_exclusive_group()
        action.add_argument("--check", action="store_true", help="only read all of it")
        action.add_argument("--list", action="store_true", dest="only_list", help="only say which backups there are")

    def handle(self, *args: Any, folder: Path, **options: Any) -> None:
        try:
            self.restore(open_folder(folder, ask_passphrase()), **options)
        except (BackupError, DamagedBackup) as error:
            raise CommandError(str(error)) from error
        except OSError as error:
            raise CommandError(f"The backup could not be restored: {error.strerror or error}.") from error

    def restore(
        self,
        folder: BackupFolder,
        *,
        backup: str | None,
        part: list[str] | None,
        keys_to: Path | None,
        overwrite: bool,
        erase: list[Ending] | None,
        check: bool,
        only_list: bool,
        **options: Any,
    ) -> None:
        names = folder.names()
        if only_list:
            self.stdout.write("\n".join(names))
            return
        name = backup or (names[-1] if names else "")
        if name not in names:
            raise CommandError(f"There is no complete backup {name}. See --list.")
        if check:
            manifest = check_backup(folder, name)
            self.stdout.write(f"{name} can be restored: {manifest.rows} rows, {manifest.files} files.")
            return
        manifest = folder.read_manifest(name)
        parts = [each for each in manifest.parts if each in (part or ("database", "storage"))]
        if not parts:
            raise CommandError(f"This backup has only: {', '.join(manifest.parts)}. Choose with --part.")
        if "keys" in parts:
            self.write_keys(folder, name, keys_to)
        if "database" in parts and not overwrite and User.objects.exists():
            raise CommandError("There are accounts in this database. To replace everything in it, add --overwrite.")
        if "storage" in parts:
            self.stdout.write(f"{restore_storage(folder, name)} files were written.")
        if "database" in parts:
            restored = restore_database(folder, name, erase or ())
            self.stdout.write(f"{restored.rows} rows were restored.")
            self.stdout.write(
                f"{restored.endings} erasures and withdrawals of consent from after the backup are done again, as far "
                f"as this database and the folder knew of them. Look through the receipts of erasures since "
                f"{time_of(name):%Y-%m-%d %H:%M} UTC: whoever is not erased in Rollcall has to be erased again."
            )
            if set(manifest.key_ids) - set(key_ids()):
                self.stderr.write(
                    "Faces and secrets of this backup can't be read: a key is missing in ROLLCALL_ENCRYPTION_KEYS. "
                    "Restore the keys, from the folder with the backup of the keys."
                )

    def write_keys(self, folder: BackupFolder, name: str, file: Path | None) -> None:
        if file is None:
            raise CommandError("Say with --keys-to in which new file the keys are to be written.")
        with open(file, "x", opener=lambda path, flags: os.open(path, flags, 0o600)) as target:
            target.writelines(f"{key}={value}\n" for key, value in folder.read_json(name, "keys").items())
        self.stdout.write(f"{file} has the keys, as lines for the environment.")
