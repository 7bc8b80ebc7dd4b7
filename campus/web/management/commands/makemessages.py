"""Django's own, which also finds what the vision library and the workers say."""

from pathlib import Path
from typing import Any

from django.core.management.commands import makemessages

# The vision library knows no gettext: its sentences are the first argument of these.
SAID = ("say", "Sentence", "UnreadableRecording", "RecordingOutOfLimits", "NoEnrolment", "GalleryMismatch", "RecognitionError")


class Command(makemessages.Command):
    xgettext_options = [*makemessages.Command.xgettext_options, *(f"--keyword={name}" for name in SAID)]

    def find_files(self, root: str) -> list[Any]:
        elsewhere = (
            file for folder in ("recognition", "workers") for file in super(Command, self).find_files(str(Path(root, "..", folder)))
        )
        return [*super().find_files(root), *elsewhere]
