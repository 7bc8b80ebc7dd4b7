"""A registry's zip that somebody uploads: looked at, imported within the limit, and deleted."""

from datetime import timedelta

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.utils import timezone

from campus.academics.models import Enrolment
from campus.accounts.roles import Role
from campus.common.storage import delete_media, media
from campus.connections.adapters import check_settings
from campus.connections.models import Connection, ConnectionRun
from campus.connections.oneroster_contents import MAX_ZIP_BYTES
from campus.connections.runs import request_due_runs
from campus.connections.uploaded_zips import upload_zip
from campus.privacy.erasure_steps import erase_imports
from campus.privacy.texts import Terms
from tests.campus import factories
from tests.campus.connections.platforms import work_off
from tests.campus.connections.sites import registry as site
from tests.campus.connections.test_connections_page import client_of

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def delete_at_once(monkeypatch) -> None:
    """A test's transaction is never committed."""
    monkeypatch.setattr("campus.connections.uploaded_zips.delete_media_after_commit", delete_media)


@pytest.fixture
def registry() -> Connection:
    settings = {"access": "upload", "number": "identifier", "lecturers": "username"}
    return Connection.objects.create(kind="oneroster", name="Registry", active=True, settings=settings)


@pytest.fixture
def client(registry: Connection) -> Client:
    return client_of(Role.REGISTRAR)


def where(registry: Connection) -> str:
    return f"/connections/{registry.pk}/zip/"


def upload(client: Client, registry: Connection, content: bytes) -> ConnectionRun:
    """The preview, once a worker has read it."""
    response = client.post(where(registry), {"file": SimpleUploadedFile("export.zip", content)})
    assert response.status_code == 302
    [run] = work_off()
    return run


def imported(client: Client, registry: Connection, run: ConnectionRun) -> ConnectionRun:
    client.post(where(registry) + "apply/", {"run": run.pk})
    [done] = work_off()
    return done


def stored() -> list[str]:
    return [file.name for file in media().walk("imports")]


def test_a_zip_is_looked_at_and_imported(client: Client, registry: Connection) -> None:
    check_settings(registry)
    assert where(registry) in client.get("/connections/").content.decode()
    found = site()
    run = upload(client, registry, found.zip())
    page = client.get(where(registry)).content.decode()
    assert "Now 41 students would join, 0 change and 0 leave." in page
    assert not Enrolment.objects.exists()
    assert imported(client, registry, run).counts["added"] == 41
    assert Enrolment.objects.count() == 41
    assert stored() == []
    page = client.post(where(registry) + "apply/", {"run": run.pk}, follow=True).content.decode()
    assert "was already applied" in page

    # More than the limit waits for a person, with the known preview of the roster.
    for number in range(1000, 1010):
        found.put("enrollments", f"user-{number}@c1", status="tobedeleted")
    done = imported(client, registry, upload(client, registry, found.zip()))
    assert done.counts["waiting"] == 10
    assert Enrolment.objects.filter(valid_to=None).count() == 41
    assert f"/admin/academics/student/import/{done.file_import_id}/" in client.get(where(registry)).content.decode()


def test_another_zip_takes_the_place_of_one_that_waits(client: Client, registry: Connection) -> None:
    first = upload(client, registry, site().zip())
    second = upload(client, registry, site().zip())
    assert stored() == [str(second.zip.name)]
    assert "expired" in client.post(where(registry) + "apply/", {"run": first.pk}, follow=True).content.decode()
    assert not Enrolment.objects.exists()
    client.post(where(registry), {"file": SimpleUploadedFile("export.zip", b"1")})
    page = client.post(where(registry), {"file": SimpleUploadedFile("export.zip", b"2")})
    assert "Another zip is being read." in page.content.decode()
    [failed] = work_off()
    assert "not a zip" in client.get(where(registry)).content.decode()
    assert (failed.state, stored()) == ("failed", [])


def test_a_zip_is_kept_for_a_day_and_not_beyond_an_erasure(client: Client, registry: Connection) -> None:
    upload(client, registry, site().zip())
    request_due_runs()
    assert len(stored()) == 1
    ConnectionRun.objects.update(started_at=timezone.now() - timedelta(days=1, minutes=1))
    request_due_runs()
    assert stored() == []
    upload(client, registry, site().zip())
    assert erase_imports(0, Terms.of(words=["Somebody Else"], replacement="-")) == 1
    assert stored() == []


def test_who_may_upload_what_and_where(client: Client, registry: Connection) -> None:
    assert client_of(Role.AUDITOR).get(where(registry)).status_code == 403
    too_large = SimpleUploadedFile("export.zip", b"")
    too_large.size = MAX_ZIP_BYTES + 1
    with pytest.raises(Exception, match="larger than 64 MB"):
        upload_zip(connection=registry, file=too_large, user=factories.registrar())
    Connection.objects.update(active=False)
    run = upload(client, registry, site().zip())
    assert (run.state, "switched off" in client.get(where(registry)).content.decode()) == ("done", True)
    assert imported(client, registry, run).state == "failed"
    assert not Enrolment.objects.exists()
    Connection.objects.update(settings=registry.settings | {"access": "rest"})
    assert client.get(where(registry)).status_code == 302
    assert where(registry) not in client.get("/connections/").content.decode()
