"""Text that a spreadsheet program would run as a formula, kept text by an apostrophe.

Spreadsheet programs split a file at other separators than it was written with, pass over space, and take full-width
signs for plain ones (https://owasp.org/www-community/attacks/CSV_Injection).
"""

import re

_SPACE = r"\s\0\u00ad\u200b-\u200f\u2060\ufeff"
_SIGN = "[=+\\-@＝＋－＠﹦﹢﹣﹫−]"  # noqa: RUF001
_FORMULA = re.compile(rf"(^|[;|\t\r\n])(?=[{_SPACE}]*{_SIGN})")
_GUARDED = re.compile(rf"(^|[;|\t\r\n])'(?=['{_SPACE}]*{_SIGN})")


def guard_cell(text: str) -> str:
    """The text with an apostrophe before each formula: at its beginning, and behind what may separate cells."""
    return _FORMULA.sub(r"\1'", text)


def unguard_cell(text: str) -> str:
    """The text that was guarded."""
    return _GUARDED.sub(r"\1", text)
