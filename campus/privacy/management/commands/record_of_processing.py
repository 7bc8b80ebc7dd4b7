from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand

from campus.privacy.record_of_processing import write_record


class Command(BaseCommand):
    help = "Write docs/privacy/record-of-processing.md, the record of processing activities."

    def handle(self, *_args: Any, **_options: Any) -> None:
        path = settings.BASE_DIR / "docs" / "privacy" / "record-of-processing.md"
        path.parent.mkdir(exist_ok=True)
        path.write_text(write_record())
        self.stdout.write(str(path))
