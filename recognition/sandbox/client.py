"""Ask a reading process to read a file."""

import fcntl
import math
import mmap
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from multiprocessing.connection import Connection, Pipe
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple, TypeVar

import msgspec
import numpy as np
from numpy.typing import NDArray

from recognition.errors import RecordingOutOfLimits
from recognition.sandbox.protocol import (
    MAX_REPLY_BYTES,
    TOO_MUCH,
    End,
    Failure,
    Hole,
    Picture,
    Reply,
    Request,
    Value,
    as_error,
    as_text,
    decode_value,
    encode,
)

T = TypeVar("T")
Fill = Callable[[int, int], int]

SERVER = "recognition.sandbox.server"
ROOT = Path(__file__).parents[2]
# The reading process knows nothing of this one's environment, in which secrets are. One thread for NumPy is enough.
# Large pages spare its children, each new for a file, most of their page faults.
ENVIRONMENT = {
    "PATH": os.defpath,
    "LANG": "C.UTF-8",
    "OPENBLAS_NUM_THREADS": "1",
    "GLIBC_TUNABLES": "glibc.malloc.hugetlb=1",
}
SEALS = fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_SEAL  # a child that shrank it could stop this process


class _Child(NamedTuple):
    """A child of the reading process at work on a request; `ended` says the signal that ended it, and `fill` fills the
    holes of its file."""

    request: Request
    connection: Connection
    memory: mmap.mmap
    ended: Connection
    fill: Fill | None


