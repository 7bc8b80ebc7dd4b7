"""Who may do what over the API. Every endpoint inherits the same questions, and none can be forgotten."""

import re
from types import SimpleNamespace
from typing import Any, ClassVar

import pytest
from django.core.files.base import ContentFile
from rest_framework.test import APIClient

from campus.academics.calendar_links import renew_calendar_link
from campus.academics.models import CalendarLink, FileImport, Holiday, LectureSeries, Room, Term
from campus.accounts.invitations import invite
from campus.accounts.models import Invitation
from campus.accounts.roles import Role
from campus.api.urls import router
from campus.attendance.models import AnnotatedVideo, Excuse, Snapshot
from campus.attendance.overrides import set_override
from campus.audit.models import Action, AuditEntry
from campus.biometrics.models import LectureFace, LookAlike, PhotoImport
from campus.cctv.models import Camera, Collection, FootageFile, Source
from campus.consent.links import renew_student_link
from campus.consent.models import Consent, StudentLink
from campus.consent.services import record_answer
from campus.outbox.models import Delivery, Webhook
from campus.privacy.erasure import request_student_erasure
from campus.privacy.legal_holds import place_hold
from campus.privacy.models import LegalHold
from tests.campus import factories
from tests.campus.conftest import World

DAY = factories.STARTS.date()


@pytest.fixture
def api() -> APIClient:
    return APIClient()


class Matrix:
    """What must hold for an endpoint whose object `about` belongs to the lecturer `own`."""

    path: ClassVar[str]
    about: ClassVar[str]
    # (method, what follows the object's address, body, what its owner gets)
    actions: ClassVar[list[tuple[str, str, Any, int]]] = []
    # The same for what only a registrar may do; the lecturer gets 403.
    registrars: ClassVar[list[tuple[str, str, Any, int]]] = []
    lists, everybodys = True, False
    office = False  # whether lecturers get none of it
    private: ClassVar[str] = ""  # who alone sees it, of the world's people
    never: ClassVar[tuple[str, ...]] = ("put", "delete")

    def listing(self) -> str:
        return f"/api/v1/{self.path}/"

    def row(self, world: World) -> Any:
        return getattr(world, self.about)

    def detail(self, world: World) -> str:
        return f"{self.listing()}{self.row(world).pk}/"

    def listed(self, api: APIClient, row: Any) -> bool:
        if not self.lists:
            return api.get(f"{self.listing()}{row.pk}/").status_code == 200
        response = api.get(self.listing())
        assert response.status_code == 200
        return str(row.pk) in {str(line["id"]) for line in response.json()["results"]}

    def ask(self, api: APIClient, world: World, action: tuple[str, str, Any, int]):
        method, suffix, body, _ = action
        if method == "get":
            return api.get(self.detail(world) + suffix)
        return getattr(api, method)(self.detail(world) + suffix, body, format="json")

    def refused(self, api: APIClient, world: World) -> None:
        assert api.get(self.listing()).status_code == 403
        assert api.get(self.detail(world)).status_code == 403
        for action in [*self.actions, *self.registrars]:
            assert self.ask(api, world, action).status_code == 403, action

    def test_without_a_login(self, api: APIClient, world: World):
        assert api.get(self.listing()).status_code == 401
        assert api.get(self.detail(world)).status_code == 401
        for action in [*self.actions, *self.registrars]:
            assert self.ask(api, world, action).status_code == 401, action

    def test_another_lecturer(self, api: APIClient, world: World):
        api.force_authenticate(world.other)
        if self.office:
            self.refused(api, world)
            return
        assert self.listed(api, self.row(world)) is self.everybodys
        assert api.get(self.detail(world)).status_code == (200 if self.everybodys else 404)
        for action in self.actions:
            assert self.ask(api, world, action).status_code == 404, action
        for action in self.registrars:
            assert self.ask(api, world, action).status_code in (403, 404), action

    @pytest.mark.parametrize("who", ["own", "registrar"])
    def test_lecturer_and_registrar(self, api: APIClient, world: World, who: str):
        api.force_authenticate(getattr(world, who))
        if self.office and who == "own":
            self.refused(api, world)
            return
        if self.private not in ("", who):
            assert not self.listed(api, self.row(world))
            for action in [("get", "", None, 200), *self.actions, *self.registrars]:
                assert self.ask(api, world, action).status_code in (403, 404), action
            return
        assert self.listed(api, self.row(world))
        assert api.get(self.detail(world)).status_code == 200
        for action in self.actions:
            assert self.ask(api, world, action).status_code == action[3], action
        for action in self.registrars:
            wanted = action[3] if who == "registrar" else 403
            assert self.ask(api, world, action).status_code == wanted, action

    def test_a_closed_account(self, api: APIClient, world: World):
        world.own.is_active = False
        world.own.save()
        api.force_login(world.own)
        assert api.get(self.listing()).status_code == 401

    def test_what_the_log_and_the_rows_must_keep_is_neither_replaced_nor_deleted(self, api: APIClient, world: World):
        api.force_authenticate(world.registrar)
        for method in self.never:
            assert getattr(api, method)(self.detail(world), {}, format="json").status_code == 405, method

    def test_what_is_known_is_not_sent_again(self, api: APIClient, world: World):
        api.force_authenticate(getattr(world, self.private or "registrar"))
        tag = api.get(self.detail(world))["ETag"]
        again = api.get(self.detail(world), headers={"If-None-Match": tag})
        assert (again.status_code, again.content) == (304, b"")
        api.force_authenticate(world.other)
        assert api.get(self.detail(world), headers={"If-None-Match": tag}).status_code == (
            304 if self.everybodys else 403 if self.office else 404
        )

    def test_pages_neither_repeat_nor_miss(self, api: APIClient, world: World):
        if not self.lists:
            return
        api.force_authenticate(world.registrar)
        whole = [row["id"] for row in api.get(self.listing()).json()["results"]]
        pages, following = [], f"{self.listing()}?limit=1"
        while following:
            page = api.get(following).json()
            pages += [row["id"] for row in page["results"]]
            following = page["next"]
        assert pages == whole
        assert len(set(whole)) == len(whole)

    def test_nonsense_is_refused(self, api: APIClient, world: World):
        api.force_authenticate(world.registrar if self.office else world.own)
        assert api.get(f"{self.listing()}nonsense/").status_code == 404


