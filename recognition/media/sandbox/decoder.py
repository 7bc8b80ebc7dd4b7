"""The decoder process: it imports the decoders once, and makes a confined child for each file that is to be read.

Run as `python -m recognition.media.sandbox.decoder FD`; FD is a socket over which it gets, for each file, a connection,
the shared memory for pixels, and a connection over which it tells the number of the signal that ended the child, or 0.
"""

import ctypes
import gc
import mmap
import os
import select
import signal
import socket
import sys
import traceback
from collections.abc import Iterator
from contextlib import suppress
from multiprocessing.connection import Connection
from pathlib import Path

import msgspec
import numpy as np
from PIL import Image

from recognition.errors import RecognitionError, RecordingOutOfLimits
from recognition.media import photo_reader, video_reader
from recognition.media.sandbox.confinement import confine
from recognition.media.sandbox.protocol import (
    TOO_MUCH,
    AnyRequest,
    End,
    Failure,
    PhotoRequest,
    Picture,
    PlanRequest,
    ProbeRequest,
    SampleRequest,
    Text,
    Value,
    as_text,
)
from recognition.types import Frame

MAX_BYTES = 640 * 2**20  # of one child, beyond what the imports take
PR_SET_PDEATHSIG = 1


def serve(control: socket.socket) -> None:
    """Make children until nobody asks any more."""
    # Whoever stops all processes of a service lets the worker end what it does; then the socket is closed.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    Image.init()  # imports the readers of all kinds of photos, which each child would have to
    gc.freeze()  # so that children share what was imported
    parent = os.getpid()
    children: dict[int, tuple[int, Connection]] = {}  # by a descriptor of the process: its id, and whom to tell its end
    poll = select.poll()
    poll.register(control, select.POLLIN)
    while True:
        for descriptor, _ in poll.poll():
            if descriptor in children:
                poll.unregister(descriptor)
                _tell_end(*children.pop(descriptor))
                os.close(descriptor)
                continue
            content, descriptors, _, _ = socket.recv_fds(control, 1, 3)
            if not content:
                return
            child = os.fork()
            if child == 0:
                control.close()
                for other in children:
                    os.close(other)
                for _, end in children.values():
                    end.close()
                _run_child(descriptors, parent)
            for passed in descriptors[:2]:
                os.close(passed)
            process = os.pidfd_open(child)
            children[process] = child, Connection(descriptors[2], readable=False)
            poll.register(process, select.POLLIN)


def _tell_end(child: int, end: Connection) -> None:
    status = os.waitpid(child, 0)[1]
    with end, suppress(BrokenPipeError):  # whoever has all that was asked for does not wait
        end.send_bytes(bytes([os.WTERMSIG(status)]))


def _run_child(descriptors: list[int], parent: int) -> None:
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    try:
        connection_fd, memory_fd, end_fd = descriptors
        os.close(end_fd)
        if os.getppid() == parent:
            with Connection(connection_fd) as connection:
                _answer(connection, memory_fd)
    except Exception:
        traceback.print_exc()
    finally:
        os._exit(0)


def _answer(connection: Connection, memory_fd: int) -> None:
    request = msgspec.msgpack.decode(connection.recv_bytes(), type=AnyRequest)
    path = Path(request.path)
    confine(path, max_bytes=MAX_BYTES, max_seconds=request.seconds)
    try:
        for reply in _replies(path, request, memory_fd):
            connection.send_bytes(msgspec.msgpack.encode(reply))
            if isinstance(reply, Picture):
                connection.recv_bytes(1)  # the picture was taken
    except (BrokenPipeError, ConnectionResetError, EOFError):
        pass  # nobody wants the rest
    except RecognitionError as error:
        _send_failure(connection, type(error).__name__, as_text(error.message))
    except MemoryError:
        _send_failure(connection, RecordingOutOfLimits.__name__, as_text(TOO_MUCH))
    except Exception as error:  # whatever it is, the other process has to know
        _send_failure(connection, type(error).__name__, Text("{what}", "", {"what": str(error)[:500]}))


def _send_failure(connection: Connection, kind: str, text: Text) -> None:
    connection.send_bytes(msgspec.msgpack.encode(Failure(kind, text)))


def _replies(path: Path, request: AnyRequest, memory_fd: int) -> Iterator[Value | Picture | End]:
    match request:
        case ProbeRequest():
            yield _value(video_reader.probe(path, request.limits, request.stream))
        case PlanRequest():
            yield _value(video_reader.plan_segments(path, request.info, request.length))
        case SampleRequest():
            for frame in video_reader.sample_frames(path, request.info, request.segment, request.every):
                yield _share(frame, memory_fd)
            yield End()
        case PhotoRequest():
            image, image_format, taken_at = photo_reader.read_photo(path, request.max_pixels, request.max_side)
            yield _share(Frame(0.0, image), memory_fd)
            yield _value((image_format, taken_at))


def _value(content: object) -> Value:
    return Value(msgspec.Raw(msgspec.msgpack.encode(content)))


def _share(frame: Frame, memory_fd: int) -> Picture:
    height, width, _ = frame.image.shape
    with mmap.mmap(memory_fd, frame.image.nbytes) as memory:
        shared = np.frombuffer(memory, np.uint8)
        shared[:] = frame.image.ravel()
        del shared  # else the memory could not be closed
    return Picture(frame.time, height, width)


if __name__ == "__main__":
    serve(socket.socket(fileno=int(sys.argv[1])))
