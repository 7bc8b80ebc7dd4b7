"""The API as a program uses it: tokens, uploads, filters, corrections, downloads, and errors that say why."""

import errno
from io import StringIO
from pathlib import Path

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.management import call_command
from rest_framework.test import APIClient

from campus.accounts.models import ApiToken
from campus.attendance.models import AttendanceChange
from campus.attendance.proposals import recount_lecture
from campus.recordings.models import Recording
from tests.campus import factories
from tests.campus.conftest import World


@pytest.fixture
def api(world: World) -> APIClient:
    client = APIClient()
    client.force_authenticate(world.own)
    return client


def upload(api: APIClient, lecture: object, content: bytes, name: str = "lecture.mp4"):
    return api.post(
        "/api/v1/recordings/", {"lecture": lecture, "file": SimpleUploadedFile(name, content)}, format="multipart"
    )


def test_a_recording_is_uploaded_in_place_of_another(api: APIClient, world: World):
    file = SimpleUploadedFile("new.mp4", b"new")
    fields = {"lecture": world.lecture.pk, "file": file, "replaces": str(world.recording.pk)}
    answer = api.post("/api/v1/recordings/", fields, format="multipart")
    assert (answer.status_code, answer.json()["replaces"]) == (201, str(world.recording.pk))
    elsewhere = factories.recording(factories.lecture())
    fields |= {"replaces": str(elsewhere.pk), "file": SimpleUploadedFile("newer.mp4", b"newer")}
    answer = api.post("/api/v1/recordings/", fields, format="multipart")
    assert answer.status_code == 400
    assert "not one of the lecture's uploads" in answer.json()["detail"]


def test_a_token_opens_and_is_revoked(world: World):
    api = APIClient()
    answer = api.post("/api/v1/token/", {"username": "own", "password": "password"}, format="json")
    assert answer.status_code == 200
    assert answer["Cache-Control"] == "no-store"
    api.credentials(HTTP_AUTHORIZATION=f"Token {answer.json()['token']}")
    assert len(api.get("/api/v1/courses/").json()["results"]) == 1
    assert api.delete("/api/v1/token/").status_code == 204
    assert api.get("/api/v1/courses/").status_code == 401
    assert not ApiToken.objects.exists()


def test_a_wrong_password_gets_no_token(world: World):
    answer = APIClient().post("/api/v1/token/", {"username": "own", "password": "guess"}, format="json")
    assert answer.status_code == 401
    assert answer["Content-Type"] == "application/problem+json"
    assert answer.json() == {
        "type": "about:blank",
        "title": "Unauthorized",
        "status": 401,
        "detail": "The name or the password is wrong.",
    }


def test_tokens_cannot_be_guessed_at_speed(world: World):
    api = APIClient()
    codes = [
        api.post("/api/v1/token/", {"username": f"name{n}", "password": "guess"}, format="json").status_code
        for n in range(12)
    ]
    assert codes[:10] == [401] * 10
    assert codes[-1] == 429


def test_the_pages_login_opens_the_api_and_needs_the_csrf_token(world: World, video_bytes: bytes):
    api = APIClient(enforce_csrf_checks=True)
    api.force_login(world.own)
    assert api.get("/api/v1/courses/").status_code == 200
    assert upload(api, world.lecture.pk, video_bytes, "forged.mp4").status_code == 403
    assert not Recording.objects.filter(original_name="forged.mp4").exists()


def test_a_lecture_and_its_recording(api: APIClient, world: World, video_bytes: bytes):
    body = {
        "course": world.course.pk,
        "title": "Trees",
        "starts_at": "2026-12-01T09:00:00Z",
        "ends_at": "2026-12-01T10:30:00Z",
    }
    lecture = api.post("/api/v1/lectures/", body, format="json")
    assert lecture.status_code == 201
    answer = upload(api, lecture.json()["id"], video_bytes)
    assert answer.status_code == 201
    recording = Recording.objects.get(pk=answer.json()["id"])
    assert Path(recording.file.path).read_bytes() == video_bytes
    assert (recording.uploaded_by, recording.state) == (world.own, "uploaded")
    assert answer.json()["report"] is None
    assert api.get(f"/api/v1/recordings/{recording.pk}/progress/").json()["state"] == "uploaded"
    again = upload(api, lecture.json()["id"], video_bytes)
    assert again.status_code == 400
    assert "already here" in again.json()["detail"]


