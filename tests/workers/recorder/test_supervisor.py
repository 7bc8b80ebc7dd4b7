"""Cameras are recorded during lectures: a real RTSP server plays a film whose pictures show the time."""

import subprocess
import threading
from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import av
import pytest
from django.db import connection
from django.utils import timezone

from campus.academics.models import Room
from campus.cctv.models import Camera, FootageFile, Source
from campus.recordings.models import Recording
from recognition.media.video import probe, sample_frames
from recognition.types import Segment
from tests.campus import factories
from tests.recognition import video_files
from tests.servers.rtsp import RtspCamera
from tests.waiting import DEADLINE_SECONDS, wait_until
from workers.recorder import camera as cameras
from workers.recorder import session as sessions
from workers.recorder import supervisor as supervisors
from workers.recorder.camera import CameraError, describe_stream
from workers.recorder.session import describe_cameras
from workers.recorder.supervisor import Supervisor

pytestmark = pytest.mark.django_db(transaction=True)

PICTURES_PER_SECOND = 10
FILM_SECONDS = 20
SECRET = "Zimt&Zucker@7%"


@pytest.fixture(scope="module")
def film(tmp_path_factory) -> Path:
    return video_files.video(
        tmp_path_factory.mktemp("film") / "film.mp4",
        seconds=FILM_SECONDS,
        rate=PICTURES_PER_SECOND,
        gop=PICTURES_PER_SECOND // 2,
    )


@pytest.fixture(autouse=True)
def short_intervals(settings, monkeypatch) -> None:
    settings.BROKER_URL = "memory://"
    settings.SOURCE_NETWORKS = ["127.0.0.0/8"]
    settings.RECORDER_FILE_SECONDS = 1.0
    monkeypatch.setattr(cameras, "CLOCK_SETTLE_SECONDS", 1.5)
    monkeypatch.setattr(sessions, "RETRY_PAUSES_SECONDS", (0.2,))
    monkeypatch.setattr(supervisors, "UPDATE_INTERVAL_SECONDS", 0.2)


def camera_of(address: str, **fields: Any) -> Camera:
    """A camera in a room where a two-minute lecture began ten seconds ago."""
    began = timezone.now() - timedelta(seconds=10)
    factories.lecture(factories.course(students=1), room="B 12", starts_at=began, ends_at=began + timedelta(minutes=2))
    source = factories.source(name="Hall", kind=Source.Kind.RTSP, address=address, **fields)
    return Camera.objects.create(source=source, label="lecture", room=factories.room("B 12"))


def camera_at(server: RtspCamera, password: str = "") -> Camera:
    return camera_of(f"rtsp://127.0.0.1:{server.port}", username=server.username if password else "", secret=password)


class RunningSupervisors:
    """Supervisors, each in a thread; in production each is a process."""

    def __init__(self) -> None:
        self.all: list[tuple[Supervisor, threading.Thread]] = []

    def start(self) -> Supervisor:
        supervisor = Supervisor()

        def run() -> None:
            try:
                supervisor.run()
            finally:
                connection.close()

        thread = threading.Thread(target=run)
        thread.start()
        self.all.append((supervisor, thread))
        return supervisor

    def stop(self) -> None:
        for supervisor, thread in self.all:
            supervisor.stop()
            thread.join(DEADLINE_SECONDS)
            assert not thread.is_alive()


@pytest.fixture
def recorder() -> Iterator[RunningSupervisors]:
    running = RunningSupervisors()
    yield running
    running.stop()


def footage_files() -> list[FootageFile]:
    return list(FootageFile.objects.order_by("starts_at"))


def picture_number_at(moment: datetime) -> float:
    """The number of the film's picture that the camera shows at that moment."""
    return moment.timestamp() * PICTURES_PER_SECOND % (FILM_SECONDS * PICTURES_PER_SECOND)


def first_picture_number(footage_file: FootageFile) -> int:
    path = Path(footage_file.file.path)
    frame = next(iter(sample_frames(path, probe(path), Segment(0, 0.0, 1.0), every=1.0)))
    return video_files.number_of(frame.image)


def assert_valid(footage_file: FootageFile) -> None:
    """It begins with a key frame, and its start is the time by our clock that this picture shows."""
    assert footage_file.state == FootageFile.State.STORED
    assert footage_file.ends_at
    assert footage_file.starts_at
    with av.open(footage_file.file.path) as container:
        assert next(container.demux(video=0)).is_keyframe
    film_pictures = PICTURES_PER_SECOND * FILM_SECONDS  # the film is repeated, so numbers are compared modulo this
    difference = first_picture_number(footage_file) - picture_number_at(footage_file.starts_at)
    error = (difference + film_pictures / 2) % film_pictures - film_pictures / 2
    assert abs(error) / PICTURES_PER_SECOND < 0.5
    assert (footage_file.ends_at - footage_file.starts_at).total_seconds() == pytest.approx(
        footage_file.info["duration"], abs=0.3
    )


