"""The registrar's day by the API: webhooks, statuses, what a class asks, calendars, what a training says, and one's
own language."""

import io
import zipfile
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.utils import timezone
from rest_framework.test import APIClient

from campus.academics.models import CalendarLink, Course, Room
from campus.accounts.roles import Role
from campus.accounts.selectors import language_of
from campus.attendance.models import AttendanceStatus, RegisterPolicy
from campus.biometrics.models import Gallery
from campus.biometrics.photo_zip import process_photo_import
from campus.common import jobs
from campus.outbox.models import Delivery, Webhook
from campus.recordings.models import Recording
from recognition.messages import Message
from tests.campus import factories
from tests.campus.academics.calendars import WEEKLY, ics, single
from tests.campus.conftest import World, jpeg
from tests.campus.file_imports import read_uploads, send_file


def client_of(user: Any) -> APIClient:
    client = APIClient()
    client.force_authenticate(user)
    return client


@pytest.fixture
def api(world: World) -> APIClient:
    return client_of(world.own)


@pytest.fixture
def office(world: World) -> APIClient:
    return client_of(world.registrar)


def test_the_secret_of_a_webhook_is_shown_once(office: APIClient, world: World):
    made = office.post(
        "/api/v1/webhooks/", {"url": "https://example.org/hook", "course": world.course.pk}, format="json"
    )
    assert made.status_code == 201
    first = made.json()["secret"]
    url = f"/api/v1/webhooks/{made.json()['id']}/"
    assert Webhook.objects.get().secret == first
    for answer in (
        office.get(url),
        office.get("/api/v1/webhooks/"),
        office.patch(url, {"active": False}, format="json"),
    ):
        assert answer.status_code == 200
        assert first not in answer.content.decode()
    second = office.post(f"{url}secret/").json()["secret"]
    assert second == Webhook.objects.get().secret != first
    assert office.delete(url).status_code == 204


@pytest.mark.parametrize("url", ["ftp://example.org/", "https://me:secret@example.org/", "nonsense", ""])
def test_an_address_that_is_none_is_refused(office: APIClient, url: str):
    answer = office.post("/api/v1/webhooks/", {"url": url}, format="json")
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (400, "#/url")


def test_a_webhook_is_tried_out_and_its_messages_are_followed(office: APIClient, world: World):
    webhook = Webhook.objects.create(url="https://example.org/hook")
    sent = office.post(f"/api/v1/webhooks/{webhook.pk}/ping/")
    assert (sent.status_code, sent.json()["event"], sent.json()["state"]) == (202, "ping", "queued")
    url = f"/api/v1/deliveries/{sent.json()['id']}/"
    assert office.post(f"{url}retry/").status_code == 400, "it is about to be sent"
    Delivery.objects.update(state="failed", tries=7, error=Message("The receiver answered 500."))
    (row,) = office.get(f"/api/v1/deliveries/?webhook={webhook.pk}&state=failed").json()["results"]
    assert row["error"] == "The receiver answered 500."
    assert office.post(f"{url}retry/").json()["state"] == "queued"


def test_webhooks_and_messages_are_for_the_office_and_auditors_only_read(api: APIClient, world: World):
    webhook = Webhook.objects.create(url="https://example.org/hook", course=world.course)
    url = f"/api/v1/webhooks/{webhook.pk}/"
    assert api.get("/api/v1/webhooks/").json()["results"] == []
    assert (api.get(url).status_code, api.post(f"{url}secret/").status_code) == (404, 403)
    auditor = client_of(factories.person(Role.AUDITOR))
    assert auditor.get(url).status_code == 200
    assert (
        auditor.patch(url, {"active": False}, format="json").status_code,
        auditor.post(f"{url}secret/").status_code,
    ) == (403, 403)


