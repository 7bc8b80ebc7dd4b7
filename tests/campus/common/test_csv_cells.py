"""No spreadsheet program finds a formula in a cell, however it splits the file."""

import csv
import io
import re
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from campus.common.csv_cells import guard_cell, unguard_cell

CELLS = st.text(st.sampled_from("ab1;|,\t\r\n '\"=+-@＝＋－＠\u00a0\u200b\ufeff"), max_size=8)  # noqa: RUF001


def starts_a_formula(cell: str) -> bool:
    seen = re.sub(r"[\s\u200b\ufeff]", "", unicodedata.normalize("NFKC", cell))
    return seen.startswith(("=", "+", "-", "@"))


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
@given(cells=st.lists(CELLS, min_size=1, max_size=3))
def test_no_cell_is_a_formula_however_the_file_is_split(separator: str, cells: list[str]) -> None:
    text = io.StringIO()
    csv.writer(text).writerow([guard_cell(cell) for cell in cells])
    parts = (
        next(csv.reader(io.StringIO(text.getvalue(), newline="")))
        if separator == ","
        else re.split(rf"[{re.escape(separator)}\r\n]", text.getvalue())
    )
    assert not [part for part in parts if starts_a_formula(part)]


@given(CELLS)
def test_what_was_guarded_comes_back(text: str) -> None:
    assert unguard_cell(guard_cell(text)) == text or unguard_cell(text) != text


def test_ordinary_text_stays_as_it_is() -> None:
    for text in ("Anne-Marie O'Neill", "ann@example.org", "B-12; C 3", "2026-11-28", "1+1=2", "'t Hooft"):
        assert guard_cell(text) == unguard_cell(text) == text
