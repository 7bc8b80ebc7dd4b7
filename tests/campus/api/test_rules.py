"""What every endpoint of the API promises: pages that neither repeat nor miss, nothing sent twice, written over unseen
or made twice,
and refusals that a program and a person can read."""

import threading
from datetime import timedelta
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection, connections
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from rest_framework.test import APIClient

from campus.academics.models import Course, Enrolment, Lecture, Student
from campus.api.idempotency import KEY_LIFETIME
from campus.api.models import IdempotencyKey
from campus.api.urls import router
from campus.attendance import annotated_videos, snapshots
from campus.attendance.models import AnnotatedVideo, Snapshot
from campus.attendance.overrides import set_override
from campus.attendance.roll import mark_students
from campus.biometrics.models import FacePhoto
from tests.campus import factories
from tests.campus.conftest import World, jpeg
from tests.campus.file_imports import send_file

NEW = {"starts_at": "2026-12-01T09:00:00Z", "ends_at": "2026-12-01T10:30:00Z", "title": "Trees"}


@pytest.fixture
def api(world: World) -> APIClient:
    client = APIClient()
    client.force_authenticate(world.own)
    return client


@pytest.fixture
def office(world: World) -> APIClient:
    client = APIClient()
    client.force_authenticate(world.registrar)
    return client


def problem(answer: Any, status: int) -> dict[str, Any]:
    assert answer.status_code == status, answer.content
    assert answer["Content-Type"] == "application/problem+json"
    body = answer.json()
    assert (body["type"], body["status"]) == ("about:blank", status)
    assert body["title"]
    return body


# Pages.


def walk(api: APIClient, url: str) -> list[Any]:
    ids, following = [], url
    while following:
        page = api.get(following).json()
        ids += [row["id"] for row in page["results"]]
        following = page["next"]
    return ids


@pytest.mark.parametrize("ordering", ["name", "-name", "number", "-number"])
def test_pages_hold_when_many_rows_are_equal_in_what_they_are_ordered_by(
    office: APIClient, world: World, ordering: str
):
    for number in range(7):
        factories.student(number=f"T{number}", name="Tang, Li")
    url = f"/api/v1/students/?ordering={ordering}&limit=2"
    pages = walk(office, url)
    assert len(pages) == len(set(pages)) == Student.objects.count()
    assert pages == [row["id"] for row in office.get(url.replace("limit=2", "limit=500")).json()["results"]]


def test_a_row_that_comes_meanwhile_shifts_no_page(office: APIClient, world: World):
    factories.student(name="M")
    first = office.get("/api/v1/students/?ordering=name&limit=2").json()
    factories.student(name="A, who comes first")
    ids = [row["id"] for row in first["results"]] + walk(office, first["next"])
    assert len(ids) == len(set(ids)) == Student.objects.count() - 1
    assert office.get(office.get(first["next"]).json()["previous"]).status_code == 200


@pytest.mark.parametrize("cursor", ["nonsense", "cD1ub25zZW5zZQ==", "bz05OTk5OTk5OTk5OTk5OTk5OTk5OTk5", "cD0="])
def test_a_cursor_that_was_not_made_here(api: APIClient, cursor: str):
    answer = api.get(f"/api/v1/lectures/?cursor={cursor}")
    if answer.status_code != 200:
        problem(answer, 404)


@pytest.mark.parametrize("path", [prefix for prefix, views, _ in router.registry if hasattr(views, "list")])
def test_a_list_costs_the_same_queries_however_long(office: APIClient, world: World, path: str):
    factories.gallery(factories.course(lecturers=(world.own, world.other)))
    for lecture in (world.foreign, factories.lecture(world.course)):
        for student in world.course.students.all():
            set_override(record=lecture.records.create(student=student), status="late", reason="", user=world.registrar)
            factories.photo(student)

    def queries(limit: int) -> int:
        with CaptureQueriesContext(connection) as seen:
            assert office.get(f"/api/v1/{path}/?limit={limit}").status_code == 200
        return len(seen)

    queries(1)  # the institution's statuses are remembered for some seconds
    assert queries(500) == queries(1) <= 5


@pytest.mark.parametrize(
    "query",
    [
        "students/?course=99999999999999999999999",
        "students/?course=1e999999999",
        "lectures/?after=9999-12-31T23:59:59Z",
        "lectures/?after=0001-01-01T00:00:00%2B14:00",
        "attendance/?lecture=-1",
        "sightings/?recording=here",
    ],
)
def test_filters_that_nobody_can_mean(api: APIClient, query: str):
    assert problem(api.get(f"/api/v1/{query}"), 400)["errors"]