def test_a_status_of_the_institutions_own(office: APIClient, api: APIClient, world: World):
    wish = {
        "code": "trip",
        "label": "Excursion",
        "letter": "X",
        "points": 1.5,
        "is_counted": False,
        "meaning": "excused",
        "moodle_acronym": "E",
    }
    made = office.post("/api/v1/statuses/", wish, format="json")
    assert (made.status_code, made.json()) == (201, wish)
    assert api.get("/api/v1/statuses/trip/").json() == wish
    assert wish in api.get("/api/v1/statuses/").json()
    assert api.post("/api/v1/statuses/", wish | {"code": "x"}, format="json").status_code == 403
    changed = office.patch(
        "/api/v1/statuses/trip/", {"points": 2, "label": "Trip"}, format="json", headers={"If-Match": made["ETag"]}
    )
    assert (changed.json()["points"], changed.json()["label"]) == (2, "Trip")
    late = office.patch("/api/v1/statuses/trip/", {"points": 0}, format="json", headers={"If-Match": made["ETag"]})
    assert late.status_code == 412
    for wrong in ({"code": "other"}, {"points": -1}, {"letter": "P"}, {"meaning": "to_confirm"}):
        assert office.patch("/api/v1/statuses/trip/", wrong, format="json").status_code == 400, wrong
    assert api.patch(f"/api/v1/attendance/{world.record.pk}/", {"status": "trip"}, format="json").status_code == 200
    assert office.delete("/api/v1/statuses/trip/").status_code == 400, "a record has it"
    AttendanceStatus.objects.create(code="unused", name="Unused", letter="U", points=0, meaning="absent")
    assert office.delete("/api/v1/statuses/unused/").status_code == 204


def test_a_status_that_is_always_there_keeps_its_meaning(office: APIClient, world: World):
    assert office.patch("/api/v1/statuses/late/", {"points": 1.5, "letter": "T"}, format="json").json()["points"] == 1.5
    for wrong in ({"meaning": "absent"}, {"label": "Tardy"}):
        assert office.patch("/api/v1/statuses/late/", wrong, format="json").status_code == 400
    assert office.delete("/api/v1/statuses/late/").status_code == 400


def test_what_a_class_asks_of_its_students(office: APIClient, api: APIClient, world: World):
    url = f"/api/v1/courses/{world.course.pk}/"
    before = office.get(url)
    assert before.json()["register_policy"]["required_percent"] == 75
    assert not RegisterPolicy.objects.exists()
    tag = {"If-Match": before["ETag"]}
    changed = office.patch(
        url, {"register_policy": {"required_percent": 80, "mail_absentees": True}}, format="json", headers=tag
    )
    assert changed.json()["register_policy"] == before.json()["register_policy"] | {
        "required_percent": 80,
        "mail_absentees": True,
    }
    assert office.patch(url, {"name": "Other"}, format="json", headers=tag).status_code == 412
    wrong = office.patch(url, {"register_policy": {"required_percent": 101}}, format="json")
    assert wrong.json()["errors"][0]["pointer"] == "#/register_policy/required_percent"
    assert api.get(url).json()["register_policy"]["required_percent"] == 80
    assert api.patch(url, {"register_policy": {"required_percent": 0}}, format="json").status_code == 403
    made = office.post(
        "/api/v1/courses/", {"code": "X1", "name": "X", "register_policy": {"required_percent": 60}}, format="json"
    )
    assert made.json()["register_policy"]["required_percent"] == 60


