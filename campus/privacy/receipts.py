"""What an erasure has removed, in words."""

from dataclasses import dataclass
from typing import Any

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from campus.privacy.erasure import STEPS
from campus.privacy.models import Erasure

WORDS: dict[str, Any] = {
    "galleries": _("Face templates in galleries"),
    "photos": _("Photos, with what was computed from them"),
    "evidence": _("Faces, positions, pictures and clips from lectures"),
    "tracks": _("Tracks of recordings that were kept for another vote"),
    "excuses": _("Reasons and documents of excuses"),
    "objections": _("Texts of objections and answers"),
    "identity": _("Number, name, e-mail address, guardian's phone"),
    "imports": _("Rosters being imported, and answers kept for programs"),
    "messages": _("Messages to the person, and the name in messages to others"),
    "log": _("The name in the log of the administration"),
    "corrections": _("The name and reasons in the log of corrections"),
    "workbooks": _("Workbooks and registers, written again or deleted"),
    "recordings": _("Recordings, with all that was seen in them"),
    "class": _("The class with its lectures, attendance, galleries and workbooks"),
}


@dataclass(frozen=True, slots=True)
class ReceiptLine:
    """A step of an erasure: what it removes, whether it is done, how many rows or files it has removed, and the numbers
    of the rows that a person has to look at.
    """

    what: str | Promise
    is_done: bool
    removed: int
    doubtful: list[str]


def receipt_lines(erasure: Erasure) -> list[ReceiptLine]:
    """The steps of an erasure in their order."""
    return [
        ReceiptLine(WORDS[name], name in erasure.steps, erasure.removed.get(name, 0), erasure.doubtful.get(name, []))
        for name in STEPS[Erasure.Kind(erasure.kind)]
    ]
