"""The admin pages of sources, footage files and collections."""

import subprocess
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from campus.accounts.roles import Role
from campus.cctv.file_discovery import RemoteFile
from campus.cctv.models import Alarm, Collection, FootageFile, Source, SourceTest
from campus.cctv.services import finish_source_test, request_source_test
from campus.common import jobs
from campus.web.dashboard import build_dashboard
from recognition.messages import Message
from tests.campus import factories

pytestmark = pytest.mark.django_db

PATTERN = "{camera}/{start:%Y%m%dT%H%M%S}-{end:%H%M%S}.mp4"


@pytest.fixture
def office(db: None) -> Client:
    client = Client()
    client.force_login(factories.registrar(username="registrar"))
    return client


def form_data(page: Any, **changes: object) -> dict[str, object]:
    """The data that submitting the page's form would send, with the changes."""
    form = page.context["adminform"].form
    values = {name: form[name].value() for name in form.fields}
    cameras = page.context["inline_admin_formsets"][0].formset
    values |= {f"cameras-{name}": cameras.management_form[name].value() for name in cameras.management_form.fields}
    for row in cameras.forms:
        values |= {row.add_prefix(name): row[name].value() for name in row.fields}
    return {name: value for name, value in (values | changes).items() if value is not None and value is not False}


def press(client: Client, action: str, pk: object) -> str:
    address = reverse(f"admin:{action}", args=[pk])
    assert client.get(address).status_code == 200
    response = client.post(address, {"_form_submitted": "True"}, headers={"HX-Request": "true"})
    return client.get(response["HX-Redirect"]).content.decode()


def test_a_source_is_created_with_its_cameras_and_never_shows_its_password(office: Client):
    room = factories.camera("B 12").room
    new = {
        "name": "NVR",
        "kind": "sftp",
        "address": "sftp://nvr.example.org/",
        "password": "correct horse",
        "pattern": PATTERN,
    }
    cameras = {"cameras-0-label": "one", "cameras-0-room": room.pk, "cameras-TOTAL_FORMS": 1}
    page = office.get(reverse("admin:cctv_source_add"))
    page = office.post(reverse("admin:cctv_source_add"), form_data(page, **new, **cameras), follow=True)
    source = Source.objects.get(name="NVR")
    assert [(camera.label, camera.room) for camera in source.cameras.all()] == [("one", room)]
    assert source.secret == "correct horse"
    where = reverse("admin:cctv_source_change", args=[source.pk])
    page = office.get(where)
    assert "horse" not in page.content.decode()
    office.post(where, form_data(page, scan_interval_minutes=30))
    assert Source.objects.get(name="NVR").secret == "correct horse"
    refused = office.post(where, form_data(page, address="sftp://elsewhere.example.org/"))
    assert "Enter the password again" in refused.content.decode()
    refused = office.post(where, form_data(page, pattern="{cam}.mp4", clock_offset="1e9"))
    assert {"pattern", "clock_offset"} <= refused.context["adminform"].form.errors.keys()
    office.post(where, form_data(page, forget_password="on", message_token="battery"))
    assert (Source.objects.get(name="NVR").secret, Source.objects.get(name="NVR").message_secret) == ("", "battery")
    assert "battery" not in office.get(where).content.decode()


def test_a_private_key_is_uploaded_as_a_file(office: Client, tmp_path: Path):
    file = tmp_path / "id_ed25519"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", file], check=True)
    where = reverse(
        "admin:cctv_source_change", args=[factories.source(kind="sftp", address="sftp://nvr.example.org/").pk]
    )
    page = office.get(where)
    for name, said in (("id_ed25519.pub", "Choose the file without .pub."), ("id_ed25519", "")):
        key = SimpleUploadedFile(name, (tmp_path / name).read_bytes())
        assert said in office.post(where, form_data(page, private_key=key), follow=True).content.decode()
    kept = Source.objects.get().secret
    assert kept.startswith("-----BEGIN OPENSSH PRIVATE KEY-----")
    assert kept.splitlines()[2] not in office.get(where).content.decode()


def test_a_camera_with_recordings_cannot_be_deleted(office: Client):
    camera = factories.camera("B 12", factories.source(pattern=PATTERN), label="one")
    factories.recording(factories.lecture(), camera=camera)
    where = reverse("admin:cctv_source_change", args=[camera.source.pk])
    page = office.post(where, form_data(office.get(where), **{"cameras-0-DELETE": "on"}))
    assert "protected" in page.content.decode()
    assert camera.source.cameras.exists()
    page = office.post(reverse("admin:cctv_source_delete", args=[camera.source.pk]), {"post": "yes"}, follow=True)
    assert Source.objects.filter(pk=camera.source.pk).exists()


