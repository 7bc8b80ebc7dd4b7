"""The files of this machine for workers on others: only tokens that workers sign open them, and nothing is said."""

import time
from typing import Any
from urllib.parse import quote

import pytest
from django.core import signing
from django.test import Client

from campus.common import jobs
from campus.common.jobs import Attempt
from campus.common.storage import media, reports
from campus.common.storage_tokens import MAINTENANCE, MAX_AGE_SECONDS, SALT, make_storage_token
from campus.recordings.models import Recording
from campus.settings.file_stores import file_stores
from tests.campus import factories

ADDRESS = "/internal/files/media/"
FILE = ADDRESS + "tracks/a.npz"


def send(client: Client, method: str, address: str = FILE, token: str | None = None, **arguments: Any) -> Any:
    headers = {"Authorization": f"Bearer {token or make_storage_token(None)}"} | arguments.pop("headers", {})
    return client.generic(method, address, headers=headers, **arguments)


def attempt_of(job: jobs.Job, row: Any) -> Attempt:
    return Attempt(job.name, str(row.pk), row.lease_owner)


def test_only_a_token_of_a_worker_opens_them(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    media().write("tracks/a.npz", b"faces")
    old = signing.dumps(MAINTENANCE, salt=SALT)
    with monkeypatch.context() as later:
        now = time.time() + MAX_AGE_SECONDS + 1
        later.setattr("time.time", lambda: now)
        refused = [send(client, method, token=old) for method in ("GET", "PUT", "PATCH", "DELETE")]
    refused += [
        client.get(FILE),
        client.get(ADDRESS),
        client.get(ADDRESS + "nothing"),
        client.get(FILE, headers={"Authorization": f"Basic {make_storage_token(None)}"}),
        send(client, "GET", token=signing.dumps(MAINTENANCE, salt="another")),
        send(client, "GET", token=make_storage_token(None)[:-1]),
    ]
    assert {(answer.status_code, answer.content) for answer in refused} == {(403, b"")}
    assert send(client, "GET").getvalue() == b"faces"


@pytest.mark.parametrize("name", ["../reports/a.xlsx", "a/../../reports/a.xlsx", "/etc/passwd", "../../etc/passwd"])
def test_there_is_nothing_outside_of_the_folders(client: Client, name: str) -> None:
    media().write("tracks/a.npz", b"faces")
    reports().write("a.xlsx", b"names")
    for method in ("GET", "PUT", "PATCH"):
        answer = send(client, method, ADDRESS + quote(name, safe=""), data=b"ab")
        assert (answer.status_code, answer.content) == (404, b""), method
    assert send(client, "GET", f"{ADDRESS}?folder={quote(name)}").status_code == 404
    for missing in ("nothing", "tracks"):
        assert send(client, "GET", ADDRESS + missing).status_code == 404
    assert send(client, "GET", "/internal/files/others/a").status_code == 404
    assert (media().read("tracks/a.npz"), reports().read("a.xlsx")) == (b"faces", b"names")


@pytest.mark.django_db
def test_an_attempt_that_lost_its_lease_reads_and_writes_nothing(client: Client) -> None:
    recording = factories.recording(state="uploaded")
    row = jobs.INGEST.claim(recording.pk, "me")
    token = make_storage_token(attempt_of(jobs.INGEST, row))
    assert send(client, "PUT", token=token, data=b"tracks").status_code == 204
    assert send(client, "GET", token=token).getvalue() == b"tracks"
    Recording.objects.update(lease_owner="another")
    for method in ("GET", "HEAD", "PUT", "PATCH", "DELETE"):
        answer = send(client, method, token=token, data=b"other.")
        assert (answer.status_code, answer.content) == (403, b""), method
    assert media().read("tracks/a.npz") == b"tracks"


@pytest.mark.django_db
def test_no_session_and_no_user_is_looked_up(client: Client, django_assert_num_queries: Any) -> None:
    media().write("tracks/a.npz", b"faces")
    row = jobs.INGEST.claim(factories.recording(state="uploaded").pk, "me")
    token = make_storage_token(attempt_of(jobs.INGEST, row))
    with django_assert_num_queries(0):
        send(client, "GET")
    with django_assert_num_queries(1):
        send(client, "GET", token=token)


def test_what_does_not_fit_is_refused(client: Client, settings: Any) -> None:
    settings.MAX_RECORDING_BYTES = 5
    assert send(client, "PUT", data=b"123456").status_code == 413
    assert not media().exists("tracks/a.npz")


def test_another_version_than_the_one_wanted_is_not_given(client: Client) -> None:
    media().write("tracks/a.npz", b"12345")
    answer = send(client, "GET", headers={"Range": "bytes=1-2"})
    assert (answer.status_code, answer.getvalue()) == (206, b"23")
    version = {"If-Match": answer.headers["ETag"]}
    assert send(client, "GET", headers=version).status_code == 200
    media().write("tracks/a.npz", b"54321")
    refused = send(client, "GET", headers=version)
    assert (refused.status_code, refused.content) == (412, b"")


def test_a_machine_whose_files_are_elsewhere_gives_none(client: Client, settings: Any) -> None:
    media().write("tracks/a.npz", b"12345")
    settings.STORAGES = settings.STORAGES | file_stores("http://127.0.0.1:9")
    assert send(client, "GET").status_code == 404
