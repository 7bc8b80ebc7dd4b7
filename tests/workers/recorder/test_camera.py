"""When a picture was taken, by our clock; and a camera that says nothing, or sends us elsewhere."""

import socket
import threading

import pytest

from workers.recorder import camera as cameras
from workers.recorder.camera import (
    CLOCK_WINDOW_SECONDS,
    MAX_TIME_ERROR_SECONDS,
    CameraError,
    Target,
    WallClock,
    describe_stream,
)

NOW = 1_795_000_000.0


def add_picture(clock: WallClock, pts: float, delay: float, speed: float = 1.0) -> None:
    """A picture of the stream's second `pts`, taken at NOW + pts / speed, that arrives `delay` seconds later."""
    clock.add_arrival(pts, NOW + pts / speed + delay)


def test_the_picture_with_the_least_delay_gives_the_offset() -> None:
    clock = WallClock()
    for number in range(500):
        add_picture(clock, number / 25, 0.02 + number * 37 % 100 / 50)
    assert clock.wall_time(20.0) == pytest.approx(NOW + 20.0, abs=0.05)


def test_buffered_pictures_are_not_taken_for_late_ones() -> None:
    clock = WallClock()
    for number in range(51):
        clock.add_arrival(number / 25, NOW + 2.0)  # two seconds of pictures arrive with the last one
    assert clock.wall_time(0.0) == pytest.approx(NOW)


def test_a_slow_stream_is_followed() -> None:
    clock, speed = WallClock(), 0.999
    for second in range(3600):
        assert not clock.has_jumped(second * speed, NOW + second)
        add_picture(clock, second * speed, 0.1, speed)
    assert clock.wall_time(3599 * speed) == pytest.approx(NOW + 3599, abs=0.1 + CLOCK_WINDOW_SECONDS * 0.001)


def test_a_stall_is_not_a_jump() -> None:
    clock = WallClock()
    for second in range(60):
        add_picture(clock, second, 0.1)
    assert not clock.has_jumped(60.0, NOW + 60 + 9)
    add_picture(clock, 60.0, 9.0)
    assert clock.wall_time(60.0) == pytest.approx(NOW + 60.1)


@pytest.mark.parametrize("jump", [-3600.0, -3 * MAX_TIME_ERROR_SECONDS, 2 * MAX_TIME_ERROR_SECONDS, 3600.0])
def test_a_jump_of_the_stream_is_noticed(jump: float) -> None:
    clock = WallClock()
    for second in range(60):
        add_picture(clock, second, 0.1)
    assert clock.has_jumped(60.0 + jump, NOW + 60.1)


def test_a_server_that_never_answers_is_given_up(monkeypatch) -> None:
    monkeypatch.setattr(cameras, "OPEN_TIMEOUT_SECONDS", 1.0)
    with socket.create_server(("127.0.0.1", 0)) as deaf, pytest.raises(CameraError, match="sends nothing"):
        describe_stream(Target(address="127.0.0.1", port=deaf.getsockname()[1], path="/lecture"))


def test_a_redirect_of_a_camera_is_not_followed() -> None:
    """FFmpeg alone would follow it."""
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