class Sandbox:
    """The readers of a module, each file read by a confined child.

    All methods raise the error that the child reports, RecordingOutOfLimits when the child was stopped, since it took
    more memory or time than a file may, and MemoryError when the system killed it, as it does where memory runs out:
    then it is worth another try.
    """

    def __init__(self, module: str) -> None:
        self._module = module
        self._lock = threading.Lock()
        self._processes: dict[int, tuple[subprocess.Popen[bytes], socket.socket]] = {}  # of each process that asks
        self._fills: dict[str, Fill] = {}

    @contextmanager
    def filling(self, path: Path, fill: Fill) -> Iterator[None]:
        """Within the block, the file at `path` has holes, and `fill(start, end)` is called before those bytes are read.
        It has to tolerate any two numbers, and return up to where the bytes from `start` on are there."""
        self._fills[str(path.absolute())] = fill
        try:
            yield
        finally:
            self._fills.pop(str(path.absolute()), None)

    def read_value(self, request: Request, kind: type[T]) -> T:
        """The one result of a request."""
        with self._child(request, 1) as child:
            return _value_of(_next_reply(child), kind)

    def read_values(self, request: Request, kind: Any) -> Iterator[Any]:
        """The results of a request, as they are found."""
        with self._child(request, 1) as child:
            while not isinstance(reply := _next_reply(child), End):
                yield _value_of(reply, kind)

    def read_picture(
        self, request: Request, max_bytes: int, kind: type[T], content: bytes | None = None
    ) -> tuple[NDArray[np.uint8], T]:
        """A picture, RGB of shape (height, width, 3), of at most `max_bytes`, and what is said of it.

        It is that of the request's file, or of `content`, if that is given.
        """
        with self._child(request, max_bytes, content) as child:
            _, picture = _take(child, _next_reply(child))
            return picture, _value_of(_next_reply(child), kind)

    def read_pictures(self, request: Request, height: int, width: int) -> Iterator[tuple[float, NDArray[np.uint8]]]:
        """Pictures of that size with their times."""
        with self._child(request, height * width * 3) as child:
            while isinstance(reply := _next_reply(child), Picture):
                time, picture = _take(child, reply)
                if picture.shape != (height, width, 3) or not math.isfinite(time):
                    raise _misbehaved()
                yield time, picture

    @contextmanager
    def _child(self, request: Request, max_bytes: int, content: bytes | None = None) -> Iterator[_Child]:
        """A child that does what is requested, with `max_bytes` of memory that is shared with it. `content` takes the
        place of the request's file.
        """
        ours, theirs = Pipe()
        ended, end = Pipe(duplex=False)
        descriptor = os.memfd_create("pictures", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
        try:
            os.ftruncate(descriptor, max_bytes)
            fcntl.fcntl(descriptor, fcntl.F_ADD_SEALS, SEALS)
            memory = mmap.mmap(descriptor, max_bytes)
            with theirs, end, ExitStack() as stack:
                files = [] if content is None else [stack.enter_context(_memory_file(content)).fileno()]
                self._pass_on([theirs.fileno(), descriptor, end.fileno(), *files])
        finally:
            os.close(descriptor)
        with ours, ended, memory:
            fill = self._fills.get(request.path)
            request.has_holes = fill is not None
            ours.send_bytes(encode(request))
            yield _Child(request, ours, memory, ended, fill)

    def _pass_on(self, descriptors: list[int]) -> None:
        """Give the reading process of this process a connection and memory; start it where there is none, or it
        died."""
        with self._lock:
            if running := self._processes.get(os.getpid()):
                with suppress(OSError):
                    socket.send_fds(running[1], [b"+"], descriptors)
                    return
            self._processes.clear()  # of the process that this one was forked from
            ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
            with theirs:
                command = [sys.executable, "-m", SERVER, self._module, str(theirs.fileno())]
                process = subprocess.Popen(  # noqa: S603
                    command, cwd=ROOT, env=ENVIRONMENT, pass_fds=[theirs.fileno()], stdin=subprocess.DEVNULL
                )
            self._processes[os.getpid()] = process, ours
            socket.send_fds(ours, [b"+"], descriptors)


def _memory_file(content: bytes) -> BinaryIO:
    """A file in memory, which never touches the disk."""
    file = os.fdopen(os.memfd_create("content", os.MFD_CLOEXEC), "w+b")
    file.write(content)
    file.flush()
    return file


def _next_reply(child: _Child) -> Reply:
    while isinstance(reply := _receive(child), Hole):
        if child.fill is None:
            raise _misbehaved()
        child.connection.send_bytes(encode(child.fill(reply.start, reply.end)))
    if isinstance(reply, Failure):
        raise _error_of(reply, child.request)
    return reply


def _receive(child: _Child) -> Reply:
    try:
        return msgspec.msgpack.decode(child.connection.recv_bytes(MAX_REPLY_BYTES), type=Reply)
    except (EOFError, ConnectionResetError):
        raise _describe_end(child) from None
    except (OSError, msgspec.MsgspecError) as error:
        raise _misbehaved() from error


def _describe_end(child: _Child) -> Exception:
    """Why a child said no more. SIGKILL is not how it reaches its limits, and nobody in this program sends it."""
    try:
        ended_by = child.ended.recv_bytes(1)[0]
    except (EOFError, OSError):  # the reading process is dead
        ended_by = signal.SIGKILL
    if ended_by == signal.SIGKILL:
        return MemoryError("The system killed the process that read the file.")
    return as_error(Failure(RecordingOutOfLimits.__name__, as_text(TOO_MUCH)), Path(child.request.path))


def _error_of(failure: Failure, request: Request) -> Exception:
    try:
        return as_error(failure, Path(request.path))
    except (LookupError, ValueError, AttributeError, TypeError):
        return _misbehaved()


def _take(child: _Child, reply: Reply) -> tuple[float, NDArray[np.uint8]]:
    """A copy of the picture in the memory, whose place is free for the next one."""
    if not isinstance(reply, Picture) or not 0 < reply.height * reply.width * 3 <= len(child.memory) or reply.width < 1:
        raise _misbehaved()
    picture = np.empty((reply.height, reply.width, 3), np.uint8)
    np.copyto(
        picture, np.frombuffer(child.memory, np.uint8, picture.size).reshape(picture.shape)
    )  # others go on meanwhile
    child.connection.send_bytes(b"+")
    return reply.time, picture


def _value_of(reply: Reply, kind: type[T]) -> T:
    if not isinstance(reply, Value):
        raise _misbehaved()
    try:
        return decode_value(reply.content, kind)
    except msgspec.MsgspecError as error:
        raise _misbehaved() from error


def _misbehaved() -> RecordingOutOfLimits:
    return RecordingOutOfLimits("This file made its reader misbehave, so it was not read. Choose another one.")
