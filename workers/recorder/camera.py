"""Record a camera's stream into files that begin on key frames. Nothing is decoded or encoded again."""

import struct
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
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
# A camera first sends a new client the pictures that it has buffered. Only after this time are arrivals up to date.
CLOCK_SETTLE_SECONDS = 10.0
CLOCK_WINDOW_SECONDS = 60.0
MAX_TIME_ERROR_SECONDS = 1.0  # of the times of a file
FILE_LENGTH_TOLERANCE_SECONDS = 0.5
RTSP_OPTIONS = {
    "rtsp_transport": "tcp",
    "allowed_media_types": "video",
    "protocol_whitelist": "rtsp,rtp,tcp",
    "codec_whitelist": ",".join(CODECS),
    "analyzeduration": "8000000",  # microseconds; a camera without a header says what it sends in its first key frame
    "fpsprobesize": "0",
}
# The file can be read at any moment, even after a power cut. Once closed, it is an ordinary MP4.
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
    """A camera's stream: an IP address that we may connect to, the port and the path.

    `tls_name`: the host name that the certificate of an rtsps camera must have. `span`: not what the camera shows now,
    but what was recorded between these times.
    """

    address: str
    port: int
    path: str
    username: str = ""
    password: str = ""
    tls_name: str = ""
    span: tuple[datetime, datetime] | None = None

    def url(self, port: int) -> str:
        """The address of the stream through a relay on that port of this machine."""
        login = f"{quote(self.username, safe='')}:{quote(self.password, safe='')}@" if self.username else ""
        return f"rtsp://{login}127.0.0.1:{port}{self.path}"

    @property
    def span_seconds(self) -> float:
        """How long the span is."""
        return (self.span[1] - self.span[0]).total_seconds() if self.span else 0.0

    def edit_request(self, request: bytes) -> bytes:
        """What FFmpeg asks for, with what ONVIF's replay adds, as fast as the recorder sends it: FFmpeg knows nothing
        of it."""
        if self.span is None or not request.startswith((b"SETUP ", b"PLAY ")):
            return request
        head, *lines = request.split(b"\r\n")
        lines.insert(0, b"Require: onvif-replay")
        if head.startswith(b"PLAY "):
            times = "-".join(f"{moment.astimezone(UTC):%Y%m%dT%H%M%SZ}" for moment in self.span)
            lines = [line for line in lines if not line.lower().startswith(b"range:")]
            lines[1:1] = [f"Range: clock={times}".encode(), b"Rate-Control: no"]
        return b"\r\n".join([head, *lines])


class WallClock:
    """When a picture was taken by our clock, in seconds since 1970, from when it arrived.

    The stream's times are even but may run fast or slow; ours are right, but a picture arrives late by its delay in the
    network. So the offset between the two comes from the picture of the last minute that had the smallest delay.
    """

    def __init__(self) -> None:
        self.first_arrival: float | None = None
        self.latest_pts = float("-inf")
        self.offsets: deque[tuple[float, float]] = deque()  # (arrival, our time less the stream's), both ascending

    @property
    def offset(self) -> float:
        return self.offsets[0][1]

    def wall_time(self, pts: float) -> float:
        """Our time of the stream's second `pts`."""
        return pts + self.offset

    def is_settled(self, now: float) -> bool:
        """Whether the camera has had the time to send what it had buffered."""
        return self.first_arrival is not None and now - self.first_arrival > CLOCK_SETTLE_SECONDS

    def has_jumped(self, pts: float, now: float) -> bool:
        """Whether the stream's time jumped since the last picture: back, or further ahead than time has passed."""
        jumped_back = pts < self.latest_pts - MAX_TIME_ERROR_SECONDS
        return jumped_back or (self.is_settled(now) and now - pts < self.offset - MAX_TIME_ERROR_SECONDS)

    def add_arrival(self, pts: float, now: float) -> None:
        """Take a picture of the stream's second `pts`, which arrived at `now`, into account."""
        if self.first_arrival is None:
            self.first_arrival = now
        self.latest_pts = max(self.latest_pts, pts)
        while self.offsets and self.offsets[-1][1] >= now - pts:
            self.offsets.pop()
        self.offsets.append((now, now - pts))
        while self.offsets[0][0] < now - CLOCK_WINDOW_SECONDS:
            self.offsets.popleft()


