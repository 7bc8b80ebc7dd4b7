"""What a worker shows to the web server that has the files: who asks, for a few minutes. Both know the secret key.

A worker names the attempt at a job for which it reads or writes, so that one that has lost its lease changes nothing.
What belongs to no attempt is maintenance: cleaning, backups, live recordings, and what follows the end of a job.
"""

from dataclasses import astuple
from typing import Final

from django.core import signing

from campus.common.jobs import Attempt

SALT: Final = "campus.stored-files"
MAINTENANCE: Final = "maintenance"
MAX_AGE_SECONDS: Final = 300  # by both clocks


def make_storage_token(attempt: Attempt | None) -> str:
    """The token of this attempt, or of maintenance."""
    return signing.dumps(astuple(attempt) if attempt else MAINTENANCE, salt=SALT)


def read_storage_token(token: str) -> Attempt | None:
    """Whose token it is; None: of maintenance. Raises BadSignature for one that is forged or too old."""
    content = signing.loads(token, salt=SALT, max_age=MAX_AGE_SECONDS)
    return None if content == MAINTENANCE else Attempt(*content)
