"""`manage.py import_footage FOLDER --pattern ...`: the recordings of a folder, once."""

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
            help="how the files are named, like '{room}/{date:%%Y%%m%%d}/{start:%%H%%M%%S}.mp4'",
        )
        parser.add_argument("--room", default="", help="the room of all files whose names do not say it")
        parser.add_argument(
            "--camera",
            action="append",
            default=[],
            metavar="NAME=ROOM",
            help="the room of a camera that the names have",
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
                found = import_files(source=source, files=files)
                self.show(source, found)
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

    def show(self, source: Source, found: list[ParsedFile]) -> None:
        zone = source.tzinfo
        for parsed in found:
            when = f"{parsed.starts_at.astimezone(zone):%Y-%m-%d %H:%M}" if parsed.starts_at else "?"
            self.stdout.write(
                f"{parsed.file.path}: {when}, {parsed.note or ', '.join(str(lecture) for lecture in parsed.lectures)}"
            )
        of_lectures = sum(bool(parsed.lectures) and not parsed.note for parsed in found)
        self.stdout.write(f"{len(found)} files, {of_lectures} of them of a lecture.")

    def wait(self, source: Source) -> None:
        """Until the workers have fetched all. Interrupted, it can be run again: what is here already is not fetched
        twice.
        """
        told = None
        while True:
            states = Counter(source.footage_files.order_by().values_list("state", flat=True))
            if states != told:
                self.stdout.write(
                    f"{states[FootageFile.State.STORED]} here, {states[FootageFile.State.FETCHING]} to come."
                )
            told = states
            if not states[FootageFile.State.FETCHING]:
                break
            time.sleep(POLL_INTERVAL_SECONDS)
        for footage_file in source.footage_files.filter(state__in=(FootageFile.State.FAILED, FootageFile.State.RETRY)):
            self.stderr.write(f"{footage_file.path}: {footage_file.error}")