class OutputFile:
    """A file that is being written. Its first picture is the key frame at the stream's second `start_pts`.

    `starts` is our time of that picture; None until the clock has settled.
    """

    def __init__(self, path: Path, stream: Any, start_pts: float, starts: float | None) -> None:
        self.path, self.start_pts, self.starts = path, start_pts, starts
        self.file = path.open("xb")
        self.container = av.open(self.file, "w", format="mp4", options=MP4_OPTIONS)
        self.stream = self.container.add_stream_from_template(stream)
        self.first_pts: int | None = None
        self.last_dts: int | None = None

    def write(self, packet: Any) -> None:
        """Append a packet, with times that count from the start of the file and always grow."""
        if self.first_pts is None:
            self.first_pts = packet.pts
        dts = (packet.pts if packet.dts is None else packet.dts) - self.first_pts
        packet.dts = dts if self.last_dts is None else max(dts, self.last_dts + 1)
        packet.pts = max(packet.pts - self.first_pts, packet.dts)
        self.last_dts = packet.dts
        packet.stream = self.stream
        self.container.mux_one(packet)

    def close(self) -> None:
        with self.file, suppress(av.FFmpegError):  # what has been written can be read without the end
            self.container.close()


@dataclass(slots=True, kw_only=True)
class RecordingSink:
    """Where the files of a connection go, and how large they may be. Times are seconds since 1970 by our clock.

    `choose_path(starts)` returns the path of the next file, by the time of its first picture as far as it is known;
    it may raise CameraError. `on_file_closed(path, starts, ends)` is called for each closed file.
    `on_clock_measured(ahead)` is called with the seconds by which the camera's own clock is fast, whenever the camera
    reports its time. `has_received`: a key frame has arrived.
    """

    choose_path: Callable[[float], Path]
    on_file_closed: Callable[[Path, float, float], None]
    on_clock_measured: Callable[[float], None]
    file_seconds: float
    max_file_bytes: int
    has_received: bool = False


def record(target: Target, sink: RecordingSink, stopping: threading.Event) -> None:
    """Record until `stopping` is set, which takes effect with the next picture.

    Raises CameraError if the camera cannot be reached or goes away; what has arrived by then is in a closed file.
    """
    with open_camera(target) as (packets, stream):
        FileSplitter(sink, stream).run(packets, stopping)


def describe_stream(target: Target) -> str:
    """What a camera sends, such as "h264, 1920 x 1080". Raises CameraError."""
    with open_camera(target) as (_packets, stream):
        return f"{stream.codec_context.name}, {stream.codec_context.width} x {stream.codec_context.height}"


@contextmanager
def open_camera(target: Target) -> Iterator[tuple[Iterator[tuple[Any, float]], Any]]:
    """The camera's pictures, each as one packet and the time of its arrival; and their stream."""
    try:
        relay = Relay(target.address, target.port, target.tls_name, target.edit_request)
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
                pictures = join_slices(container.demux(stream))
                # What is shown now is joined at any moment, so that the first picture may lack its beginning.
                yield islice(pictures, 0 if target.span else 1, None), stream
        except av.FFmpegError as error:
            raise explain_error(error, relay) from None  # its text has the address with the password


def join_slices(packets: Iterator[Any]) -> Iterator[tuple[Any, float]]:
    """Each picture as one packet, with the time of its arrival and a duration, which follows from the next picture.

    Some cameras repeat what a decoder needs before each slice of a picture, and FFmpeg takes every slice for a picture.
    """
    picture, arrival = None, 0.0
    for packet in packets:
        now = time.time()
        if not packet.size or packet.pts is None:
            continue
        if picture is None:
            picture, arrival = packet, now
        elif packet.pts == picture.pts:
            picture = append_slice(picture, packet)
        else:
            duration = packet.pts - picture.pts
            picture.duration = duration if 0 < duration * picture.time_base < READ_TIMEOUT_SECONDS else 0
            yield picture, arrival
            picture, arrival = packet, now


