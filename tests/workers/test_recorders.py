"""Recorders, with servers that speak as they do: exactly a lecture's minutes are fetched, whatever breaks meanwhile."""

import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import av
import pytest
from django.core.exceptions import ValidationError
from django.utils import timezone

from campus.academics.models import Lecture
from campus.cctv.collection import collect_footage
from campus.cctv.fetch_queue import queue_wanted_files
from campus.cctv.file_discovery import ChannelSpan
from campus.cctv.models import Collection, FootageFile, Source, SourceTest
from campus.cctv.services import request_source_test, save_camera
from campus.common import jobs
from campus.common.errors import UserError
from tests.campus import factories
from tests.recognition.video_files import number_of, video
from tests.servers.dahua import DahuaRecorder
from tests.servers.isapi import IsapiRecorder
from tests.servers.lecture_capture import EVENT, BigBlueButton, FileHost, Opencast, Zoom
from tests.servers.onvif import TOKEN, OnvifRecorder
from tests.servers.recorders import NetworkVideoRecorder, RecorderServer
from workers import sources
from workers.fetch import fetch
from workers.ingest import ingest
from workers.leased_task import run_attempt
from workers.source_listing import list_channels, list_recordings
from workers.stores import StoreUnavailable

pytestmark = pytest.mark.django_db

SECOND, MINUTE = timedelta(seconds=1), timedelta(minutes=1)
FILM_SECONDS = 14 * 60  # one picture a second, whose number is the second
LECTURE = [range(120, 720), range(720, 780)]  # what the lecture's files show
STARTS = timezone.now().replace(microsecond=0) - timedelta(hours=1)
KINDS = [(IsapiRecorder, "101"), (DahuaRecorder, "1")]


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("film") / "film.ts"
    return video(path, container="mpegts", seconds=FILM_SECONDS, rate=1, gop=1, size=(96, 64))


@pytest.fixture(autouse=True)
def own_machine(settings: Any) -> None:
    settings.SOURCE_NETWORKS = ["127.0.0.0/8"]
    settings.BROKER_URL = "memory://"


@pytest.fixture(params=KINDS[:1], ids=lambda kind: kind[0].__name__)
def recorder(request: pytest.FixtureRequest, film: Path) -> Iterator[NetworkVideoRecorder]:
    kind, channel = request.param
    with kind(film) as server:
        server.recorded[channel] = [(STARTS, STARTS + FILM_SECONDS * SECOND)]
        yield server


@pytest.fixture
def source(recorder: NetworkVideoRecorder) -> Source:
    (channel,) = recorder.recorded
    return create_source(recorder, channel)


def create_source(server: RecorderServer, channel: str) -> Source:
    row = factories.source(**server.fields, secret=server.password, time_zone="UTC")
    factories.camera("B 12", row, label=channel)
    return row


@pytest.fixture
def lecture() -> Lecture:
    """It begins two minutes after the film, and lasts eleven."""
    course = factories.course(students=1)
    factories.photo(course.students.get())
    return factories.lecture(course, room="B 12", starts_at=STARTS + 2 * MINUTE, ends_at=STARTS + 13 * MINUTE)


def run(job: jobs.Job, task: Callable[[Any], None], pk: Any) -> None:
    row = job.claim(pk, owner=f"worker {timezone.now()}")
    assert row
    run_attempt(job, task, row)


def collect(source: Source) -> list[FootageFile]:
    """Scan the source, and fetch what lectures want of it, each file once; the source's files."""
    Source.objects.update(next_scan_at=None)
    collect_footage()
    run(jobs.SCAN_SOURCE, sources.scan_source, source.pk)
    source.refresh_from_db()
    while queued := list(source.footage_files.filter(state="fetching").values_list("pk", flat=True)):
        for pk in queued:
            run(jobs.FETCH, fetch, pk)
        queue_wanted_files(source=source)
    return list(source.footage_files.order_by("starts_at"))


def seconds_shown(footage_file: FootageFile) -> range:
    """The seconds of the film that the stored file shows."""
    assert (footage_file.state, str(footage_file.error), str(footage_file.note)) == ("stored", "", "")
    with av.open(footage_file.file.path) as container:
        numbers = [number_of(frame.to_ndarray(format="rgb24")) for frame in container.decode(video=0)]
    assert numbers == list(range(numbers[0], numbers[-1] + 1))
    return range(numbers[0], numbers[-1] + 1)


