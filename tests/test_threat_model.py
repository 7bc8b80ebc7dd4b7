"""The tests that docs/threat-model.md names are there."""

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
TEXT = (ROOT / "docs" / "threat-model.md").read_text()


def test_every_test_that_it_names_exists() -> None:
    named = re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", TEXT)
    assert [
        f"{path}::{test}" for path, test in named if not re.search(rf"\bdef {test}\(", (ROOT / path).read_text())
    ] == []
    assert len(named) == TEXT.count("::"), "a test is named in another way"


def test_every_threat_has_a_test_or_says_why_not() -> None:
    threats = [line.split(" | ") for table in TEXT.split("| threat |")[1:] for line in table.splitlines()[2:] if line]
    rows = [row for row in threats if row[0].startswith("| ")]
    assert len(rows) > 30
    assert [row[0] for row in rows if "::" not in row[2] and not row[2].startswith("none: ")] == []
