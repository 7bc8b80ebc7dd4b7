"""Encrypt the passwords of all sources with the newest of ROLLCALL_CREDENTIALS_KEYS; the older keys can be dropped
then.
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
                fresh = credentials.rotate(source.secret)
            except UserError as error:
                self.stderr.write(f"{source}: {error}")
            else:
                Source.objects.filter(pk=source.pk, secret=source.secret).update(secret=fresh)
                self.stdout.write(f"{source}: encrypted anew")