class TestCourses(Matrix):
    path, about = "courses", "course"
    actions = [
        ("post", "register/", None, 201),
        *(("get", f"export/{kind}/", None, 200) for kind in ("csv", "pdf", "moodle")),
    ]
    registrars = [
        ("patch", "", {"late_minutes": 15}, 200),
        ("post", "roster/", None, 400),  # no file
        ("get", "roster/xlsx/", None, 200),
        ("patch", "retention/", {"footage": 5}, 200),
        ("post", "erase/", None, 202),
    ]


class TestStudents(Matrix):
    path, about = "students", "student"
    actions = [("get", "history/", None, 200)]
    registrars = [
        ("patch", "", {"email": "someone@example.org"}, 200),
        ("post", "merge/", {}, 400),  # into whom?
        ("post", "erase/", None, 202),
    ]

    def test_a_guardians_phone_stays_in_the_office(self, api: APIClient, world: World):
        api.force_authenticate(world.own)
        assert set(api.get(self.detail(world)).json()) == {"id", "number", "name", "surname", "email", "guest"}
        api.force_authenticate(world.registrar)
        assert "guardian_phone" in api.get(self.detail(world)).json()


class TestConsents(Matrix):
    path, private = "consents", "registrar"

    def row(self, world: World) -> Any:
        return Consent.objects.filter(is_current=True).first() or record_answer(
            student=world.student, given=True, method=Consent.Method.PAPER, user=world.registrar
        )

    def test_a_registrars_program_records_answers(self, api: APIClient, world: World):
        api.force_authenticate(world.own)
        assert api.post(self.listing(), {"student": world.student.pk, "given": True}).status_code == 403
        api.force_authenticate(world.registrar)
        sent = {"student": world.student.pk, "given": True, "method": "paper", "at": "2026-09-01T10:00:00+02:00"}
        answer = api.post(self.listing(), sent, format="json").json()
        assert (answer["student"], answer["method"], answer["is_active"]) == (world.student.pk, "paper", True)
        assert answer["recorded_by"] == "registrar"
        assert api.post(self.listing(), sent | {"method": "link"}, format="json").status_code == 400
        assert api.post(self.listing(), sent | {"at": "2126-09-01T10:00:00Z"}, format="json").status_code == 400
        assert api.post(self.listing(), sent | {"given": False}, format="json").status_code == 201
        assert not api.get(self.listing(), {"student": world.student.pk, "is_current": True}).json()["results"][0][
            "given"
        ]
        for where, path in ((world.student, "students"), (world.course, "courses")):
            address = f"/api/v1/{path}/{where.pk}/"
            assert api.patch(address, {"automatic_marking": False}, format="json").json()["automatic_marking"] is False
        assert set(AuditEntry.objects.filter(about="automatic marking: False").values_list("action", flat=True)) == {
            Action.CHANGED_STUDENT,
            Action.CHANGED_CLASS,
        }


