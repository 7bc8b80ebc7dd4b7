"""The table of faults: `python -m tests.faults [TIMES]` runs their tests on a PostgreSQL of its own, and prints what
came of each: recordings that were lost or doubled, how long they took, and what people saw meanwhile.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.servers.postgres import Postgres

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "campus.settings.test")
FOLDER = Path(__file__).parent
OWN_DATABASE = FOLDER / "test_database_outages.py"  # whose tests stop a PostgreSQL that they start themselves


def run_tests(table: Path, *options: str, **environment: str) -> int:
    command = [sys.executable, "-m", "pytest", "-q", "-m", "fault", *options]
    return subprocess.run(command, env=os.environ | {"FAULT_TABLE": str(table)} | environment, check=False).returncode


def print_table(table: Path) -> None:
    rows = [json.loads(line) for line in table.read_text().splitlines()]
    print("| fault | tried | recordings | lost | doubled | seconds until done | what people saw |")
    print("|---|---:|---:|---:|---:|---:|---|")
    for fault in dict.fromkeys(row["fault"] for row in rows):
        of_fault = [row for row in rows if row["fault"] == fault]
        recordings, lost, doubled = (sum(row[key] for row in of_fault) for key in ("recordings", "lost", "doubled"))
        seconds = [value for row in of_fault for value in row["seconds"]]
        took = f"{statistics.median(seconds):.0f}, at most {max(seconds):.0f}" if seconds else ""
        shown = " → ".join(dict.fromkeys(text for row in of_fault for text in row["shown"]))
        print(f"| {fault} | {len(of_fault)} | {recordings} | {lost} | {doubled} | {took} | {shown} |")


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.faults", description=__doc__)
    parser.add_argument("times", type=int, nargs="?", default=1, help="how often each fault is tried")
    times = parser.parse_args().times
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        table = Path(folder, "table")
        table.touch()
        postgres = Postgres(Path(folder, "postgres"))
        try:
            url = f"postgres://postgres@{postgres.address}:{postgres.port}/postgres"
            failed = 0
            for _ in range(times):
                failed |= run_tests(table, str(FOLDER), ROLLCALL_TEST_POSTGRES_URL=url)
                failed |= run_tests(table, str(OWN_DATABASE))
        finally:
            postgres.stop()
        print_table(table)
        return failed


if __name__ == "__main__":
    sys.exit(main())
