"""What this process and a decoding child tell each other. Pixels go through shared memory."""

from pathlib import Path

import msgspec

from recognition import errors
from recognition.errors import RecognitionError
from recognition.media.limits import Limits
from recognition.messages import Message
from recognition.types import Segment, VideoInfo

MAX_REPLY_BYTES = 2**24  # of the longest list of key frames
TOO_MUCH = Message(
    "Reading this file takes more memory or time than any ordinary one of its size. It is damaged, or made to do harm. "
    "Convert it, or choose another one."
)
ERRORS = {kind.__name__: kind for kind in (RecognitionError, errors.UnreadableRecording, errors.RecordingOutOfLimits)}


class Request(msgspec.Struct, kw_only=True, tag=True):
    """What a child should do with the file `path`, and for how many seconds of the processor at most."""

    path: str
    seconds: int


class ProbeRequest(Request, kw_only=True, tag=True):
    limits: Limits
    stream: int | None


class PlanRequest(Request, kw_only=True, tag=True):
    info: VideoInfo
    length: float


class SampleRequest(Request, kw_only=True, tag=True):
    info: VideoInfo
    segment: Segment
    every: float


class PhotoRequest(Request, kw_only=True, tag=True):
    max_pixels: int
    max_side: int | None


AnyRequest = ProbeRequest | PlanRequest | SampleRequest | PhotoRequest


class Text(msgspec.Struct):
    """A `Message`."""

    template: str
    plural: str
    values: dict[str, "str | int | float | Text"]


class Value(msgspec.Struct, tag=True):
    """The result, in the same coding."""

    content: msgspec.Raw


class Picture(msgspec.Struct, tag=True):
    """A picture is in the shared memory: RGB, row by row. It stays there until it is acknowledged."""

    time: float
    height: int
    width: int


class Failure(msgspec.Struct, tag=True):
    """An error: the name of one of ERRORS, or of another class, and its message."""

    kind: str
    text: Text


class End(msgspec.Struct, tag=True):
    """There are no more pictures."""


Reply = Value | Picture | Failure | End


def as_text(message: Message) -> Text:
    values = {
        name: as_text(value)
        if isinstance(value, Message)
        else value
        if isinstance(value, str | int | float)
        else str(value)
        for name, value in message.values.items()
    }
    return Text(message.template, message.plural, values)


def as_message(text: Text) -> Message:
    values = {name: as_message(value) if isinstance(value, Text) else value for name, value in text.values.items()}
    message = Message(text.template, **values)
    message.plural = text.plural
    str(message)  # raises an error for fields that no value fills
    return message


def as_error(failure: Failure, path: Path) -> Exception:
    """The error that the child reports."""
    if failure.kind == "FileNotFoundError":
        return FileNotFoundError(2, "No such file or directory", str(path))
    message = as_message(failure.text)
    if failure.kind not in ERRORS:
        return RuntimeError(f"{failure.kind}: {message}")
    error = ERRORS[failure.kind]("")
    error.message = message
    error.args = (message,)
    return error
