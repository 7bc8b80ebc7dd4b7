"""What programs have destroyed in a roster, and by what a person is known again."""

import re
from collections.abc import Collection, Iterator, Mapping
from difflib import SequenceMatcher

from django.utils.translation import gettext as _

from campus.academics.models import Student
from campus.common.keys import match_key, number_key, sort_key

# What a spreadsheet program makes of a long number, of one like 1-2, and of a formula that fails.
_EXPONENT = re.compile(r"\d(?:[.,]\d+)?E[+-]\d+", re.IGNORECASE)
_DATE = re.compile(r"\d{4}-\d\d-\d\d")
_FAILED_FORMULA = re.compile(r"#(?:N/A|REF!|VALUE!|NAME\?|DIV/0!|NUM!|NULL!)")
MAX_EXACT_DIGITS = 15  # of a number in a spreadsheet; zeros take the place of further ones
MIN_ROUNDED_NUMBERS = 3
MIN_RATIO_OF_SPELLINGS = 0.75  # of two names, by difflib: Jon Smyth and John Smith have 0.84, Anna and Tom Berg 0.59


def are_rounded(numbers: Collection[str]) -> bool:
    """Whether a spreadsheet has rounded the long ones of these numbers: all have nothing but zeros at their end."""
    long = [number for number in numbers if number.isdecimal() and len(number) > MAX_EXACT_DIGITS]
    return len(long) >= MIN_ROUNDED_NUMBERS and not any(number[MAX_EXACT_DIGITS:].strip("0") for number in long)


def find_damage(values: Mapping[str, str], *, rounded: bool) -> Iterator[str]:
    """What a program has destroyed in a row, as sentences. `rounded` is what `are_rounded` says of the whole roster."""
    number = values.get("number", "")
    if not number:
        yield _(
            "There is no student number. If a formula makes it, open the file in your spreadsheet program and save it."
        )
    elif _EXPONENT.fullmatch(number) or (rounded and number.isdecimal() and len(number) > MAX_EXACT_DIGITS):
        yield _(
            "“%(number)s” was rounded by a spreadsheet program. Format the column as text, and enter the number again."
        ) % {"number": number}
    elif _DATE.fullmatch(number):
        yield _(
            "“%(number)s” is a date that a spreadsheet program made of the number. Format the column as text, and "
            "enter the number again."
        ) % {"number": number}
    for text in values.values():
        if "\ufffd" in text:
            yield _("“%(text)s” has characters that can't be read. Choose another encoding, or correct the row.") % {
                "text": text[:100]
            }
        if (original := _undo_garbling(text)) != text:
            yield _("“%(text)s” is garbled; it was “%(original)s”. Choose another encoding, or correct the row.") % {
                "text": text,
                "original": original,
            }
        if _FAILED_FORMULA.fullmatch(text):
            yield _("“%(text)s” is a formula that failed. Correct it.") % {"text": text}


def _undo_garbling(text: str) -> str:
    """A text in UTF-8 that a program has taken for Western European, as it was; other texts as they are."""
    if text.isascii():
        return text
    try:
        return text.encode("cp1252").decode()
    except UnicodeError:
        return text


def find_traits(student: Student) -> set[object]:
    """What rows of one person may have in common: the words of the name in any order and without accents, the e-mail
    address, and the number without its leading zeros.
    """
    words = tuple(sorted(re.findall(r"\w+", sort_key(student.name))))
    traits = {("name", words), ("e-mail", match_key(student.email)), ("number", student.number_key.lstrip("0"))}
    return {trait for trait in traits if trait[1]}


def is_other_name(old: str, new: str) -> bool:
    """Whether two names are hardly of one person: they share no given name or its beginning, and neither is the other
    with words left out or spelt differently.

    >>> is_other_name("Anna Berg", "Tom Lee"), is_other_name("Anna Berg", "Tom Berg")
    (True, True)
    >>> is_other_name("Anna Berg", "Anna Roth"), is_other_name("Anna Berg", "Bérg, Anna Maria")
    (False, False)
    """
    first, second = _words_of_name(old), _words_of_name(new)
    if not first or not second or first[0].startswith(second[0]) or second[0].startswith(first[0]):
        return False
    if set(first) <= set(second) or set(second) <= set(first):
        return False
    ratio = SequenceMatcher(None, " ".join(sorted(first)), " ".join(sorted(second)), autojunk=False).ratio()
    return ratio < MIN_RATIO_OF_SPELLINGS


def _words_of_name(name: str) -> list[str]:
    """Without accents and capitals, the given name first, also of "Surname, First"."""
    surname, comma, given = sort_key(name).partition(",")
    return re.findall(r"\w+", f"{given} {surname}" if comma else surname)


def choose_number(old: str, new: str) -> str:
    """The number of a student who is listed with another one: the new one, unless that has only lost zeros."""
    has_lost_zeros = number_key(old).lstrip("0") == number_key(new).lstrip("0") and len(new) < len(old)
    return old if has_lost_zeros else new