def test_a_source_test_shows_what_would_be_fetched(office: Client):
    source = factories.source(pattern=PATTERN)
    factories.camera("B 12", source, label="one")
    lecture = factories.lecture(room="B 12", title="Loops")
    where = reverse("admin:cctv_source_test", args=[source.pk])
    assert "not been tested yet" in office.get(where).content.decode()
    assert "is being tested" in press(office, "cctv_source_test_now", source.pk)
    part = office.get(where, headers={"HX-Request": "true"}).content.decode()
    assert 'hx-trigger="every 2s"' in part
    assert "<html" not in part
    files = [
        RemoteFile(path, 7, timezone.now())
        for path in ("one/20261116T090000-091500.mp4", "two/20261116T090000-091500.mp4", "x.mp4")
    ]
    finish_source_test(test=jobs.TEST_SOURCE.claim(source.test.pk, owner="worker"), files=files)
    page = office.get(where, headers={"HX-Request": "true"}).content.decode()
    assert "hx-trigger" not in page
    assert str(lecture) in page
    assert "would be fetched" in page
    assert "no camera called “two”" in page
    assert "2 match the pattern and 1 belong to a lecture" in " ".join(page.split())
    Source.objects.update(pattern="{room}/{date}/{start}.mp4")
    assert "would be called “B 12/" in office.get(where).content.decode()
    SourceTest.objects.update(state="failed", error=Message("The name leads nowhere."))
    assert "The name leads nowhere." in office.get(where).content.decode()
    office.post(where)
    assert SourceTest.objects.get().state == SourceTest.State.QUEUED


def test_a_recorders_channels_get_their_rooms(office: Client):
    source = factories.source(kind="hikvision", address="https://nvr.example.org")
    factories.camera("B 12", source, label="101")
    factories.room("Hall 3")
    where = reverse("admin:cctv_source_test", args=[source.pk])
    request_source_test(source=source)
    channels = [("101", "Front"), ("201", "<b>Back</b>"), ("301", "")]
    finish_source_test(test=jobs.TEST_SOURCE.claim(source.test.pk, owner="worker"), channels=channels)
    page = office.get(where).content.decode()
    assert "&lt;b&gt;Back&lt;/b&gt;" in page
    assert 'value="B 12"' in page
    answer = office.post(where, {"rooms": "", "room-0": "b 12", "room-1": " hall 3", "room-2": ""}, follow=True)
    assert "The rooms of 2 channels are saved." in answer.content.decode()
    assert {camera.label: camera.room.name for camera in source.cameras.all()} == {"101": "B 12", "201": "Hall 3"}
    answer = office.post(where, {"rooms": "", "room-2": "Nowhere"}, follow=True)
    assert "There is no room called “Nowhere”." in answer.content.decode()
    assert source.cameras.count() == 2


def test_file_names_are_escaped(office: Client):
    source = factories.source(pattern=PATTERN)
    request_source_test(source=source)
    nasty = "<script>alert(1)</script>/20261116T090000-091500.mp4"
    finish_source_test(test=jobs.TEST_SOURCE.claim(source.test.pk, owner="worker"), files=[RemoteFile(nasty, 7, None)])
    footage_file = factories.footage_file(
        None,
        None,
        source=source,
        path=nasty,
        state="discovered",
        needs_assignment=True,
        note=Message("<script>alert(2)</script>"),
    )
    for address in (
        reverse("admin:cctv_source_test", args=[source.pk]),
        reverse("admin:cctv_footagefile_changelist"),
        reverse("admin:cctv_footagefile_change", args=[footage_file.pk]),
        reverse("admin:index"),
    ):
        page = office.get(address).content.decode()
        assert "alert(1)" in page
        assert "<script>alert" not in page