def test_a_lecture_is_recorded_without_encoding_again(rtsp_camera, recorder: RunningSupervisors, film: Path) -> None:
    camera = camera_at(rtsp_camera(film, password=SECRET), password=SECRET)
    recorder.start()
    wait_until(lambda: len(footage_files()) >= 3, "three footage files")
    recorder.stop()
    found = footage_files()
    for footage_file in found:
        assert_valid(footage_file)
    for before, after in pairwise(found):
        assert (after.starts_at, str(after.note)) == (before.ends_at, "")
    assert str(found[0].note).startswith("Nothing could be recorded from")  # the lecture had begun
    with av.open(str(film)) as container:
        coded = {bytes(packet) for packet in container.demux(video=0)}
    with av.open(found[0].file.path) as container:
        others = [bytes(packet) for packet in container.demux(video=0) if packet.size and not packet.is_keyframe]
    assert others
    assert set(others) <= coded
    # The lecture has the footage so far, and no file is left over.
    recording = Recording.objects.get(camera=camera)
    assert recording.provisional
    assert not list(recorder.all[0][0].folder.iterdir())
    camera.source.refresh_from_db()
    assert (str(camera.source.error), camera.source.lease_owner) == ("", "")
    assert camera.source.measured_clock_offset == pytest.approx(0.0, abs=0.5)


def test_a_gap_is_noted_after_a_camera_returns(rtsp_camera, recorder: RunningSupervisors, film: Path) -> None:
    server = rtsp_camera(film)
    camera = camera_at(server)
    recorder.start()
    wait_until(footage_files, "a footage file")
    server.kill()
    wait_until(lambda: Source.objects.get().error, "the problem is reported")
    assert str(camera) in str(Source.objects.get().error)
    wait_until(
        lambda: timezone.now() - footage_files()[-1].ends_at > timedelta(seconds=2),
        "the camera has been away for two seconds",
    )
    returned_at = timezone.now()
    server.start()
    after = wait_until(lambda: FootageFile.objects.filter(starts_at__gt=returned_at).first(), "a footage file after it")
    assert_valid(after)
    before = FootageFile.objects.filter(starts_at__lt=returned_at).latest("ends_at")
    assert before.ends_at < returned_at
    assert f"{timezone.localtime(before.ends_at):%H:%M:%S}" in str(after.note)
    assert f"{timezone.localtime(after.starts_at):%H:%M:%S}" in str(after.note)
    wait_until(lambda: not Source.objects.get().error, "the problem is over")


def test_a_camera_is_recorded_by_one_of_two_recorders_which_take_over_from_each_other(
    rtsp_camera, recorder: RunningSupervisors, film: Path
) -> None:
    camera_at(rtsp_camera(film))
    first, second = recorder.start(), recorder.start()
    wait_until(footage_files, "a footage file")
    busy, idle = (first, second) if first.sessions else (second, first)
    assert not idle.sessions
    busy.stop()
    files_so_far = wait_until(lambda: idle.sessions and footage_files(), "the other recorder has taken over")
    wait_until(lambda: len(footage_files()) > len(files_so_far) + 1, "the other recorder records")
    recorder.stop()
    found = footage_files()
    for footage_file in found:
        assert_valid(footage_file)
    for before, after in pairwise(found):
        assert before.ends_at <= after.starts_at


def test_files_of_a_killed_recorder_are_taken_over(
    recorder: RunningSupervisors, film: Path, tmp_path: Path, settings
) -> None:
    camera = camera_of("rtsp://127.0.0.1:9")
    began = timezone.now() - timedelta(seconds=30)
    folder = Path(settings.MEDIA_ROOT, "live")
    folder.mkdir()
    left_file = folder / f"{camera.pk}-{began.timestamp() * 1000:.0f}.part"
    unfinished = tmp_path / "unfinished"
    with (
        av.open(str(film)) as source,
        unfinished.open("wb") as file,
        av.open(file, "w", format="mp4", options=cameras.MP4_OPTIONS) as out,
    ):
        stream = out.add_stream_from_template(source.streams.video[0])
        for packet in source.demux(video=0):
            if packet.size:
                packet.stream = stream
                out.mux_one(packet)
        file.flush()
        left_file.write_bytes(unfinished.read_bytes()[:-1000])
    recorder.start()
    (footage_file,) = wait_until(footage_files, "a footage file")
    assert abs(footage_file.starts_at - began) < timedelta(milliseconds=1)
    assert (
        3
        < (footage_file.ends_at - footage_file.starts_at).total_seconds()
        == pytest.approx(footage_file.info["duration"], abs=0.01)
    )
    assert not left_file.exists()


