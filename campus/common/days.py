"""The days that forms and the API take."""

from datetime import date

from django.utils.translation import gettext_lazy as _

# Beyond these, arithmetic with dates and time zones overflows, and nobody means such a day.
FIRST_DAY, LAST_DAY = date(1970, 1, 2), date(2199, 12, 31)
OUT_OF_RANGE = _("Choose a day between 1970 and 2199.")
