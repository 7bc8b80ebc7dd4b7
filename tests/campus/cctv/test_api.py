"""Sources, their files and collections over the API."""

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone
from rest_framework.test import APIClient

from campus.cctv.file_discovery import RemoteFile
from campus.cctv.models import Collection, FootageFile, Source
from campus.cctv.services import finish_source_test
from campus.common import jobs
from recognition.messages import Message
from tests.campus import factories

pytestmark = pytest.mark.django_db

NEW = {
    "name": "NVR",
    "kind": "sftp",
    "address": "sftp://nvr.example.org/rec",
    "username": "rollcall",
    "password": "correct horse",
}
NAMED = {"pattern": "{camera}/{start:%Y%m%dT%H%M%S}-{end:%H%M%S}.mp4"}


@pytest.fixture
def api() -> APIClient:
    client = APIClient()
    client.force_authenticate(factories.registrar())
    return client


def create_source(api: APIClient, **fields: Any) -> Any:
    answer = api.post("/api/v1/sources/", NEW | NAMED | fields, format="json")
    assert answer.status_code == 201, answer.content
    return answer.json()


def test_a_source_is_created_and_changed_and_never_returns_its_password(api: APIClient):
    source = create_source(api)
    where = f"/api/v1/sources/{source['id']}/"
    assert (source["has_password"], "password" in source) == (True, False)
    assert Source.objects.get().secret == "correct horse"
    refused = api.patch(where, {"address": "sftp://elsewhere.example.org/"}, format="json")
    assert refused.status_code == 400
    assert "#/password" in refused.content.decode()
    assert (
        api.patch(where, {"password": "", "scan_interval_minutes": 30}, format="json").json()["has_password"] is False
    )
    assert b"horse" not in b"".join(api.get(address).content for address in (where, "/api/v1/sources/"))


@pytest.mark.parametrize(
    "wrong",
    [
        {"pattern": "{cam}"},
        {"clock_offset": "nan"},
        {"time_zone": "Mars"},
        {"address": "sftp://me:secret@example.org/"},
        {"kind": "x"},
    ],
)
def test_invalid_fields_of_a_source_are_named(api: APIClient, wrong: dict[str, str]):
    answer = api.post("/api/v1/sources/", NEW | NAMED | wrong, format="json")
    assert answer.status_code == 400
    assert answer.json()["errors"][0]["pointer"] == f"#/{next(iter(wrong))}"
    assert not Source.objects.exists()


def test_a_camera_label_is_unique_at_its_source(api: APIClient):
    source = create_source(api)
    room = api.post("/api/v1/rooms/", {"name": "B 12"}, format="json").json()
    new = {"source": source["id"], "label": "one", "room": room["id"]}
    assert api.post("/api/v1/cameras/", new, format="json").status_code == 201
    assert "already has a camera with this name" in api.post("/api/v1/cameras/", new, format="json").json()["detail"]
    assert len(api.get(f"/api/v1/cameras/?room={room['id']}").json()["results"]) == 1


def test_a_source_test_returns_how_files_are_read(api: APIClient):
    where = f"/api/v1/sources/{create_source(api)['id']}/test/"
    assert api.get(where).status_code == 404
    assert api.post(where).json()["state"] == "queued"
    source = Source.objects.get()
    camera = factories.camera("B 12", source, label="one")
    lecture = factories.lecture(room="B 12")
    finish_source_test(
        test=jobs.TEST_SOURCE.claim(source.test.pk, owner="worker"),
        files=[RemoteFile("one/20261116T090000-091500.mp4", 7, timezone.now()), RemoteFile("readme.txt", 1, None)],
    )
    result = api.get(where).json()
    assert (result["state"], result["file_count"]) == ("done", 2)
    first, second = result["files"]
    assert (first["fits"], first["camera"], first["lectures"], first["note"]) == (True, camera.pk, [lecture.pk], "")
    assert first["starts_at"] == "2026-11-16T09:00:00Z"
    assert (second["fits"], second["camera"], second["lectures"]) == (False, None, [])


def test_footage_without_a_lecture_is_listed_assigned_discarded_and_restored(api: APIClient):
    lecture = factories.lecture(room="B 12")
    stray = factories.footage_file(factories.camera("C 1"), factories.STARTS, minutes=15)
    assert [row["id"] for row in api.get("/api/v1/footage-files/?without_lecture=true").json()["results"]] == [
        str(stray.pk)
    ]
    where = f"/api/v1/footage-files/{stray.pk}/"
    assert api.post(f"{where}assign/", {"lecture": lecture.pk}, format="json").json()["lecture"] == lecture.pk
    assert [row["id"] for row in api.get(f"/api/v1/footage-files/?lecture={lecture.pk}").json()["results"]] == [
        str(stray.pk)
    ]
    assert api.get("/api/v1/footage-files/?without_lecture=true").json()["results"] == []
    assert api.post(f"{where}discard/").json()["state"] == "discarded"
    assert api.post(f"{where}restore/").json()["state"] == "discovered"
    assert api.post(f"{where}restore/").status_code == 400


def test_lecturers_read_the_collections_of_their_lectures(api: APIClient):
    teacher = factories.user()
    lecture = factories.lecture(
        factories.course(lecturers=(teacher,), students=1), starts_at=timezone.now() - timedelta(days=1)
    )
    row = Collection.objects.create(
        lecture=lecture,
        state="missing",
        note=Message("cam1: nothing."),
        next_check_at=timezone.now(),
        deadline_at=timezone.now(),
    )
    assert api.post(f"/api/v1/collections/{row.pk}/restart/").json()["state"] == "collecting"
    api.force_authenticate(teacher)
    assert [row["lecture"] for row in api.get("/api/v1/collections/?state=collecting").json()["results"]] == [
        lecture.pk
    ]
    assert api.post(f"/api/v1/collections/{row.pk}/restart/").status_code == 403
    assert api.get("/api/v1/footage-files/").status_code == 403
    assert not FootageFile.objects.exists()


def test_how_the_pictures_of_a_camera_are_read(api: APIClient):
    camera = factories.camera()
    where = f"/api/v1/cameras/{camera.pk}/"
    settings = {"stream": 2, "aspect_ratio": "4:3", "rotation": 90, "is_mirrored": True}
    assert api.patch(where, settings, format="json").json() == api.get(where).json()
    assert settings.items() <= api.get(where).json().items()
    assert api.post(f"{where}recount/").json() == {"recordings": 0}
    recording = factories.planned(state="done", camera=camera)
    recording.file = ""
    recording.save()
    footage_file = factories.footage_file(camera, factories.STARTS, 2)
    recording.clips.create(footage_file=footage_file, start=0, end=120, recording_start=0)
    assert api.post(f"{where}recount/").json() == {"recordings": 1}
    recording.refresh_from_db()
    assert recording.state == "uploaded"
    for wrong in ({"stream": 0}, {"aspect_ratio": "4:5"}, {"rotation": 45}):
        assert api.patch(where, wrong, format="json").status_code == 400