class TestLegalHolds(Matrix):
    path, private = "legal-holds", "registrar"
    registrars = [("delete", "", None, 204)]
    never = ("put", "patch")

    def row(self, world: World) -> Any:
        return LegalHold.objects.first() or place_hold(
            subject=world.lecture, reason="Case 7", until=None, user=world.registrar
        )

    def test_a_hold_is_of_one_thing(self, api: APIClient, world: World):
        api.force_authenticate(world.registrar)
        for sent, code in (
            ({"course": world.course.pk}, 201),
            ({"student": world.student.pk, "until": "2126-01-31"}, 201),
            ({"student": world.student.pk, "until": "2006-01-31"}, 400),
            ({"student": world.student.pk, "course": world.course.pk}, 400),
            ({}, 400),
        ):
            assert api.post(self.listing(), {"reason": "Case 7", **sent}, format="json").status_code == code, sent


def test_retention_terms_are_changed_by_who_may(api: APIClient, world: World):
    whole, own = "/api/v1/retention/", f"/api/v1/courses/{world.course.pk}/retention/"
    api.force_authenticate(world.own)
    assert api.get(whole).status_code == 403
    assert api.patch(own, {"footage": 3}, format="json").status_code == 403
    api.force_authenticate(world.registrar)
    assert api.get(whole).json()["footage"] == 7
    assert api.patch(whole, {"footage": 3}, format="json").status_code == 403
    assert api.patch(own, {"footage": 3, "crops": 5}, format="json").json() == {"footage": 3, "crops": 5}
    assert api.patch(own, {"crops": None}, format="json").json() == {"footage": 3}
    api.force_authenticate(factories.person(Role.ADMINISTRATOR))
    changed = api.patch(whole, {"attendance": 365, "footage": None}, format="json").json()
    assert (changed["attendance"], changed["footage"], changed["crops"]) == (365, None, 30)
    assert api.patch(whole, {"attendance": 1}, format="json").status_code == 400
    assert api.get(own).json() == {"footage": 3}


class TestErasures(Matrix):
    path, private = "erasures", "registrar"

    def row(self, world: World) -> Any:
        return request_student_erasure(student=world.student, user=world.registrar)


class TestEnrolments(Matrix):
    path = "enrolments"
    registrars = [("patch", "", {"valid_to": "2027-03-31"}, 200), ("delete", "", None, 204)]
    never = ("put",)

    def row(self, world: World) -> Any:
        return world.course.enrolments.get(student=world.student)