def test_a_silent_camera_is_reported_until_it_sends_again(
    rtsp_camera, recorder: RunningSupervisors, film: Path, monkeypatch
) -> None:
    monkeypatch.setattr(cameras, "READ_TIMEOUT_SECONDS", 1.5)
    server = rtsp_camera(film)
    camera_at(server)
    recorder.start()
    wait_until(lambda: footage_files(), "a footage file")
    server.tell("mute")
    wait_until(lambda: "sends nothing" in str(Source.objects.get().error), "the problem is reported")
    for footage_file in footage_files():
        assert_valid(footage_file)
    server.tell("play")
    wait_until(lambda: not Source.objects.get().error, "the problem is over")


def test_a_wrong_password_is_reported_and_written_nowhere(
    rtsp_camera, recorder: RunningSupervisors, film: Path, caplog
) -> None:
    camera = camera_at(rtsp_camera(film, password="another"), password=SECRET)
    recorder.start()
    wait_until(lambda: Source.objects.get().error, "the problem is reported")
    source = Source.objects.get()
    assert str(source.error) == f"{camera}: The camera refuses the user name or the password. Correct them."
    for place in (caplog.text, str(source.error), source.error_detail):
        assert SECRET not in place
        assert "Zimt" not in place
        assert "rtsp://" not in place
    assert not footage_files()
    # The corrected password is tried at once.
    source.secret = "another"
    source.save(update_fields=["secret"])
    wait_until(footage_files, "a footage file")


def test_the_password_in_errors_of_ffmpeg_is_not_logged(recorder: RunningSupervisors, monkeypatch, caplog) -> None:
    def fail_on_full_disk(*_: object) -> None:
        try:
            raise av.InvalidDataError(1, "broken", f"rtsp://viewer:{SECRET}@127.0.0.1/")
        finally:
            raise OSError(28, "No space left on device")

    monkeypatch.setattr(sessions, "record", fail_on_full_disk)
    camera_of("rtsp://127.0.0.1:8554")
    recorder.start()
    wait_until(lambda: "The disk is full" in str(Source.objects.get().error), "the problem is reported")
    wait_until(lambda: "No space left" in caplog.text, "the cause is logged")
    assert SECRET not in caplog.text


def test_an_encrypted_camera_needs_a_trusted_certificate(rtsp_camera, film: Path, tmp_path: Path, monkeypatch) -> None:
    certificate = tmp_path / "camera.pem"
    new_certificate = [
        "openssl",
        "req",
        "-x509",
        "-newkey",
        "rsa:2048",
        "-nodes",
        "-subj",
        "/CN=localhost",
        "-addext",
        "subjectAltName=DNS:localhost",
    ]
    subprocess.run(
        [*new_certificate, "-keyout", tmp_path / "key.pem", "-out", certificate], check=True, capture_output=True
    )
    trusted = tmp_path / "trusted.pem"
    trusted.write_bytes(certificate.read_bytes())
    certificate.write_bytes(certificate.read_bytes() + (tmp_path / "key.pem").read_bytes())
    server = rtsp_camera(film, certificate=str(certificate), password=SECRET)
    camera = camera_of(f"rtsps://localhost:{server.port}", username=server.username, secret=SECRET)
    with pytest.raises(CameraError, match="SSLCertVerificationError"):
        describe_stream(sessions.target_for(camera))
    monkeypatch.setenv("SSL_CERT_FILE", str(trusted))
    assert describe_stream(sessions.target_for(camera)) == "h264, 160 x 120"


def test_a_camera_label_cannot_inject_headers() -> None:
    camera = camera_of("rtsp://127.0.0.1:8554/cam?unit=1")
    camera.label = "realmonitor?channel=1\r\nX-Header: 1"
    target = sessions.target_for(camera)
    assert (target.address, target.port) == ("127.0.0.1", 8554)
    assert target.path == "/cam/realmonitor?channel=1%0D%0AX-Header:%201&unit=1"


def test_testing_a_source_describes_each_camera(rtsp_camera, film: Path) -> None:
    source = camera_at(rtsp_camera(film, password=SECRET), password=SECRET).source
    Camera.objects.create(source=source, label="hall", room=Room.objects.get())
    hall, lecture = sorted(str(describe_cameras(source)).splitlines())
    assert "h264" in lecture
    assert "The camera has no stream of that name." in hall
    assert SECRET not in hall + lecture
