"""What decodes files from outside can do no harm: it has little memory and time, no other file and no network."""

import os
import select
import signal
import socket
import struct
import subprocess
import sys
import zlib
from collections.abc import Callable, Generator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from recognition.errors import RecordingOutOfLimits, UnreadableRecording
from recognition.media.decoder_requests import DECODER, PhotoRequest
from recognition.media.photo import read_photo
from recognition.media.video import probe, sample_frames
from recognition.sandbox import client
from recognition.sandbox.protocol import Failure, Text
from recognition.types import Frame, Segment
from tests.conftest import REPOSITORY
from tests.recognition import video_files

MAX_ENDING_SECONDS = 30.0


@pytest.fixture
def jpeg(tmp_path: Path) -> Path:
    Image.new("RGB", (64, 48), "red").save(tmp_path / "photo.jpg")
    return tmp_path / "photo.jpg"


def decoder_pid() -> int:
    return DECODER._processes[os.getpid()][0].pid


ATTEMPTS = {
    "another file": "open('/etc/passwd').read()",
    "a folder": "os.listdir('/home')",
    "writing": "open('/tmp/x', 'w')",
    "writing to the file": "open(sys.argv[1], 'r+')",
    "the network": "socket.socket()",
    "a program": "os.execv('/bin/true', ['true'])",
    "a process": "os.fork()",
    "a signal": "os.kill(os.getppid(), 0)",
    "more memory": "bytearray(2**30)",
    "more time": "resource.setrlimit(resource.RLIMIT_CPU, (900, 900))",
}


@pytest.mark.parametrize("attempt", ATTEMPTS.values(), ids=ATTEMPTS.keys())
def test_a_confined_process_reaches_nothing_but_its_file(attempt: str, jpeg: Path) -> None:
    code = f"""
import os, resource, socket, sys
from pathlib import Path
from recognition.sandbox.confinement import confine
confine(Path(sys.argv[1]), max_bytes=2**28, max_seconds=5)
assert open(sys.argv[1], 'rb').read(2) == bytes([255, 216])
try:
    {attempt}
except (OSError, ValueError, MemoryError) as error:
    sys.exit(7)
"""
    run = subprocess.run([sys.executable, "-c", code, str(jpeg)], cwd=REPOSITORY, capture_output=True, check=False)
    assert run.returncode == 7, run.stderr.decode()