def test_links_for_calendar_programs_are_everybodys_own(api: APIClient, world: World):
    made = api.post("/api/v1/calendar-links/", {"course": world.course.pk}, format="json")
    assert made.status_code == 201
    assert APIClient().get(made.json()["url"])["Content-Type"].startswith("text/calendar")
    assert api.post("/api/v1/calendar-links/", {"course": world.foreign.course.pk}, format="json").status_code == 400
    auditor = client_of(factories.person(Role.AUDITOR))
    assert auditor.get(f"/api/v1/calendar-links/{made.json()['id']}/").status_code == 404
    own = auditor.post("/api/v1/calendar-links/", {}, format="json")
    assert (own.status_code, own.json()["course"]) == (201, None)
    assert auditor.delete(f"/api/v1/calendar-links/{own.json()['id']}/").status_code == 204
    again = api.post("/api/v1/calendar-links/", {"course": world.course.pk}, format="json").json()
    assert APIClient().get(made.json()["url"]).status_code == 404
    assert [str(link.pk) for link in CalendarLink.objects.all()] == [again["id"]]


def test_a_timetable_is_looked_at_then_imported(office: APIClient, api: APIClient, world: World):
    def send(*events: list[str], course: str = "", **decisions: bool) -> Any:
        sent = send_file(office, "/api/v1/lectures/import/", ics(*events), **({"course": course} if course else {}))
        assert (sent.status_code, sent["Location"].split("/")[-2]) == (202, sent.json()["id"])
        return office.post(f"{sent['Location']}calendar/", decisions, format="json")

    told = send(WEEKLY, ["UID:a", "SUMMARY:Odd"], dry_run=True).json()
    assert (told["done"], [row["kind"] for row in told["rows"]]) == (False, ["new", "new", "new", "refused"])
    assert told["rows"][0] | {"lecture": None} == {
        "kind": "new",
        "course": world.course.pk,
        "lecture": None,
        "summary": "CS101 Loops",
        "starts_at": "2099-03-23T08:15:00Z",
        "ends_at": "2099-03-23T09:45:00Z",
        "room": "H 1",
        "cancelled": False,
        "remark": "",
    }
    assert world.course.lectures.count() == 1
    assert send(WEEKLY, single("x", "20990501T080000Z", "SUMMARY:Any"), course=str(world.course.pk)).json()["done"]
    assert world.course.lectures.count() == 5
    assert send(WEEKLY, course=str(world.course.pk), complete=True).json()["rows"][0]["kind"] == "gone"
    assert world.course.lectures.get(uid="x").cancelled
    assert send(WEEKLY).json()["rows"] == []
    assert send_file(api, "/api/v1/lectures/import/", ics(WEEKLY)).status_code == 403


def test_an_import_says_how_far_it_is(office: APIClient, world: World):
    file = SimpleUploadedFile("t.ics", b"number;name")
    url = office.post("/api/v1/lectures/import/", {"file": file}, format="multipart")["Location"]
    assert office.get(url).json()["state"] == "queued"
    early = office.post(f"{url}calendar/", {}, format="json")
    assert (early.status_code, early["Retry-After"]) == (409, "1")
    read_uploads()
    told = office.get(url).json()
    assert (told["state"], told["original_name"]) == ("failed", "t.ics")
    assert "no calendar" in told["error"]
    refused = office.post(f"{url}calendar/", {}, format="json")
    assert (refused.status_code, refused.json()["detail"]) == (400, told["error"])
    assert office.post(f"{url}roster/", {}, format="json").json()["detail"].startswith("This was uploaded as a cal")
    assert client_of(factories.registrar()).get(url).status_code == 404


def import_roster(client: APIClient, course: Course, content: bytes, **decisions: Any) -> Any:
    """Upload a roster in the format that is among the decisions, and import it by the others."""
    chosen = {name: decisions.pop(name) for name in ("encoding", "header_row") if name in decisions}
    sent = send_file(client, f"/api/v1/courses/{course.pk}/roster/", content, **chosen)
    if sent.status_code != 202:
        return sent.json()
    return client.post(f"{sent['Location']}roster/", decisions, format="json").json()


