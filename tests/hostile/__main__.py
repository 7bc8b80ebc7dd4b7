"""Print the table: `python -m tests.hostile`."""

import sys
from pathlib import Path
from typing import Any

import pytest


class Table:
    """A plugin of pytest that prints the rows."""

    def __init__(self) -> None:
        self.rows: list[dict[str, Any]] = []

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.when == "call":
            self.rows += [row for name, rows in report.user_properties if name == "rows" for row in rows]  # type: ignore[attr-defined]

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        write = terminalreporter.write_line
        for row in self.rows:
            cost = f"{row['peak'] / 1024**2:4.0f} MB {row['seconds']:4.1f} s"
            write(f"{row['name']} | {row['limit']} | {cost} | {row['sentence']}")
        peak, seconds = (max((row[name] for row in self.rows), default=0) for name in ("peak", "seconds"))
        write(f"{len(self.rows)} rows; at most {peak / 1024**2:.0f} MB and {seconds:.1f} s")


if __name__ == "__main__":
    options = ["-q", "--tb=line", "-p", "no:cacheprovider", *sys.argv[1:]]
    sys.exit(pytest.main([*options, str(Path(__file__).parent)], plugins=[Table()]))
