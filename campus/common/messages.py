"""Messages that are stored or cross a process: kept as template and values, shown in the language of whoever reads them."""

from datetime import date, datetime

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
        return f"{date_format(local, 'DATE_FORMAT')}, {local:%H:%M}"
    if isinstance(value, date):
        return date_format(value, "DATE_FORMAT")
    return value
