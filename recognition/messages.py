"""Sentences for people, kept as a template and its values so that an application can show them in the reader's
language.
"""

from collections.abc import Iterable
from typing import Self


class Message:
    """A sentence in English: `values` fill the {fields} of `template`, as in str.format. A value may be a message, too.

    >>> str(Message("{name} is empty.", name="lecture.mp4"))
    'lecture.mp4 is empty.'
    """

    __slots__ = ("plural", "template", "values")

    def __init__(self, template: str = "", /, **values: object) -> None:
        self.template, self.values = template, values
        self.plural = ""

    @classmethod
    def with_count(cls, singular: str, plural: str, /, *, n: int, **values: object) -> Self:
        """A sentence that depends on a number.

        >>> str(Message.with_count("{n} file", "{n} files", n=3))
        '3 files'
        """
        message = cls(singular, n=n, **values)
        message.plural = plural
        return message

    def __str__(self) -> str:
        template = self._chosen_template()
        return template.format(**self.values) if self.values else template

    def _chosen_template(self) -> str:
        return self.plural if self.plural and self.values["n"] != 1 else self.template

    def __bool__(self) -> bool:
        return bool(self.template)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Message):
            return NotImplemented
        return (self.template, self.plural, self.values) == (other.template, other.plural, other.values)

    def __hash__(self) -> int:
        return hash((self.template, self.plural))

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: {self}>"


NO_MESSAGE = Message()


def join_messages(messages: Iterable[Message], separator: str = " ") -> Message:
    """One message of several; empty ones are left out."""
    values = {f"m{index}": message for index, message in enumerate(messages) if message}
    return Message(separator.join(f"{{{name}}}" for name in values), **values)
