"""Texts are brought into one form, however many marks somebody puts on a letter."""

import time
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from campus.common.file_names import sanitize_file_name
from campus.common.keys import match_key, number_key, sort_key
from campus.common.visible_text import normalize, remove_invisible
from tests.conftest import REPOSITORY

MARKS = "e" + "\u0301\u0323" * 500_000  # unicodedata.normalize takes 13 s for 60,000 of the pairs


@pytest.mark.parametrize("function", [match_key, number_key, sort_key, remove_invisible, sanitize_file_name])
def test_a_letter_with_a_million_marks_takes_no_time(function) -> None:
    started = time.process_time()
    function(MARKS)
    assert time.process_time() - started < 20


@given(st.text("ae\u0301\u0323\u0327ß가", max_size=40), st.integers(1, 40), st.sampled_from(["NFC", "NFD", "NFKC"]))
def test_texts_with_as_many_marks_as_languages_have_are_normalised_as_ever(text: str, times: int, form) -> None:
    text = "".join(f"{char}n" for char in text) * times
    assert normalize(form, text) == unicodedata.normalize(form, text)


def test_nothing_in_the_campus_normalises_by_itself() -> None:
    own = REPOSITORY / "campus" / "common" / "visible_text.py"
    others = [path for path in (REPOSITORY / "campus").rglob("*.py") if path != own]
    assert not [path for path in others if "unicodedata.normalize" in path.read_text()]
