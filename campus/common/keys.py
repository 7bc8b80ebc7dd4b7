"""Student numbers, names, course codes and rooms are compared by one key, in Python and in the database.

"  Müller-Lüdenscheid " and "MÜLLER-LÜDENSCHEID" both have the key "müller-lüdenscheid". It is stored in a column of its
own, because databases differ in how they fold capitals.
"""

import re
import unicodedata
from collections.abc import Callable, Collection, Iterable, Sequence
from typing import Any, ClassVar, Self, TypeVar

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import models
from django.db.models.lookups import Contains, IContains, StartsWith

from campus.common.visible_text import is_invisible, normalize, remove_invisible

# Characters that look alike, or that programs put in for what was typed, as they are after compatibility composition
# (NFKC).
_APOSTROPHES = (
    0x60,
    0x2B9,
    0x2BB,
    0x2BC,
    0x2BD,
    0x2C8,
    0x2CA,
    0x2CB,
    0x2032,
    0x2035,
    0x2039,
    0x203A,
    *range(0x2018, 0x201C),
)
_QUOTATION_MARKS = (0xAB, 0xBB, 0x2BA, *range(0x201C, 0x2020))
_DASHES = (*range(0x2010, 0x2016), 0x2043, 0x2212)
_DOTLESS_I = 0x131  # of Turkish; its capital is the plain I
_PLAIN_CHARACTERS = {
    **dict.fromkeys(_APOSTROPHES, "'"),
    **dict.fromkeys(_QUOTATION_MARKS, '"'),
    **dict.fromkeys(_DASHES, "-"),
    _DOTLESS_I: "i",
}
_LONE_ACUTE_ACCENT = re.compile(r"\s\u0301")  # as NFKC writes one that was typed for an apostrophe


def match_key(text: str, *, ignore_case: bool = True) -> str:
    """What a number, a name or a room is compared by: the same for all that people take for the same text.

    Capitals, Unicode forms, invisible characters, kinds of quotes, dashes and digits, and white space make no
    difference. Accents do.
    """
    if text.isascii() and text.isprintable():  # most are, and long rosters have many
        return " ".join((text.lower() if ignore_case else text).replace("`", "'").split())
    composed = normalize("NFKC", text)
    visible = "".join(char for char in composed if char.isspace() or not is_invisible(char))
    unaccented = _LONE_ACUTE_ACCENT.sub("'", visible)
    folded = normalize("NFKC", unaccented.casefold() if ignore_case else unaccented)
    digits = {ord(char): str(unicodedata.decimal(char)) for char in set(folded) if char.isdecimal()}
    plain = " ".join(folded.translate(_PLAIN_CHARACTERS | digits).split())
    return normalize("NFKC", plain)


def number_key(number: str) -> str:
    """What a student number is compared by: as `match_key`, and spaces make no difference. Capitals do where the
    institution has set that they do.
    """
    key = match_key(number, ignore_case=not settings.STUDENT_NUMBERS_CASE_SENSITIVE)
    return normalize("NFKC", key.replace(" ", ""))  # what a space separated may be one character now


def sort_key(text: str) -> str:
    """What a text is sorted and searched by: as `match_key`, without accents."""
    key = match_key(text)
    if key.isascii():
        return key
    decomposed = normalize("NFD", key)
    return match_key("".join(char for char in decomposed if not unicodedata.combining(char)))


class MatchKeyField(models.TextField):  # type: ignore[type-arg]
    """The key of another field of the same row. It is derived whenever it is read, so that it can't be forgotten or be
    wrong.

    What it is compared with may be the text as people write it: `filter(number_key=number)`,
    `filter(name_key__contains=word)`.
    """

    make_key: Callable[[str], str] = staticmethod(match_key)

    def __init__(self, source: str, *args: Any, **kwargs: Any) -> None:
        self.source = source
        super().__init__(*args, **{"editable": False} | kwargs)

    def deconstruct(self) -> Any:
        name, path, args, kwargs = super().deconstruct()
        return name, path, [self.source, *args], kwargs

    def contribute_to_class(self, cls: type[models.Model], name: str, private_only: bool = False) -> None:
        super().contribute_to_class(cls, name, private_only)
        setattr(cls, self.attname, _DerivedKey(self))

    def get_prep_value(self, value: Any) -> Any:
        value = super().get_prep_value(value)
        return self.make_key(value) if isinstance(value, str) else value


