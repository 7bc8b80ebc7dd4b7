"""Dates are written in one way a language: 27 Nov 2026, with the weekday in rows, without the year where it is clear.
ISO dates are for files, addresses and the fields of forms."""

import re
from pathlib import Path

import pytest

CAMPUS = Path(__file__).resolve().parents[2] / "campus"
DAYS = {"DATE_FORMAT", "j M", "j M Y", "D j M", "D j M Y"}
MOMENTS = {"DATETIME_FORMAT"} | {f"{day}, {time}" for day in DAYS - {"DATE_FORMAT"} for time in ("H:i", "H:i:s")}
CLOCKS = {"H:i", "H:i:s"}
MACHINES = {"c", "Y-m-d"}  # attributes that nobody sees
# What writes files, addresses and names of files, or reads them.
ISO = {
    "academics/roster_columns.py",
    "attendance/csv_files.py",
    "attendance/export_table.py",
    "attendance/file_names.py",
    "attendance/register_workbook.py",
    "attendance/reports.py",
    "audit/chain.py",
    "cctv/live_recording.py",
    "connections/oneroster_client.py",
    "operations/management/commands/restore.py",
    "cctv/management/commands/import_footage.py",
    "cctv/path_patterns.py",
    "common/database_clock.py",
    "web/forms.py",
}


def sources(ending: str) -> list[Path]:
    return [path for path in CAMPUS.rglob(f"*{ending}") if "migrations" not in path.parts]


@pytest.mark.parametrize("ending", [".html", ".txt"])
def test_templates_write_dates_in_one_way(ending: str) -> None:
    used = {
        (path.name, found)
        for path in sources(ending)
        for found in re.findall(r"""\|(?:date|time):(?:_\()?["']([^"']+)["']""", path.read_text())
    }
    assert used
    assert not [(name, found) for name, found in used if found not in DAYS | MOMENTS | CLOCKS | MACHINES]


def test_code_writes_dates_in_one_way() -> None:
    used = [
        (str(path.relative_to(CAMPUS)), found)
        for path in sources(".py")
        for found in re.findall(r"""date_format\([^"'\n]*["']([^"']+)["']\)""", path.read_text())
    ]
    assert used
    assert not [(name, found) for name, found in used if found not in DAYS | MOMENTS | CLOCKS]


def test_iso_dates_are_for_files() -> None:
    used = {str(path.relative_to(CAMPUS)) for path in sources(".py") if re.search(r"%[Yd][-./_]%m", path.read_text())}
    assert used - ISO == set()
