"""Finds a person's number, names and addresses in texts, and takes them out."""

import html
import json
import re
from collections.abc import Collection
from dataclasses import dataclass
from functools import cached_property
from typing import Any


@dataclass(frozen=True)
class Terms:
    """The words that name somebody. They are found as whole words, in any capitals, and as JSON and HTML write them.

    `shared`: names of the person that others have too. They are taken out of texts that are about the person, who is
    named by one of the words, and about none of the `others`, by whose own words these are known.
    """

    words: frozenset[str]
    replacement: str
    shared: frozenset[str] = frozenset()
    others: frozenset[str] = frozenset()

    @classmethod
    def of(
        cls, words: Collection[str], replacement: str, *, shared: Collection[str] = (), others: Collection[str] = ()
    ) -> "Terms":
        """Of these words but empty ones."""
        found = (frozenset(filter(None, group)) for group in (words, shared, others))
        return cls(next(found), replacement, *found)

    @cached_property
    def with_shared(self) -> "Terms":
        """All words, whoever they stand for."""
        return Terms(self.words | self.shared, self.replacement)

    @cached_property
    def _of_others(self) -> "Terms":
        return Terms(self.others, "")

    def for_text(self, text: str, *, is_own: bool = False) -> "Terms":
        """The words to take out of a text. `is_own`: it belongs to a row of the person's."""
        is_about = (is_own or self.is_in(text)) and not self._of_others.is_in(text)
        return self.with_shared if is_about else Terms(self.words, self.replacement)

    def may_be_in(self, text: str) -> bool:
        """Whether the text has a shared name, and nothing says whose."""
        return bool(self.shared) and self.with_shared.is_in(text) and not self._of_others.is_in(text)

    @cached_property
    def spellings(self) -> list[str]:
        """The words as they may stand in a text, the longest first."""
        found = {form for word in self.words for form in (word, json.dumps(word)[1:-1], html.escape(word))}
        return sorted(found, key=lambda form: (-len(form), form))

    @cached_property
    def _pattern(self) -> re.Pattern[str]:
        return re.compile("|".join(rf"(?<!\w){re.escape(form)}(?!\w)" for form in self.spellings), re.IGNORECASE)

    def is_in(self, text: str) -> bool:
        """Whether the text names the person."""
        return bool(self.words) and bool(self._pattern.search(text))

    def take_out(self, text: str) -> str:
        """The text without the person."""
        return self._pattern.sub(self.replacement, text) if self.words else text

    def take_out_of_json(self, value: Any) -> Any:
        """The same of all texts in a value as JSON has them."""
        if isinstance(value, str):
            return self.take_out(value)
        if isinstance(value, list):
            return [self.take_out_of_json(part) for part in value]
        if isinstance(value, dict):
            return {self.take_out(key): self.take_out_of_json(part) for key, part in value.items()}
        return value
