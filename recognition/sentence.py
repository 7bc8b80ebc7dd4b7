"""What people are told, kept so that whoever knows their language can say it in that."""

from collections.abc import Callable
from typing import Self


class Sentence(str):
    """English, made of a template and the values in its {fields}."""

    __slots__ = ("template", "values")

    template: str
    values: dict[str, object]

    def __new__(cls, template: str, **values: object) -> Self:
        sentence = super().__new__(cls, template.format(**values) if values else template)
        sentence.template, sentence.values = template, values
        return sentence

    def said(self, say: Callable[[str], str]) -> str:
        """In another language: `say` translates templates."""
        words = say(self.template) if self.template else ""
        return words.format(**self.values) if self.values else words
