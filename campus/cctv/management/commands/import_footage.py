"""`manage.py import_footage FOLDER --pattern ...`: import the recordings of a folder once."""

import time
from argparse import ArgumentParser
from collections import Counter
from pathlib import Path
from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError
from django.db import transaction

from campus.cctv.file_discovery import ParsedFile
from campus.cctv.folder_import import finish_import, import_files, list_files, save_import_source
from campus.cctv.models import FootageFile, Source
from campus.common.errors import UserError

POLL_INTERVAL_SECONDS = 2.0


class Command(BaseCommand):
    help = "Import the recordings of a folder once: room and time say which lecture each belongs to."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("folder", type=Path)
        parser.add_argument(
            "--pattern",
            required=True,
            help="how the files are named, such as '{room}/{date:%%Y%%m%%d}/{start:%%H%%M%%S}.mp4'",
        )
        parser.add_argument("--room", default="", help="the room of all files whose paths do not name one")
        parser.add_argument(
            "--camera",
            action="append",
            default=[],
            metavar="NAME=ROOM",
            help="the room of a camera that is named in the paths",
        )
        parser.add_argument("--time-zone", default="", help="of the times in the names; by default the institution's")
        parser.add_argument("--dry-run", action="store_true", help="show how each file is read, and change nothing")

    def handle(self, *args: Any, folder: Path, dry_run: bool, **options: Any) -> None:
        rooms = dict(entry.rpartition("=")[::2] for entry in options["camera"]) | {"": options["room"]}
        try:
            with transaction.atomic():
                files = list_files(folder)
                source = save_import_source(
                    folder, pattern=options["pattern"], time_zone=options["time_zone"], rooms=rooms, files=files
                )
                parsed_files = import_files(source=source, files=files)
                self.show(source, parsed_files)
                transaction.set_rollback(dry_run)
        except UserError as error:
            raise CommandError(str(error)) from error
        except ValidationError as error:
            raise CommandError(" ".join(error.messages)) from error
        if dry_run:
            return
        try:
            self.wait(source)
        finally:
            finish_import(source=source)

    def show(self, source: Source, parsed_files: list[ParsedFile]) -> None:
        zone = source.tzinfo
        for parsed in parsed_files:
            when = f"{parsed.starts_at.astimezone(zone):%Y-%m-%d %H:%M}" if parsed.starts_at else "?"
            self.stdout.write(
                f"{parsed.file.path}: {when}, {parsed.note or ', '.join(str(lecture) for lecture in parsed.lectures)}"
            )
        used = sum(bool(parsed.lectures) and not parsed.note for parsed in parsed_files)
        self.stdout.write(f"{len(parsed_files)} files, {used} of them show a lecture.")

    def wait(self, source: Source) -> None:
        """Wait until the workers have fetched all files. After an interruption the command can be run again: stored
        files are not fetched twice.
        """
        printed = None
        while True:
            states = Counter(source.footage_files.order_by().values_list("state", flat=True))
            if states != printed:
                stored, fetching = states[FootageFile.State.STORED], states[FootageFile.State.FETCHING]
                self.stdout.write(f"{stored} stored, {fetching} still to fetch.")
            printed = states
            if not states[FootageFile.State.FETCHING]:
                break
            time.sleep(POLL_INTERVAL_SECONDS)
        for footage_file in source.footage_files.filter(state__in=(FootageFile.State.FAILED, FootageFile.State.RETRY)):
            self.stderr.write(f"{footage_file.path}: {footage_file.error}")