@pytest.mark.parametrize("recorder", KINDS, indirect=True, ids=lambda kind: kind[0].__name__)
def test_exactly_the_lecture_is_fetched(recorder: NetworkVideoRecorder, source: Source, lecture: Lecture) -> None:
    files = collect(source)
    assert [file.starts_at - STARTS for file in files] == [2 * MINUTE, 12 * MINUTE]
    assert [seconds_shown(file) for file in files] == LECTURE
    (recording,) = lecture.recordings.all()
    run(jobs.INGEST, ingest, recording.pk)
    recording.refresh_from_db()
    assert (recording.state, recording.duration) == (recording.State.PROCESSING, 660)
    assert [round(clip.recording_start) for clip in recording.clips.order_by("recording_start")] == [0, 600]
    assert Collection.objects.get().state == Collection.State.COMPLETE
    # Later scans fetch nothing again.
    asked = len(recorder.requests)
    Collection.objects.update(state=Collection.State.COLLECTING, next_check_at=timezone.now())
    assert collect(source) == files
    assert not [request for request in recorder.requests[asked:] if "/download " in request or "startLoad" in request]
    if isinstance(recorder, DahuaRecorder):
        assert recorder.finders == {}


@pytest.mark.parametrize("ranges", [True, False])
def test_a_connection_that_breaks_is_resumed(
    recorder: NetworkVideoRecorder, source: Source, lecture: Lecture, ranges: bool
) -> None:
    recorder.breaks_at, recorder.ranges = 400_000, ranges
    (broken,) = [file for file in collect(source) if file.state != "stored"]
    assert (broken.state, broken.fetched_bytes > 0) == ("retry", True)
    assert "it broke" in str(broken.error)
    FootageFile.objects.filter(pk=broken.pk).update(retry_at=timezone.now())
    collect_footage()
    run(jobs.FETCH, fetch, broken.pk)
    assert [seconds_shown(file) for file in source.footage_files.order_by("starts_at")] == LECTURE


def test_a_recorder_that_cannot_cut_sends_whole_recordings(
    recorder: IsapiRecorder, source: Source, lecture: Lecture
) -> None:
    recorder.recorded["101"] = [(STARTS, STARTS + 5 * MINUTE), (STARTS + 5 * MINUTE, STARTS + 14 * MINUTE)]
    recorder.cuts = False
    assert [seconds_shown(file) for file in collect(source)] == [range(300), range(300, 840)]
    assert Collection.objects.get().state == Collection.State.COMPLETE


def test_more_than_was_asked_for_is_not_used(recorder: IsapiRecorder, source: Source, lecture: Lecture) -> None:
    recorder.sends_all = True
    Lecture.objects.filter(pk=lecture.pk).update(ends_at=lecture.starts_at + MINUTE)
    (file,) = collect(source)
    assert file.state == "failed"
    assert str(file.error).startswith("The recorder sent 12 minutes where 1 were asked for")


def test_a_wrong_clock_stops_the_scan_until_it_is_entered(
    recorder: NetworkVideoRecorder, source: Source, lecture: Lecture
) -> None:
    recorder.ahead = 7200
    assert collect(source) == []
    assert "how many seconds it is fast: 7" in str(source.error)
    assert (source.measured_clock_offset, source.clock_measured_by) == (pytest.approx(7200, abs=3), "recorder")
    Source.objects.update(clock_offset=7200)
    assert [seconds_shown(file) for file in collect(source)] == LECTURE


@pytest.mark.parametrize("recorder", KINDS, indirect=True, ids=lambda kind: kind[0].__name__)
def test_times_are_the_digits_of_the_recorders_clock(recorder: NetworkVideoRecorder, source: Source) -> None:
    """In summer too, when the offset that a recorder sends is that of winter."""
    recorder.zone, source.time_zone = ZoneInfo("Europe/Berlin"), "Europe/Berlin"
    (channel,), starts = recorder.recorded, datetime(2026, 7, 1, 8, 0, tzinfo=UTC)
    recorder.recorded[channel] = [(starts, starts + 20 * MINUTE)]
    (file,) = list_recordings(source, [ChannelSpan(channel, starts + MINUTE, starts + 3 * MINUTE)])
    assert (file.starts, file.ends) == (starts + MINUTE, starts + 3 * MINUTE)
    assert "20260701T100100Z-20260701T100300Z" in file.path


@pytest.mark.parametrize("recorder", KINDS, indirect=True, ids=lambda kind: kind[0].__name__)
def test_pages_are_all_read_and_one_that_is_repeated_is_an_error(
    recorder: NetworkVideoRecorder, source: Source
) -> None:
    (channel,) = recorder.recorded
    recorder.recorded[channel] = [(STARTS + n * MINUTE, STARTS + (n + 1) * MINUTE) for n in range(10)]
    span = ChannelSpan(channel, STARTS, STARTS + 10 * MINUTE)
    assert [file.starts for file in list_recordings(source, [span])] == [STARTS + n * MINUTE for n in range(10)]
    if isinstance(recorder, IsapiRecorder):
        recorder.repeats_pages = True
        with pytest.raises(StoreUnavailable, match="does not list them"):
            list_recordings(source, [span])


