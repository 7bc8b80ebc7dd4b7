"""Recordings while workers, messages and Valkey fail: nothing may be lost or done twice."""

import base64
import json
import os
import signal
from pathlib import Path
from typing import Any

import pytest
from django.core.files.base import ContentFile

from campus.attendance.models import AttendanceRecord, Report, Sighting
from campus.attendance.recording_review import accept_recording
from campus.biometrics.services import add_photo
from campus.common import jobs
from campus.monitoring.workers import running_workers
from campus.recordings.models import Recording, Segment
from campus.recordings.progress import progress_of
from campus.recordings.services import cancel_recording, restart_recording, retry_recording
from tests.campus import factories
from tests.faults.conftest import Campus, Worker, attendance_rows, workbook_rows
from tests.faults.fake_vision import JPEG_HEAD
from tests.waiting import wait_until

# Who is in each minute: person 0 always, 1 comes late, 2 leaves early, 7 is a stranger; student 3 is absent.
SEGMENTS = [[0, 2], [0, 2, 7], [0, 1, 7], [0, 1], [0, 1], [0, 1]]
EXPECTED = ["present", "late", "left_early", "absent"]


def statuses(lecture: Any) -> list[str]:
    return [row[1] for row in attendance_rows(lecture)]


def processes_at_gate(gate: Path) -> dict[int, list[int]]:
    """The segments that wait at the gate, with the ids of the processes that wait there."""
    found: dict[int, list[int]] = {}
    for path in gate.glob("*-*"):
        index, pid = path.name.split("-")
        found.setdefault(int(index), []).append(int(pid))
    return found


def are_all_at_gate(gate: Path, workers: list[Worker]) -> bool:
    pids = [pid for each in processes_at_gate(gate).values() for pid in each]
    return all(any(worker.has(pid) for pid in pids) for worker in workers)


def run_undisturbed(campus: Campus) -> tuple[Any, Any]:
    lecture = campus.lecture(4)
    recording = campus.wait_until_ended(campus.upload(lecture, SEGMENTS))
    assert recording.state == "done", recording.error
    assert statuses(lecture) == EXPECTED
    return attendance_rows(lecture), workbook_rows(recording, campus.folder)


@pytest.mark.fault("A worker is killed (SIGKILL)")
def test_a_killed_worker_loses_nothing(campus: Campus) -> None:
    workers = [campus.worker(concurrency=1), campus.worker(concurrency=1)]
    expected = run_undisturbed(campus)
    lecture, gate = campus.lecture(4), campus.gate()
    recording = campus.upload(lecture, SEGMENTS, gate=str(gate))
    wait_until(lambda: are_all_at_gate(gate, workers), "two workers are at segments of one recording")
    workers[1].kill()
    (gate / "open").touch()
    recording = campus.wait_until_ended(recording)
    assert (attendance_rows(lecture), workbook_rows(recording, campus.folder)) == expected
    assert recording.coverage == 1
    assert sum(recording.segments.values_list("attempts", flat=True)) == len(SEGMENTS) + 1
    tracks = Path(campus.folder, "var/media/tracks", str(recording.pk))
    wait_until(lambda: not tracks.exists(), "the tracks of bystanders are deleted")


@pytest.mark.fault("Every message is sent three times")
def test_repeated_messages_change_nothing(campus: Campus) -> None:
    campus.environment["FAULT_MESSAGES"] = "3"
    campus.worker()
    lecture = campus.lecture(4)
    recording = campus.upload(lecture, SEGMENTS)
    jobs.INGEST.publish([recording.pk, recording.pk])
    recording = campus.wait_until_ended(recording)
    wait_until(
        lambda: campus.valkey.client.llen("vision") + campus.valkey.client.hlen("unacked") == 0,
        "all messages are delivered",
    )
    assert statuses(lecture) == EXPECTED
    assert set(recording.segments.values_list("attempts", flat=True)) == {1}
    assert Report.objects.filter(recording=recording).count() == 1
    assert Sighting.objects.filter(recording=recording).count() == 4


@pytest.mark.fault("Redis is emptied")
def test_lost_messages_are_sent_again(campus: Campus) -> None:
    lecture, gate = campus.lecture(4), campus.gate()
    recording = campus.upload(lecture, SEGMENTS, gate=str(gate))
    campus.valkey.client.flushall()  # the ingest and all checks of photos
    campus.worker(concurrency=1)
    wait_until(lambda: processes_at_gate(gate), "a segment is at work")
    campus.valkey.client.flushall()  # the other segments
    (gate / "open").touch()
    assert campus.wait_until_ended(recording).state == "done"
    assert statuses(lecture) == EXPECTED


