"""What this process and a reading child tell each other. Pixels go through shared memory."""

from pathlib import Path
from typing import Any

import msgspec

from recognition import errors
from recognition.errors import RecognitionError
from recognition.messages import Message

MAX_REPLY_BYTES = 2**25  # of the longest list of key frames, and of the largest table
TOO_MUCH = Message(
    "Reading this file takes more memory or time than any ordinary one of its size. It is damaged, or made to do harm. "
    "Convert it, or choose another one."
)
ERRORS = {kind.__name__: kind for kind in (RecognitionError, errors.UnreadableRecording, errors.RecordingOutOfLimits)}


class Request(msgspec.Struct, kw_only=True, tag=True):
    """What a child should do with the file `path`: with so many seconds of the processor, and so many bytes of memory
    beyond what the imports take. A file with holes is filled as it is read."""

    path: str
    seconds: int
    max_bytes: int = 528 * 2**20
    has_holes: bool = False


class Text(msgspec.Struct):
    """A `Message`."""

    template: str
    plural: str
    values: dict[str, "str | int | float | Text"]


class Value(msgspec.Struct, tag=True):
    """A result, in the same coding."""

    content: msgspec.Raw


class Picture(msgspec.Struct, tag=True):
    """A picture is in the shared memory: RGB, row by row. It stays there until it is acknowledged."""

    time: float
    height: int
    width: int


class Hole(msgspec.Struct, tag=True):
    """The child is about to read these bytes. It waits for an integer, up to where they are here."""

    start: int
    end: int


class Failure(msgspec.Struct, tag=True):
    """An error: the name of one of ERRORS, or of another class, and its message."""

    kind: str
    text: Text


class End(msgspec.Struct, tag=True):
    """There is no more."""


Reply = Value | Picture | Hole | Failure | End


def encode(content: object) -> bytes:
    return msgspec.msgpack.encode(content, enc_hook=_encode_message)


def decode_value(content: bytes | msgspec.Raw, kind: Any) -> Any:
    """What `encode` made of a value of that type. Raises MsgspecError where it is of another one."""
    return msgspec.msgpack.decode(content, type=kind, dec_hook=_decode_message)


def _encode_message(value: object) -> Text:
    if isinstance(value, Message):
        return as_text(value)
    raise NotImplementedError(f"{type(value)} can't be sent.")


def _decode_message(kind: type, content: object) -> object:
    if kind is not Message:
        raise NotImplementedError(f"{kind} can't be received.")
    text = msgspec.convert(content, Text)
    try:
        return as_message(text)
    except (LookupError, AttributeError, TypeError) as error:
        raise ValueError("A message can't be filled in.") from error  # which msgspec makes a ValidationError of


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
    """Raises an error for fields that no value fills."""
    values = {name: as_message(value) if isinstance(value, Text) else value for name, value in text.values.items()}
    message = Message(text.template, **values)
    message.plural = text.plural
    str(message)
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
