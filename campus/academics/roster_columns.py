"""What the columns of a roster are. Programs name them differently: the field of a column is guessed from its header,
and the user can change it.
"""

import re
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import date, datetime

from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

# What is written, and read back the same.
COLUMNS = ("number", "name", "surname", "email", "guardian_phone", "class", "section", "from", "to", "consent")
# What a column may be, and how it is called elsewhere, in the form that `_key` gives.
FIELDS = {
    "number": gettext_lazy("student number"),
    "name": gettext_lazy("name"),
    "first_name": gettext_lazy("first name"),
    "surname": gettext_lazy("surname"),
    "email": gettext_lazy("e-mail"),
    "guardian_phone": gettext_lazy("guardian's phone"),
    "class": gettext_lazy("class (its code)"),
    "section": gettext_lazy("section"),
    "from": gettext_lazy("enrolled from"),
    "to": gettext_lazy("enrolled to"),
    "consent": gettext_lazy("consent (yes or no, and the day)"),
}
ALIASES = {
    "number": "student number, student id, id number, id, reg no, registration number, matriculation number, "
    "student no, student nr, roll no, roll number, sis user id, matrikelnummer, matrikelnr, matricule, "
    "numéro étudiant, matrícula, matricola",
    "name": "full name, student, student name, display name, vollständiger name",
    "first_name": "first name, firstname, given name, forename, vorname, prénom, nombre",
    "surname": "last name, lastname, family name, nachname, familienname, nom, nom de famille, apellidos, cognome",
    "email": "e mail, mail, email address, e mail address, e mail adresse",
    "guardian_phone": "guardian s phone, guardian phone, parent s phone, phone, telefon",
    "class": "class code, course, course code, code, group, kurs, klasse, lehrveranstaltung",
    "section": "section code, section name, section number, lab, lab group, tutorial, gruppe, sektion, übungsgruppe",
    "from": "enrolled from, start, start date, von, ab",
    "to": "enrolled to, until, end, end date, bis",
    "consent": "consent to face recognition, consent date, date of consent, einwilligung, consentement",
}
DAY_FORMATS = ("%Y-%m-%d", "%d.%m.%Y", "%d/%m/%Y", "%m/%d/%Y")
YES, NO = ("yes", "ja", "agreed"), ("no", "nein", "refused")
_DAY_WITH_SLASHES = re.compile(r"(\d\d?)/(\d\d?)/\d{4}")


@dataclass(frozen=True, slots=True)
class RosterAnswer:
    """Whether a student agrees to be recognised, and since when."""

    given: bool
    day: date

    def __str__(self) -> str:
        return f"{YES[0] if self.given else NO[0]} {self.day}"

    def replaces(self, known: "RosterAnswer | None") -> bool:
        """Whether this is the student's latest word. A roster is imported again and again: an agreement that was
        withdrawn since does not come back with it.
        """
        if known is None or self.day != known.day:
            return known is None or self.day > known.day
        return known.given and not self.given


def _key(header: str) -> str:
    return " ".join(re.findall(r"\w+", header.replace("_", " ").casefold()))


_FIELDS_BY_NAME = {_key(name): field for field, aliases in ALIASES.items() for name in (field, *aliases.split(", "))}


def guess_columns(headers: Iterable[str]) -> dict[str, int]:
    """Field → the column that it most likely is, where one is."""
    found: dict[str, int] = {}
    for index, header in enumerate(headers):
        if field := _FIELDS_BY_NAME.get(_key(header)):
            found.setdefault(field, index)
    if "first_name" in found and "name" in found and "surname" not in found:  # "Name" and "Vorname"
        found["surname"] = found.pop("name")
    return found


def select_fields(row: list[str], columns: Mapping[str, int]) -> dict[str, str]:
    """Field → text of a row, of the columns that were chosen; first and last name are put together, and the number is
    without the “.0” of statistics programs.
    """
    values = {field: row[index] for field, index in columns.items()}
    values["number"] = re.sub(r"^(\d{1,15})\.0$", r"\1", values["number"])
    parts = [values.pop("first_name", ""), values.get("surname", "")]
    if any(parts) and "name" not in values:
        values["name"] = " ".join(part for part in parts if part)
    return values


def is_month_first(days: Iterable[str]) -> bool | None:
    """Whether dates with slashes begin with the month, as in the USA; None where they can be read both ways."""
    matches = [match for day in days if (match := _DAY_WITH_SLASHES.fullmatch(day))]
    if any(int(match[1]) > 12 for match in matches):
        return False
    return True if any(int(match[2]) > 12 for match in matches) else None


def parse_day(text: str, month_first: bool | None = None) -> date | None:
    """A date in one of DAY_FORMATS; None for empty text. Raises ValueError with a message for the user."""
    days: dict[date, None] = {}
    for day_format in DAY_FORMATS:
        if day_format != ("%d/%m/%Y" if month_first else "%m/%d/%Y") or month_first is None:
            with suppress(ValueError):
                days[datetime.strptime(text, day_format).date()] = None  # noqa: DTZ007
    if len(days) > 1:
        raise ValueError(
            _("“%(text)s” can be two days. Write dates like %(day)s.") % {"text": text, "day": next(iter(days))}
        )
    if text and not days:
        raise ValueError(_("“%(text)s” is not a date. Write dates like 2026-09-30.") % {"text": text})
    return next(iter(days), None)


def parse_answer(text: str, month_first: bool | None = None) -> RosterAnswer | None:
    """An answer with its day, such as "no 2026-09-30", or the day of an agreement alone; None for empty text. Raises
    ValueError with a message for the user.
    """
    if not text:
        return None
    word, __, day = text.casefold().replace(",", " ").rpartition(" ")
    word = word.strip() or YES[0]
    if day in (*YES, *NO) or word not in (*YES, *NO):
        raise ValueError(
            _("“%(text)s” is no answer with its day. Write consent like yes 2026-09-30 or no 2026-09-30.")
            % {"text": text}
        )
    parsed = parse_day(day, month_first)
    if parsed is None:
        return None
    if parsed > timezone.localdate():
        raise ValueError(_("The day of the consent is in the future. Correct it."))
    return RosterAnswer(word in YES, parsed)
