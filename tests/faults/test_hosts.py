"""Machines that share only a network: web, PostgreSQL, Valkey and the store are on one, workers on two others."""

import io
import json
import tempfile
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import requests
from django.core.management import call_command
from tusclient.client import TusClient

from campus.academics.models import Course, Lecture
from campus.accounts.services import create_token
from campus.attendance.models import Report, Sighting
from campus.common.storage import media
from campus.monitoring.workers import running_workers
from campus.operations.checks import State, check_workers
from campus.recordings.models import Recording
from tests.campus import factories
from tests.faults.conftest import Campus, Valkey, Worker, attendance_rows, running_campus
from tests.faults.test_workers import EXPECTED, SEGMENTS, are_all_at_gate, statuses
from tests.servers.disks import empty_disk, fill_disk, small_disk
from tests.servers.hosts import ADDRESS, Host, network
from tests.servers.postgres import Postgres
from tests.servers.s3 import Moto
from tests.servers.stores import Missing
from tests.waiting import wait_until
from tests.web_server import WebServer
from tests.workers.remote_stores import use_store

HEARTBEAT_SECONDS = 2.0


class Store(Moto):
    host = ADDRESS


@pytest.fixture(scope="module")
def hosts() -> Iterator[list[Host]]:
    try:
        with network(["second", "third"]) as hosts:
            yield hosts
    except Missing as missing:
        pytest.skip(str(missing))


@pytest.fixture(scope="module")
def servers(
    hosts: list[Host], django_db_blocker: Any, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Valkey, Store]]:
    with tempfile.TemporaryDirectory() as folder, Store(tmp_path_factory.mktemp("store")) as store:
        Path(folder).chmod(0o755)
        valkey, postgres = Valkey(folder, ADDRESS), Postgres(Path(folder, "postgres"), address=ADDRESS)
        with django_db_blocker.unblock(), postgres.as_database():
            yield valkey, store
        postgres.stop()
        valkey.stop()


class Machines:
    """The campus, as the first machine sees it, and workers on the others."""

    def __init__(self, campus: Campus, hosts: list[Host]) -> None:
        self.campus, self.hosts = campus, hosts

    def worker(self, number: int, **environment: str) -> Worker:
        """A worker with a disk of its own."""
        folder = self.folder(number)
        return self.campus.worker(
            name=f"worker{number}",
            concurrency=1,
            beat=number == 0,
            prefix=self.hosts[number].prefix,
            ROLLCALL_DATA_DIR=str(folder / "var"),
            ROLLCALL_REPORTS_DIR=str(folder / "reports"),
            **environment,
        )

    def folder(self, number: int) -> Path:
        return self.campus.folder / f"machine{number}"

    def wait_until_running(self, count: int = 2) -> None:
        wait_until(lambda: running_workers().count() == count, f"{count} workers run")

    def upload_with_gate(self, lecture: Lecture | None = None) -> tuple[Recording, Path]:
        lecture = lecture or self.campus.lecture(4)
        gate = self.campus.folder / f"gate{lecture.pk}"
        gate.mkdir()
        return self.campus.upload(lecture, SEGMENTS, gate=str(gate)), gate

    def wait_until_paused(self, gate: Path, problem: str) -> None:
        """The second worker says why it takes no segments, while the first one is at one."""
        wait_until(lambda: are_all_at_gate(gate, self.campus.workers[:1]), "the first machine is at a segment")
        wait_until(
            lambda: any("vision" in worker.paused_queues for worker in running_workers()),
            "the other machine takes no segments",
        )
        found = check_workers()
        assert (found.state, problem in found.text) == (State.PROBLEM, True), found.text

    def assert_complete(self, recording: Recording) -> None:
        """Nothing of the recording is lost or done twice."""
        recording = self.campus.wait_until_ended(recording)
        assert (recording.state, recording.coverage) == ("done", 1), recording.error
        assert statuses(recording.lecture) == EXPECTED
        assert set(recording.segments.values_list("attempts", flat=True)) == {1}
        assert Sighting.objects.filter(recording=recording).count() == len(EXPECTED)
        assert Report.objects.filter(recording=recording).count() == 1

    def assert_both_work(self, course: Course) -> None:
        recording, gate = self.upload_with_gate(factories.lecture(course))
        wait_until(lambda: are_all_at_gate(gate, self.campus.workers), "both are at work")
        (gate / "open").touch()
        self.assert_complete(recording)


@pytest.fixture
def machines(
    hosts: list[Host],
    servers: tuple[Valkey, Store],
    tmp_path: Path,
    settings: Any,
    monkeypatch: pytest.MonkeyPatch,
    request: pytest.FixtureRequest,
) -> Iterator[Machines]:
    valkey, store = servers
    url = store.storage_url(tmp_path.name)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", store.username)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", store.password)
    monkeypatch.setenv("ROLLCALL_STORAGE_URL", url)
    monkeypatch.setenv("ROLLCALL_HEARTBEAT_SECONDS", str(HEARTBEAT_SECONDS))
    settings.HEARTBEAT_SECONDS = HEARTBEAT_SECONDS
    use_store(settings, monkeypatch, url)
    with running_campus(valkey, tmp_path, settings, request) as campus:
        yield Machines(campus, hosts)
    call_command("flush", verbosity=0, interactive=False)