def test_another_lecturers_lecture_takes_nothing(api: APIClient, world: World, video_bytes: bytes):
    assert upload(api, world.foreign.pk, video_bytes).status_code == 400
    body = {"course": world.foreign.course_id, "starts_at": "2026-12-01T09:00:00Z", "ends_at": "2026-12-01T10:30:00Z"}
    assert api.post("/api/v1/lectures/", body, format="json").status_code == 400
    assert not world.foreign.recordings.exists()
    assert world.foreign.course.lectures.count() == 1


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        ({"starts_at": "2026-12-01T09:00:00Z", "ends_at": "2026-12-01T08:00:00Z"}, "Set a later end."),
        ({"starts_at": "2026-11-16T09:00:00Z", "ends_at": "2026-11-16T10:00:00Z"}, "Choose another time."),
        ({"starts_at": "soon", "ends_at": "2026-12-01T08:00:00Z"}, "wrong format"),
    ],
)
def test_a_lecture_that_cannot_be(api: APIClient, world: World, body: dict[str, str], sentence: str):
    answer = api.post("/api/v1/lectures/", {"course": world.course.pk} | body, format="json")
    assert answer.status_code == 400
    assert sentence in answer.content.decode()


def test_uploads_that_cannot_be(api: APIClient, world: World, video_bytes: bytes, settings, monkeypatch):
    assert "empty" in upload(api, world.lecture.pk, b"").json()["detail"]
    assert (
        api.post(
            "/api/v1/recordings/", {"lecture": world.lecture.pk, "file": "name-only.mp4"}, format="json"
        ).status_code
        == 415
    )
    settings.MAX_RECORDING_BYTES = 100
    monkeypatch.setattr("campus.common.upload_limits.MAX_FORM_BYTES", 0)
    large = upload(api, world.lecture.pk, video_bytes)
    assert (large.status_code, "larger than" in large.json()["detail"]) == (413, True)


def test_a_disk_that_fills_up_on_the_way_is_a_sentence(
    api: APIClient, world: World, video_bytes: bytes, settings, monkeypatch
):
    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("django.core.files.uploadhandler.TemporaryFileUploadHandler.receive_data_chunk", full)
    answer = upload(api, world.lecture.pk, video_bytes)
    assert answer.status_code == 507
    assert "disk is full" in answer.json()["detail"]
    assert not list(Path(settings.FILE_UPLOAD_TEMP_DIR).iterdir())


def test_what_a_service_refuses_is_a_sentence(api: APIClient, world: World):
    answer = api.post(f"/api/v1/recordings/{world.recording.pk}/cancel/")
    assert answer.status_code == 400
    assert "nothing to cancel" in answer.json()["detail"]


def test_restart_counts_the_runs(api: APIClient, world: World):
    answer = api.post(f"/api/v1/recordings/{world.recording.pk}/restart/")
    assert (answer.json()["state"], answer.json()["run"]) == ("uploaded", 2)


def test_attendance_is_filtered_by_what_counts(api: APIClient, world: World):
    def numbers(**query):
        return [
            row["student"]["number"]
            for row in api.get("/api/v1/attendance/", {"lecture": world.lecture.pk} | query).json()["results"]
        ]

    assert numbers(status="present") == [world.student.number]
    url = f"/api/v1/attendance/{world.record.pk}/"
    answer = api.patch(url, {"status": "excused", "reason": "Doctor's note"}, format="json").json()
    assert (answer["status"], answer["machine_status"], answer["override_status"]) == ("excused", "present", "excused")
    assert numbers(status="excused") == [world.student.number]
    assert numbers(status="present") == []
    assert numbers(student=world.student.pk) == [world.student.number]
    assert numbers(course=world.foreign.course_id) == []
    assert api.get("/api/v1/attendance/", {"status": "asleep"}).status_code == 400
    (change,) = api.get(f"{url}changes/").json()
    assert (change["old_status"], change["new_status"], change["reason"], change["user_name"]) == (
        "present",
        "excused",
        "Doctor's note",
        "own",
    )


def test_only_a_decision_can_be_written(api: APIClient, world: World):
    url = f"/api/v1/attendance/{world.record.pk}/"
    assert api.patch(url, {"status": "asleep"}, format="json").status_code == 400
    assert api.patch(url, {"machine_status": "absent"}, format="json").status_code == 400
    api.patch(url, {"status": "late", "machine_status": "absent", "confidence": 1}, format="json")
    world.record.refresh_from_db()
    assert (world.record.machine_status, world.record.confidence) == ("present", 0.93)
    assert AttendanceChange.objects.count() == 1


