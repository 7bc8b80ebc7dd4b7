"""A body that is too large for its address is refused before it is read."""

import pytest
from django.test import Client
from django.urls import reverse

from campus.web import body_limits
from tests.campus.conftest import World
from tests.campus.permissions import routes

BIG = {"file": "x" * 100_000}


@pytest.fixture(autouse=True)
def no_body_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("django.http.multipartparser.MultiPartParser.parse", lambda _: pytest.fail("the body was read"))


def test_all_addresses_of_the_table_exist():
    names = {route.name for route in routes()}
    assert names >= body_limits.LOGINS | body_limits.DOCUMENTS | body_limits.UPLOADS | body_limits.OWN_PHOTOS


@pytest.mark.parametrize("name", ["login", "set_language", "api-token", "admin:biometrics_facephoto_zip", "excuses"])
def test_strangers_send_no_more_than_a_login(client: Client, world: World, name: str):
    client.cookies["csrftoken"] = "t" * 32
    response = client.post(reverse(name), BIG)
    assert response.status_code == 413


def test_staff_are_told_how_much_may_be_sent(client: Client, world: World, settings):
    settings.DATA_UPLOAD_MAX_MEMORY_SIZE = 50_000
    client.force_login(world.own)
    response = client.post(reverse("account"), BIG)
    assert response.status_code == 413
    assert "larger than the 48.8\xa0KB that may be sent here" in response.content.decode()


def test_programs_are_told_in_their_form(client: Client, world: World):
    response = client.post(reverse("api-token"), "x" * 100_000, content_type="application/json")
    assert (response.status_code, response["Content-Type"]) == (413, "application/problem+json")
    assert "64.0\xa0KB" in response.json()["detail"]


def test_zips_need_room_on_the_disk(client: Client, world: World, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("campus.common.upload_limits.RESERVED_DISK_BYTES", 1 << 62)
    client.force_login(world.registrar)
    response = client.post(reverse("admin:biometrics_facephoto_zip"), BIG)
    assert response.status_code == 507
    assert "free some space" in response.content.decode()


def test_a_body_says_how_large_it_is(client: Client, world: World):
    response = client.post(reverse("login"), headers={"Transfer-Encoding": "chunked"})
    assert response.status_code == 411
    assert "Content-Length is missing" in response.content.decode()