@pytest.mark.fault("None: two machines share the work over the network")
def test_machines_share_nothing_but_the_network(machines: Machines, tmp_path: Path) -> None:
    campus = machines.campus
    workers = [machines.worker(0), machines.worker(1)]
    web = WebServer(tmp_path)
    web.start()
    try:
        lecture, gate = campus.lecture(4), campus.gate()
        lecture.ends_at = lecture.starts_at + timedelta(minutes=len(SEGMENTS))
        lecture.save()
        user = factories.user()
        lecture.course.lecturers.add(user)
        _token, secret = create_token(user=user, name="uploads", scope="write", days=1)
        headers = {"Authorization": f"Bearer {secret}"}
        content = json.dumps({"segments": SEGMENTS, "gate": str(gate)}).encode()
        TusClient(f"{web.url}/api/v1/uploads/", headers=headers).uploader(
            file_stream=io.BytesIO(content), metadata={"lecture": str(lecture.pk), "filename": "lecture.mp4"}
        ).upload()
        recording = Recording.objects.get()
        wait_until(lambda: are_all_at_gate(gate, workers), "both machines are at segments of one recording")
        (gate / "open").touch()
        machines.assert_complete(recording)
        wait_until(Report.objects.exclude(sha256="").exists, "the workbook is written")
        workbook = requests.get(
            f"{web.url}/api/v1/reports/{recording.report.pk}/download/", headers=headers, timeout=60
        )
        assert workbook.content.startswith(b"PK")
    finally:
        web.kill()
    folders = machines.folder(0), machines.folder(1)

    def left() -> set[tuple[str, ...]]:
        return {
            path.relative_to(folder).parts[:3] for folder in folders for path in folder.rglob("*") if path.is_file()
        }

    # The workbook's file is deleted after its row says that it is written.
    wait_until(lambda: left() == {("var", "media", "cache")}, "nothing but copies is left on a worker's machine")
    assert list(media().walk("recordings"))


@pytest.mark.fault("A machine is cut off from the network")
def test_another_machine_does_the_work_of_one_that_is_cut_off(machines: Machines) -> None:
    workers = [machines.worker(0), machines.worker(1)]
    machines.wait_until_running()
    recording, gate = machines.upload_with_gate()
    wait_until(lambda: are_all_at_gate(gate, workers), "both machines are at segments of one recording")
    machines.hosts[1].unplug()
    try:
        machines.wait_until_running(1)
        (gate / "open").touch()  # the one that is cut off goes on, too
        machines.assert_complete(recording)
        before = list(recording.segments.order_by("index").values()), attendance_rows(recording.lecture)
    finally:
        machines.hosts[1].plug_in()
    machines.wait_until_running()
    machines.assert_both_work(recording.lecture.course)
    assert (list(recording.segments.order_by("index").values()), attendance_rows(recording.lecture)) == before


@pytest.mark.fault("The disk of one machine is full")
def test_a_machine_with_a_full_disk_leaves_the_work_to_others(machines: Machines) -> None:
    with small_disk(machines.folder(1)):
        machines.worker(0)
        machines.worker(1)
        machines.wait_until_running()
        fill_disk(machines.folder(1))
        recording, gate = machines.upload_with_gate()
        machines.wait_until_paused(gate, "The disk is full")
        (gate / "open").touch()
        machines.assert_complete(recording)
        empty_disk(machines.folder(1))
        machines.assert_both_work(recording.lecture.course)


@pytest.mark.fault("One machine lacks the weights")
def test_a_machine_without_weights_leaves_the_work_to_others(machines: Machines) -> None:
    machines.worker(0)
    machines.worker(1, FAULT_NO_WEIGHTS="1")
    machines.wait_until_running()
    recording, gate = machines.upload_with_gate()
    machines.wait_until_paused(gate, "There are no weights of this model")
    (gate / "open").touch()
    machines.assert_complete(recording)


@pytest.mark.fault("The clock of one machine is wrong")
def test_a_machine_with_a_wrong_clock_leaves_the_work_to_others(machines: Machines) -> None:
    clock = machines.campus.folder / "clock"
    clock.write_text("86400")
    machines.worker(0)
    machines.worker(1, FAULT_CLOCK=str(clock))
    machines.wait_until_running()
    recording, gate = machines.upload_with_gate()
    machines.wait_until_paused(gate, "differ by")
    (gate / "open").touch()
    machines.assert_complete(recording)
    clock.write_text("0")
    machines.assert_both_work(recording.lecture.course)
