"""What a recorder replays of a time, as the bytes of a file. Nothing is decoded or encoded again."""

import io
from collections.abc import Iterator

import av

from workers.recorder.camera import Target, open_camera


class _Output(io.RawIOBase):
    """What was written since it was last taken."""

    def __init__(self) -> None:
        self.written = bytearray()

    def writable(self) -> bool:
        return True

    def write(self, data: bytes, /) -> int:  # type: ignore[override]
        self.written += data
        return len(data)

    def take(self) -> bytes:
        taken = bytes(self.written)
        self.written.clear()
        return taken


def replay(target: Target) -> Iterator[bytes]:
    """A transport stream with what was recorded in the span of the target, from its first key frame on.

    Raises CameraError.
    """
    seconds = target.span_seconds
    output = _Output()
    first_pts, last_dts = None, None
    with open_camera(target) as (packets, stream), av.open(output, "w", format="mpegts") as container:
        copy = container.add_stream_from_template(stream)
        for packet, _arrival in packets:
            if first_pts is None and not packet.is_keyframe:
                continue
            first_pts = packet.pts if first_pts is None else first_pts
            if (packet.pts - first_pts) * packet.time_base >= seconds:
                break  # some recorders go on after the end
            dts = (packet.pts if packet.dts is None else packet.dts) - first_pts
            packet.dts = last_dts = dts if last_dts is None else max(dts, last_dts + 1)
            packet.pts = max(packet.pts - first_pts, packet.dts)
            packet.stream = copy
            container.mux_one(packet)
            if data := output.take():
                yield data
        container.close()
        yield output.take()