def test_a_rosters_columns_are_named_where_they_do_not_say_what_they_are(office: APIClient, world: World):
    def send(columns: object) -> Any:
        return import_roster(office, world.course, b"Kennung;Wer\nN-9;Grace Hopper\n", columns=columns, dry_run=True)

    assert [row["name"] for row in send({"number": "Kennung", "name": "Wer"})["new"]] == ["Grace Hopper"]
    wrong: object
    for wrong in ({"number": "Nobody"}, {"shoe": "Wer"}, [], {"number": 1}, "{"):
        assert send(wrong)["errors"][0]["pointer"] == "#/columns", wrong


def test_a_roster_in_an_old_encoding_is_confirmed_first(office: APIClient, world: World):
    def send(**fields: str) -> Any:
        return import_roster(office, world.course, "number;name\r\nN-9;Łukasz Wójcik\r\n".encode("cp1250"), **fields)

    told = send()
    assert (told["done"], told["doubtful_texts"]) == (False, ["Łukasz Wójcik"])
    assert told["format"] == {"encoding": "cp1250", "separator": ";", "sheet": None, "header_row": 1}
    assert send(encoding="rot13")["errors"][0]["pointer"] == "#/encoding"
    assert send(encoding="cp1250", start="2026-09-14")["done"]
    enrolment = world.course.enrolments.get(student__number="N-9")
    assert (enrolment.student.name, str(enrolment.valid_from)) == ("Łukasz Wójcik", "2026-09-14")


def test_a_roster_with_new_numbers_of_existing_people_asks_who_they_are(office: APIClient, world: World):
    def send(**fields: object) -> Any:
        return import_roster(office, world.course, f"number;name\nN-9;{world.student.name}\n".encode(), **fields)

    told = send()
    (question,) = told["undecided"]
    assert (told["done"], question["number"], question["existing"][0]["id"]) == (False, "N-9", world.student.pk)
    assert send(same_people=[1])["errors"][0]["pointer"] == "#/same_people"
    assert send(same_people={"N-9": 0})["errors"][0]["reasons"]
    assert send(same_people={"N-9": world.student.pk})["done"]
    world.student.refresh_from_db()
    assert world.student.number == "N-9"
    assert send()["unchanged"] == 1


def test_what_a_training_says(api: APIClient, world: World):
    suspect = {
        "photo": str(world.photo.pk),
        "similarity": 0.89,
        "nearest": "7",
        "nearest_similarity": 0.93,
        "by_network": {"dlib-resnet-v1": [0.91, 0.92]},
    }
    curve = {"balanced": [{"photos": 1, "students": 40, "miss": 0.28, "low": 0.17, "high": 0.42}]}
    rates = {"strict": {"fpir": 0.001, "miss": 0.02, "threshold": 0.9}}
    Gallery.objects.update(
        report={
            "rates": rates,
            "few_photos": ["7"],
            "too_alike": [["7", "8", 0.99]],
            "suspect_photos": {str(world.student.pk): [suspect]},
            "learning_curve": curve,
            "learning_curve_by_network": {"dlib-resnet-v1": curve},
        }
    )
    told = api.get(f"/api/v1/galleries/{world.gallery.pk}/report/").json()
    assert told == {
        "rates": rates,
        "without_photos": [],
        "few_photos": [7],
        "too_alike": [[7, 8]],
        "suspect_photos": [suspect | {"nearest": 7}],
        "learning_curve": curve,
        "learning_curve_by_network": {"dlib-resnet-v1": curve},
    }
    assert client_of(world.other).get(f"/api/v1/galleries/{world.gallery.pk}/report/").status_code == 404


def test_verdicts_of_several_photos_and_who_lacks_some(office: APIClient, world: World):
    other = factories.photo(world.student)
    found = office.get(f"/api/v1/photos/?id={world.photo.pk},{other.pk}").json()["results"]
    assert {row["id"] for row in found} == {str(world.photo.pk), str(other.pk)}
    assert office.get("/api/v1/photos/?id=nonsense").status_code == 400
    lacking = office.get(f"/api/v1/students/?few_photos=true&course={world.course.pk}").json()["results"]
    assert len(lacking) == 2
    for _ in range(5):
        factories.photo(world.student)
    lacking = office.get(f"/api/v1/students/?few_photos=true&course={world.course.pk}").json()["results"]
    assert world.student.pk not in [row["id"] for row in lacking]


