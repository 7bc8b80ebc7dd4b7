"""An RTSP camera on loopback (GStreamer's server) that shows a film in real time."""

import json
import shutil
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import av
import pytest
from av.bitstream import BitStreamFilterContext

PYTHON = "/usr/bin/python3"  # Debian's, which has GStreamer
NEEDED = "import gi; gi.require_version('GstRtspServer', '1.0'); from gi.repository import Gst; Gst.init(None); " + (
    "assert Gst.ElementFactory.find('rtph264pay') and Gst.ElementFactory.find('appsrc')"
)
PACKAGES = "python3-gi gir1.2-gst-rtsp-server-1.0 gstreamer1.0-plugins-base gstreamer1.0-plugins-good"


def units(film: Path, path: Path) -> Path:
    """What the camera reads: the pictures of an H.264 video as they are coded, without a container."""
    ends, content = [], bytearray()
    with av.open(str(film)) as container:
        stream = container.streams.video[0]
        raw = BitStreamFilterContext("h264_mp4toannexb", stream)
        for packet in (packet for packet in container.demux(stream) if packet.size):
            content += b"".join(bytes(part) for part in raw.filter(packet))
            ends.append(len(content))
        head = {"rate": float(stream.average_rate), "ends": ends}
    path.write_bytes(json.dumps(head).encode() + b"\n" + content)
    return path


class RtspCamera:
    """Shows the film at rtsp://127.0.0.1:`port``path` while it runs; with a `certificate` (a file with its key) at
    rtsps://.
    """

    def __init__(
        self,
        film: Path,
        folder: Path,
        *,
        path: str = "/lecture",
        username: str = "viewer",
        password: str = "",
        certificate: str = "",
    ) -> None:
        self.path, self.username, self.password, self.certificate = path, username, password, certificate
        self.units = units(film, folder / "units")
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port: int = free.getsockname()[1]
        self.process: subprocess.Popen[str] | None = None

    def start(self) -> "RtspCamera":
        self.process = subprocess.Popen(
            [PYTHON, str(Path(__file__).with_name("rtsp_camera.py")), str(self.units)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.tell(
            json.dumps({name: getattr(self, name) for name in ("port", "path", "username", "password", "certificate")})
        )
        assert self.process.stdout
        assert self.process.stdout.readline() == "ready\n"
        return self

    def tell(self, line: str) -> None:
        assert self.process
        assert self.process.stdin
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()

    def kill(self) -> None:
        """As when its power goes."""
        if self.process:
            self.process.kill()
            self.process.communicate()
            self.process = None


def missing() -> str:
    """Why there can be no camera on this machine; "" where there can."""
    if (
        shutil.which(PYTHON)
        and subprocess.run([PYTHON, "-c", NEEDED], capture_output=True, check=False).returncode == 0
    ):
        return ""
    return f"GStreamer's RTSP server is not installed (Debian: apt install {PACKAGES})"


@pytest.fixture
def rtsp_camera(tmp_path: Path) -> Iterator[object]:
    """Makes cameras: `rtsp_camera(film, password="secret")`, which run and are stopped at the end."""
    if why := missing():
        pytest.skip(why)
    cameras: list[RtspCamera] = []

    def make(film: Path, **settings: str) -> RtspCamera:
        folder = tmp_path / f"camera-{len(cameras)}"
        folder.mkdir()
        cameras.append(RtspCamera(film, folder, **settings).start())
        return cameras[-1]

    yield make
    for camera in cameras:
        camera.kill()
