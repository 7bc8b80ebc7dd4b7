"""A camera's pictures as they come, put into files that begin on key frames. Nothing is decoded or encoded again."""

import struct
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any
from urllib.parse import quote

import av

from campus.common.errors import UserError
from recognition.media.container import CODECS
from recognition.messages import Message
from workers.recorder.relay import Relay

OPEN_TIMEOUT_SECONDS = 10.0
READ_TIMEOUT_SECONDS = 10.0  # without a picture
KEYFRAME_TIMEOUT_SECONDS = 60.0  # without a key frame
SETTLE_SECONDS = 10.0  # that a camera may take to send what it has kept back for who comes anew
WINDOW_SECONDS = 60.0
MAX_JUMP_SECONDS = 1.0  # the largest error of a file's times
RTSP_OPTIONS = {
    "rtsp_transport": "tcp",
    "allowed_media_types": "video",
    "protocol_whitelist": "rtsp,rtp,tcp",
    "codec_whitelist": ",".join(CODECS),
    "analyzeduration": "8000000",  # microseconds: until the first key frame of a camera that sends no header
    "fpsprobesize": "0",
}
# The file can be read at any moment, also after a power cut. Closed, it is an ordinary MP4.
MP4_OPTIONS = {"movflags": "hybrid_fragmented+frag_keyframe"}


class CameraError(UserError):
    """The camera could not be recorded.

    The message is a sentence without secrets. `refused`: a person has to change something.
    """

    def __init__(self, message: str | Message, /, *, refused: bool = False, **values: object) -> None:
        super().__init__(message, **values)
        self.refused = refused


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """Where a camera is: an IP address that may be called, its port and the path of its stream.

    `tls_name`: the name of an rtsps camera.
    """

    address: str
    port: int
    path: str
    username: str = ""
    password: str = ""
    tls_name: str = ""

    def url(self, port: int) -> str:
        """Through a relay at that port of this machine."""
        login = f"{quote(self.username, safe='')}:{quote(self.password, safe='')}@" if self.username else ""
        return f"rtsp://{login}127.0.0.1:{port}{self.path}"


class WallClock:
    """When a picture was taken by our clock, in seconds since 1970, from when it came.

    The stream's times are even but may run fast or slow; ours are right but a picture comes late by what the network
    takes. So the picture of the last minute that came with the least delay says how the two belong together.
    """

    def __init__(self) -> None:
        self.began: float | None = None
        self.latest = float("-inf")
        self.offsets: deque[tuple[float, float]] = deque()  # (when it came, ours less the stream's), both growing

    @property
    def offset(self) -> float:
        return self.offsets[0][1]

    def at(self, pts: float) -> float:
        """Our time of the stream's second `pts`."""
        return pts + self.offset

    def is_settled(self, now: float) -> bool:
        return self.began is not None and now - self.began > SETTLE_SECONDS

    def has_jumped(self, pts: float, now: float) -> bool:
        """Whether the stream's time leapt since the last picture: back, or farther than time went by."""
        return pts < self.latest - MAX_JUMP_SECONDS or (
            self.is_settled(now) and now - pts < self.offset - MAX_JUMP_SECONDS
        )

    def received(self, pts: float, now: float) -> None:
        self.began = now if self.began is None else self.began
        self.latest = max(self.latest, pts)
        while self.offsets and self.offsets[-1][1] >= now - pts:
            self.offsets.pop()
        self.offsets.append((now, now - pts))
        while self.offsets[0][0] < now - WINDOW_SECONDS:
            self.offsets.popleft()