def test_filters(office: APIClient, world: World):
    def ids(path: str) -> list[Any]:
        return [row["id"] for row in office.get(f"/api/v1/{path}").json()["results"]]

    assert ids(f"enrolments/?student={world.student.pk}&day=2026-11-16") == [
        world.course.enrolments.get(student=world.student).pk
    ]
    assert ids(f"enrolments/?student={world.student.pk}&day=2020-01-01") == []
    assert ids(f"students/?name={world.student.name[-4:]}") == [world.student.pk]
    assert ids(f"photos/?course={world.course.pk}&state=accepted") == [str(world.photo.pk)]
    assert ids("unknown/?open=true") == [world.unknown.pk]
    assert ids("unknown/?open=false") == []
    assert ids(f"lectures/?signed_off=false&course={world.course.pk}") == [world.lecture.pk]
    assert ids("lectures/?signed_off=true") == []
    assert ids(f"attendance/?overridden=true&lecture={world.lecture.pk}") == []
    assert len(ids(f"attendance/?overridden=false&lecture={world.lecture.pk}")) == 2


# ETags.


def test_a_list_that_changed_is_sent_again(api: APIClient, world: World):
    first = api.get("/api/v1/lectures/")
    assert first["Cache-Control"] == "private, no-cache"
    known = {"If-None-Match": f'"other", W/{first["ETag"]}'}
    assert api.get("/api/v1/lectures/", headers=known).status_code == 304
    factories.lecture(world.course)
    assert len(api.get("/api/v1/lectures/", headers=known).json()["results"]) == 2


def test_what_somebody_else_changed_is_not_written_over(api: APIClient, office: APIClient, world: World):
    url = f"/api/v1/lectures/{world.lecture.pk}/"
    tag = api.get(url)["ETag"]
    first, second = factories.room("C 1"), factories.room("D 2")
    changed = office.patch(url, {"room": first.pk}, format="json", headers={"If-Match": tag})
    assert (changed.status_code, changed.json()["room_name"], changed["ETag"]) == (200, "C 1", api.get(url)["ETag"])
    assert (
        "since you read it"
        in problem(api.patch(url, {"room": second.pk}, format="json", headers={"If-Match": tag}), 412)["detail"]
    )
    problem(api.delete(url, headers={"If-Match": tag}), 412)
    assert api.get(url).json()["room"] == first.pk
    assert api.patch(url, {"room": second.pk}, format="json", headers={"If-Match": "*"}).json()["room"] == second.pk


# Idempotency keys.


def test_a_key_makes_no_post_where_there_is_none(api: APIClient, world: World):
    headers = {"Idempotency-Key": "monday"}
    api.force_authenticate(world.registrar)
    for address in (f"students/{world.student.pk}", f"galleries/{world.gallery.pk}", "me"):
        assert api.post(f"/api/v1/{address}/", {}, format="json", headers=headers).status_code == 405


def test_a_repeated_request_is_answered_as_before(api: APIClient, world: World):
    body = NEW | {"course": world.course.pk}
    first = api.post("/api/v1/lectures/", body, format="json", headers={"Idempotency-Key": "monday"})
    again = api.post("/api/v1/lectures/", body, format="json", headers={"Idempotency-Key": "monday"})
    assert (first.status_code, again.status_code) == (201, 201)
    assert again.json() == first.json()
    assert again["Idempotency-Replayed"] == "true"
    assert world.course.lectures.count() == 2
    other = api.post(
        "/api/v1/lectures/", body | {"title": "Graphs"}, format="json", headers={"Idempotency-Key": "monday"}
    )
    assert "another request" in problem(other, 422)["detail"]


def test_a_key_is_ones_own_and_every_post_takes_one(api: APIClient, world: World):
    url = f"/api/v1/recordings/{world.recording.pk}/restart/"
    runs = [api.post(url, headers={"Idempotency-Key": "again"}).json()["run"] for _ in range(2)]
    assert runs == [2, 2]
    stranger = APIClient()
    stranger.force_authenticate(world.other)
    problem(stranger.post(url, headers={"Idempotency-Key": "again"}), 404)
    assert IdempotencyKey.objects.count() == 1


