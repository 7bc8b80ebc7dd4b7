"""Whose fault an error is: the job's, that of this worker's machine, or of something that passes."""

import errno
from datetime import timedelta
from enum import Enum

import redis
from django.db import InterfaceError, OperationalError
from django.utils import timezone

from campus.common.database_clock import DatabaseClock, database_now
from campus.common.encryption import DecryptionError, UnknownKey
from campus.common.errors import DISK_FULL, UserError, disk_full
from campus.common.storage import is_storage_here
from recognition.errors import RecognitionError, WeightsMissing
from recognition.messages import Message

NO_STORAGE = Message("A worker's machine does not reach the storage of the recordings. Ask the administrator.")
OUT_OF_MEMORY = Message("A worker's machine ran out of memory. Ask the administrator if this goes on.")
NO_DATABASE = Message("The database could not be reached.")

# Stores refuse requests whose time is a quarter of an hour off, and a clock that is ahead deletes what should be kept.
MAX_CLOCK_DIFFERENCE = timedelta(minutes=5)

# Errors of the operating system that are the machine's: of its disk, its mounts, its permissions, its limits.
MACHINE_ERRORS = {
    errno.EACCES,
    errno.EDQUOT,
    errno.EIO,
    errno.EMFILE,
    errno.ENFILE,
    errno.ENODEV,
    errno.ENOMEM,
    errno.ENOSPC,
    errno.ENOTCONN,
    errno.EROFS,
    errno.ESTALE,
}


class Fault(Enum):
    """What an error says of the attempt that it ended."""

    CONTENT = "the job cannot be done: it fails"
    MACHINE = "this machine cannot do it now: it is given back, and the machine takes itself out"
    PASSING = "it can be done later: it is given back"
    UNKNOWN = "it counts as one of a few attempts"


def find_fault(error: BaseException) -> Fault:
    """Whose fault an error is that ended an attempt."""
    if isinstance(error, (WeightsMissing, MemoryError, UnknownKey)) or _is_of_gpu(error):
        return Fault.MACHINE
    if isinstance(error, (RecognitionError, UserError)):
        is_disk_full = isinstance(error.__cause__, OSError) and disk_full(error.__cause__)
        return Fault.MACHINE if is_disk_full else Fault.CONTENT
    if isinstance(error, (OperationalError, InterfaceError, redis.RedisError, ConnectionError, TimeoutError)):
        return Fault.PASSING
    is_damaged = isinstance(error.__cause__, DecryptionError)
    if isinstance(error, OSError) and not is_damaged and (error.errno in MACHINE_ERRORS or not is_storage_here()):
        return Fault.MACHINE
    return Fault.UNKNOWN


_database_clock = DatabaseClock()


def find_clock_problem() -> Message | None:
    """What is wrong with this machine's clock, if it is too wrong to do any job."""
    difference = abs(timezone.now() - _database_clock.now())
    if difference > MAX_CLOCK_DIFFERENCE:  # or this machine has slept, by which the monotonic clock does not go on
        difference = abs(timezone.now() - database_now())
    if difference <= MAX_CLOCK_DIFFERENCE:
        return None
    return Message(
        "The clock of its machine and that of the database differ by {seconds} seconds.",
        seconds=round(difference.total_seconds()),
    )


def _is_of_gpu(error: BaseException) -> bool:
    """Whether TensorFlow raised it, which computes nothing but on a GPU."""
    return type(error).__module__.startswith("tensorflow.")


def describe_interruption(error: BaseException) -> Message:
    """A sentence for people about an error of the machine, or one that passes."""
    if isinstance(error, (RecognitionError, UserError)):
        return error.message
    if isinstance(error, MemoryError):
        return OUT_OF_MEMORY
    if isinstance(error, (OperationalError, InterfaceError)):
        return NO_DATABASE
    if isinstance(error, OSError) and disk_full(error):
        return DISK_FULL
    if not is_storage_here():
        return NO_STORAGE
    return Message(
        "A worker's machine has a problem: {problem}.", problem=getattr(error, "strerror", None) or type(error).__name__
    )
