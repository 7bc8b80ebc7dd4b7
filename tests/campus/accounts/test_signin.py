"""The door: passwords, guesses, where a login leads, and what the old program left open."""

import re
import subprocess
import sys
from collections.abc import Iterator
from itertools import count, repeat
from pathlib import Path

import pytest
from django.conf import settings as django_settings
from django.test import Client
from django.urls import reverse

from campus.accounts.signin import MAX_ATTEMPTS
from campus.settings.encryption_keys import make_key
from tests.campus import factories
from tests.campus.conftest import World

REPOSITORY = Path(__file__).resolve().parents[3]


def sign_in(client: Client, username: str, password: str, next_: str = ""):
    return client.post(reverse("login"), {"username": username, "password": password, "next": next_})


def test_login_and_logout(client: Client, world: World):
    assert sign_in(client, "own", "password")["Location"] == "/"
    assert client.get("/").status_code == 200
    assert client.post(reverse("logout"))["Location"] == "/login/"
    assert client.get("/").status_code == 302


def test_logout_by_a_link_is_refused(client: Client, world: World):
    client.force_login(world.own)
    assert client.get(reverse("logout")).status_code == 405
    assert client.get("/").status_code == 200


def test_a_wrong_password_is_a_sentence(client: Client, world: World):
    response = sign_in(client, "own", "guess")
    assert response.status_code == 200
    assert "Wrong e-mail address, username or password." in response.content.decode()


def test_wrong_and_unknown_names_read_the_same(client: Client, world: World):
    known, unknown = (
        re.sub(r'value="[^"]*"', "", sign_in(client, name, "guess").content.decode()) for name in ("own", "nobody")
    )
    assert known == unknown


def test_guessing_is_stopped(client: Client, world: World):
    for _ in range(MAX_ATTEMPTS):
        sign_in(client, "own", "guess")
    response = sign_in(client, "own", "password")
    assert "Wait a quarter of an hour" in response.content.decode()
    assert client.get("/").status_code == 302
    assert sign_in(client, "other", "password").status_code == 302, "others still get in"


def test_the_pages_and_the_api_share_the_limit(client: Client, world: World):
    for n in range(MAX_ATTEMPTS):
        client.post(
            "/api/v1/token/", {"username": "own", "password": "guess"}, "application/json"
        ) if n % 2 else sign_in(client, "own", "guess")
    response = client.post("/api/v1/token/", {"username": "own", "password": "password"}, "application/json")
    assert response.status_code == 429
    assert "Wait a quarter of an hour" in response.json()["detail"]


def test_a_claimed_address_does_not_reset_the_count(client: Client, world: World):
    for n in range(MAX_ATTEMPTS):
        client.post(
            reverse("login"), {"username": "own", "password": "guess"}, headers={"X-Forwarded-For": f"10.0.0.{n}"}
        )
    assert sign_in(client, "own", "password").status_code == 200


def test_behind_our_proxy_the_address_that_it_saw_counts(client: Client, world: World, settings):
    settings.TRUSTED_PROXIES = 1
    for n in range(MAX_ATTEMPTS):
        client.post(
            reverse("login"),
            {"username": "own", "password": "guess"},
            headers={"X-Forwarded-For": f"10.0.0.{n}, 192.0.2.1"},
        )
    blocked = client.post(
        reverse("login"), {"username": "own", "password": "password"}, headers={"X-Forwarded-For": "192.0.2.1"}
    )
    elsewhere = client.post(
        reverse("login"), {"username": "own", "password": "password"}, headers={"X-Forwarded-For": "192.0.2.2"}
    )
    assert (blocked.status_code, elsewhere.status_code) == (200, 302)


class TestManyNamesFromOneAddress:
    @pytest.fixture(autouse=True)
    def behind_a_proxy(self, settings) -> None:
        settings.TRUSTED_PROXIES = 1

    def spray(self, addresses: Iterator[str]) -> None:
        for n, address in zip(range(60), addresses, strict=False):
            where = {"X-Forwarded-For": address}
            Client().post(reverse("login"), {"username": f"name{n}", "password": "Autumn2026"}, headers=where)

    @pytest.mark.parametrize(
        ("sprayed", "then", "gets_in"),
        [
            (repeat("192.0.2.1"), "192.0.2.1", False),
            (repeat("192.0.2.1"), "192.0.2.2", True),
            ((f"2001:db8:1:2::{n:x}" for n in count()), "2001:db8:1:2:ffff::1", False),
            ((f"2001:db8:1:2::{n:x}" for n in count()), "2001:db8:1:3::1", True),
            (repeat("::ffff:192.0.2.1"), "192.0.2.1", False),
        ],
    )
    def test_it_is_slowed(self, client: Client, world: World, sprayed: Iterator[str], then: str, gets_in: bool):
        self.spray(sprayed)
        body = {"username": "own", "password": "password"}
        page = client.post(reverse("login"), body, headers={"X-Forwarded-For": then})
        assert (page.status_code == 302) is gets_in
        answer = client.post("/api/v1/token/", body, "application/json", headers={"X-Forwarded-For": then})
        assert answer.status_code == (200 if gets_in else 429)

    def test_who_has_logged_in_with_this_browser_before_is_not_locked_out(self, client: Client, world: World):
        where = {"X-Forwarded-For": "192.0.2.1"}
        client.post(reverse("login"), {"username": "own", "password": "password"}, headers=where)
        client.post(reverse("logout"))
        self.spray(repeat("192.0.2.1"))
        for username, status in (("other", 200), ("own", 302)):
            answer = client.post(reverse("login"), {"username": username, "password": "password"}, headers=where)
            assert answer.status_code == status, username


