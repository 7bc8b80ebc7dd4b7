"""Which files are used for a lecture, which are fetched again, and which await assignment."""

from datetime import timedelta

import pytest

from campus.academics.models import Lecture, Room
from campus.cctv.collection import collect_footage
from campus.cctv.fetch_queue import delete_expired_footage_files
from campus.cctv.fetching import schedule_retry
from campus.cctv.file_discovery import ChannelSpan, RemoteFile, finish_scan, spans_to_fetch
from campus.cctv.models import Collection, FootageFile, Source
from campus.common import jobs
from campus.outbox.models import Delivery
from recognition.messages import Message
from tests.campus import factories
from tests.campus.cctv.fake_store import QUARTER, Clock, State, Store, clock, lecture, state_of, store
from tests.campus.factories import STARTS

__all__ = ["clock", "lecture", "store"]

pytestmark = pytest.mark.django_db


def test_a_file_without_modification_time_is_fetched_once_it_stops_growing(
    store: Store, lecture: Lecture, clock: Clock
) -> None:
    clock.now = lecture.ends_at + timedelta(minutes=10)

    def scan(size: int) -> list[str]:
        clock.now += timedelta(hours=1)
        collect_footage()
        source = jobs.SCAN_SOURCE.claim(store.source.pk, "worker")
        finish_scan(source=source, files=[RemoteFile("cam1/20261116/090000.mp4", size)])
        return store.fetching_paths()

    assert scan(100) == []
    assert scan(200) == [], "it grew"
    assert scan(200) == ["cam1/20261116/090000.mp4"]


def test_a_file_that_keeps_failing_notifies_once(store: Store, lecture: Lecture, clock: Clock) -> None:
    clock.now = lecture.ends_at + timedelta(hours=1)
    store.record(lecture.starts_at)

    def each() -> None:
        collect_footage()
        store.scan_if_requested()
        for pk in store.source.footage_files.filter(state=FootageFile.State.FETCHING).values_list("pk", flat=True):
            schedule_retry(footage_file=jobs.FETCH.claim(pk, "worker"), why=Message("The connection broke."))

    clock.run(lecture.ends_at + timedelta(days=4), step=timedelta(hours=3), each=each)
    assert state_of(lecture) == State.MISSING
    assert Delivery.objects.filter(to="ada@example.org").count() == 1
    assert "The connection broke." in str(Collection.objects.get(lecture=lecture).note)
    assert store.source.footage_files.get().retry_count > 12, "retries go on nevertheless"


def test_two_lectures_in_one_room_need_an_assignment(store: Store, lecture: Lecture, clock: Clock) -> None:
    other = factories.lecture(factories.course(), room="b 12 ", starts_at=lecture.starts_at + QUARTER)
    store.record_lecture(lecture)
    clock.now = other.ends_at + timedelta(minutes=10)
    store.collect_scan_and_fetch()
    assert store.fetching_paths() == []
    note = str(store.source.footage_files.get(path__contains="093000").note)
    assert lecture.course.code in note
    assert other.course.code in note
    Collection.objects.update(deadline_at=clock.now)
    collect_footage()
    assert "Two lectures" in str(Collection.objects.get(lecture=lecture).note)


def test_unreadable_names_are_kept_for_assignment(store: Store, clock: Clock) -> None:
    for name in ("cam9/20261116/090000.mp4", "lecture.mp4", "Thumbs.db", "cam1/20261116/090000.mp4.tmp"):
        path = store.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")
    store.collect_scan_and_fetch()
    notes = dict(FootageFile.objects.values_list("path", "note"))
    assert set(notes) == {"cam9/20261116/090000.mp4", "lecture.mp4"}
    assert "cam9" in str(notes["cam9/20261116/090000.mp4"])