def test_stray_footage_is_listed_assigned_discarded_and_restored(office: Client):
    lecture = factories.lecture(room="B 12", title="Loops")
    factories.lecture(room="C 1", title="Sound", starts_at=factories.STARTS + timedelta(hours=1))
    camera = factories.camera("B 12")
    strays = [
        factories.footage_file(
            None,
            factories.STARTS,
            15,
            source=camera.source,
            state="discovered",
            needs_assignment=True,
            path=f"stray{n}.mp4",
        )
        for n in (1, 2)
    ]
    factories.footage_file(
        camera,
        factories.STARTS - timedelta(hours=9),
        state="discovered",
        path="night.mp4",
        note=Message("No lecture is in B 12 then."),
    )
    lists = reverse("admin:cctv_footagefile_changelist")
    unclear, none = (office.get(lists, {"lecture": which}).content.decode() for which in ("unclear", "none"))
    assert ("stray1" in unclear, "stray2" in unclear, "night" in unclear) == (True, True, False)
    assert ("stray1" in none, "night" in none) == (True, True)
    chosen = {"_selected_action": [str(stray.pk) for stray in strays]}
    page = office.post(lists, {"action": "assign_all", **chosen}, follow=True)
    assert "these 2 files" in page.content.decode()
    assert "stray1.mp4 (" in page.content.decode()
    where = page.redirect_chain[-1][0]
    assert [value for value, _name in page.context["form"].fields["lecture"].choices][1] == lecture.pk
    assert "Assigned: 2." in office.post(where, {"lecture": lecture.pk}, follow=True).content.decode()
    assert {footage_file.lecture for footage_file in FootageFile.objects.filter(path__startswith="stray")} == {lecture}
    assert not strays[0].clips.exists()
    assert "stray1" not in office.get(lists, {"lecture": "none"}).content.decode()
    office.post(lists, {"action": "discard_all", **chosen})
    assert set(FootageFile.objects.filter(path__startswith="stray").values_list("state", flat=True)) == {"discarded"}
    assert "Restored: 2." in office.post(lists, {"action": "restore_all", **chosen}, follow=True).content.decode()
    assert "File discarded." in press(office, "cctv_footagefile_discard_one", strays[0].pk)
    assert "File restored." in press(office, "cctv_footagefile_restore_one", strays[0].pk)
    assert (
        "Select the files first"
        in office.get(
            reverse("admin:cctv_footagefile_assign"), {"footage_file": "nonsense"}, follow=True
        ).content.decode()
    )


def test_a_missing_collection_is_listed_and_restarted(office: Client):
    now = timezone.now()
    lecture = factories.lecture(room="B 12", starts_at=now - timedelta(days=1), title="Loops")
    row = Collection.objects.create(
        lecture=lecture, state="missing", note=Message("cam1: nothing."), next_check_at=now, deadline_at=now
    )
    assert "cam1: nothing." in office.get(reverse("admin:cctv_collection_changelist")).content.decode()
    assert "Checking for footage again." in press(office, "cctv_collection_restart", row.pk)
    row.refresh_from_db()
    assert row.state == Collection.State.COLLECTING
    footage_file = factories.footage_file(factories.camera("C 1"), lecture.starts_at, path="other room.mp4")
    page = office.get(reverse("admin:cctv_collection_files", args=[row.pk]), follow=True).content.decode()
    assert footage_file.path in page


def test_the_dashboard_lists_alarms_missing_footage_and_stray_files():
    registrar, now = factories.registrar(), timezone.now()
    lecture = factories.lecture(starts_at=now - timedelta(days=1), title="Loops")
    Collection.objects.create(lecture=lecture, state="missing", next_check_at=now, deadline_at=now)
    Alarm.objects.create(kind=Alarm.Kind.QUEUE, key="queue", text=Message("Work waits."))
    Alarm.objects.create(kind=Alarm.Kind.QUEUE, key="old", text=Message("Work waited."), ended_at=now)
    source = factories.source()
    factories.footage_file(None, None, source=source, state="discovered", needs_assignment=True, path="stray.mp4")
    factories.footage_file(None, None, source=source, state="failed", path="broken.mp4")
    said = {task.icon: (task.text, [link.text for link in task.links]) for task in build_dashboard(registrar).todos}
    assert said["e911_emergency"] == ("1 alarm", ["Work waits."])
    assert said["videocam_alert"] == ("1 lecture without footage", [str(lecture)])
    assert said["unknown_document"][1] == [f"stray.mp4 of {source}"]
    assert said["cloud_off"][1] == [f"broken.mp4 of {source}"]


def test_an_auditor_can_only_read():
    auditor = Client()
    auditor.force_login(factories.person(Role.AUDITOR))
    source = factories.source(secret="token", username="rollcall")
    footage_file = factories.footage_file(factories.camera("B 12", source), factories.STARTS)
    page = auditor.get(reverse("admin:cctv_source_change", args=[source.pk])).content.decode()
    assert "rollcall" in page
    assert "token" not in page.replace("csrfmiddlewaretoken", "")
    assert "password" not in page.casefold().split("<main")[-1] or 'type="password"' not in page
    assert auditor.get(reverse("admin:cctv_source_test", args=[source.pk])).status_code == 200
    for address in (
        reverse("admin:cctv_source_test", args=[source.pk]),
        reverse("admin:cctv_source_test_now", args=[source.pk]),
        reverse("admin:cctv_footagefile_discard_one", args=[footage_file.pk]),
        reverse("admin:cctv_footagefile_assign", query={"footage_file": str(footage_file.pk)}),
    ):
        assert auditor.post(address, {"_form_submitted": "True"}).status_code == 403