@pytest.mark.parametrize(
    "target",
    ["https://evil.example/", "//evil.example/", "/\\evil.example", "javascript:alert(1)", "http:///evil.example"],
)
def test_a_login_leads_nowhere_else(client: Client, world: World, target: str):
    assert sign_in(client, "own", "password", target)["Location"] == "/"


def test_a_login_leads_back_to_where_one_came_from(client: Client, world: World):
    url = reverse("lecture", args=[world.lecture.pk])
    assert sign_in(client, "own", "password", url)["Location"] == url


def test_a_closed_account_stays_out(client: Client, db):
    factories.user(username="gone", is_active=False)
    assert sign_in(client, "gone", "password").status_code == 200


def test_the_password_can_be_changed(client: Client, world: World):
    client.force_login(world.own)
    new = "correct horse battery"
    wrong = client.post(reverse("password"), {"old_password": "guess", "new_password1": new, "new_password2": new})
    assert wrong.status_code == 200
    right = client.post(reverse("password"), {"old_password": "password", "new_password1": new, "new_password2": new})
    assert right["Location"] == reverse("account")
    assert client.get("/").status_code == 200, "the session outlives the change"
    assert sign_in(Client(), "own", new).status_code == 302


@pytest.mark.parametrize(
    "path", ["/register", "/register/", "/signup/", "/accounts/register/", "/api/v1/register/", "/api/v1/users/"]
)
def test_nobody_makes_an_account_alone(client: Client, world: World, path: str):
    assert client.get(path).status_code == 404
    assert client.post(path, {"username": "x", "password": "y"}).status_code == 404


@pytest.mark.parametrize(
    "path",
    [
        "/face_recog",
        "/mark",
        "/sms",
        "/add",
        "/edit",
        "/take",
        "/recognition",
        "/media/",
        "/Reports/",
        "/static/../var/",
    ],
)
def test_the_old_programs_open_doors_are_gone(client: Client, world: World, path: str):
    assert client.post(path).status_code in (302, 404)
    assert client.get(path).status_code in (302, 404)


def test_faults_show_no_trace(client: Client, world: World, monkeypatch: pytest.MonkeyPatch):
    def broken(user):
        raise RuntimeError("the secret plan")

    monkeypatch.setattr("campus.web.views.classes.courses_for", broken)
    client.force_login(world.own)
    client.raise_request_exception = False
    response = client.get("/classes/")
    assert response.status_code == 500
    assert b"secret plan" not in response.content
    assert b"Traceback" not in response.content
    assert b"Something went wrong" in response.content


def start(module: str, **environment: str) -> subprocess.CompletedProcess[str]:
    code = "import django; django.setup(); from django.conf import settings; print(settings.DEBUG, settings.SECRET_KEY)"
    given = {"DJANGO_SETTINGS_MODULE": f"campus.settings.{module}", "PATH": "/usr/bin:/bin"} | environment
    return subprocess.run(
        [sys.executable, "-c", code], cwd=REPOSITORY, env=given, capture_output=True, text=True, timeout=120
    )


def test_debug_is_off_and_no_secret_is_in_the_repository(tmp_path: Path):
    folders = {"ROLLCALL_DATA_DIR": str(tmp_path / "var"), "ROLLCALL_REPORTS_DIR": str(tmp_path / "Reports")}
    refused = start("prod", **folders)
    assert refused.returncode != 0
    assert "ROLLCALL_SECRET_KEY is missing" in refused.stderr
    refused = start("prod", ROLLCALL_SECRET_KEY="k" * 60, **folders)
    assert "ROLLCALL_ENCRYPTION_KEYS is missing" in refused.stderr
    campus = start("prod", ROLLCALL_SECRET_KEY="k" * 60, ROLLCALL_ENCRYPTION_KEYS=make_key(), **folders)
    assert campus.stdout.split() == ["False", "k" * 60], campus.stderr
    first, second = start("dev", **folders), start("dev", **folders)
    assert first.returncode == 0, first.stderr
    assert first.stdout == second.stdout, "made once and kept"
    debug, key = first.stdout.split()
    assert debug == "False"
    assert len(key) >= 50
    assert key != django_settings.SECRET_KEY
    for name in ("secret-key", "encryption-keys"):
        assert (tmp_path / "var" / name).stat().st_mode & 0o077 == 0