def test_lists_are_ordered_and_narrowed(api: APIClient, world: World):
    later = factories.lecture(world.course)
    ids = [row["id"] for row in api.get("/api/v1/lectures/", {"ordering": "starts_at"}).json()["results"]]
    assert ids == [world.lecture.pk, later.pk]
    assert [
        row["id"] for row in api.get("/api/v1/lectures/", {"after": later.starts_at.isoformat()}).json()["results"]
    ] == [later.pk]
    states = {row["state"] for row in api.get("/api/v1/recordings/", {"state": "done"}).json()["results"]}
    assert states == {"done"}
    assert api.get("/api/v1/students/", {"course": world.foreign.course_id}).json()["results"] == []
    assert len(api.get("/api/v1/lectures/", {"limit": 100000}).json()["results"]) == 2


def test_a_workbook(api: APIClient, world: World):
    answer = api.get(f"/api/v1/reports/{world.report.pk}/download/")
    assert answer["Content-Disposition"] == 'attachment; filename="CS101_attendance_2026-11-16-0900.xlsx"'
    assert answer["X-Content-Type-Options"] == "nosniff"
    assert answer.getvalue()[:2] == b"PK"
    register = api.post(f"/api/v1/courses/{world.course.pk}/register/").json()
    assert register["recording"] is None
    assert api.get(f"/api/v1/reports/{register['id']}/download/").status_code == 200


def test_errors_are_json_and_show_no_trace(api: APIClient, world: World, monkeypatch):
    def broken(user):
        raise RuntimeError("the secret plan")

    monkeypatch.setattr("campus.api.views.academics.courses_for", broken)
    api.raise_request_exception = False
    answer = api.get("/api/v1/courses/")
    assert answer.status_code == 500
    assert b"secret plan" not in answer.content


def test_the_schema_is_sound():
    call_command("spectacular", "--validate", "--fail-on-warn", stdout=StringIO())


def test_the_schema_and_its_page_need_a_login(client, world: World):
    assert client.get("/api/v1/schema/").status_code in (401, 403)
    assert client.get("/api/v1/docs/").status_code == 302
    client.force_login(world.own)
    assert client.get("/api/v1/schema/").status_code == 200
    page = client.get("/api/v1/docs/")
    assert page.status_code == 200
    assert "https://" not in page.content.decode(), "nothing comes from elsewhere"
    assert "script-src 'self';" in page["Content-Security-Policy"]


def test_strictness_and_face_model_are_the_registrars(api: APIClient, world: World):
    rates = {"balanced": {"fpir": 0.001, "miss": 0.02, "threshold": 0.95}}
    type(world.gallery).objects.filter(pk=world.gallery.pk).update(report={"rates": rates})
    url = f"/api/v1/courses/{world.course.pk}/"
    course = api.get(url).json()
    assert (course["strictness"], course["embedder"], course["rates"]) == ("balanced", "", rates)
    assert api.patch(url, {"strictness": "strict"}, format="json").status_code == 403
    api.force_authenticate(world.registrar)
    assert api.patch(url, {"strictness": "careless"}, format="json").status_code == 400
    assert api.patch(url, {"embedder": "eyes"}, format="json").status_code == 400
    course = api.patch(url, {"strictness": "strict", "embedder": "facenet-20180402", "id": 0}, format="json").json()
    assert (course["strictness"], course["embedder"], course["id"]) == ("strict", "facenet-20180402", world.course.pk)
    assert world.course.galleries.get(state="queued").embedder == "facenet-20180402"
    assert course["rates"] == rates, "the old gallery stays in use until then"


def test_who_is_to_be_confirmed_is_listed_and_settled(api: APIClient, world: World):
    world.recording.sightings.update(present=False, to_confirm=True)
    recount_lecture(lecture=world.lecture)
    (record,) = api.get("/api/v1/attendance/", {"status": "to_confirm"}).json()["results"]
    assert (record["status"], record["machine_status"]) == ("to_confirm", "to_confirm")
    url = f"/api/v1/attendance/{record['id']}/"
    assert api.patch(url, {"status": "to_confirm"}, format="json").status_code == 400
    assert api.patch(url, {"status": "present"}, format="json").json()["status"] == "present"


def test_how_the_pictures_of_a_recording_are_read(api: APIClient, world: World):
    recording = world.recording
    recording.info |= {"other_streams": [1]}
    recording.save()
    where = f"/api/v1/recordings/{recording.pk}/"
    assert api.get(where).json()["notes"] == ["Stream 1 of 2 was used. No faces were seen in it."]
    refused = api.post(f"{where}change-picture/", {"rotation": 45}, format="json")
    assert refused.status_code == 400
    answer = api.post(f"{where}change-picture/", {"stream": 2, "aspect_ratio": "16:9"}, format="json").json()
    assert (answer["stream"], answer["aspect_ratio"], answer["rotation"]) == (2, "16:9", 0)
    assert answer["state"] == "uploaded"
