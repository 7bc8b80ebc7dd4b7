"""Collecting footage by the timetable: checks, deadlines, moved lectures, outages, concurrency, summer time."""

import threading
from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection

from campus.academics.models import Lecture, LectureSeries, Room
from campus.academics.series import apply_series, plan_fingerprint, plan_series
from campus.academics.services import change_lecture
from campus.cctv.collection import collect_footage
from campus.cctv.fetch_queue import MAX_FILES_FETCHING
from campus.cctv.models import Collection, FootageFile, Source
from campus.common import jobs
from campus.outbox.models import Delivery
from tests.campus import factories
from tests.campus.cctv.fake_store import MINUTE, QUARTER, Clock, State, Store, clock, lecture, state_of, store
from tests.campus.factories import STARTS

__all__ = ["clock", "lecture", "store"]

pytestmark = pytest.mark.django_db


def test_footage_is_collected_after_the_lecture(store: Store, lecture: Lecture, clock: Clock) -> None:
    clock.now = lecture.starts_at - timedelta(hours=2)
    collect_footage()
    assert state_of(lecture) == State.WAITING
    store.scan_if_requested()  # a new source is scanned at once
    store.record_lecture(lecture)
    store.record(lecture.ends_at)  # of the next hour
    clock.now = lecture.ends_at + MINUTE
    store.source.refresh_from_db()
    Source.objects.update(next_scan_at=lecture.ends_at + timedelta(hours=1))
    collect_footage()
    assert store.source.state == "idle", "not before the delay is over"
    clock.now = lecture.ends_at + timedelta(minutes=5)
    collect_footage()
    assert store.scan_if_requested()
    assert store.fetching_paths() == [
        f"cam1/20261116/{time}.mp4" for time in ("090000", "091500", "093000", "094500", "100000", "101500")
    ]
    assert state_of(lecture) == State.COLLECTING
    store.fetch_queued_files()
    collect_footage()
    assert state_of(lecture) == State.COMPLETE
    recording = lecture.recordings.get()
    assert (recording.camera.label, recording.provisional) == ("cam1", False)
    assert not Delivery.objects.exists()


def test_files_are_fetched_during_the_lecture(store: Store, lecture: Lecture, clock: Clock) -> None:
    clock.now = lecture.starts_at + timedelta(minutes=40)
    store.record(lecture.starts_at)
    store.record(lecture.starts_at + QUARTER)
    store.record(lecture.starts_at + 2 * QUARTER, written=clock.now - MINUTE / 6)
    store.collect_scan_and_fetch()
    assert lecture.recordings.get().provisional
    assert state_of(lecture) == State.COLLECTING
    growing = store.source.footage_files.get(path__contains="093000")
    assert (growing.state, growing.fully_written) == (FootageFile.State.DISCOVERED, False), "it is still being written"


def test_checks_become_rarer_and_the_deadline_notifies_once(store: Store, lecture: Lecture, clock: Clock) -> None:
    factories.registrar(email="registrar@example.org")
    clock.now = lecture.ends_at
    scan_minutes: list[float] = []

    def each() -> None:
        collect_footage()
        if store.scan_if_requested():
            scan_minutes.append((clock.now - lecture.ends_at) / MINUTE)
        collect_footage()

    Source.objects.update(scan_interval_minutes=120, next_scan_at=lecture.ends_at + timedelta(days=2))
    clock.run(lecture.ends_at + timedelta(minutes=45), each=each)
    assert scan_minutes == [5, 7, 12, 22, 42]
    assert state_of(lecture) == State.COLLECTING
    assert not Delivery.objects.exists()
    clock.run(lecture.ends_at + timedelta(hours=26), step=timedelta(hours=2), each=each)
    assert state_of(lecture) == State.MISSING
    emails = Delivery.objects.filter(event="footage.missing")
    assert sorted(emails.values_list("to", flat=True)) == [
        "ada@example.org",
        "office@example.org",
        "registrar@example.org",
    ]
    assert "is missing" in emails[0].subject
    assert str(lecture.course) in emails[0].body
    assert "nothing" in emails[0].body
    assert str(Collection.objects.get(lecture=lecture).note) == f"{store.source.name}/cam1: nothing."


