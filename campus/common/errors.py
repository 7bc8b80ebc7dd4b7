"""What a service says to a person."""

import errno

from django.utils.translation import gettext, gettext_lazy

from recognition.errors import RecognitionError
from recognition.sentence import Sentence


class UserError(Exception):
    """A request that cannot be done. The message is a sentence that says why, and what to do."""


def disk_full(error: OSError) -> bool:
    """Whether a write failed because the disk, or the user's part of it, is full."""
    return error.errno in (errno.ENOSPC, errno.EDQUOT)


DISK_FULL = gettext_lazy("The disk is full. Ask the administrator to free some space, then try again.")


def told(error: Exception) -> str:
    """What people are told of it, in the language of now."""
    return said(error.sentence) if isinstance(error, RecognitionError) else str(error)


def said(text: str) -> str:
    """What the recognition says of something, in the language of now."""
    return text.said(gettext) if isinstance(text, Sentence) else text
