"""Encrypt the passwords of all sources with the newest of ROLLCALL_CREDENTIALS_KEYS. The older keys can be removed
afterwards.
"""

from typing import Any

from django.core.management.base import BaseCommand

from campus.cctv import credentials
from campus.cctv.models import Source
from campus.common.errors import UserError


class Command(BaseCommand):
    help = __doc__

    def handle(self, *args: Any, **options: Any) -> None:
        for source in Source.objects.exclude(secret=""):
            try:
                rotated = credentials.rotate(source.secret)
            except UserError as error:
                self.stderr.write(f"{source}: {error}")
            else:
                Source.objects.filter(pk=source.pk, secret=source.secret).update(secret=rotated)
                self.stdout.write(f"{source}: encrypted with the newest key")