@pytest.mark.fault("Redis is killed and started again")
def test_an_outage_of_the_broker_loses_nothing(campus: Campus) -> None:
    worker = campus.worker()
    lecture, gate = campus.lecture(4), campus.gate()
    recording = campus.upload(lecture, SEGMENTS, gate=str(gate))
    wait_until(lambda: len(processes_at_gate(gate)) == 2, "two segments are at work")
    campus.valkey.stop()
    second = campus.upload(lecture, SEGMENTS, again=True)  # uploads work without it
    assert second.published_at is None
    (gate / "open").touch()
    wait_until(lambda: recording.segments.filter(state="done").count() == 2, "work is finished without the broker")
    campus.valkey.start()
    states = {campus.wait_until_ended(one).state for one in (recording, second)}
    assert states == {"done", "needs_review"}, "whichever is counted later shows the same part as the other"
    assert statuses(lecture) == EXPECTED
    assert worker.process.poll() is None


@pytest.mark.fault("A segment that always kills its worker")
def test_a_segment_that_always_kills_its_worker_fails_alone(campus: Campus) -> None:
    campus.worker()
    lecture = campus.lecture(4)
    recording = campus.wait_until_ended(campus.upload(lecture, SEGMENTS, crash=[3]))
    assert recording.state == "needs_review", "who was not seen may have been there"
    assert recording.coverage == pytest.approx(5 / 6)
    assert "0:03:00 to 0:04:00" in str(recording.error)
    assert not AttendanceRecord.objects.filter(lecture=lecture).exists()
    accept_recording(recording=recording, user=factories.registrar())
    assert statuses(lecture) == EXPECTED
    failed = recording.segments.get(state="failed")
    assert (failed.index, failed.attempts) == (3, 3)


@pytest.mark.fault("All children of a worker are killed")
def test_killed_children_are_replaced_long_before_their_leases_end(campus: Campus) -> None:
    campus.environment["ROLLCALL_LEASE_SECONDS"] = "3600"
    campus.worker()
    lecture, gate = campus.lecture(4), campus.gate()
    recording = campus.upload(lecture, SEGMENTS, gate=str(gate))
    wait_until(lambda: len(processes_at_gate(gate)) == 2, "both children are at work")
    first = processes_at_gate(gate)
    for [pid] in first.values():
        os.kill(pid, signal.SIGKILL)
    held = recording.segments.filter(index__in=first).exclude(lease_owner="")
    wait_until(lambda: not held.exists(), "their segments are free")
    (gate / "open").touch()
    assert campus.wait_until_ended(recording).state == "done"
    assert statuses(lecture) == EXPECTED


@pytest.mark.fault("A worker vanishes, with leases of an hour")
def test_a_vanished_worker_costs_no_attempts_and_no_wait_for_its_leases(campus: Campus) -> None:
    campus.environment["ROLLCALL_LEASE_SECONDS"] = "3600"
    vanishes = campus.worker(concurrency=1, beat=False)
    lecture, gate = campus.lecture(1), campus.gate()
    recording = campus.upload(lecture, [[0]], gate=str(gate))
    wait_until(lambda: processes_at_gate(gate), "the worker is at work")
    vanishes.kill()
    campus.worker(concurrency=1)
    wait_until(lambda: len(processes_at_gate(gate)[0]) == 2, "another worker has taken over")
    (gate / "open").touch()
    assert campus.wait_until_ended(recording).state == "done"
    assert set(recording.segments.values_list("attempts", flat=True)) == {1}
    assert statuses(lecture) == ["present"]


@pytest.mark.fault("A worker without the storage")
def test_a_machine_without_the_storage_takes_itself_out(campus: Campus, tmp_path: Path) -> None:
    lost = campus.worker(beat=False, ROLLCALL_DATA_DIR=str(tmp_path / "local disk"))
    lecture = campus.lecture(4)
    recording = campus.upload(lecture, SEGMENTS)
    wait_until(lambda: "takes nothing from the queue quick" in lost.log.read_text(), "it notices")
    wait_until(lambda: running_workers().exclude(paused_queues=[]).exists(), "it says so")
    campus.worker()
    recording = campus.wait_until_ended(recording)
    assert (recording.state, recording.coverage) == ("done", 1), recording.error
    assert set(recording.segments.values_list("attempts", flat=True)) == {1}
    assert statuses(lecture) == EXPECTED