class TestPhotos(Matrix):
    path, about = "photos", "photo"
    actions = [("get", "picture/", None, 200), ("get", "face/", None, 200)]
    registrars = [("post", "confirm/", None, 200), ("post", "reopen/", None, 200), ("delete", "", None, 204)]
    never = ("put",)


class TestLectureFaces(Matrix):
    path = "lecture-faces"
    actions = [("get", "picture/", None, 200), ("post", "refuse/", None, 200), ("post", "learn/", None, 200)]

    def row(self, world: World) -> Any:
        return LectureFace.objects.first() or factories.lecture_face(world.lecture, world.student)


class SharedMatrix(Matrix):
    everybodys = True
    registrars = [("patch", "", {}, 200), ("delete", "", None, 204)]
    never = ("put",)


class TestRooms(SharedMatrix):
    path = "rooms"

    def row(self, world: World) -> Any:
        return Room.objects.get_or_create(name="C 3")[0]


class TestTerms(Matrix):
    path, everybodys = "terms", True
    never = ("put", "patch", "delete")

    def row(self, world: World) -> Any:
        return Term.objects.get_or_create(name="Spring", first_day=DAY, last_day=DAY)[0]


class TestHolidays(SharedMatrix):
    path = "holidays"

    def row(self, world: World) -> Any:
        return Holiday.objects.get_or_create(name="Easter", first_day=DAY, last_day=DAY)[0]


class TestSeries(Matrix):
    path = "series"
    actions = [("get", "plan/", None, 200)]
    registrars = [
        ("patch", "", {"title": "Loops"}, 200),
        ("post", "apply/", {"fingerprint": "an old plan"}, 400),
        ("delete", "", None, 204),
    ]
    never = ("put",)

    def row(self, world: World) -> Any:
        times = {"weekdays": [0], "starts": "09:00", "ends": "10:30", "first_day": DAY, "last_day": DAY}
        return LectureSeries.objects.get_or_create(course=world.course, defaults=times)[0]


class TestSnapshots(Matrix):
    path, lists = "snapshots", False
    actions = [("get", "picture/", None, 202)]

    def row(self, world: World) -> Any:
        return Snapshot.objects.get_or_create(recording=world.recording, time=5)[0]


class TestAnnotatedVideos(Matrix):
    path, lists, private = "annotated-videos", False, "own"
    actions = [("get", "file/", None, 202)]

    def row(self, world: World) -> Any:
        return AnnotatedVideo.objects.get_or_create(recording=world.recording, user=world.own, start=0, end=10)[0]


class TestLectures(Matrix):
    path, about = "lectures", "lecture"
    actions = [
        ("patch", "", {"title": "Loops again"}, 200),
        *(("get", f"export/{kind}/", None, 200) for kind in ("csv", "pdf", "moodle", "xlsx")),
        ("post", "override/", {"records": [], "status": "late"}, 200),
        ("post", "roll/", {"marks": []}, 200),
        ("post", "roll/undo/", None, 400),  # nothing was changed
        ("post", "complete-footage/", None, 400),  # none is awaited
        ("post", "sign-off/", None, 200),
        ("delete", "", None, 400),  # it was held
    ]
    registrars = [("post", "reopen/", {}, 200)]
    never = ("put",)


class TestRecordings(Matrix):
    path, about = "recordings", "failed"
    actions = [
        ("get", "progress/", None, 200),
        ("post", "retry/", None, 200),
        ("post", "cancel/", None, 200),
        ("post", "dismiss/", None, 200),
        ("post", "restart/", None, 200),
        ("post", "accept/", None, 400),  # it does not wait for that
        ("post", "place/", {"offset": 60}, 200),
        ("post", "change-picture/", {"rotation": 90}, 200),
        ("post", "move/", {}, 400),  # to which lecture?
        ("delete", "", None, 204),
    ]
    never = ("put",)


