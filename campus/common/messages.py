"""Messages that are stored or cross a process: kept as template and values, shown in the language of whoever reads
them.
"""

import json
import numbers
from datetime import date, datetime
from typing import Any

from django.db import models
from django.db.models.query_utils import DeferredAttribute
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext, ngettext

from recognition.messages import Message


class LocalizedMessage(Message):
    """A message whose text is in the language that is active when it is read."""

    __slots__ = ()

    def __str__(self) -> str:
        template = self._chosen_template()
        return (
            template.format(**{name: _shown(value) for name, value in self.values.items()}) if self.values else template
        )

    def _chosen_template(self) -> str:
        if not self.template:
            return ""
        if self.plural:
            return ngettext(self.template, self.plural, self.values["n"])  # type: ignore[arg-type]
        return gettext(self.template)


def localize(message: Message) -> LocalizedMessage:
    """The same message, for readers of any language."""
    localized = LocalizedMessage(message.template, **message.values)
    localized.plural = message.plural
    return localized


def _shown(value: object) -> object:
    if isinstance(value, Message):
        return str(localize(value))
    if isinstance(value, datetime):
        local = timezone.localtime(value)
        return date_format(local, "DATETIME_FORMAT")
    if isinstance(value, date):
        return date_format(value, "DATE_FORMAT")
    return value


def dump_message(message: Message) -> dict[str, Any]:
    """The message as JSON can hold it."""
    data: dict[str, Any] = {"template": message.template}
    if message.values:
        data["values"] = {name: _dump_value(value) for name, value in message.values.items()}
    if message.plural:
        data["plural"] = message.plural
    return data


def load_message(data: dict[str, Any]) -> LocalizedMessage:
    """The message that `dump_message` made `data` of."""
    values = {name: _load_value(value) for name, value in data.get("values", {}).items()}
    message = LocalizedMessage(data["template"], **values)
    message.plural = data.get("plural", "")
    return message


def _dump_value(value: object) -> Any:
    if isinstance(value, Message):
        return dump_message(value)
    if isinstance(value, datetime):
        return {"datetime": value.isoformat()}
    if isinstance(value, date):
        return {"date": value.isoformat()}
    if isinstance(value, numbers.Integral):
        return int(value)
    return float(value) if isinstance(value, numbers.Real) else str(value)


def _load_value(value: Any) -> object:
    match value:
        case {"template": _}:
            return load_message(value)
        case {"datetime": text}:
            return datetime.fromisoformat(text)
        case {"date": text}:
            return date.fromisoformat(text)
    return value


class _MessageAttribute(DeferredAttribute):
    """What is assigned to a field reads in the reader's language at once, not only when it comes back from the
    database.
    """

    field: "MessageField"

    def __set__(self, instance: models.Model, value: Message | str | None) -> None:
        instance.__dict__[self.field.attname] = self.field.to_python(value)


class MessageField(models.TextField):  # type: ignore[type-arg]
    """Keeps a message as JSON. It takes a Message, or "" for none, and gives a LocalizedMessage, false where there is
    none.
    """

    _pyi_private_set_type: Message | str  # type: ignore[assignment]
    _pyi_private_get_type: LocalizedMessage  # type: ignore[assignment]
    descriptor_class = _MessageAttribute
    empty_values = [*models.TextField.empty_values, Message()]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        defaults: dict[str, Any] = {"default": LocalizedMessage, "blank": True, "editable": False}
        super().__init__(*args, **defaults | kwargs)

    def from_db_value(self, value: str, *_context: object) -> LocalizedMessage:
        return load_message(json.loads(value)) if value else LocalizedMessage()

    def to_python(self, value: Any) -> LocalizedMessage:
        return localize(value) if isinstance(value, Message) else self.from_db_value(value)

    def get_prep_value(self, value: Any) -> str:
        if isinstance(value, Message):
            return json.dumps(dump_message(value), ensure_ascii=False) if value else ""
        if value:
            raise TypeError(f"A Message is stored here, not {value!r}.")
        return ""

    def value_to_string(self, obj: models.Model) -> str:
        return self.get_prep_value(self.value_from_object(obj))
