"""Texts in one form, without the characters that nobody sees."""

import re
import unicodedata
from typing import Literal

MAX_MARKS = 30  # on one letter; no language has as many
_SHORT_CHARACTERS = 500  # what is normalised in no time, whatever it is
# Characters without a glyph that are of no category of control and format characters.
_INVISIBLE_LETTERS = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0")
# Joiners between letters of the scripts that have them, as in Persian names.
_JOINER_IN_WORD = re.compile(r"(?<=[\u0590-\u1fff])[\u200c\u200d](?=[\u0590-\u1fff])")


def normalize(form: Literal["NFC", "NFD", "NFKC"], text: str) -> str:
    """`unicodedata.normalize` in linear time: of the marks on one letter, those after MAX_MARKS are left out in long
    texts (the Stream-Safe Text Format of UAX #15).
    """
    if len(text) > _SHORT_CHARACTERS and not text.isascii():
        kept, marks = [], 0
        for char in text:
            marks = marks + 1 if unicodedata.combining(char) else 0
            if marks <= MAX_MARKS:
                kept.append(char)
        text = "".join(kept)
    return unicodedata.normalize(form, text)


def remove_invisible(text: str) -> str:
    """The text as people see it: in NFC, without invisible characters, with single spaces.

    Joiners stay between letters that they join, as in Persian names.
    """
    if text.isascii() and text.isprintable():
        return " ".join(text.split())
    joined = {match.start() for match in _JOINER_IN_WORD.finditer(text)}
    seen = (char for index, char in enumerate(text) if char.isspace() or index in joined or not is_invisible(char))
    return normalize("NFC", " ".join("".join(seen).split()))


def is_invisible(char: str) -> bool:
    """Whether a character has no glyph."""
    is_variation_selector = "\ufe00" <= char <= "\ufe0f" or "\U000e0100" <= char <= "\U000e01ef"
    return unicodedata.category(char) in ("Cc", "Cf") or is_variation_selector or char in _INVISIBLE_LETTERS