def test_footage_in_a_kind_that_is_not_read_says_so_and_is_never_fetched(
    store: Store, lecture: Lecture, clock: Clock
) -> None:
    Source.objects.update(pattern="{camera}/{date:%Y%m%d}/{start:%H%M%S}*")
    clock.now = lecture.ends_at + timedelta(hours=1)
    for moment, suffix in (
        (lecture.starts_at, "idx"),  # an index of the video beside it
        (lecture.starts_at, "mp4"),
        (lecture.starts_at + QUARTER, "rm"),
        (lecture.starts_at + QUARTER, "jpg"),
        (lecture.starts_at + 2 * QUARTER, "mp4.tmp"),
        (lecture.ends_at + timedelta(hours=9), "rm"),  # of no lecture
    ):
        path = store.record(moment)
        path.rename(path.with_suffix(f".{suffix}"))
    store.collect_scan_and_fetch()
    clock.now += timedelta(hours=1)
    store.collect_scan_and_fetch()
    files = {file.path.rpartition("/")[2]: file for file in FootageFile.objects.all()}
    assert {name: file.state for name, file in files.items()} == {"090000.mp4": "stored", "091500.rm": "failed"}
    assert str(files["091500.rm"].error) == "Files of the kind .rm are not read, so it is not fetched."


def test_files_of_old_lectures_are_neither_listed_nor_fetched(store: Store, clock: Clock) -> None:
    lecture = factories.lecture(room="B 12", starts_at=STARTS - timedelta(days=15))
    store.record_lecture(lecture)
    store.record(STARTS - timedelta(hours=20))
    clock.now = STARTS
    store.collect_scan_and_fetch()
    assert FootageFile.objects.get().path == "cam1/20261115/130000.mp4"
    clock.now += timedelta(days=29)
    FootageFile.objects.update(discovered_at=STARTS)
    delete_expired_footage_files()
    assert not FootageFile.objects.exists()


def test_a_camera_added_later_gets_its_files(store: Store, lecture: Lecture, clock: Clock) -> None:
    store.source.cameras.all().delete()
    store.record_lecture(lecture)
    clock.now = lecture.ends_at + timedelta(minutes=10)
    store.collect_scan_and_fetch()
    assert not Collection.objects.exists()
    store.source.cameras.create(label="CAM1", room=Room.objects.get(key="B 12"))
    clock.now += timedelta(minutes=16)
    store.collect_scan_and_fetch()
    collect_footage()
    store.collect_scan_and_fetch()
    assert state_of(lecture) == State.COMPLETE


def test_a_recorder_is_asked_for_lectures_that_are_over_on_its_own_channels(
    store: Store, lecture: Lecture, clock: Clock
) -> None:
    recorder = factories.source(kind="hikvision", address="https://nvr.example.org")
    for label in ("101", "201"):
        factories.camera("B 12", recorder, label=label)
    factories.camera("Another room", recorder, label="301")
    collect_footage()
    assert spans_to_fetch(recorder, clock.now) == [], "it has only begun"
    clock.now = lecture.ends_at + timedelta(minutes=1)
    assert set(spans_to_fetch(recorder, clock.now)) == {
        ChannelSpan(label, lecture.starts_at, lecture.ends_at) for label in ("101", "201")
    }
    Collection.objects.update(state=State.COMPLETE)
    assert spans_to_fetch(recorder, clock.now) == []


def test_a_changed_file_is_fetched_again(store: Store, lecture: Lecture, clock: Clock) -> None:
    clock.now = lecture.ends_at + timedelta(hours=1)
    store.record(lecture.starts_at)
    store.collect_scan_and_fetch()
    before = FootageFile.objects.get()
    store.record(lecture.starts_at, size=150)
    clock.now += timedelta(hours=1)
    collect_footage()
    store.scan_if_requested()
    assert store.fetching_paths() == [before.path]
    store.fetch_queued_files()
    after = FootageFile.objects.get()
    assert (after.state, after.size) == (FootageFile.State.STORED, 150)
    assert after.sha256 != before.sha256


def test_the_clock_offset_is_corrected(store: Store, lecture: Lecture, clock: Clock) -> None:
    Source.objects.update(clock_offset=120)
    store.record(lecture.starts_at + timedelta(minutes=2))
    clock.now = lecture.ends_at + timedelta(hours=1)
    store.collect_scan_and_fetch()
    assert FootageFile.objects.get().starts_at == lecture.starts_at


def test_a_lecture_with_an_uploaded_recording_is_not_missing(store: Store, lecture: Lecture, clock: Clock) -> None:
    factories.recording(lecture)
    clock.now = lecture.ends_at + timedelta(hours=1)
    store.collect_scan_and_fetch()
    Collection.objects.update(deadline_at=clock.now)
    collect_footage()
    assert state_of(lecture) == State.COMPLETE
    assert not Delivery.objects.exists()