class OutputFile:
    """A file that is being written. It begins with a key frame at the stream's second `pts`; `starts` is when that was
    taken, None until the connection is old enough to say.
    """

    def __init__(self, path: Path, stream: Any, pts: float, starts: float | None) -> None:
        self.path, self.pts, self.starts = path, pts, starts
        self.file = path.open("xb")
        self.out = av.open(self.file, "w", format="mp4", options=MP4_OPTIONS)
        self.stream = self.out.add_stream_from_template(stream)
        self.shift: int | None = None
        self.last: int | None = None

    def add(self, packet: Any) -> None:
        self.shift = packet.pts if self.shift is None else self.shift
        dts = (packet.pts if packet.dts is None else packet.dts) - self.shift
        packet.dts = dts if self.last is None else max(dts, self.last + 1)
        packet.pts = max(packet.pts - self.shift, packet.dts)
        self.last = packet.dts
        packet.stream = self.stream
        self.out.mux_one(packet)

    def close(self) -> None:
        with self.file, suppress(av.FFmpegError):  # what is written so far can be read without the end
            self.out.close()


@dataclass(slots=True, kw_only=True)
class RecordingSink:
    """What a connection to a camera is to give.

    `new_file(starts)` says where the next file goes, by its first picture's time as far as known then; it may raise
    CameraError. `done(path, starts, ends)` is told of each that is closed, `clock(ahead)` by how many seconds the
    camera's own clock is fast, as often as the camera says so. Times are seconds since 1970 by our clock. `seconds` is
    about how long a file is to be, `max_bytes` how many bytes. `received`: a picture came.
    """

    new_file: Callable[[float], Path]
    done: Callable[[Path, float, float], None]
    clock: Callable[[float], None]
    seconds: float
    max_bytes: int
    received: bool = False


def record(target: Target, sink: RecordingSink, stopping: threading.Event) -> None:
    """Record until `stopping` is set, which is noticed with the next picture. Raises CameraError when the camera goes
    away or cannot be reached; what came before that is handed over.
    """
    with open_camera(target) as (packets, stream):
        Cutter(sink, stream).run(packets, stopping)


def describe_stream(target: Target) -> str:
    """What a camera sends, such as "h264, 1920 x 1080". Raises CameraError."""
    with open_camera(target) as (_packets, stream):
        return f"{stream.codec_context.name}, {stream.codec_context.width} x {stream.codec_context.height}"


@contextmanager
def open_camera(target: Target) -> Iterator[tuple[Iterator[tuple[Any, float]], Any]]:
    """The camera's pictures, a packet each and when it came, and their stream."""
    try:
        relay = Relay(target.address, target.port, target.tls_name)
    except OSError as error:
        raise CameraError(
            "The camera cannot be reached ({why}). Is it switched on, and are address and port right?",
            why=type(error).__name__,
        ) from error
    with relay:
        try:
            with av.open(
                target.url(relay.port),
                format="rtsp",
                options=RTSP_OPTIONS,
                timeout=(OPEN_TIMEOUT_SECONDS, READ_TIMEOUT_SECONDS),
            ) as container:
                if not container.streams.video:
                    raise CameraError(
                        "The camera sends no picture, or one in a coding that is not known here. Set it to H.264.",
                        refused=True,
                    )
                stream = container.streams.video[0]
                # Of the first picture the beginning may be missing: we came in the middle of it.
                yield islice(join_slices(container.demux(stream)), 1, None), stream
        except av.FFmpegError as error:
            raise explain_error(error, relay) from None  # its text has the address with the password


def join_slices(packets: Iterator[Any]) -> Iterator[tuple[Any, float]]:
    """Each picture with the time that it came, and how long it is shown, which the next one says.

    Some cameras repeat what a decoder needs before each slice of a picture, and FFmpeg takes each for a picture of its
    own.
    """
    held, came = None, 0.0
    for packet in packets:
        now = time.time()
        if not packet.size or packet.pts is None:
            continue
        if held is not None and packet.pts == held.pts:
            whole = av.Packet(bytes(held) + bytes(packet))
            whole.pts, whole.dts, whole.time_base, whole.is_keyframe = (
                held.pts,
                held.dts,
                held.time_base,
                held.is_keyframe,
            )
            held = whole
            continue
        if held is not None:
            lasts = packet.pts - held.pts
            held.duration = lasts if 0 < lasts * held.time_base < READ_TIMEOUT_SECONDS else 0
            yield held, came
        held, came = packet, now