def append_slice(picture: Any, packet: Any) -> Any:
    joined = av.Packet(bytes(picture) + bytes(packet))
    joined.pts, joined.dts = picture.pts, picture.dts
    joined.time_base, joined.is_keyframe = picture.time_base, picture.is_keyframe
    return joined


def explain_error(error: av.FFmpegError, relay: Relay) -> CameraError:
    """A sentence in place of FFmpeg's text."""
    if relay.was_redirected:
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
    if not relay.has_received or isinstance(error, av.ExitError | av.TimeoutError):
        return CameraError("The camera sends nothing.")
    return CameraError("The connection to the camera broke off ({why}).", why=type(error).__name__)


class FileSplitter:
    """Writes the packets of one connection into files."""

    def __init__(self, sink: RecordingSink, stream: Any) -> None:
        self.sink, self.stream = sink, stream
        self.clock = WallClock()
        self.file: OutputFile | None = None
        self.end_pts = 0.0  # the stream's second at which the last picture ends
        self.keyframe_deadline = time.monotonic() + KEYFRAME_TIMEOUT_SECONDS

    def run(self, packets: Iterator[tuple[Any, float]], stopping: threading.Event) -> None:
        try:
            for packet, arrival in packets:
                if stopping.is_set():
                    return
                self.add_packet(packet, float(packet.pts * packet.time_base), arrival)
        finally:
            self.close_file(self.end_pts)
        raise CameraError("The camera ended the stream.")

    def add_packet(self, packet: Any, pts: float, now: float) -> None:
        if self.clock.has_jumped(pts, now):
            self.close_file(self.end_pts)
            self.clock, self.end_pts = WallClock(), pts
        self.clock.add_arrival(pts, now)
        if packet.is_keyframe:
            self.sink.has_received = True
            self.keyframe_deadline = time.monotonic() + KEYFRAME_TIMEOUT_SECONDS
            if self.file is None or self.is_complete(self.file, pts):
                self.start_file(pts)
        elif time.monotonic() > self.keyframe_deadline:
            raise CameraError(
                "The camera sent no key frame for {n} seconds. Set it to one every two seconds.",
                n=KEYFRAME_TIMEOUT_SECONDS,
                refused=True,
            )
        self.measure_camera_clock(packet, pts)
        if self.file:
            if self.file.starts is None and self.clock.is_settled(now):
                self.file.starts = self.clock.wall_time(self.file.start_pts)
            self.end_pts = max(self.end_pts, pts + float(packet.duration * packet.time_base))
            self.file.write(packet)

    def is_complete(self, file: OutputFile, pts: float) -> bool:
        """Whether the file is long or large enough, or its times have drifted from our clock.

        Never before the time of its first picture is known.
        """
        if file.starts is None:
            return False
        has_drifted = abs(self.clock.wall_time(file.start_pts) - file.starts) > MAX_TIME_ERROR_SECONDS
        is_long_enough = pts - file.start_pts >= self.sink.file_seconds - FILE_LENGTH_TOLERANCE_SECONDS
        return has_drifted or is_long_enough or file.file.tell() > self.sink.max_file_bytes

    def measure_camera_clock(self, packet: Any, pts: float) -> None:
        """Compare the camera's clock with ours, if the camera has reported its time (RTCP)."""
        if packet.has_sidedata("prft"):
            (camera_microseconds,) = struct.unpack_from("<q", bytes(packet.get_sidedata("prft")))
            self.sink.on_clock_measured(camera_microseconds / 1e6 - self.clock.wall_time(pts))

    def start_file(self, pts: float) -> None:
        """Start a file with the key frame at the stream's second `pts`. It starts when the one before it ends."""
        starts = self.close_file(pts)
        path = self.sink.choose_path(starts or self.clock.wall_time(pts))
        self.file = OutputFile(path, self.stream, pts, starts)

    def close_file(self, end_pts: float) -> float | None:
        """Close the current file, which ends at the stream's second `end_pts`. Returns our time of its end."""
        if self.file is None:
            return None
        file, self.file = self.file, None
        file.close()
        starts, ends = file.starts or self.clock.wall_time(file.start_pts), self.clock.wall_time(end_pts)
        self.sink.on_file_closed(file.path, starts, ends)
        return ends