def test_lectures_missing_together_are_one_email(store: Store, clock: Clock) -> None:
    course = factories.course(lecturers=(factories.user(email="ada@example.org"),))
    for hour in range(3):
        factories.lecture(course, room="B 12", starts_at=STARTS + timedelta(hours=2 * hour))
    clock.now = STARTS + timedelta(hours=6)
    store.collect_scan_and_fetch()
    Collection.objects.update(deadline_at=clock.now)
    store.collect_scan_and_fetch()
    email = Delivery.objects.get(event="footage.missing")
    assert email.subject == "3 recordings are missing"


def test_late_footage_reopens_the_collection(store: Store, lecture: Lecture, clock: Clock) -> None:
    clock.now = lecture.ends_at + timedelta(hours=1)
    store.record(lecture.starts_at)
    store.collect_scan_and_fetch()
    Collection.objects.update(deadline_at=clock.now)
    collect_footage()
    row = Collection.objects.get(lecture=lecture)
    assert row.state == State.COMPLETE
    assert "09:15:00 to 10:30:00" in str(row.note)
    assert "Parts of the recording" in Delivery.objects.filter(to="ada@example.org").get().subject
    store.record_lecture(lecture)
    clock.now += timedelta(days=3)
    store.collect_scan_and_fetch()
    assert state_of(lecture) == State.COMPLETE
    assert lecture.recordings.get().provisional is False
    assert store.source.footage_files.filter(state=FootageFile.State.STORED).count() == 6
    assert Delivery.objects.filter(to="ada@example.org").count() == 1, "people are notified once"


def test_a_moved_lecture_restarts_its_collection(store: Store, lecture: Lecture, clock: Clock) -> None:
    clock.now = lecture.starts_at - timedelta(hours=1)
    collect_footage()
    later = lecture.starts_at + timedelta(hours=3)
    change_lecture(lecture=lecture, starts_at=later, ends_at=later + timedelta(minutes=90), title="", room=lecture.room)
    store.record_lecture(lecture)
    store.record(lecture.starts_at - timedelta(hours=3))
    clock.now = lecture.ends_at + timedelta(minutes=5)
    store.collect_scan_and_fetch()
    assert {footage_file.path[-10:] for footage_file in FootageFile.objects.filter(state="stored")} == {
        f"{time}.mp4" for time in ("120000", "121500", "123000", "124500", "130000", "131500")
    }
    # It moves again, after its footage was stored.
    early = lecture.starts_at + 2 * QUARTER
    change_lecture(lecture=lecture, starts_at=early, ends_at=early + timedelta(minutes=60), title="", room=lecture.room)
    collect_footage()
    row = Collection.objects.get(lecture=lecture)
    assert row.slot.startswith(early.isoformat())
    collect_footage()
    assert lecture.recordings.get().state == "uploaded", "its clips are planned again for the new time"


def test_a_cancelled_lecture_is_not_collected_until_it_is_reinstated(
    store: Store, lecture: Lecture, clock: Clock
) -> None:
    clock.now = lecture.starts_at - timedelta(hours=1)
    collect_footage()
    Lecture.objects.update(cancelled=True)
    store.record_lecture(lecture)
    clock.run(lecture.ends_at + timedelta(days=2), step=timedelta(hours=6), each=store.collect_scan_and_fetch)
    assert state_of(lecture) == State.OFF
    assert not store.source.footage_files.exclude(state=FootageFile.State.DISCOVERED).exists()
    assert not Delivery.objects.exists()
    assert str(store.source.footage_files.first().note) == "No lecture is in B 12 then."
    Lecture.objects.update(cancelled=False)
    store.collect_scan_and_fetch()
    store.collect_scan_and_fetch()
    assert store.source.footage_files.filter(state=FootageFile.State.STORED).count() == 6


def test_disabling_a_source_keeps_its_footage(store: Store, lecture: Lecture, clock: Clock) -> None:
    empty = factories.lecture(lecture.course, room="B 12", starts_at=lecture.ends_at + timedelta(hours=1))
    store.record(lecture.starts_at)
    clock.now = lecture.ends_at + timedelta(hours=1)
    store.collect_scan_and_fetch()
    collect_footage()
    assert lecture.recordings.get().provisional
    Source.objects.update(enabled=False)
    collect_footage()
    assert (state_of(lecture), state_of(empty)) == (State.COMPLETE, State.OFF)
    assert not lecture.recordings.get().provisional
    Source.objects.update(enabled=True)
    collect_footage()
    assert (state_of(lecture), state_of(empty)) == (State.COMPLETE, State.WAITING)