def zipped(*names: str) -> SimpleUploadedFile:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        for name in names:
            archive.writestr(name, jpeg())
    return SimpleUploadedFile("photos.zip", content.getvalue())


def test_a_zip_of_photos_is_given_to_a_worker(office: APIClient, api: APIClient, world: World):
    wish = {"file": zipped(f"{world.student.number}/1.jpg", "nobody/1.jpg"), "course": world.course.pk}
    sent = office.post("/api/v1/photo-imports/", wish, format="multipart")
    assert (sent.status_code, sent.json()["state"], sent.json()["total"]) == (202, "queued", 0)
    row = jobs.IMPORT_PHOTOS.claim(sent.json()["id"], owner="worker")
    assert process_photo_import(row=row)
    told = office.get(f"/api/v1/photo-imports/{row.pk}/").json()
    assert (told["state"], told["processed"], told["total"], told["added"], told["skipped"]) == ("done", 2, 2, 1, [])
    assert office.get(f"/api/v1/photo-imports/{row.pk}/waiting/").json()[0]["folder"] == "nobody"
    assert api.get("/api/v1/photo-imports/").json()["results"] == []
    assert api.post("/api/v1/photo-imports/", wish).status_code == 403
    assert client_of(factories.registrar()).get(f"/api/v1/photo-imports/{row.pk}/").status_code == 404


def test_who_teaches_the_class_or_is_a_registrar_deletes_a_recording(office: APIClient, api: APIClient, world: World):
    url = "/api/v1/recordings/{}/"
    assert client_of(world.other).delete(url.format(world.recording.pk)).status_code == 404
    assert api.delete(url.format(world.recording.pk)).status_code == 204
    assert office.delete(url.format(world.failed.pk)).status_code == 204
    assert not Recording.objects.filter(pk=world.recording.pk).exists()


def test_who_waits_for_no_more_footage_says_so(api: APIClient, world: World):
    url = f"/api/v1/lectures/{world.lecture.pk}/complete-footage/"
    assert api.post(url).status_code == 400, "none is awaited"
    Recording.objects.filter(pk=world.recording.pk).update(provisional=True)
    assert client_of(world.other).post(url).status_code == 404
    assert api.post(url).status_code == 200
    assert not Recording.objects.filter(provisional=True).exists()


def test_what_a_registrar_keeps_can_be_deleted(office: APIClient, api: APIClient, world: World):
    room = Room.objects.create(name="H 9")
    assert api.delete(f"/api/v1/rooms/{room.pk}/").status_code == 403
    assert office.delete(f"/api/v1/rooms/{room.pk}/").status_code == 204
    day = timezone.localdate()
    for kind, wish in (
        ("holidays", {"name": "Dies", "first_day": day, "last_day": day}),
        (
            "series",
            {
                "course": world.course.pk,
                "weekdays": [0],
                "starts": "9:00",
                "ends": "10:00",
                "first_day": day,
                "last_day": day,
            },
        ),
    ):
        made = office.post(f"/api/v1/{kind}/", wish, format="json").json()
        assert office.delete(f"/api/v1/{kind}/{made['id']}/").status_code == 204


def test_classes_beside_each_other(api: APIClient, world: World):
    (one,) = api.get(f"/api/v1/courses/weekly/?course={world.course.pk}").json()
    assert (one["course"], one["share"], one["required_share"], one["weeks"]) == (
        world.course.pk,
        0.5,
        0.75,
        [{"monday": "2026-11-16", "share": 0.5}],
    )
    assert api.get(f"/api/v1/courses/weekly/?course={world.foreign.course.pk}").status_code == 400
    assert api.get("/api/v1/courses/weekly/").status_code == 400