def explain_error(error: av.FFmpegError, relay: Relay) -> CameraError:
    """A sentence in place of FFmpeg's text."""
    if relay.redirected:
        return CameraError(
            "The camera sends us to another address, which is not followed. Enter the address that it means.",
            refused=True,
        )
    if isinstance(error, av.HTTPUnauthorizedError | av.HTTPForbiddenError):
        return CameraError("The camera refuses the user name or the password. Correct them.", refused=True)
    if isinstance(error, av.HTTPNotFoundError):
        return CameraError(
            "The camera has no stream of that name. Check the address and the camera's name in the path.", refused=True
        )
    if not relay.received or isinstance(error, av.ExitError | av.TimeoutError):
        return CameraError("The camera sends nothing.")
    return CameraError("The connection to the camera broke off ({why}).", why=type(error).__name__)


class Cutter:
    """Puts the packets of one connection into parts."""

    def __init__(self, sink: RecordingSink, stream: Any) -> None:
        self.sink, self.stream = sink, stream
        self.clock = WallClock()
        self.part: OutputFile | None = None
        self.end = 0.0  # the stream's second at which the last picture is over
        self.keyframe_deadline = time.monotonic() + KEYFRAME_TIMEOUT_SECONDS

    def run(self, packets: Iterator[tuple[Any, float]], stopping: threading.Event) -> None:
        try:
            for packet, came in packets:
                if stopping.is_set():
                    return
                self.take(packet, float(packet.pts * packet.time_base), came)
        finally:
            self.close(self.end)
        raise CameraError("The camera ended the stream.")

    def take(self, packet: Any, pts: float, now: float) -> None:
        if self.clock.has_jumped(pts, now):
            self.close(self.end)
            self.clock, self.end = WallClock(), pts
        self.clock.received(pts, now)
        if packet.is_keyframe:
            self.sink.received = True
            self.keyframe_deadline = time.monotonic() + KEYFRAME_TIMEOUT_SECONDS
            if self.part is None or self.is_full(self.part, pts):
                starts = self.close(pts)
                path = self.sink.new_file(starts or self.clock.at(pts))
                self.part = OutputFile(path, self.stream, pts, starts)
        elif time.monotonic() > self.keyframe_deadline:
            raise CameraError(
                "The camera sent no key frame for {n} seconds. Set it to one every two seconds.",
                n=KEYFRAME_TIMEOUT_SECONDS,
                refused=True,
            )
        self.measure(packet, pts)
        if self.part:
            if self.part.starts is None and self.clock.is_settled(now):
                self.part.starts = self.clock.at(self.part.pts)
            self.end = max(self.end, pts + float(packet.duration * packet.time_base))
            self.part.add(packet)

    def is_full(self, part: OutputFile, pts: float) -> bool:
        """Whether it is long or large enough, or its times have drifted from ours.

        Never before it is known when it began.
        """
        if part.starts is None:
            return False
        drifted = abs(self.clock.at(part.pts) - part.starts) > MAX_JUMP_SECONDS
        return drifted or pts - part.pts >= self.sink.seconds - 0.5 or part.file.tell() > self.sink.max_bytes

    def measure(self, packet: Any, pts: float) -> None:
        """The camera's own clock, where it has told it (RTCP)."""
        if packet.has_sidedata("prft"):
            (camera,) = struct.unpack_from("<q", bytes(packet.get_sidedata("prft")))
            self.sink.clock(camera / 1e6 - self.clock.at(pts))

    def close(self, end: float) -> float | None:
        """Hand the present part over; it is over at the stream's second `end`. Returns when that was."""
        if self.part is None:
            return None
        part, self.part = self.part, None
        part.close()
        starts, ends = part.starts or self.clock.at(part.pts), self.clock.at(end)
        self.sink.done(part.path, starts, ends)
        return ends
