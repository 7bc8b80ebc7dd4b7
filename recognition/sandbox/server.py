"""The reading process: it imports the readers once, and makes a confined child for each file that is to be read.

Run as `python -m recognition.sandbox.server MODULE FD`; MODULE has the readers. FD is a socket over which it gets, for
each file, a connection, the shared memory for pixels, a connection over which it tells the number of the signal that
ended the child, or 0, and the content, if it is not that of the request's file.
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
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from importlib import import_module
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from recognition.errors import RecognitionError, RecordingOutOfLimits
from recognition.messages import Message
from recognition.sandbox.confinement import confine
from recognition.sandbox.protocol import ERRORS, TOO_MUCH, End, Failure, Hole, Picture, Text, Value, as_text, encode
from recognition.sandbox.source_file import SourceFile
from recognition.types import Frame

PR_SET_PDEATHSIG = 1

Answer = Callable[[Any], Iterator[object]]


def serve(control: socket.socket, requests: Any, answer: Answer) -> None:
    """Make children until nobody asks any more."""
    # Whoever stops all processes of a service lets the worker end what it does; then the socket is closed.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
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
            content, descriptors, _, _ = socket.recv_fds(control, 1, 4)
            if not content:
                return
            child = os.fork()
            if child == 0:
                control.close()
                for other in children:
                    os.close(other)
                for _, end in children.values():
                    end.close()
                _run_child(descriptors, parent, requests, answer)
            for passed in (*descriptors[:2], *descriptors[3:]):
                os.close(passed)
            process = os.pidfd_open(child)
            children[process] = child, Connection(descriptors[2], readable=False)
            poll.register(process, select.POLLIN)


def _tell_end(child: int, end: Connection) -> None:
    status = os.waitpid(child, 0)[1]
    with end, suppress(BrokenPipeError):  # whoever has all that was asked for does not wait
        end.send_bytes(bytes([os.WTERMSIG(status)]))


def _run_child(descriptors: list[int], parent: int, requests: Any, answer: Answer) -> None:
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    try:
        connection_fd, memory_fd, end_fd, *content_fd = descriptors
        os.close(end_fd)
        if os.getppid() == parent:
            with Connection(connection_fd) as connection:
                request = msgspec.msgpack.decode(connection.recv_bytes(), type=requests)
                path = None if content_fd else Path(request.path)
                if content_fd:
                    request.path = f"/proc/self/fd/{content_fd[0]}"  # a file in memory, which Landlock does not confine
                if request.has_holes:
                    SourceFile.fill = partial(_fill, connection)
                memory = mmap.mmap(memory_fd, 0)  # once: to map it for each picture takes as long as to copy one
                confine(path, max_bytes=request.max_bytes, max_seconds=request.seconds)
                _reply(connection, memory, answer(request))
    except Exception:
        traceback.print_exc()
    finally:
        os._exit(0)


def _fill(connection: Connection, start: int, end: int) -> int:
    connection.send_bytes(encode(Hole(start, end)))
    return msgspec.msgpack.decode(connection.recv_bytes(), type=int)


def _reply(connection: Connection, memory: mmap.mmap, found: Iterator[object]) -> None:
    try:
        for content in found:
            is_picture = isinstance(content, Frame)
            reply = _share(content, memory) if isinstance(content, Frame) else Value(msgspec.Raw(encode(content)))
            connection.send_bytes(encode(reply))
            if is_picture:
                connection.recv_bytes(1)  # the picture was taken
        connection.send_bytes(encode(End()))
    except (BrokenPipeError, ConnectionResetError, EOFError):
        pass  # nobody wants the rest
    except MemoryError:
        _send_failure(connection, RecordingOutOfLimits.__name__, as_text(TOO_MUCH))
    except Exception as error:  # whatever it is, the other process has to know
        kind, message = type(error).__name__, getattr(error, "message", None)
        if isinstance(message, Message):
            _send_failure(connection, kind if kind in ERRORS else RecognitionError.__name__, as_text(message))
        else:
            _send_failure(connection, kind, Text("{what}", "", {"what": str(error)[:500]}))


def _send_failure(connection: Connection, kind: str, text: Text) -> None:
    connection.send_bytes(encode(Failure(kind, text)))


def _share(frame: Frame, memory: mmap.mmap) -> Picture:
    height, width, _ = frame.image.shape
    np.frombuffer(memory, np.uint8, frame.image.nbytes)[:] = frame.image.ravel()
    return Picture(frame.time, height, width)


if __name__ == "__main__":
    readers = import_module(sys.argv[1])
    serve(socket.socket(fileno=int(sys.argv[2])), readers.REQUESTS, readers.answer)