def test_after_an_outage_lectures_are_caught_up_in_order(store: Store, clock: Clock) -> None:
    course = factories.course(students=1, lecturers=(factories.user(email="ada@example.org"),))
    lectures = [factories.lecture(course, room="B 12", starts_at=STARTS + timedelta(hours=3 * n)) for n in range(4)]
    clock.now = STARTS - timedelta(hours=1)
    collect_footage()
    for missed_lecture in reversed(lectures):
        store.record_lecture(missed_lecture)
    clock.now = STARTS + timedelta(days=3)  # nothing ran until the deadlines were over
    collect_footage()
    collect_footage()
    assert Collection.objects.filter(state=State.MISSING).count() == 0, "no source was scanned yet"
    assert store.scan_if_requested()
    assert len(store.fetching_paths()) == MAX_FILES_FETCHING
    assert store.fetching_paths()[:6] == [
        f"cam1/20261116/{time}.mp4" for time in ("090000", "091500", "093000", "094500", "100000", "101500")
    ]
    for _ in range(5):
        collect_footage()
        store.fetch_queued_files()
    collect_footage()
    assert set(Collection.objects.values_list("state", flat=True)) == {State.COMPLETE}
    assert not Delivery.objects.exists()


def test_a_failing_server_is_scanned_less_and_less_often(store: Store, lecture: Lecture, clock: Clock) -> None:
    clock.now = lecture.ends_at
    requested: list[float] = []

    def each() -> None:
        collect_footage()
        if Source.objects.get().state == Source.State.SCANNING:
            requested.append((clock.now - lecture.ends_at) / MINUTE)
            store.fail_scan()

    clock.run(lecture.ends_at + timedelta(minutes=40), each=each)
    assert requested == [1, 2, 4, 9, 19, 39]
    Collection.objects.update(deadline_at=clock.now)
    collect_footage()
    assert "The server does not answer." in Delivery.objects.filter(to="ada@example.org").get().body


@pytest.mark.parametrize(("day", "hour"), [("2026-03-28", 8), ("2026-03-29", 7), ("2026-10-24", 7), ("2026-10-25", 8)])
def test_summer_time_does_not_shift_files(store: Store, clock: Clock, day: str, hour: int) -> None:
    """Lectures at nine local time, and files named in local time, before and after each change."""
    date = datetime.fromisoformat(day).date()
    Source.objects.update(time_zone="Europe/Berlin", created_at=datetime(2026, 1, 1, tzinfo=UTC))
    series = LectureSeries.objects.create(
        course=factories.course(students=1),
        room=Room.objects.get(name="B 12"),
        weekdays=[date.weekday()],
        starts="09:00",
        ends="10:30",
        first_day=date,
        last_day=date,
        time_zone="Europe/Berlin",
    )
    series.refresh_from_db()
    clock.now = datetime(date.year, date.month, date.day, tzinfo=UTC) - timedelta(days=1)
    apply_series(series=series, fingerprint=plan_fingerprint(plan_series(series)))
    lecture = Lecture.objects.get()
    assert lecture.starts_at.hour == hour
    clock.now = lecture.ends_at + timedelta(minutes=10)
    store.record_lecture(lecture, zone="Europe/Berlin")
    assert (store.folder / f"cam1/{day.replace('-', '')}/090000.mp4").exists()
    store.collect_scan_and_fetch()
    assert state_of(lecture) == State.COMPLETE


@pytest.mark.django_db(transaction=True)
def test_concurrent_runs_request_once_and_notify_once(
    store: Store, lecture: Lecture, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock.now = lecture.ends_at + timedelta(minutes=10)
    requested: list[object] = []
    monkeypatch.setattr(jobs.Job, "publish", lambda job, pks: requested.extend((job, pk) for pk in pks))

    def run_concurrently() -> None:
        def run() -> None:
            collect_footage()
            connection.close()

        threads = [threading.Thread(target=run) for _ in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    run_concurrently()
    assert requested == [(jobs.SCAN_SOURCE, store.source.pk)]
    assert Collection.objects.get().check_count == 1
    store.scan_if_requested()
    Collection.objects.update(deadline_at=clock.now)
    run_concurrently()
    assert state_of(lecture) == State.MISSING
    assert Delivery.objects.filter(event="footage.missing").count() == 2
