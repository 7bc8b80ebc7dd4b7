"""`manage.py import_photos FOLDER`: the photos of a folder of `<student number or name>/*.jpg`."""

from argparse import ArgumentParser
from collections import Counter
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from campus.academics.models import Course
from campus.academics.services import enrol_student
from campus.biometrics.photo_finder import StudentFinder
from campus.biometrics.photo_import import folder_entries
from campus.biometrics.services import import_photo_folder
from campus.common.errors import UserError


class Command(BaseCommand):
    help = "Add enrolment photos from a folder with one folder for each student, named by student number or name."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("folder", type=Path)
        parser.add_argument("--course", metavar="CODE", help="only students on the roster of this class")
        parser.add_argument(
            "--create-students",
            action="store_true",
            help="make students of unknown folders, and put all of them on the class's roster",
        )

    def handle(self, *args: Any, folder: Path, **options: Any) -> None:
        code = options["course"]
        course = Course.objects.filter(code_key=code).first() if code else None
        if code and course is None:
            raise CommandError(f"There is no class with the code “{code}”.")
        try:
            if options["create_students"]:
                self.create_students(folder, course)
            result = import_photo_folder(folder=folder, course=course)
        except UserError as error:
            raise CommandError(str(error)) from error
        for (folder_name, reason), files in Counter(
            (str(Path(row.path).parent), row.reason) for row in result.skipped
        ).items():
            self.stderr.write(f"{folder_name} ({files}): {reason}")
        self.stdout.write(f"{len(result.added)} photos added, {len(result.skipped)} skipped.")
        if not result.added:
            raise CommandError("No photo was taken.")

    def create_students(self, folder: Path, course: Course | None) -> None:
        finder = StudentFinder(None)
        for name in dict.fromkeys(entry.path.parent.name for entry in folder_entries(folder) if not entry.refusal):
            known = finder.match([name]).candidates
            if not known:
                enrol_student(number=name, name=name.replace("_", " "), course=course)
            elif course is not None and len(known) == 1:
                enrol_student(number=known[0].number, name=known[0].name, course=course)