class TestSources(Matrix):
    path, office = "sources", True
    registrars = [
        ("patch", "", {"scan_interval_minutes": 30}, 200),
        ("post", "test/", None, 202),
        ("get", "test/", None, 200),
        ("delete", "", None, 204),
    ]
    never = ("put",)

    def row(self, world: World) -> Any:
        return Source.objects.first() or factories.source()


class TestCameras(Matrix):
    path, office = "cameras", True
    registrars = [
        ("patch", "", {"label": "front"}, 200),
        ("post", "recount/", {}, 202),
        ("delete", "", None, 204),
    ]
    never = ("put",)

    def row(self, world: World) -> Any:
        return Camera.objects.first() or factories.camera()


class TestFootageFiles(Matrix):
    path, office = "footage-files", True
    registrars = [
        ("post", "assign/", {}, 400),  # to which lecture?
        ("post", "discard/", None, 200),
        ("post", "restore/", None, 200),
    ]

    def row(self, world: World) -> Any:
        return FootageFile.objects.first() or factories.footage_file(factories.camera("B 13"), factories.STARTS)


class TestCollections(Matrix):
    path = "collections"
    registrars = [("post", "restart/", None, 200)]

    def row(self, world: World) -> Any:
        begun = {"next_check_at": factories.STARTS, "deadline_at": factories.STARTS}
        return Collection.objects.get_or_create(lecture=world.lecture, defaults=begun)[0]


class TestAttendance(Matrix):
    path, about = "attendance", "record"
    actions = [("patch", "", {"status": "late", "reason": "bus"}, 200), ("get", "changes/", None, 200)]


class TestChanges(Matrix):
    path = "changes"
    never = ("put", "patch", "delete")

    def row(self, world: World) -> Any:
        set_override(record=world.record, status="late", reason="bus", user=world.own)
        return world.record.changes.get()


class TestExcuses(Matrix):
    path = "excuses"
    actions = [("get", "document/", None, 200), ("delete", "", None, 204)]
    never = ("put", "patch")

    def row(self, world: World) -> Any:
        document = ContentFile(b"%PDF-", "attest.pdf")
        return Excuse.objects.first() or factories.excuse(world.student, course=world.course, document=document)


class TestSightings(Matrix):
    path, about = "sightings", "sighting"
    actions = [("get", "pictures/0/", None, 200), ("post", "reject/", {}, 201)]


class TestUnknown(Matrix):
    path, about = "unknown", "unknown"
    actions = [
        ("get", "pictures/0/", None, 200),
        ("post", "visitor/", {"reason": "the dean"}, 200),
        ("post", "undo/", {}, 200),
        ("post", "identify/", {}, 400),  # who?
        ("delete", "", None, 204),
    ]
    never = ("put",)


class TestReports(Matrix):
    path, about = "reports", "report"
    actions = [("get", "download/", None, 200)]


class TestGalleries(Matrix):
    path, about = "galleries", "gallery"
    actions = [("get", "report/", None, 200)]
    registrars = [("post", "activate/", None, 400)]  # it has no file

    def test_training_is_the_registrars(self, api: APIClient, world: World):
        body = {"course": world.course.pk}
        assert api.post("/api/v1/galleries/train/", body, format="json").status_code == 401
        for lecturer in (world.own, world.other):
            api.force_authenticate(lecturer)
            assert api.post("/api/v1/galleries/train/", body, format="json").status_code == 403
        api.force_authenticate(world.registrar)
        response = api.post("/api/v1/galleries/train/", body, format="json")
        assert response.status_code == 202
        assert response.json()["state"] == "queued"


class TestStatuses(SharedMatrix):
    path, lists = "statuses", False
    registrars = [("patch", "", {"points": 1}, 200), ("delete", "", None, 400)]  # it is always there

    def row(self, world: World) -> Any:
        return SimpleNamespace(pk="late")


