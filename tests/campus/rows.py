"""More of everything, for the tests that look at every page: whatever the tables are, each row gets copies."""

from datetime import date, timedelta
from graphlib import TopologicalSorter
from itertools import chain
from typing import Any
from uuid import UUID, uuid4

from django.apps import apps
from django.contrib import admin
from django.contrib.auth.models import Group
from django.db.models import Model, UniqueConstraint

import campus.urls  # noqa: F401  (registers what the admin shows)
from campus.attendance.feed_models import FeedState
from campus.attendance.statuses import AttendanceStatus
from campus.common.encrypted_fields import Encrypted
from campus.common.keys import MatchKeyField
from campus.outbox.message_models import MessageSettings

KEPT = {Group, AttendanceStatus, FeedState, MessageSettings}  # a short list in every institution
FAR = 1000  # between the numbers of a row and its copies
APART = timedelta(days=3, minutes=11)  # no two lectures of a week meet


def models() -> list[type[Model]]:
    """Those of the campus and of the admin, parents first."""
    ours = {model for model in apps.get_models() if model.__module__.startswith("campus.")} | set(admin.site._registry)
    parents = {
        model: {field.related_model for field in model._meta.concrete_fields if field.is_relation} - {model}
        for model in ours
    }
    return [
        model for model in TopologicalSorter(parents).static_order() if model in ours - KEPT and model._meta.managed
    ]


def told_apart(model: type[Model]) -> set[str]:
    """Of each set of fields that is unique, the one in which a copy differs: a text, number or time rather than a
    parent or a choice."""

    def fixed(name: str) -> int:
        field = model._meta.get_field(name)
        return 1 if field.is_relation else 2 if field.choices else 0

    unique = [
        constraint.fields
        for constraint in model._meta.constraints
        if isinstance(constraint, UniqueConstraint) and constraint.fields
    ]
    unique += [(field.name,) for field in model._meta.concrete_fields if field.unique and not field.primary_key]
    differ = [
        model._meta.get_field(min(reversed(names), key=fixed)) for names in [*unique, *model._meta.unique_together]
    ]
    return {field.source if isinstance(field, MatchKeyField) else field.name for field in differ}


def another(value: Any, n: int, longest: int | None) -> Any:
    if isinstance(value, UUID):
        return uuid4()
    if isinstance(value, str) and value:
        return f"{value[: (longest or FAR) - 4]}-{n}"
    if isinstance(value, date):
        return value - n * APART  # earlier, so that no copy is ever of today
    return value if value in (None, "") else value + n * FAR


def multiply(times: int) -> None:
    """Each row gets that many copies. Half of them have the same parents; half have the parents' copies for theirs."""
    copies: dict[tuple[Any, Any], list[Any]] = {}

    def copied(model: type[Model], row: dict[str, Any], differ: set[str], n: int) -> Model:
        new = {}
        moved = any(
            isinstance(row[model._meta.get_field(name).attname], date) for name in differ
        )  # then all of its times are
        for field in model._meta.concrete_fields:
            value = row[field.attname]
            if field.is_relation:
                if n % 2 == 0 or field.name in differ:
                    value = copies.get((field.related_model, value), {n - 1: value})[n - 1]
            elif field.primary_key:
                value = another(value, n, field.max_length) if isinstance(value, UUID | str) else None
            elif field.name in differ or (moved and isinstance(value, date)):
                value = another(value, n, field.max_length)
            # What is encrypted is so for one row, and is assigned as what it says.
            new[field.attname] = getattr(model(**row), field.attname) if isinstance(value, Encrypted) else value
        return model(**new)

    for model in models():
        differ, key = told_apart(model), model._meta.pk.attname
        rows = list(model._base_manager.order_by("pk").values())
        new = [[copied(model, row, differ, n + 1) for n in range(times)] for row in rows]
        model._base_manager.bulk_create(chain(*new))
        copies |= {(model, row[key]): [one.pk for one in ones] for row, ones in zip(rows, new, strict=True)}
    for field in (field for model in models() for field in model._meta.local_many_to_many):
        through = field.remote_field.through
        if through._meta.auto_created:
            here, there = field.m2m_column_name(), field.m2m_reverse_name()
            pairs = list(through._base_manager.values_list(here, there))
            more = [(a, new) for a, b in pairs for new in copies.get((field.related_model, b), [])]
            more += [(new, b) for a, b in pairs for new in copies.get((field.model, a), [])]
            through._base_manager.bulk_create(through(**{here: a, there: b}) for a, b in more)
