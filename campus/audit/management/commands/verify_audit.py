"""Check that no entry of the audit log was changed, removed or written anew. Exits with 1 otherwise.

Prints the head of the log, the number and the hash of its last entry. Keep it elsewhere, on paper or in another
system, and give it with --head the next time: that finds also what was cut off or written anew as a whole.
"""

import re
from argparse import ArgumentTypeError
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from campus.audit.chain import verify_chain


def _head(text: str) -> str:
    if not re.fullmatch(r"[0-9]{1,18}:[0-9a-f]{64}", text):
        raise ArgumentTypeError("a head is a number, a colon and 64 hexadecimal digits, as this command prints it")
    return text


class Command(BaseCommand):
    help = __doc__

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--head", type=_head, metavar="NUMBER:HASH", help="as printed before")

    def handle(self, *args: Any, head: str | None, **options: Any) -> None:
        result = verify_chain(head or "")
        for fault in result.faults:
            self.stderr.write(fault)
        self.stdout.write(f"{result.entries} entries. Head: {result.head}")
        if result.faults:
            raise SystemExit(1)