@pytest.mark.parametrize("recorder", KINDS, indirect=True, ids=lambda kind: kind[0].__name__)
def test_its_channels_are_listed_and_a_camera_needs_one(recorder: NetworkVideoRecorder, source: Source) -> None:
    channels = ["101", "201"] if isinstance(recorder, IsapiRecorder) else ["1", "2"]
    run(jobs.TEST_SOURCE, sources.test_source, request_source_test(source=source).pk)
    test = SourceTest.objects.get()
    assert str(test.error) == ""
    assert test.channels == [[channels[0], "Hall A, front"], [channels[1], "Hall A, back"]]
    assert test.file_count >= 2  # parts of the film
    with pytest.raises(ValidationError, match="channel"):
        save_camera(camera=source.cameras.get(), label="")


def test_errors_are_sentences(recorder: NetworkVideoRecorder, source: Source, tmp_path: Path, film: Path) -> None:
    with pytest.raises(UserError, match="is a number, such as 101"):
        list_recordings(source, [ChannelSpan("../1", STARTS, STARTS + MINUTE)])
    recorder.password = "another"
    with pytest.raises(StoreUnavailable, match="password is wrong"):
        list_channels(source)
    recorder.stop()
    with pytest.raises(StoreUnavailable, match="refused, or it broke"):
        list_channels(source)
    with IsapiRecorder(film, certificate_folder=tmp_path) as secure:
        source.address = secure.address
        with pytest.raises(StoreUnavailable, match="certificate"):
            list_channels(source)


