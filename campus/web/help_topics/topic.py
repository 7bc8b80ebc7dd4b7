"""What a help topic and a chapter of them are."""

from dataclasses import dataclass

from django.utils.functional import Promise

Text = str | Promise


@dataclass(frozen=True, slots=True, kw_only=True)
class HelpTopic:
    """`views` are the names of the pages that it is about, those of the admin without their verb."""

    views: tuple[str, ...]
    title: Text
    text: Text
    picture: str

    @property
    def anchor(self) -> str:
        """Where it is on the page of all topics."""
        return self.views[0].replace(":", "-")


@dataclass(frozen=True, slots=True)
class HelpChapter:
    title: Text
    topics: tuple[HelpTopic, ...]
