"""When a picture was taken, by our clock; and a camera that says nothing, or sends us elsewhere."""

import socket
import threading

import pytest

from workers.recorder import camera as cameras
from workers.recorder.camera import MAX_JUMP_SECONDS, WINDOW_SECONDS, CameraError, Target, WallClock, describe_stream

NOW = 1_795_000_000.0


def received(clock: WallClock, pts: float, delay: float, speed: float = 1.0) -> None:
    """A picture of the stream's second `pts`, taken at NOW + pts / speed and `delay` seconds on its way."""
    clock.received(pts, NOW + pts / speed + delay)


def test_the_quickest_picture_says_how_the_clocks_belong_together() -> None:
    clock = WallClock()
    for number in range(500):
        received(clock, number / 25, 0.02 + number * 37 % 100 / 50)
    assert clock.at(20.0) == pytest.approx(NOW + 20.0, abs=0.05)


def test_what_a_camera_kept_back_comes_at_once_and_is_not_late() -> None:
    clock = WallClock()
    for number in range(51):
        clock.received(number / 25, NOW + 2.0)  # two seconds of pictures at the moment of the last
    assert clock.at(0.0) == pytest.approx(NOW)


def test_a_stream_that_runs_slow_is_followed() -> None:
    clock, speed = WallClock(), 0.999
    for second in range(3600):
        assert not clock.has_jumped(second * speed, NOW + second)
        received(clock, second * speed, 0.1, speed)
    assert clock.at(3599 * speed) == pytest.approx(NOW + 3599, abs=0.1 + WINDOW_SECONDS * 0.001)


def test_a_stall_is_no_jump() -> None:
    clock = WallClock()
    for second in range(60):
        received(clock, second, 0.1)
    assert not clock.has_jumped(60.0, NOW + 60 + 9)
    received(clock, 60.0, 9.0)
    assert clock.at(60.0) == pytest.approx(NOW + 60.1)


@pytest.mark.parametrize("leap", [-3600.0, -3 * MAX_JUMP_SECONDS, 2 * MAX_JUMP_SECONDS, 3600.0])
def test_a_stream_whose_time_leaps_is_noticed(leap: float) -> None:
    clock = WallClock()
    for second in range(60):
        received(clock, second, 0.1)
    assert clock.has_jumped(60.0 + leap, NOW + 60.1)


def test_one_that_takes_the_call_and_says_nothing(monkeypatch) -> None:
    monkeypatch.setattr(cameras, "OPEN_TIMEOUT_SECONDS", 1.0)
    with socket.create_server(("127.0.0.1", 0)) as deaf, pytest.raises(CameraError, match="sends nothing"):
        describe_stream(Target(address="127.0.0.1", port=deaf.getsockname()[1], path="/lecture"))


def test_a_camera_that_leads_elsewhere_is_not_followed() -> None:
    """FFmpeg would go there."""
    with socket.create_server(("127.0.0.1", 0)) as elsewhere, socket.create_server(("127.0.0.1", 0)) as camera:

        def answer() -> None:
            caller, _ = camera.accept()
            with caller:
                caller.recv(4096)
                to = f"rtsp://127.0.0.1:{elsewhere.getsockname()[1]}/"
                caller.sendall(f"RTSP/1.0 302 Found\r\nCSeq: 1\r\nLoc\ration: {to}\r\n\r\n".encode())

        thread = threading.Thread(target=answer)
        thread.start()
        with pytest.raises(CameraError, match="another address"):
            describe_stream(Target(address="127.0.0.1", port=camera.getsockname()[1], path="/lecture"))
        thread.join()
        elsewhere.settimeout(0.5)
        with pytest.raises(TimeoutError):
            elsewhere.accept()