def test_a_recorder_that_sends_nothing_is_asked_again_later(
    recorder: NetworkVideoRecorder, source: Source, lecture: Lecture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("workers.fetch.STALL_SECONDS", 0.3)
    recorder.stalls = True
    files = collect(source)
    assert {file.state for file in files} == {"retry"}
    assert {str(file.error) for file in files} == {
        "The server sends too slowly, or nothing at all. It is tried again later."
    }


def test_hostile_answers_are_refused(recorder: NetworkVideoRecorder, source: Source) -> None:
    bomb = '<!DOCTYPE a [<!ENTITY b "bbbbbbbb"><!ENTITY c "&b;&b;&b;">]><Time><localTime>&c;</localTime></Time>'
    for answer, refusal in (
        (bomb, "not what this kind"),
        ("<Time>", "not what this kind"),
        ('<?xml version="1.0" encoding="nope"?><Time/>', "not what this kind"),
        ("a" * 5_000_000, "too long"),
    ):
        recorder.hostile_answer = answer
        with pytest.raises(StoreUnavailable, match=refusal):
            list_channels(source)
    recorder.hostile_answer = ""
    recorder.channels = {"1": "A\u202eB\u200b" + "x" * 1000}
    assert list_channels(source) == [("101", "AB" + "x" * 98)]


class TestOpencast:
    @pytest.fixture
    def server(self, film: Path) -> Iterator[Opencast]:
        with FileHost(film) as files, Opencast(files, STARTS, FILM_SECONDS) as server:
            yield server

    @pytest.mark.parametrize("username", ["viewer", ""], ids=["password", "token"])
    def test_the_event_of_the_lecture_is_fetched(self, server: Opencast, lecture: Lecture, username: str) -> None:
        source = create_source(server, "ca-01")
        source.username = username
        source.save()
        (file,) = collect(source)
        assert (file.path, file.starts_at) == (f"{EVENT}/presenter/delivery.ts", STARTS)
        assert seconds_shown(file) == range(FILM_SECONDS)
        assert Collection.objects.get().state == Collection.State.COMPLETE
        assert list_channels(source) == [("ca-01", "capturing")]
        assert server.files.requests
        assert server.files.credentials == [], "the password is for Opencast alone"

    def test_the_flavour_is_chosen_and_other_servers_are_refused(self, server: Opencast, lecture: Lecture) -> None:
        source = create_source(server, "ca-01")
        span = ChannelSpan("ca-01", lecture.starts_at, lecture.ends_at)
        source.address = server.address + "&flavor=presentation/delivery"
        assert [file.path for file in list_recordings(source, [span])] == [f"{EVENT}/presentation/delivery.ts"]
        Source.objects.filter(pk=source.pk).update(address=server.address.partition("?")[0])
        (file,) = collect(source)
        assert file.state == "retry"
        assert "sends us elsewhere" in str(file.error)


class TestBigBlueButton:
    @pytest.mark.parametrize("file_name", ["video-0.m4v", "video.mp4"])
    def test_the_meeting_is_fetched(self, film: Path, lecture: Lecture, file_name: str) -> None:
        with BigBlueButton(film, STARTS, FILM_SECONDS) as server:
            server.file_name = file_name
            source = create_source(server, "algebra")
            (file,) = collect(source)
            assert seconds_shown(file) == range(FILM_SECONDS)
            assert list_channels(source) == [("algebra", "Algebra I")]
            server.password = "another"
            with pytest.raises(StoreUnavailable, match="password is wrong"):
                list_channels(source)


class TestOnvif:
    # A stream that ends loses the picture that it begins with, and the last one, which are a second each here.
    PARTS = [range(121, 419), range(421, 719), range(721, 779)]

    @pytest.fixture
    def server(self, film: Path) -> Iterator[OnvifRecorder]:
        with OnvifRecorder(film, (STARTS, STARTS + FILM_SECONDS * SECOND)) as server:
            yield server

    def test_the_lecture_is_replayed(self, server: OnvifRecorder, lecture: Lecture) -> None:
        source = create_source(server, TOKEN)
        assert [seconds_shown(file) for file in collect(source)] == self.PARTS
        assert Collection.objects.get().state == Collection.State.COMPLETE
        assert list_channels(source) == [(TOKEN, "Hall A")]

    def test_a_replay_that_breaks_begins_anew(self, server: OnvifRecorder, lecture: Lecture) -> None:
        server.breaks_after, server.ahead = 100, 7200
        source = create_source(server, TOKEN)
        Source.objects.update(clock_offset=7200)
        (broken,) = [file for file in collect(source) if file.state == "retry"]
        FootageFile.objects.filter(pk=broken.pk).update(retry_at=timezone.now())
        collect_footage()
        run(jobs.FETCH, fetch, broken.pk)
        assert [seconds_shown(file) for file in source.footage_files.order_by("starts_at")] == self.PARTS

    @pytest.mark.parametrize(
        ("name", "answer"),
        [
            ("GetReplayUri", "<w:Uri>rtsp://[x/replay</w:Uri>"),
            ("GetReplayUri", "<w:Uri>rtsp://192.0.2.7:99999/</w:Uri>"),
            ("GetServices", "<w:Service><w:XAddr>http://[x/</w:XAddr></w:Service>"),
            ("GetServices", "</w:GetServicesResponse>"),
        ],
    )
    def test_strange_answers_are_said(
        self, server: OnvifRecorder, lecture: Lecture, name: str, answer: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        source = create_source(server, TOKEN)
        known = server.soap
        wrong = f'<w:{name}Response xmlns:w="urn:x">{answer}</w:{name}Response>'
        monkeypatch.setattr(server, "soap", lambda body: wrong if f"<{name} " in body else known(body))
        collect(source)
        source.refresh_from_db()
        errors = [str(source.error), *(str(file.error) for file in source.footage_files.all())]
        assert any("not what this kind of recorder sends" in error for error in errors), errors

    def test_recordings_of_no_time_are_passed_over(
        self, server: OnvifRecorder, lecture: Lecture, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        source = create_source(server, TOKEN)
        known = server.soap
        wrong = "<tt:EarliestRecording>0001-01-01T00:00:00+14:00<"
        monkeypatch.setattr(
            server, "soap", lambda body: re.sub("<tt:EarliestRecording>[^<]*<", wrong, known(body) or "")
        )
        assert list_recordings(source, [ChannelSpan(TOKEN, lecture.starts_at, lecture.ends_at)]) == []

    def test_a_wrong_password_is_said(self, server: OnvifRecorder) -> None:
        source = create_source(server, TOKEN)
        server.password = "another"
        with pytest.raises(StoreUnavailable, match="password is wrong"):
            list_channels(source)


def test_zooms_gallery_view_is_fetched(film: Path, lecture: Lecture) -> None:
    with Zoom(film, STARTS, FILM_SECONDS) as server:
        source = create_source(server, "ada@example.org")
        (file,) = collect(source)
        assert file.path.endswith("/file-gallery_view.mp4")
        assert seconds_shown(file) == range(FILM_SECONDS)
        assert list_channels(source) == [("ada@example.org", "Ada")]
        server.password = "another"
        with pytest.raises(StoreUnavailable, match="password is wrong"):
            list_channels(source)