@pytest.mark.fault("A clock is wrong and right in turns")
def test_a_clock_that_is_right_again_costs_no_wait(campus: Campus) -> None:
    clock = campus.folder / "clock"
    clock.write_text("0")
    worker = campus.worker(FAULT_CLOCK=str(clock), ROLLCALL_HEARTBEAT_SECONDS="0.5")
    wait_until(lambda: "ready" in worker.log.read_text(), "it runs")

    def are_queues_paused() -> bool:
        return any(row.paused_queues for row in running_workers())

    for seconds in (86400, -3600, 600, -600, 3600):
        clock.write_text(str(seconds))
        wait_until(are_queues_paused, "it takes nothing")
        clock.write_text("0")
        wait_until(lambda: not are_queues_paused(), "it goes on at once", seconds=30)
    lecture = campus.lecture(4)
    recording = campus.wait_until_ended(campus.upload(lecture, SEGMENTS))
    assert (recording.state, recording.coverage) == ("done", 1), recording.error
    assert statuses(lecture) == EXPECTED


@pytest.mark.fault("A full disk")
def test_a_full_disk_only_delays(campus: Campus, tmp_path: Path) -> None:
    full = tmp_path / "the disk is full"
    full.touch()
    worker = campus.worker()
    lecture = campus.lecture(4)
    recording = campus.upload(lecture, SEGMENTS, full=str(full))
    wait_until(lambda: worker.log.read_text().count("not its fault") >= 3, "it was tried several times")
    assert "The disk is full" in progress_of(recording)["step"]
    full.unlink()
    recording = campus.wait_until_ended(recording)
    assert (recording.state, recording.coverage) == ("done", 1), recording.error
    assert set(recording.segments.values_list("attempts", flat=True)) == {1}
    assert statuses(lecture) == EXPECTED


@pytest.mark.fault("One message is lost while others wait")
def test_a_lost_message_is_sent_again_while_others_wait(campus: Campus) -> None:
    campus.worker()
    campus.worker(concurrency=1, queues="sweep")
    lecture, gate = campus.lecture(4), campus.gate()
    recording = campus.upload(lecture, SEGMENTS, gate=str(gate))  # the gate stays closed

    def queued() -> dict[str, Any]:
        messages: Any = campus.valkey.client.lrange("vision", 0, -1)
        return {json.loads(base64.b64decode(json.loads(message)["body"]))[0][1]: message for message in messages}

    wait_until(lambda: len(queued()) >= 2, "several wait")
    lost, message = queued().popitem()
    assert campus.valkey.client.lrem("vision", 0, message) == 1
    wait_until(lambda: lost in queued(), "it is sent again")
    assert campus.valkey.client.llen("vision") == len(queued()), "the others are not repeated"
    (gate / "open").touch()
    assert campus.wait_until_ended(recording).state == "done"


@pytest.mark.fault("Redis is full")
def test_a_full_broker_stops_no_worker(campus: Campus) -> None:
    client = campus.valkey.client
    client.config_set("maxmemory", 1)
    try:
        worker = campus.worker()
        lecture = campus.lecture(4)
        recording = campus.upload(lecture, SEGMENTS)
        wait_until(lambda: worker.log.read_text().count("not allowed") >= 2, "Valkey refuses to write")
        assert worker.process.poll() is None
    finally:
        client.config_set("maxmemory", 0)
    assert campus.wait_until_ended(recording).state == "done"
    assert statuses(lecture) == EXPECTED


def test_a_photo_waits_for_no_recording(campus: Campus) -> None:
    campus.worker(queues="vision")
    campus.worker(queues=",".join(queue for queue in jobs.QUEUES if queue != "vision"), concurrency=1, beat=False)
    lecture, gate = campus.lecture(4), campus.gate()
    long = campus.upload(lecture, SEGMENTS, gate=str(gate))  # the gate stays closed
    wait_until(lambda: len(processes_at_gate(gate)) == 2, "all that take segments are at work")
    photo = campus.wait_until_ended(campus.upload(factories.lecture(lecture.course), [[0, 1]], photo=True))
    assert photo.state in ("done", "needs_review"), photo.error
    assert {row.student.name for row in photo.sightings.filter(present=True)} == {"Student 0", "Student 1"}
    (gate / "open").touch()
    assert campus.wait_until_ended(long).state == "done"


def test_a_lecturer_with_one_recording_waits_for_one_segment_of_another(campus: Campus) -> None:
    campus.worker(concurrency=1)
    campus.worker(queues=jobs.QUICK_QUEUE, concurrency=1, beat=False)
    lecture, gate = campus.lecture(4), campus.gate()
    long = campus.upload(lecture, SEGMENTS, gate=str(gate))
    wait_until(lambda: processes_at_gate(gate), "it is begun")
    short = campus.upload(lecture, [[0]], again=True)
    Recording.objects.filter(pk=short.pk).update(uploaded_by=factories.user())
    wait_until(short.segments.exists, "it is planned")
    (gate / "open").touch()
    campus.wait_until_ended(long)
    campus.wait_until_ended(short)
    ends = [*long.segments.order_by("index").values_list("finished_at", flat=True)]
    assert short.segments.get().finished_at < ends[2], "two were published before it came"