def test_a_refused_request_leaves_its_key_free(api: APIClient, world: World):
    key = {"Idempotency-Key": "friday"}
    problem(api.post("/api/v1/lectures/", NEW | {"course": 0}, format="json", headers=key), 400)
    assert (
        api.post("/api/v1/lectures/", NEW | {"course": world.course.pk}, format="json", headers=key).status_code == 201
    )


def test_keys_are_forgotten_and_odd_ones_refused(api: APIClient, world: World):
    body = NEW | {"course": world.course.pk}
    api.post("/api/v1/lectures/", body, format="json", headers={"Idempotency-Key": "old"})
    IdempotencyKey.objects.update(created_at=timezone.now() - 2 * KEY_LIFETIME)
    problem(
        api.post("/api/v1/lectures/", body, format="json", headers={"Idempotency-Key": "old"}), 400
    )  # the time is taken
    for key in ("", "x" * 256, "schlüssel"):
        assert (
            "Idempotency-Key"
            in problem(api.post("/api/v1/lectures/", body, format="json", headers={"Idempotency-Key": key}), 400)[
                "detail"
            ]
        )


@pytest.mark.django_db(transaction=True)
def test_two_at_the_same_moment_make_one(world: World):
    body = NEW | {"course": world.course.pk}
    answers: list[int] = []

    def ask() -> None:
        client = APIClient()
        client.force_authenticate(world.own)
        answers.append(
            client.post("/api/v1/lectures/", body, format="json", headers={"Idempotency-Key": "both"}).json()["id"]
        )
        connections.close_all()

    threads = [threading.Thread(target=ask) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert len(answers) == 3
    assert len(set(answers)) == 1
    assert Lecture.objects.filter(title="Trees").count() == 1


# Problems.


def test_wrong_fields_are_pointed_at(api: APIClient, world: World):
    body = problem(api.post("/api/v1/lectures/", {"course": world.course.pk, "starts_at": "soon"}, format="json"), 400)
    assert {error["pointer"] for error in body["errors"]} == {"#/starts_at", "#/ends_at"}
    nested = {"records": [1, "x"], "status": "late"}
    body = problem(api.post(f"/api/v1/lectures/{world.lecture.pk}/override/", nested, format="json"), 400)
    assert [error["pointer"] for error in body["errors"]] == ["#/records/1"]


def test_every_refusal_is_a_problem(api: APIClient, world: World):
    problem(APIClient().get("/api/v1/courses/"), 401)
    problem(api.post("/api/v1/students/", {"number": "1", "name": "A"}, format="json"), 403)
    problem(api.get("/api/v1/lectures/0/"), 404)
    assert "/api/v1/docs/" in problem(api.get("/api/v1/nowhere/at/all"), 404)["detail"]
    problem(api.put(f"/api/v1/lectures/{world.lecture.pk}/", {}, format="json"), 405)
    problem(api.post("/api/v1/lectures/", "a,b", content_type="text/csv"), 415)
    problem(api.post("/api/v1/lectures/", "{", content_type="application/json"), 400)


def test_a_workbook_may_be_asked_for_by_its_type(api: APIClient, world: World):
    accepts = {"Accept": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"}
    assert api.get(f"/api/v1/reports/{world.report.pk}/download/", headers=accepts).status_code == 200


# The registrar's and the lecturer's writes.


def test_who_i_am(api: APIClient):
    assert api.get("/api/v1/me/").json()["role"] == "Lecturer"


def test_a_class_with_its_students(office: APIClient, world: World):
    course = office.post(
        "/api/v1/courses/", {"code": "PH1", "name": "Physics", "lecturers": ["other"]}, format="json"
    ).json()
    assert (course["lecturers"], course["strictness"]) == (["other"], "balanced")
    problem(office.post("/api/v1/courses/", {"code": "PH1", "name": "Again"}, format="json"), 400)
    student = office.post("/api/v1/students/", {"number": "P7", "name": "Ada"}, format="json").json()
    wish = {"course": course["id"], "student": student["id"], "valid_from": "2026-10-01"}
    enrolment = office.post("/api/v1/enrolments/", wish, format="json").json()
    assert "in the class already" in problem(office.post("/api/v1/enrolments/", wish, format="json"), 400)["detail"]
    url = f"/api/v1/enrolments/{enrolment['id']}/"
    assert problem(office.patch(url, {"valid_to": "2026-09-01"}, format="json"), 400)
    assert office.patch(url, {"valid_to": "2027-02-28"}, format="json").json()["valid_to"] == "2027-02-28"
    other = APIClient()
    other.force_authenticate(world.other)
    assert other.get(f"/api/v1/students/{student['id']}/").json()["name"] == "Ada"
    assert office.delete(url).status_code == 204
    assert not Enrolment.objects.filter(pk=enrolment["id"]).exists()
    first = timezone.now() - timedelta(days=30)
    factories.lecture(Course.objects.get(pk=course["id"]), starts_at=first)
    del wish["valid_from"]
    enrolment = office.post("/api/v1/enrolments/", wish, format="json").json()
    assert enrolment["valid_from"] == str(timezone.localtime(first).date()), "the first lecture of the term"
    assert office.patch(f"/api/v1/courses/{course['id']}/", {"lecturers": []}, format="json").json()["lecturers"] == []
    problem(other.get(f"/api/v1/courses/{course['id']}/"), 404)


def test_photos(office: APIClient, world: World, settings):
    def add() -> Any:
        return office.post(
            "/api/v1/photos/",
            {"student": world.student.pk, "file": SimpleUploadedFile("me.jpg", jpeg())},
            format="multipart",
        )

    photo = add().json()
    assert (photo["state"], photo["student"], photo["original_name"]) == ("pending", world.student.pk, "me.jpg")
    assert "already here" in problem(add(), 400)["detail"]
    url = f"/api/v1/photos/{photo['id']}/"
    assert office.get(f"{url}picture/").getvalue() == jpeg()
    problem(office.get(f"{url}face/"), 404)
    twin = world.course.students.exclude(pk=world.student.pk).get()
    assert office.patch(url, {"student": twin.pk}, format="json").json()["student"] == twin.pk
    assert office.delete(url).status_code == 204
    assert not FacePhoto.objects.filter(pk=photo["id"]).exists()


def test_a_lecture_is_moved_cancelled_and_deleted(api: APIClient, world: World):
    lecture = api.post("/api/v1/lectures/", NEW | {"course": world.course.pk}, format="json").json()
    url = f"/api/v1/lectures/{lecture['id']}/"
    assert (
        "Set a later end" in problem(api.patch(url, {"ends_at": "2026-12-01T08:00:00Z"}, format="json"), 400)["detail"]
    )
    assert api.patch(url, {"cancelled": True}, format="json").json()["cancelled"] is True
    assert api.delete(url).status_code == 204
    assert "so it stays" in problem(api.delete(f"/api/v1/lectures/{world.lecture.pk}/"), 400)["detail"]


def test_marks_by_hand_are_replaced_only_if_the_program_says_so(api: APIClient, world: World):
    url = f"/api/v1/lectures/{world.lecture.pk}/override/"
    records = list(world.lecture.records.order_by("pk"))
    mark_students(lecture=world.lecture, statuses={records[0].student_id: "late"}, user=world.own)
    wish = {"records": [record.pk for record in records], "status": "present"}

    def statuses() -> list[str]:
        return list(world.lecture.records.order_by("pk").values_list("override_status", flat=True))

    refused = problem(api.post(url, wish, format="json"), 409)
    assert refused["marked"] == 1
    assert "1 of these students was marked by hand" in refused["detail"]
    assert statuses() == ["late", ""]
    assert api.post(url, wish | {"by_hand": "keep"}, format="json").status_code == 200
    assert statuses() == ["late", "present"]
    assert api.post(url, wish | {"by_hand": "replace"}, format="json").status_code == 200
    assert statuses() == ["present", "present"]
    problem(api.post(url, wish | {"by_hand": "perhaps"}, format="json"), 400)


def test_the_result_is_corrected_signed_off_and_locked(api: APIClient, office: APIClient, world: World):
    url = f"/api/v1/lectures/{world.lecture.pk}/"
    world.failed.delete()
    wish = {
        "records": list(world.lecture.records.values_list("pk", flat=True)),
        "status": "excused",
        "reason": "Strike",
    }
    changed = api.post(f"{url}override/", wish, format="json").json()
    assert {row["status"] for row in changed} == {"excused"}
    assert api.post(f"{url}sign-off/").json()["sign_off"]["user_name"] == "own"
    assert "signed off" in problem(api.post(f"{url}override/", wish | {"status": ""}, format="json"), 400)["detail"]
    problem(api.post(f"{url}reopen/", {}, format="json"), 403)
    assert office.post(f"{url}reopen/", {"reason": "A doctor's note came"}, format="json").json()["sign_off"] is None
    log = api.get(f"/api/v1/changes/?lecture={world.lecture.pk}").json()["results"]
    assert [row["kind"] for row in log] == ["reopened", "signed", "status", "status"]
    assert log[0]["reason"] == "A doctor's note came"


def test_somebody_unknown_is_named(api: APIClient, world: World):
    twin = world.course.students.exclude(pk=world.student.pk).get()
    url = f"/api/v1/unknown/{world.unknown.pk}/"
    assert api.get(f"{url}pictures/0/")["Content-Type"] == "image/jpeg"
    problem(api.get(f"{url}pictures/9/"), 404)
    stranger = world.foreign.course.students.get()
    problem(api.post(f"{url}identify/", {"student": stranger.pk}, format="json"), 400)
    assert api.post(f"{url}identify/", {"student": twin.pk}, format="json").json()["student"] == twin.pk
    status = api.get(f"/api/v1/attendance/?lecture={world.lecture.pk}&student={twin.pk}").json()["results"][0]["status"]
    assert status == "present"
    assert api.post(f"{url}undo/", {}, format="json").json()["student"] is None
    person = api.post(f"/api/v1/sightings/{world.sighting.pk}/reject/", {"reason": "The brother"}, format="json").json()
    assert person["student"] is None
    world.record.refresh_from_db()
    assert world.record.status == "absent"


def test_exports(api: APIClient, world: World):
    lecture = api.get(f"/api/v1/lectures/{world.lecture.pk}/export/csv/")
    assert lecture["Content-Type"] == "text/csv"
    assert lecture["Content-Disposition"].startswith("attachment; ")
    assert world.student.number in lecture.content.decode("utf-8-sig")
    assert api.get(f"/api/v1/lectures/{world.lecture.pk}/export/pdf/").content[:5] == b"%PDF-"
    assert api.get(f"/api/v1/courses/{world.course.pk}/export/moodle/").content[:2] == b"PK"
    register = api.get(f"/api/v1/courses/{world.course.pk}/export/csv/?since=2026-11-17")
    assert world.student.number not in register.content.decode("utf-8-sig")
    assert problem(api.get(f"/api/v1/courses/{world.course.pk}/export/csv/?until=9999-12-31"), 400)["errors"]
    assert api.get(f"/api/v1/courses/{world.course.pk}/export/exe/").status_code == 404


def test_the_statuses_are_the_institutions(api: APIClient):
    assert {"present", "late", "excused", "absent", "to_confirm"} <= {
        row["code"] for row in api.get("/api/v1/statuses/").json()
    }


def test_the_roster_comes_as_a_file(office: APIClient, world: World):
    url = f"/api/v1/courses/{world.course.pk}/roster/"

    def send(**decisions: bool) -> Any:
        table = f"number;name;email\n{world.student.number};{world.student.name};new@example.org\nN-9;Grace Hopper;\n"
        sent = send_file(office, url, table.encode())
        return office.post(f"{sent['Location']}roster/", decisions, format="json").json()

    told = send(dry_run=True)
    assert (told["done"], [row["number"] for row in told["new"]]) == (False, ["N-9"])
    assert told["changed"][0]["changes"][0][2] == "new@example.org"
    assert world.course.students.count() == 2
    asked = send(complete=True)
    assert (asked["done"], asked["large_departure"], len(asked["leaving"])) == (False, True, 1), "half of the class"
    assert send(complete=True, accept_departures=True)["done"]
    assert send(complete=True)["new"] == []
    assert "Grace Hopper" in office.get(f"{url}csv/").content.decode("utf-8-sig")
    assert office.get(f"{url}xlsx/").content[:2] == b"PK"
    no_number = send_file(office, url, b"a;b\n1;2\n")["Location"]
    assert problem(office.post(f"{no_number}roster/", {}, format="json"), 400)


def test_a_series_of_lectures_is_planned_then_made(office: APIClient, world: World):
    wish = {
        "course": world.course.pk,
        "weekdays": [0, 2],
        "starts": "14:00",
        "ends": "15:30",
        "first_day": "2026-11-30",
        "last_day": "2026-12-13",
    }
    series = office.post("/api/v1/series/", wish, format="json").json()
    url = f"/api/v1/series/{series['id']}/"
    office.post(
        "/api/v1/holidays/", {"name": "Dies", "first_day": "2026-12-02", "last_day": "2026-12-02"}, format="json"
    )
    plan = office.get(f"{url}plan/").json()
    assert [step["kind"] for step in plan["steps"]] == ["new", "holiday", "new", "new"]
    problem(office.post(f"{url}apply/", {"fingerprint": "another"}, format="json"), 400)
    assert office.post(f"{url}apply/", {"fingerprint": plan["fingerprint"]}, format="json").json() == {
        "new": 3,
        "holiday": 1,
    }
    assert world.course.lectures.count() == 4
    assert problem(office.patch(url, {"weekdays": [7]}, format="json"), 400)["errors"][0]["pointer"] == "#/weekdays"


def test_a_student_over_all_classes(api: APIClient, world: World):
    (line,) = api.get(f"/api/v1/students/{world.student.pk}/history/").json()
    assert (line["course"], line["share"], [met["status"] for met in line["lectures"]]) == (
        world.course.pk,
        1.0,
        ["present"],
    )
    assert api.get(f"/api/v1/students/{world.student.pk}/history/?since=2026-12-01").json() == []


def test_a_recording_and_a_person_have_only_so_many_snapshots(
    api: APIClient, world: World, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(snapshots, "MAX_SNAPSHOTS", 3)
    monkeypatch.setattr(snapshots, "MAX_WAITING_SNAPSHOTS", 2)

    wish = {"recording": str(world.recording.pk)}
    for second in range(8):
        assert api.post("/api/v1/snapshots/", wish | {"time": second}, format="json").status_code == 202
        Snapshot.objects.update(state=Snapshot.State.READY)
    assert Snapshot.objects.filter(recording=world.recording).count() == 4, "three, and the one that was just requested"
    for second in (20, 21):
        assert api.post("/api/v1/snapshots/", wish | {"time": second}, format="json").status_code == 202
    refused = api.post("/api/v1/snapshots/", wish | {"time": 22}, format="json")
    assert "still being extracted" in problem(refused, 400)["detail"]
    other = {"recording": str(world.failed.pk)}
    assert api.post("/api/v1/snapshots/", other | {"time": 1}, format="json").status_code == 400, "of any recording"
    Snapshot.objects.update(state=Snapshot.State.READY)
    for second in range(5):
        assert api.post("/api/v1/snapshots/", other | {"time": second}, format="json").status_code == 202
        Snapshot.objects.update(state=Snapshot.State.READY)
    assert world.own.snapshots.count() == 4, "of all recordings together"
    api.force_authenticate(world.registrar)
    assert api.post("/api/v1/snapshots/", wish | {"time": 30}, format="json").status_code == 202


def test_a_person_has_only_so_many_annotated_videos(api: APIClient, world: World, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(annotated_videos, "MAX_VIDEOS_PER_USER", 2)
    wish = {"recording": str(world.recording.pk)}

    for second in (10, 20, 20):
        assert api.post("/api/v1/annotated-videos/", wish | {"moment": second}, format="json").status_code == 202
    refused = api.post("/api/v1/annotated-videos/", wish | {"moment": 30}, format="json")
    assert "You have 2 annotated videos" in problem(refused, 400)["detail"]
    assert AnnotatedVideo.objects.count() == 2
    api.force_authenticate(world.registrar)
    assert api.post("/api/v1/annotated-videos/", wish | {"moment": 30}, format="json").status_code == 202


def test_a_snapshot_is_requested_once(api: APIClient, world: World):
    wish = {"recording": str(world.recording.pk), "time": 5}
    snapshot = api.post("/api/v1/snapshots/", wish, format="json")
    assert (snapshot.status_code, snapshot.json()["state"]) == (202, "queued")
    assert api.post("/api/v1/snapshots/", wish, format="json").json() == snapshot.json()
    for time in (-1, 1e9, "nan"):
        assert (
            problem(api.post("/api/v1/snapshots/", wish | {"time": time}, format="json"), 400)["errors"][0]["pointer"]
            == "#/time"
        )


def test_what_is_signed_off_is_neither_moved_nor_recorded_anew(api: APIClient, world: World):
    world.failed.delete()
    assert api.post(f"/api/v1/lectures/{world.lecture.pk}/sign-off/").status_code == 200
    problem(api.patch(f"/api/v1/lectures/{world.lecture.pk}/", {"title": "Trees"}, format="json"), 403)
    file = SimpleUploadedFile("more.mp4", b"more")
    problem(api.post("/api/v1/recordings/", {"lecture": world.lecture.pk, "file": file}, format="multipart"), 403)
    problem(api.post(f"/api/v1/recordings/{world.recording.pk}/restart/"), 403)
