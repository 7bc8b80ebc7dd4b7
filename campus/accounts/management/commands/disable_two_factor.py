"""The way back in for an administrator who has lost the phone: `manage.py disable_two_factor NAME`."""

from typing import Any

from django.contrib.auth.models import User
from django.core.management.base import BaseCommand, CommandError, CommandParser

from campus.accounts.services import disable_two_factor


class Command(BaseCommand):
    help = "Switch off the second step of an account's login."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("name", help="the name that the person logs in with")

    def handle(self, *args: Any, name: str, **options: Any) -> None:
        user = User.objects.filter(username=name).first()
        if user is None:
            raise CommandError(f"There is no account named {name}.")
        disable_two_factor(user=user)
        self.stdout.write(f"From now on the password alone opens the account {name}.")
