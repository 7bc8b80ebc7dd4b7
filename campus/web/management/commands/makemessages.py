"""Django's own, which also finds what the vision library and the workers say."""

from typing import Any

from django.core.management.commands import makemessages

# The vision library knows no gettext: its sentences are the first argument of these.
SAID = (
    "translate",
    "Sentence",
    "UnreadableRecording",
    "RecordingOutOfLimits",
    "NoEnrolment",
    "GalleryMismatch",
    "RecognitionError",
)
ELSEWHERE = ("../recognition", "../workers")


class Command(makemessages.Command):
    xgettext_options = [*makemessages.Command.xgettext_options, *(f"--keyword={name}" for name in SAID)]

    def find_files(self, root: str) -> list[Any]:
        found = super().find_files(root)
        # Django's own patterns pass over whatever begins with a dot, as ".." does. The rest is for the command line.
        self.ignore_patterns = ["*.pyc", "*/commands/*", "*/embedders/*", "*/classifier.py"]
        for folder in ELSEWHERE:
            found += super().find_files(folder)
        return found
