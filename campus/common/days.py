"""The days that forms and the API take, and weeks."""

import re
from dataclasses import dataclass
from datetime import date, timedelta

from django.utils import timezone
from django.utils.translation import gettext_lazy as _

# Beyond these, arithmetic with dates and time zones overflows, and nobody means such a day.
FIRST_DAY, LAST_DAY = date(1970, 1, 2), date(2199, 12, 31)
OUT_OF_RANGE = _("Choose a day between 1970 and 2199.")


@dataclass(frozen=True, slots=True)
class Week:
    """From Monday to Sunday, in the institution's time zone. As text it is like 2026-W48 (ISO 8601)."""

    monday: date

    def __str__(self) -> str:
        return f"{self.monday:%G-W%V}"

    @property
    def sunday(self) -> date:
        return self.monday + timedelta(days=6)

    @property
    def number(self) -> int:
        return self.monday.isocalendar().week

    @property
    def previous(self) -> "Week":
        return Week(self.monday - timedelta(days=7))

    @property
    def next(self) -> "Week":
        return Week(self.monday + timedelta(days=7))

    @classmethod
    def current(cls) -> "Week":
        today = timezone.localdate()
        return cls(today - timedelta(days=today.weekday()))

    @classmethod
    def parse(cls, text: str) -> "Week | None":
        """None where the text is no week, or one that nobody means."""
        if not re.fullmatch(r"[0-9]{4}-W[0-9]{2}", text):
            return None
        try:
            monday = date.fromisoformat(text)
        except ValueError:
            return None
        return cls(monday) if FIRST_DAY <= monday <= LAST_DAY else None
