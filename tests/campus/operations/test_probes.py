"""What monitors read: whether the server lives and is ready, and its metrics."""

from datetime import timedelta

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from django_celery_beat.models import IntervalSchedule, PeriodicTask
from prometheus_client.parser import text_string_to_metric_families

from campus.common import jobs
from campus.common.periodic_tasks import SWEEP
from campus.monitoring.workers import note_heartbeat
from campus.operations.models import RequestCount
from campus.operations.request_counts import BOUNDS, RequestCounter, counter
from campus.operations.selectors import count_jobs, schedule_lateness
from campus.recordings.models import Recording, Segment
from campus.web.views.health import find_readiness
from tests.campus import factories

TOKEN = {"Authorization": "Bearer open sesame"}


@pytest.fixture(autouse=True)
def nothing_remembered():
    find_readiness.cache_clear()
    jobs.producer.cache_clear()
    yield
    counter._counts.clear()
    jobs.producer.cache_clear()


@pytest.fixture
def metrics_on(settings) -> None:
    settings.METRICS_TOKEN = "open sesame"


def read_metrics(client: Client) -> dict[tuple, float]:
    """The values by name and labels."""
    text = client.get("/metrics", headers=TOKEN).content.decode()
    return {
        (sample.name, *sorted(sample.labels.values())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def test_a_living_process_asks_the_database_nothing(client: Client):
    """Without the `db` fixture: a query would fail."""
    response = client.get("/livez")
    assert (response.status_code, response.content) == (200, b"ok")


def test_a_server_without_a_broker_is_not_ready_and_says_no_more(client: Client, settings, db):
    settings.BROKER_URL = "redis://user:secret@127.0.0.1:1/0"
    response = client.get("/readyz")
    assert response.status_code == 503
    assert response.json() == {
        "database": "ok",
        "migrations": "ok",
        "broker": "problem",
        "storage": "ok",
        "disk": response.json()["disk"],
    }
    assert "secret" not in response.content.decode()


def test_a_server_with_everything_is_ready(client: Client, settings, db):
    settings.BROKER_URL = "memory://"
    response = client.get("/readyz")
    assert "problem" not in response.json().values()
    assert response.status_code == 200


def test_a_server_that_cannot_write_is_not_ready(client: Client, settings, db, tmp_path):
    settings.BROKER_URL = "memory://"
    (tmp_path / "file").write_text("")
    settings.REPORTS_DIR = tmp_path / "file"
    assert client.get("/readyz").json()["storage"] == "problem"


def test_nobody_reads_the_metrics_by_default(client: Client, db):
    assert client.get("/metrics").status_code == 401
    assert client.get("/metrics", headers={"Authorization": "Bearer "}).status_code == 401


def test_the_metrics_need_the_token_or_the_network(client: Client, settings, metrics_on, db):
    assert client.get("/metrics").status_code == 401
    assert client.get("/metrics", HTTP_AUTHORIZATION="Bearer open").status_code == 401
    assert client.get("/metrics", headers=TOKEN).status_code == 200
    settings.METRICS_TOKEN, settings.METRICS_NETWORKS = "", ["10.0.0.0/8"]
    assert client.get("/metrics", HTTP_AUTHORIZATION="Bearer ").status_code == 401
    assert client.get("/metrics", REMOTE_ADDR="10.1.2.3").status_code == 200
    assert client.get("/metrics", HTTP_X_FORWARDED_FOR="10.1.2.3").status_code == 401


def test_the_metrics_say_what_waits_and_is_late(metrics_on, client: Client, db):
    recording = factories.planned()
    first, *others = recording.segments.all()
    Segment.objects.filter(pk=first.pk).update(lease_owner="worker", lease_until=timezone.now() + timedelta(minutes=1))
    Segment.objects.exclude(pk=first.pk).update(published_at=timezone.now() - timedelta(hours=2))
    every = IntervalSchedule.objects.create(every=15, period="seconds")
    hour_ago = timezone.now() - timedelta(hours=1)
    PeriodicTask.objects.create(name=SWEEP.name, task=SWEEP.task, interval=every, last_run_at=hour_ago)
    note_heartbeat(worker="1", name="vision@host", queues=["vision"])
    values = read_metrics(client)
    assert values["rollcall_workers", "vision"] == 1
    assert values["rollcall_workers", "ingest"] == 0
    assert values["rollcall_jobs_running", "recognise", "vision"] == 1
    assert values["rollcall_jobs_waiting", "recognise", "vision"] == len(others)
    assert values["rollcall_jobs_oldest_seconds", "recognise", "vision"] == pytest.approx(7200, abs=60)
    assert values["rollcall_jobs_waiting", "deliver", "maintenance"] == 0
    assert values["rollcall_schedule_lateness_seconds", "sweep"] == pytest.approx(3585, abs=60)
    assert values["rollcall_segments", "pending"] == len(others) + 1
    assert values["rollcall_recordings", "processing"] == 1
    assert values["rollcall_storage_free_bytes", "media"] > 0
    assert values["rollcall_alarms", "queue"] == 0


def test_the_metrics_count_the_segments_of_a_week(metrics_on, client: Client, db):
    for index, state in enumerate([*Segment.State.values, Segment.State.DONE]):
        factories.planned(segments=index + 1).segments.update(state=state)
    old = factories.planned()
    Recording.objects.filter(pk=old.pk).update(created_at=timezone.now() - timedelta(days=8))
    values = read_metrics(client)
    counts = {state: values["rollcall_segments", state] for state in Segment.State.values}
    assert counts == {"pending": 1, "done": 2 + 4, "failed": 3}


def test_the_metrics_cost_few_queries_however_much_there_is(metrics_on, client: Client, db):
    client.get("/login/")  # counted
    factories.planned()
    with CaptureQueriesContext(connection) as queries:
        assert client.get("/metrics", headers=TOKEN).status_code == 200
    assert len(queries) <= 11


def test_all_processes_count_requests_into_the_same_rows(metrics_on, client: Client, db):
    client.get("/login/")
    client.get("/nowhere/")
    other_process = RequestCounter()
    other_process.add(("login", "GET", 200, BOUNDS[-1]), 2, 80.0)
    other_process.save()
    other_process.save()
    values = read_metrics(client)
    assert values["rollcall_http_request_seconds_count", "200", "GET", "login"] == 3
    assert values["rollcall_http_request_seconds_bucket", "+Inf", "200", "GET", "login"] == 3
    assert values["rollcall_http_request_seconds_bucket", "200", "30", "GET", "login"] == 1
    assert values["rollcall_http_request_seconds_sum", "200", "GET", "login"] > 80
    assert values["rollcall_http_request_seconds_count", "404", "GET", "none"] == 1
    read_metrics(client)
    assert RequestCount.objects.get(view_name="metrics").requests == 1


def test_requests_are_not_counted_where_nobody_reads_them(client: Client, db):
    client.get("/login/")
    assert not counter._counts


def test_counts_are_kept_while_the_database_is_away(metrics_on, client: Client, db, monkeypatch):
    counter.add(("home", "GET", 200, "1"), 1, 0.7)
    with monkeypatch.context() as patch:
        patch.setattr("campus.operations.request_counts.ADD", "INSERT INTO nowhere VALUES (%s, %s, %s, %s, %s, %s)")
        if connection.vendor == "sqlite":  # PostgreSQL would end the test's transaction
            counter.save()
    assert read_metrics(client)["rollcall_http_request_seconds_count", "200", "GET", "home"] == 1


def test_what_has_stopped_costs_few_queries(client: Client, db):
    with CaptureQueriesContext(connection) as queries:
        assert client.get("/health/").json() == {"stopped": ["scheduler"]}
    assert len(queries) == 3


def test_every_job_is_counted_in_one_query(db):
    with CaptureQueriesContext(connection) as queries:
        counts = count_jobs()
    assert [(row.name, row.queue) for row in counts] == [
        (job.name, queue) for job in jobs.JOBS for queue, _ in job.lanes()
    ]
    assert {row.queue for row in counts if row.name == "recognise"} == {"vision", "quick"}
    assert len(queries) == 1


@pytest.mark.parametrize(("minutes_ago", "late"), [(0, 0), (9, 0), (12, 2), (70, 60)])
def test_a_schedule_is_late_from_when_it_was_due(db, minutes_ago: int, late: int):
    every = IntervalSchedule.objects.create(every=10, period="minutes")
    PeriodicTask.objects.create(
        name="x", task="x", interval=every, last_run_at=timezone.now() - timedelta(minutes=minutes_ago, seconds=5)
    )
    (found,) = schedule_lateness()
    assert found.minutes == late
