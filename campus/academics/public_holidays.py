"""Public holidays of a country or one of its regions, as the institution's holidays in a term."""

from collections.abc import Collection
from datetime import date

import holidays
from babel import Locale
from django.db import transaction
from django.utils.translation import get_language, to_locale
from holidays.utils import list_supported_countries

from campus.academics.models import Holiday, Term


def countries() -> list[tuple[str, str]]:
    """The countries whose holidays are known: codes and names in the page's language, by name."""
    names = Locale.parse(to_locale(get_language() or "en")).territories
    known = list_supported_countries(include_aliases=False)
    return sorted(((code, names[code]) for code in known if code in names), key=lambda country: country[1])


def regions(country: str) -> list[tuple[str, str]]:
    """The regions of a country with holidays of their own: codes and names, by name. Empty for an unknown country."""
    if country not in list_supported_countries(include_aliases=False):
        return []
    kind = type(holidays.country_holidays(country))
    names = {code: name for name, code in kind.subdivisions_aliases.items()}
    return sorted(((code, names.get(code, code)) for code in kind.subdivisions), key=lambda region: region[1])


def public_holidays(country: str, region: str, first: date, last: date) -> dict[date, str]:
    """The names of the public holidays from one day to another, in the page's language where that is known."""
    wanted = get_language() or "en"
    known = holidays.country_holidays(country).supported_languages
    language = next((one for one in known if one.split("_")[0] == wanted.split("-")[0]), None)
    years = range(first.year, last.year + 1)
    found = holidays.country_holidays(country, subdiv=region or None, years=years, language=language)
    return {day: name for day, name in sorted(found.items()) if first <= day <= last}


@transaction.atomic
def set_public_holidays(*, term: Term, country: str, region: str, days: Collection[date]) -> None:
    """Make the chosen days the only public holidays of the term. Other holidays stay as they are."""
    names = public_holidays(country, region, term.first_day, term.last_day)
    chosen = names.keys() & set(days)
    present = Holiday.objects.filter(public=True, first_day__range=(term.first_day, term.last_day))
    present.exclude(first_day__in=chosen).delete()
    known = set(present.values_list("first_day", flat=True))
    Holiday.objects.bulk_create(
        Holiday(name=names[day][:100], first_day=day, last_day=day, public=True) for day in sorted(chosen - known)
    )
    term.country, term.region = country, region
    term.save(update_fields=["country", "region"])