class NumberKeyField(MatchKeyField):
    """The key of a student number."""

    make_key = staticmethod(number_key)


class SortKeyField(MatchKeyField):
    """What rows are sorted and searched by: the key of a text, without its accents. The text may be a property of the
    row.
    """

    make_key = staticmethod(sort_key)


class _DerivedKey:
    def __init__(self, field: MatchKeyField) -> None:
        self.field = field

    def __get__(self, row: models.Model | None, owner: type[models.Model]) -> Any:
        return self if row is None else self.field.make_key(getattr(row, self.field.source))

    def __set__(self, row: models.Model, value: object) -> None:
        row.__dict__[self.field.attname] = value  # how Django knows that the column was loaded


# Django leaves what these look for as it is, unless told otherwise.


@MatchKeyField.register_lookup
class _KeyContains(Contains):
    prepare_rhs = True


@MatchKeyField.register_lookup
class _KeyIContains(IContains):
    prepare_rhs = True


@MatchKeyField.register_lookup
class _KeyStartsWith(StartsWith):
    prepare_rhs = True


Row = TypeVar("Row", bound="KeyedModel")


class KeyedQuerySet(models.QuerySet[Row]):
    """Writes the key together with its text."""

    def update(self, **changes: Any) -> int:
        for key in self.model.match_key_fields():
            if key.source in changes and key.name not in changes:
                changes[key.name] = changes[key.source]
        return super().update(**changes)

    def bulk_update(self, objs: Iterable[Any], fields: Iterable[str], batch_size: int | None = None) -> int:
        return super().bulk_update(objs, self.model.with_match_keys(fields), batch_size)


class KeyedManager(models.Manager[Row]):
    def get_queryset(self) -> KeyedQuerySet[Row]:
        return KeyedQuerySet(self.model, using=self._db)


class KeyedModel(models.Model):
    """A model with keys. Each is written together with its text; where one has to be unique, errors name the text's
    field. Invisible characters are removed from texts before they are checked.
    """

    objects: ClassVar[KeyedManager[Self]] = KeyedManager()

    class Meta:
        abstract = True

    def save(self, *args: Any, update_fields: Iterable[str] | None = None, **kwargs: Any) -> None:
        if update_fields is not None:
            update_fields = self.with_match_keys(update_fields)
        super().save(*args, update_fields=update_fields, **kwargs)

    def clean_fields(self, exclude: Collection[str] | None = None) -> None:
        for field in self._meta.concrete_fields:
            if (
                isinstance(field, models.CharField)
                and field.editable
                and isinstance(text := getattr(self, field.attname), str)
            ):
                setattr(self, field.attname, remove_invisible(text))
        super().clean_fields(exclude)

    def validate_unique(self, exclude: Collection[str] | None = None) -> None:
        sources = {key.name: key.source for key in self.match_key_fields()}
        checked = {name for name, source in sources.items() if source not in (exclude or ())}
        try:
            super().validate_unique(set(exclude or ()) - checked)
        except ValidationError as error:
            raise ValidationError(
                {sources.get(name, name): messages for name, messages in error.error_dict.items()}
            ) from None

    @classmethod
    def match_key_fields(cls) -> Sequence[MatchKeyField]:
        return [field for field in cls._meta.concrete_fields if isinstance(field, MatchKeyField)]

    @classmethod
    def with_match_keys(cls, fields: Iterable[str]) -> list[str]:
        """The fields and the keys of those among them; always those keys whose text is a property of the row."""
        fields, columns = list(fields), {field.name for field in cls._meta.concrete_fields}
        keys = cls.match_key_fields()
        return fields + [key.name for key in keys if key.source in fields or key.source not in columns]
