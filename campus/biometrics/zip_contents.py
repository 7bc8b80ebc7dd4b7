"""What a zip of photos holds, and how the sandbox is asked for it (`campus.biometrics.zip_reader` answers)."""

import msgspec

from recognition.messages import Message
from recognition.sandbox.client import Sandbox
from recognition.sandbox.protocol import Request

READERS = Sandbox("campus.biometrics.zip_reader")

MAX_READING_SECONDS = 600  # of the processor
MAX_READING_BYTES = 512 * 2**20  # of memory
MAX_FILES = 20_000


class ZipListing(msgspec.Struct):
    """How many files there are, and of some whose names are in a coding that the zip does not say, these names."""

    total: int
    uncertain_names: list[bytes]


class ZippedFile(msgspec.Struct, tag=True):
    """A file of a zip: its path, why it can't be added (empty if it can), and how large it is.

    `raw_name` has the path's bytes where their coding is not certain. Its content follows, in pieces.
    """

    path: str
    size: int
    refusal: Message
    raw_name: bytes | None


class DamagedFile(msgspec.Struct, tag=True):
    """What came before it is not the content of the file."""


class ListRequest(Request, kw_only=True, tag=True):
    """For the `ZipListing`."""

    seconds: int = MAX_READING_SECONDS
    max_bytes: int = MAX_READING_BYTES


class UnpackRequest(Request, kw_only=True, tag=True):
    """For each `ZippedFile` from the one with the index `first` on, in natural order, with its content.

    Names whose coding the zip does not say are in `encoding`.
    """

    encoding: str
    first: int
    max_photo_bytes: int
    seconds: int = MAX_READING_SECONDS
    max_bytes: int = MAX_READING_BYTES
