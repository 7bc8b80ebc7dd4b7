import os
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from campus.connections.oneroster_export import write_zip


class Command(BaseCommand):
    help = "Write terms, classes, lecturers and rosters as a zip of OneRoster's CSV files, for its owner alone."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("zip", type=Path)

    def handle(self, *_args: Any, zip: Path, **_options: Any) -> None:
        file = os.open(zip, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(file, "wb") as target:
            target.write(write_zip())
