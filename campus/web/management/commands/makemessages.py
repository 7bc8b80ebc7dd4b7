"""Django's own, which also finds the messages of services, workers and the vision library."""

import ast
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.commands import makemessages

ERRORS = {"UserError", "RecognitionError"}
OTHER_FOLDERS = ("../recognition", "../workers")


def error_classes() -> set[str]:
    """The classes of errors whose first argument is a message for people: those of ERRORS and whatever derives from
    them."""
    bases: dict[str, set[str]] = {}
    for folder in ("campus", "workers", "recognition"):
        for path in Path(settings.BASE_DIR, folder).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.ClassDef):
                    bases[node.name] = {base.id for base in node.bases if isinstance(base, ast.Name)}
    classes = set(ERRORS)
    while more := {name for name, parents in bases.items() if parents & classes} - classes:
        classes |= more
    return classes - {"Cancelled"}  # nobody reads it


class Command(makemessages.Command):
    def handle(self, *args: Any, **options: Any) -> None:
        keywords = ["translate", "Message", "with_count:1,2", *sorted(error_classes())]
        self.xgettext_options = [*makemessages.Command.xgettext_options, *(f"--keyword={name}" for name in keywords)]
        super().handle(*args, **options)

    def find_files(self, root: str) -> list[Any]:
        found = super().find_files(root)
        # Django's own patterns pass over whatever begins with a dot, as ".." does. The rest is for the command line.
        self.ignore_patterns = ["*.pyc", "*/commands/*", "*/cli/*"]
        for folder in OTHER_FOLDERS:
            found += super().find_files(folder)
        return found
