"""The passphrase of backups: from the settings, or typed in. It is never an argument, which others could see."""

import sys
from getpass import getpass

from django.conf import settings
from django.core.management.base import CommandError


def ask_passphrase(*, is_new: bool = False) -> str:
    """ROLLCALL_BACKUP_PASSPHRASE, or what is typed. Raises CommandError."""
    if settings.BACKUP_PASSPHRASE:
        return str(settings.BACKUP_PASSPHRASE)
    if not sys.stdin.isatty():
        raise CommandError("Set ROLLCALL_BACKUP_PASSPHRASE_FILE to a file with the passphrase.")
    passphrase = getpass("Passphrase of the backups: ")
    if is_new and getpass("Once more: ") != passphrase:
        raise CommandError("The two differ. Try again.")
    return passphrase
