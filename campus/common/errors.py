"""Errors of services whose text is meant for the user."""

import errno
from collections.abc import Iterator
from contextlib import contextmanager

from campus.common.messages import localize
from recognition.messages import Message


class UserError(Exception):
    """A request that cannot be done. The message says why, and what to do; its text is in the reader's language."""

    def __init__(self, message: str | Message, /, **values: object) -> None:
        self.message = localize(message if isinstance(message, Message) else Message(message, **values))
        super().__init__(self.message)


def disk_full(error: OSError) -> bool:
    """Whether a write failed because the disk, or the user's part of it, is full."""
    return error.errno in (errno.ENOSPC, errno.EDQUOT)


DISK_FULL = localize(Message("The disk is full. Ask the administrator to free some space, then try again."))

DATABASE_AWAY = localize(
    Message(
        "The database cannot be used at the moment. Try again in a minute, and look whether your last change was "
        "saved. Tell the administrator if this goes on."
    )
)
DATABASE_RETRY_SECONDS = 10


@contextmanager
def explain_full_disk() -> Iterator[None]:
    """Raises UserError in place of an OSError that means a full disk."""
    try:
        yield
    except OSError as error:
        if disk_full(error):
            raise UserError(DISK_FULL) from error
        raise