def test_cancelling_stops_the_work_and_frees_the_workers(campus: Campus) -> None:
    campus.worker()
    lecture, gate = campus.lecture(4), campus.gate()
    recording = campus.upload(lecture, SEGMENTS, gate=str(gate))  # the gate stays closed
    wait_until(lambda: len(processes_at_gate(gate)) == 2, "both children are at work")
    cancel_recording(recording=recording, user=None)
    assert campus.wait_until_ended(campus.upload(lecture, SEGMENTS)).state == "done"
    assert campus.wait_until_ended(recording).state == "cancelled"
    assert not recording.sightings.exists()
    (gate / "open").touch()
    restart_recording(recording=recording, user=None)
    assert campus.wait_until_ended(recording).state == "done"
    assert recording.run == 2


@pytest.mark.fault("A worker is stopped (SIGSTOP) and goes on later")
def test_a_zombie_changes_nothing(campus: Campus) -> None:
    zombie = campus.worker(concurrency=1, beat=False)
    lecture, gate = campus.lecture(1), campus.gate()
    recording = campus.upload(lecture, [[0]], gate=str(gate), deaf=True)
    wait_until(lambda: processes_at_gate(gate), "the worker is at work")
    zombie.signal(signal.SIGSTOP)
    campus.worker(concurrency=1)
    wait_until(lambda: len(processes_at_gate(gate)[0]) == 2, "another worker takes over when the lease ends")
    (gate / "open").touch()
    recording = campus.wait_until_ended(recording)
    wait_until(lambda: not recording.segments.exclude(result="").exists(), "all is counted")
    before = list(Segment.objects.filter(recording=recording).values()), attendance_rows(lecture)
    assert before[0][0]["attempts"] == 2
    zombie.signal(signal.SIGCONT)
    wait_until(lambda: f"recognise {before[0][0]['id']}:" in zombie.log.read_text(), "the zombie has finished")
    assert (list(Segment.objects.filter(recording=recording).values()), attendance_rows(lecture)) == before
    tracks = Path(campus.folder, "var/media/tracks")
    wait_until(lambda: not list(tracks.glob("*/*")), "the zombie's tracks are deleted")


def test_failures_are_reported_and_can_be_retried(campus: Campus) -> None:
    campus.worker()
    lecture = campus.lecture(4)
    broken = campus.upload(lecture, SEGMENTS, fail=[0, 1, 2, 3])
    other = campus.upload(campus.lecture(0), SEGMENTS)
    noise = campus.upload(lecture, SEGMENTS)
    Path(noise.file.path).write_bytes(b"\0" * 100)
    restart_recording(recording=noise, user=None)

    broken = campus.wait_until_ended(broken)
    assert broken.state == "failed"
    assert "Only 33% of the recording could be processed" in str(broken.error)
    assert "0:00:00 to 0:04:00" in str(broken.error)
    assert not AttendanceRecord.objects.filter(lecture=lecture).exists()
    assert progress_of(broken)["segments"][0]["error"] == "That part is damaged."
    Path(broken.file.path).write_bytes(json.dumps({"segments": SEGMENTS}).encode())
    retry_recording(recording=broken, user=None)
    assert campus.wait_until_ended(broken).state == "done"
    assert list(broken.segments.order_by("index").values_list("attempts", flat=True)) == [1] * 6
    assert statuses(lecture) == EXPECTED

    other = campus.wait_until_ended(other)
    assert other.state == "failed"
    assert "no usable photos" in str(other.error)
    assert Path(other.file.path).exists(), "the upload is kept"
    student = factories.student()
    factories.enrol(other.lecture.course, student)
    content = JPEG_HEAD + json.dumps({"person": 0, "variation": 1000}).encode()
    add_photo(student=student, file=ContentFile(content, "photo.jpg"), name="photo.jpg")
    restart_recording(recording=other, user=None)
    assert campus.wait_until_ended(other).state == "done"
    assert statuses(other.lecture) == ["present"]

    noise = campus.wait_until_ended(noise)
    assert (noise.state, str(noise.error)) == ("failed", "This is no video. Upload another file.")
    assert Recording.objects.filter(lecture=lecture, state="done").count() == 1