class TestLookAlikes(Matrix):
    path = "look-alikes"
    registrars = [("post", "merge/", {}, 400), ("post", "separate/", None, 204), ("post", "reopen/", None, 204)]

    def row(self, world: World) -> Any:
        if pair := LookAlike.objects.filter(first=world.student).first():
            return pair
        twin = factories.student()
        factories.enrol(world.course, twin)
        return LookAlike.objects.create(first=world.student, second=twin, similarity=0.99)


class TestPhotoImports(Matrix):
    path, private = "photo-imports", "registrar"
    actions = [
        ("get", "waiting/", None, 200),
        ("get", "waiting/00000000-0000-0000-0000-000000000000/picture/", None, 404),  # of a photo that was filed
    ]
    registrars = [
        ("post", "discard/", {"folder": "nobody"}, 204),
        ("post", "file/", {"folder": "nobody"}, 400),
        ("post", "encoding/", {"name_encoding": "cp866"}, 400),  # a worker is still busy with it
    ]

    def row(self, world: World) -> Any:
        return PhotoImport.objects.get_or_create(user=world.registrar, original_name="photos.zip", total=1)[0]


class TestStudentLinks(Matrix):
    path, private = "student-links", "registrar"
    registrars = [("delete", "", None, 204)]
    never = ("put", "patch")

    def row(self, world: World) -> Any:
        return StudentLink.objects.filter(student=world.student).first() or renew_student_link(
            student=world.student, user=world.registrar
        )


class TestInvitations(Matrix):
    path, private = "invitations", "registrar"
    registrars = [("post", "renew/", None, 200), ("delete", "", None, 204)]
    never = ("put", "patch")

    def row(self, world: World) -> Any:
        return Invitation.objects.first() or invite(
            first_name="Ada", last_name="New", email="new@example.org", role=Role.LECTURER, by=world.registrar
        )


class TestImports(Matrix):
    path, private = "imports", "registrar"
    registrars = [
        ("post", "roster/", {}, 409),  # a worker is still busy with it
        ("post", "calendar/", {}, 400),  # it is none
    ]

    def row(self, world: World) -> Any:
        return FileImport.objects.get_or_create(user=world.registrar, kind=FileImport.Kind.ROSTER)[0]


class TestCalendarLinks(Matrix):
    path, private = "calendar-links", "own"
    actions = [("delete", "", None, 204)]
    never = ("put", "patch")

    def row(self, world: World) -> Any:
        return CalendarLink.objects.filter(user=world.own).first() or renew_calendar_link(
            user=world.own, course=world.course
        )


class TestWebhooks(Matrix):
    path, private = "webhooks", "registrar"
    registrars = [
        ("patch", "", {"active": False}, 200),
        ("post", "secret/", None, 200),
        ("post", "ping/", None, 202),
        ("post", "replay/", {}, 400),  # since when?
        ("delete", "", None, 204),
    ]
    never = ("put",)

    def row(self, world: World) -> Any:
        return Webhook.objects.get_or_create(url="https://example.org/hook", course=world.course)[0]


class TestDeliveries(Matrix):
    path, private = "deliveries", "registrar"
    registrars = [("post", "retry/", None, 400)]  # it is about to be sent

    def row(self, world: World) -> Any:
        webhook = Webhook.objects.get_or_create(url="https://example.org/hook", course=world.course)[0]
        return Delivery.objects.get_or_create(webhook=webhook, event="test", body="{}", key="test")[0]


def test_every_endpoint_has_its_matrix():
    matrices = {
        matrix.path: matrix
        for matrix in (*Matrix.__subclasses__(), *SharedMatrix.__subclasses__())
        if hasattr(matrix, "path")
    }
    assert {prefix for prefix, _, _ in router.registry} == set(matrices)
    for prefix, viewset, _ in router.registry:
        asked = [suffix for _, suffix, _, _ in (*matrices[prefix].actions, *matrices[prefix].registrars)]
        for extra in viewset.get_extra_actions():
            action: Any = extra
            assert not action.detail or any(re.fullmatch(f"{action.url_path}/", suffix) for suffix in asked), (
                prefix,
                action.url_path,
            )