def test_the_decoder_knows_no_secret_and_has_no_connection_of_ours(jpeg: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET_KEY", "do-not-tell")
    DECODER._processes.clear()
    with socket.socket() as listening:
        listening.listen()
        read_photo(jpeg)
        assert b"do-not-tell" not in Path(f"/proc/{decoder_pid()}/environ").read_bytes()
        mine = Path(f"/proc/self/fd/{listening.fileno()}").readlink()
        folder = Path(f"/proc/{decoder_pid()}/fd")
        assert mine not in {entry.readlink() for entry in folder.iterdir()}


def test_a_decoder_that_died_is_replaced(jpeg: Path) -> None:
    read_photo(jpeg)
    died = DECODER._processes[os.getpid()][0]
    died.kill()
    died.wait()
    assert read_photo(jpeg)[0].shape == (48, 64, 3)
    assert decoder_pid() != died.pid


def test_a_forked_process_has_a_decoder_of_its_own(jpeg: Path) -> None:
    read_photo(jpeg)
    ours = decoder_pid()
    child = os.fork()
    if child == 0:
        read_photo(jpeg)
        os._exit(0 if decoder_pid() != ours else 1)
    assert os.waitpid(child, 0)[1] == 0


def test_errors_are_those_of_the_reader(tmp_path: Path, jpeg: Path) -> None:
    with pytest.raises(FileNotFoundError):
        read_photo(tmp_path / "none.jpg")
    jpeg.write_bytes(jpeg.read_bytes()[:200])
    with pytest.raises(UnreadableRecording, match="damaged or incomplete"):
        read_photo(jpeg)


class InMemory:
    """A photo that is stored in another way than as a file."""

    def __init__(self, content: bytes) -> None:
        self.content = content

    def read_bytes(self) -> bytes:
        return self.content


def test_a_photo_that_is_no_file_is_read_too_and_never_written_to_the_disk(jpeg: Path) -> None:
    image, kind, _ = read_photo(InMemory(jpeg.read_bytes()))
    assert np.array_equal(image, read_photo(jpeg)[0])
    assert kind == "jpeg"
    with pytest.raises(UnreadableRecording, match="damaged or incomplete"):
        read_photo(InMemory(jpeg.read_bytes()[:200]))
    with pytest.raises(UnreadableRecording):
        read_photo(InMemory(b""))


def test_a_photo_of_thousands_of_passes_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "photo.jpg"
    Image.new("RGB", (64, 48)).save(path, progressive=True)
    content = path.read_bytes()
    last = content.rindex(b"\xff\xda")
    path.write_bytes(content[:-2] + content[last:-2] * 12_000 + content[-2:])
    with pytest.raises(RecordingOutOfLimits, match="passes"):
        read_photo(path)


def test_a_tiny_photo_of_a_huge_picture_is_refused(tmp_path: Path) -> None:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    path = tmp_path / "photo.png"
    header = struct.pack(">IIBBBBB", 60_000, 60_000, 8, 2, 0, 0, 0)
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", b"") + chunk(b"IEND", b""))
    with pytest.raises(RecordingOutOfLimits):
        read_photo(path)


def frames_of_a_lecture(folder: Path) -> Generator[Frame]:
    path = video_files.video(folder / "lecture.mp4", seconds=30)
    frames = sample_frames(path, probe(path), Segment(0, 0.0, 30.0), 1.0)
    assert isinstance(frames, Generator)
    return frames


def decoding_child() -> int:
    return int(Path(f"/proc/{decoder_pid()}/task/{decoder_pid()}/children").read_text().split()[-1])


def test_whoever_needs_no_more_pictures_stops_the_child(tmp_path: Path) -> None:
    frames = frames_of_a_lecture(tmp_path)
    first = next(frames)
    kept = first.image.copy()
    next(frames)
    assert np.array_equal(first.image, kept), "the next picture does not overwrite it"
    ended = os.pidfd_open(decoding_child())
    frames.close()
    assert select.select([ended], [], [], MAX_ENDING_SECONDS)[0] == [ended]
    os.close(ended)


@pytest.mark.parametrize("victim", [decoding_child, decoder_pid], ids=["the child", "the decoder process"])
def test_what_the_system_kills_is_not_the_files_fault(victim: Callable[[], int], tmp_path: Path) -> None:
    frames = frames_of_a_lecture(tmp_path)
    next(frames)
    os.kill(victim(), signal.SIGKILL)
    with pytest.raises(MemoryError, match="system"):
        list(frames)
    assert len(list(frames_of_a_lecture(tmp_path))) == 30


@pytest.mark.parametrize("number", [signal.SIGXCPU, signal.SIGSEGV, signal.SIGABRT])
def test_what_ends_by_its_limits_or_breaks_the_decoder_is_the_files_fault(number: int, tmp_path: Path) -> None:
    frames = frames_of_a_lecture(tmp_path)
    next(frames)
    os.kill(decoding_child(), number)
    with pytest.raises(RecordingOutOfLimits, match="more memory or time"):
        list(frames)


def test_a_file_that_takes_too_long_is_refused(tmp_path: Path) -> None:
    code = """
import sys
from pathlib import Path
from recognition.sandbox.confinement import confine
confine(Path(sys.argv[1]), max_bytes=2**28, max_seconds=1)
while True:
    pass
"""
    run = subprocess.run([sys.executable, "-c", code, str(tmp_path)], cwd=REPOSITORY, capture_output=True, check=False)
    assert run.returncode == -signal.SIGXCPU, run.stderr.decode()


@pytest.mark.parametrize("template", ["{0.__class__}", "{missing}", "{", "{n!z}"])
def test_a_message_of_a_hostile_child_is_not_believed(template: str) -> None:
    reply = client._error_of(Failure("UnreadableRecording", Text(template, "", {"n": 1})), _request())
    assert "misbehave" in str(reply)


def _request() -> PhotoRequest:
    return PhotoRequest(path="/photo.jpg", seconds=1, max_pixels=1, max_side=None)
