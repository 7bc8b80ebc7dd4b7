"""Who may do what over the API. Every endpoint inherits the same questions, and none can be forgotten."""

from typing import Any, ClassVar

import pytest
from rest_framework.test import APIClient

from campus.api.urls import router
from tests.campus.conftest import World


@pytest.fixture
def api() -> APIClient:
    return APIClient()


class Matrix:
    """What must hold for an endpoint whose object `about` belongs to the lecturer `own`."""

    path: ClassVar[str]
    about: ClassVar[str]
    # (method, what follows the object's address, body, what its owner gets)
    actions: ClassVar[list[tuple[str, str, Any, int]]] = []

    def listing(self) -> str:
        return f"/api/v1/{self.path}/"

    def detail(self, world: World) -> str:
        return f"{self.listing()}{getattr(world, self.about).pk}/"

    def listed(self, api: APIClient) -> set[str]:
        response = api.get(self.listing())
        assert response.status_code == 200
        return {str(row["id"]) for row in response.json()["results"]}

    def ask(self, api: APIClient, world: World, action: tuple[str, str, Any, int]):
        method, suffix, body, _ = action
        return getattr(api, method)(self.detail(world) + suffix, body, format="json")

    def test_without_a_login(self, api: APIClient, world: World):
        assert api.get(self.listing()).status_code == 401
        assert api.get(self.detail(world)).status_code == 401
        for action in self.actions:
            assert self.ask(api, world, action).status_code == 401, action

    def test_another_lecturer(self, api: APIClient, world: World):
        api.force_authenticate(world.other)
        assert str(getattr(world, self.about).pk) not in self.listed(api)
        assert api.get(self.detail(world)).status_code == 404
        for action in self.actions:
            assert self.ask(api, world, action).status_code == 404, action

    @pytest.mark.parametrize("who", ["own", "registrar"])
    def test_lecturer_and_registrar(self, api: APIClient, world: World, who: str):
        api.force_authenticate(getattr(world, who))
        assert str(getattr(world, self.about).pk) in self.listed(api)
        assert api.get(self.detail(world)).status_code == 200
        for action in self.actions:
            assert self.ask(api, world, action).status_code == action[3], action

    def test_a_closed_account(self, api: APIClient, world: World):
        world.own.is_active = False
        world.own.save()
        api.force_login(world.own)
        assert api.get(self.listing()).status_code == 401

    @pytest.mark.parametrize("method", ["put", "delete"])
    def test_nothing_is_replaced_or_deleted(self, api: APIClient, world: World, method: str):
        api.force_authenticate(world.registrar)
        assert getattr(api, method)(self.detail(world), {}, format="json").status_code == 405

    def test_pages_neither_repeat_nor_miss(self, api: APIClient, world: World):
        api.force_authenticate(world.registrar)
        whole = [row["id"] for row in api.get(self.listing()).json()["results"]]
        pages = [api.get(self.listing(), {"limit": 1, "offset": n}).json()["results"][0]["id"] for n in range(len(whole))]
        assert pages == whole
        assert len(set(whole)) == len(whole)

    def test_nonsense_is_refused(self, api: APIClient, world: World):
        api.force_authenticate(world.own)
        assert api.get(f"{self.listing()}nonsense/").status_code == 404


class TestCourses(Matrix):
    path, about = "courses", "course"
    actions = [("post", "register/", None, 201)]


class TestStudents(Matrix):
    path, about = "students", "student"

    def test_a_guardians_phone_stays_in_the_office(self, api: APIClient, world: World):
        api.force_authenticate(world.own)
        assert set(api.get(self.detail(world)).json()) == {"id", "number", "name", "email"}


class TestLectures(Matrix):
    path, about = "lectures", "lecture"


class TestRecordings(Matrix):
    path, about = "recordings", "failed"
    actions = [
        ("get", "progress/", None, 200),
        ("post", "retry/", None, 200),
        ("post", "cancel/", None, 200),
        ("post", "restart/", None, 200),
    ]


class TestAttendance(Matrix):
    path, about = "attendance", "record"
    actions = [("patch", "", {"status": "late", "reason": "bus"}, 200), ("get", "changes/", None, 200)]


class TestReports(Matrix):
    path, about = "reports", "report"
    actions = [("get", "download/", None, 200)]


class TestGalleries(Matrix):
    path, about = "galleries", "gallery"

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


def test_every_endpoint_has_its_matrix():
    matrices = Matrix.__subclasses__()
    assert {prefix for prefix, _, _ in router.registry} == {matrix.path for matrix in matrices}
    asked = {matrix.path: {suffix.strip("/") for _, suffix, _, _ in matrix.actions} for matrix in matrices}
    for prefix, viewset, _ in router.registry:
        extra = {action.url_path for action in viewset.get_extra_actions() if action.detail}
        assert extra <= asked[prefix], prefix
