"""What `manage.py doctor` and the System page say of a server, and how it is mended."""

import io
import json
import ssl
import threading
from collections.abc import Iterator
from datetime import timedelta
from http.server import HTTPServer, SimpleHTTPRequestHandler
from pathlib import Path

import pytest
from django.core.management import call_command
from django.db import connection
from django.test import Client
from django.utils import timezone
from django_celery_beat.models import IntervalSchedule, PeriodicTask

from campus.common import jobs
from campus.common.periodic_tasks import SWEEP
from campus.monitoring.workers import note_heartbeat, note_pause
from campus.operations import checks
from campus.operations.checks import ALL_CHECKS, QUICK_CHECKS, Check, State
from campus.operations.models import Backup
from deploy.local import free_port
from recognition.messages import Message
from tests.campus import factories
from tests.servers.stores import certificate


@pytest.fixture(autouse=True)
def no_broker(settings) -> Iterator[None]:
    settings.BROKER_URL = "redis://127.0.0.1:1/0"
    jobs.producer.cache_clear()
    yield
    jobs.producer.cache_clear()


def doctor(*arguments: str) -> tuple[int, str]:
    output = io.StringIO()
    try:
        call_command("doctor", *arguments, stdout=output)
    except SystemExit as ended:
        return int(ended.code), output.getvalue()
    return 0, output.getvalue()


def test_the_doctor_says_what_is_wrong_and_how_to_mend_it(db):
    code, text = doctor("database", "broker")
    assert code == 1
    assert "ok       database: " in text
    assert "PROBLEM  broker: The broker does not answer" in text
    assert "ROLLCALL_REDIS_URL" in text


def test_the_doctor_is_content_where_nothing_is_wrong(db):
    assert doctor("database", "migrations", "storage", "queues", "alarms", "clock")[0] == 0


def test_programs_read_what_the_doctor_says(db):
    code, text = doctor("--json", "broker", "database")
    said = json.loads(text)
    assert (code, said["database"]["state"], said["broker"]["state"]) == (1, "ok", "problem")
    assert said["broker"]["remedy"]


def test_each_problem_comes_with_what_to_do(db, settings):
    """Nothing is there: every check says something, and never only that something is wrong."""
    for check in QUICK_CHECKS:
        finding = check.run()
        assert finding.text.endswith("."), check.name
        assert bool(finding.remedy) == (finding.state != State.OK), check.name


def test_an_error_that_nobody_expected_does_not_stop_the_others():
    def break_down() -> checks.Finding:
        raise ZeroDivisionError("division by zero")

    finding = Check("x", "X", break_down).run()
    assert finding.state == State.PROBLEM
    assert "division by zero" in finding.text


def test_the_storage_is_left_as_it_was(db, settings):
    assert checks.check_storage().state == State.OK
    assert not [*Path(settings.MEDIA_ROOT).iterdir(), *Path(settings.REPORTS_DIR).iterdir()]


def test_a_storage_that_is_not_mounted(db, settings, tmp_path):
    (tmp_path / "file").write_text("")
    settings.MEDIA_ROOT = tmp_path / "file" / "media"
    assert checks.check_storage().state == State.PROBLEM


def test_tables_of_another_version(db):
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM django_migrations WHERE app = 'operations'")
    assert "migrate" in checks.check_migrations().remedy
    assert "older version" in checks.describe_older_tables()


def test_the_release_before_goes_on_with_newer_tables(db):
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO django_migrations (app, name, applied) VALUES ('operations', '0099_later', %s)",
            [timezone.now()],
        )
    finding = checks.check_migrations()
    assert finding.state == State.WARNING
    assert "newer version" in finding.text
    assert checks.describe_older_tables() == ""


@pytest.mark.parametrize(("minutes", "state"), [(1, State.OK), (12, State.PROBLEM)])
def test_a_silent_scheduler(db, minutes: int, state: State):
    every = IntervalSchedule.objects.create(every=15, period="seconds")
    last = timezone.now() - timedelta(minutes=minutes)
    PeriodicTask.objects.create(name=SWEEP.name, task=SWEEP.task, interval=every, last_run_at=last)
    assert checks.check_schedules().state == state


def test_workers_that_are_gone_or_pause(db):
    assert checks.check_workers().state == State.PROBLEM
    note_heartbeat(worker="1", name="all@host", queues=jobs.QUEUES)
    assert checks.check_workers().state == State.OK
    note_pause(worker="1", queue="vision", problem=Message("The disk is away."))
    finding = checks.check_workers()
    assert finding.state == State.PROBLEM
    assert "The disk is away." in finding.text


def test_jobs_that_nobody_does(db):
    factories.planned().segments.update(published_at=timezone.now() - timedelta(hours=2))
    finding = checks.check_queues()
    assert finding.state == State.PROBLEM
    assert "vision" in finding.text


def test_backups_that_stopped(db):
    assert checks.check_backup().state == State.WARNING
    backup = Backup.objects.create(name="x", size=1)
    assert checks.check_backup().state == State.OK
    Backup.objects.filter(pk=backup.pk).update(finished_at=timezone.now() - timedelta(days=3))
    assert checks.check_backup().state == State.WARNING


def test_weights_that_are_there_and_that_are_not(db, settings, tmp_path, monkeypatch):
    monkeypatch.setenv("ROLLCALL_WEIGHTS_DIR", str(tmp_path))
    assert checks.check_weights().state == State.OK
    course = factories.course()
    course.embedder = "facenet-20180402"
    course.save()
    finding = checks.check_weights()
    assert finding.state == State.PROBLEM
    assert "facenet-20180402" in finding.text


def test_a_mail_server_that_is_not_there(settings):
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", 1
    assert checks.check_mail().state == State.PROBLEM


def test_a_certificate_that_nobody_trusts(settings, tmp_path):
    server = HTTPServer(("127.0.0.1", free_port()), SimpleHTTPRequestHandler)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificate(tmp_path))
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        settings.BASE_URL = f"https://localhost:{server.server_port}"
        finding = checks.check_certificate()
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
    assert finding.state == State.PROBLEM
    assert "localhost" in finding.text


def test_every_check_has_a_name_of_its_own():
    assert len({check.name for check in ALL_CHECKS}) == len(ALL_CHECKS)


def test_only_administrators_see_the_system(client: Client, db):
    client.force_login(factories.registrar())
    assert client.get("/admin/system/").status_code == 403
    assert "/admin/system/" not in client.get("/admin/").content.decode()
    client.force_login(factories.user(username="boss", is_superuser=True, is_staff=True))
    assert "/admin/system/" in client.get("/admin/").content.decode()
    page = client.get("/admin/system/").content.decode()
    assert "The broker does not answer" in page
    assert page.index("The broker does not answer") < page.index("The tables are those of this version")
