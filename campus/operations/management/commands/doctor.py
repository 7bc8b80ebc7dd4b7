"""Check that everything is there that Rollcall needs, and say what to do where it is not. Exits with 1 then."""

import json
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from campus.operations.checks import ALL_CHECKS, Finding, State

MARKS = {State.OK: "ok     ", State.WARNING: "warning", State.PROBLEM: "PROBLEM"}


class Command(BaseCommand):
    help = __doc__
    requires_system_checks = []  # it says itself what is wrong with the settings

    def add_arguments(self, parser: CommandParser) -> None:
        names = [check.name for check in ALL_CHECKS]
        parser.add_argument("checks", nargs="*", metavar="CHECK", help=f"only these: {', '.join(names)}")
        parser.add_argument("--json", action="store_true", dest="as_json", help="for programs")

    def handle(self, *args: Any, checks: list[str], as_json: bool, **options: Any) -> None:
        if unknown := set(checks) - {check.name for check in ALL_CHECKS}:
            raise CommandError(f"There is no check {', '.join(sorted(unknown))}. See --help.")
        findings = {check.name: check.run() for check in ALL_CHECKS if not checks or check.name in checks}
        if as_json:
            self.stdout.write(json.dumps({name: _as_dict(finding) for name, finding in findings.items()}, indent=1))
        else:
            for name, finding in findings.items():
                self.stdout.write(f"{MARKS[finding.state]}  {name}: {finding.text}")
                if finding.remedy:
                    self.stdout.write(f"         {finding.remedy}")
        if any(finding.state == State.PROBLEM for finding in findings.values()):
            raise SystemExit(1)


def _as_dict(finding: Finding) -> dict[str, str]:
    return {"state": finding.state, "text": finding.text, "remedy": finding.remedy}