def test_the_own_language(world: World):
    auditor = factories.person(Role.AUDITOR)
    client = client_of(auditor)
    assert client.get("/api/v1/me/").json()["language"] == ""
    assert client.patch("/api/v1/me/", {"language": "de"}, format="json").json()["language"] == "de"
    assert language_of(auditor) == "de"
    assert client.patch("/api/v1/me/", {"language": "xx"}, format="json").status_code == 400


def test_the_links_for_photos_of_a_class_are_made_read_and_ended(office: APIClient, world: World, settings: Any):
    settings.BASE_URL, settings.PHOTOS_PER_STUDENT = "https://rollcall.example.org", 5
    students = sorted(world.course.students.values_list("pk", flat=True))
    made = office.post("/api/v1/student-links/missing/", {"course": world.course.pk}, format="json")
    assert made.status_code == 201
    assert sorted(link["student"] for link in made.json()) == students
    assert office.post("/api/v1/student-links/missing/", {"course": world.course.pk}, format="json").json() == []
    listed = office.get(f"/api/v1/student-links/?course={world.course.pk}").json()["results"]
    assert listed == sorted(made.json(), key=lambda link: link["expires_at"])
    assert office.get(f"/api/v1/student-links/?course={world.foreign.course.pk}").json()["results"] == []

    again = office.post("/api/v1/student-links/", {"student": students[0]}, format="json").json()
    old = next(link for link in listed if link["student"] == students[0])
    assert (again["id"], again["url"] == old["url"]) == (old["id"], False)
    page = APIClient().get(again["url"].removeprefix("https://rollcall.example.org"))
    assert page.status_code == 200
    assert office.delete(f"/api/v1/student-links/{again['id']}/").status_code == 204
    assert APIClient().get(again["url"].removeprefix("https://rollcall.example.org")).status_code == 410


def test_an_auditor_reads_no_link_for_photos(office: APIClient, world: World):
    office.post("/api/v1/student-links/", {"student": world.student.pk}, format="json")
    [link] = client_of(factories.person(Role.AUDITOR)).get("/api/v1/student-links/").json()["results"]
    assert link["url"] is None


def test_somebody_is_invited_and_the_link_is_shown_once(office: APIClient, world: World, settings: Any):
    settings.BASE_URL = ""
    person = {"first_name": "Ada", "last_name": "New", "email": "ada@example.org", "courses": [world.course.pk]}
    made = office.post("/api/v1/invitations/", person, format="json")
    assert made.status_code == 201
    assert (made.json()["role"], made.json()["courses"]) == (Role.LECTURER, [world.course.pk])
    url = made.json()["url"]
    assert APIClient().get(url).status_code == 200
    address = f"/api/v1/invitations/{made.json()['id']}/"
    assert "url" not in office.get(address).json()
    renewed = office.post(f"{address}renew/").json()["url"]
    assert (APIClient().get(url).status_code, APIClient().get(renewed).status_code) == (410, 200)
    assert office.post("/api/v1/invitations/", person, format="json").status_code == 400, "the address is taken"
    assert office.delete(address).status_code == 204
    assert APIClient().get(renewed).status_code == 410


def test_only_administrators_invite_others_than_lecturers(office: APIClient, world: World):
    person = {"first_name": "Ada", "last_name": "New", "email": "ada@example.org", "role": Role.REGISTRAR}
    assert office.post("/api/v1/invitations/", person, format="json").status_code == 403
    chief = client_of(factories.person(Role.ADMINISTRATOR))
    made = chief.post("/api/v1/invitations/", person, format="json")
    assert (made.status_code, made.json()["role"]) == (201, Role.REGISTRAR)
    assert office.get("/api/v1/invitations/").json()["results"] == []
    assert office.delete(f"/api/v1/invitations/{made.json()['id']}/").status_code == 404
