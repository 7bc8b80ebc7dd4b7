"""What wants a recent login, and what people see of their account: sessions, logins and changes."""

import re

import pyotp
import pytest
from django.contrib.auth.models import User
from django.core.cache import cache
from django.core.management import call_command
from django.db import transaction
from django.test import Client
from django.urls import reverse

from campus.accounts.history import describe_device
from campus.accounts.models import AccountEvent, ApiToken, LoginSession, TwoFactorDevice
from campus.accounts.recent_login import CONFIRMED_KEY, RECENT_SECONDS, SENDING_SECONDS
from campus.accounts.roles import Role
from campus.accounts.services import enable_two_factor, generate_two_factor_secret
from tests.campus import factories
from tests.campus.conftest import World
from tests.campus.permissions import Route, address, routes, things

FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
# Posts to the own account that open nothing: they end something, or are the way in.
HARMLESS = {
    "calendar",
    "confirm-login",
    "password-reset",
    "password-reset-confirm",
    "sessions-end",
    "token-revoke",
}
# Attachments that are no tables about people: what people handed in, and pictures and videos as evidence.
# The student's own data come by the student's link, without a login.
NO_EXPORTS = {"excuse-document", "api-excuse-document", "my-data-file"}


def age_login(client: Client, seconds: float) -> None:
    session = client.session
    session[CONFIRMED_KEY] -= seconds
    session.save()


def log_in(user: User, *, seconds_ago: float = RECENT_SECONDS + SENDING_SECONDS + 1) -> Client:
    client = Client(raise_request_exception=False)
    client.force_login(user)
    age_login(client, seconds_ago)
    return client


def is_asked(client: Client, route: Route, verb: str, keys: dict[str, object]) -> bool:
    cache.clear()
    with transaction.atomic():
        answer = client.generic(verb, address(route, keys), "{}", content_type="application/json")
        transaction.set_rollback(True)
    if route.name.startswith("api-"):
        return answer.status_code == 403 and "login is too long ago" in answer.content.decode()
    return answer.headers.get("Location", "").startswith(reverse("confirm-login"))


class TestOldLogin:
    def test_every_change_of_an_account_wants_a_recent_one(self, world: World):
        keys, old = things(world), log_in(factories.person(Role.ADMINISTRATOR))
        open_to_old = {
            route.name
            for route in routes()
            if re.match(r"/(account|password|calendar|admin/auth|admin/password_change)/", route.pattern)
            and not is_asked(old, route, "POST", keys)
        }
        assert open_to_old - HARMLESS <= {"account", "admin:password_change_done"}, "neither takes a POST"

    def test_every_export_wants_a_recent_one(self, world: World):
        keys = things(world)
        administrator = factories.person(Role.ADMINISTRATOR)
        new, old = log_in(administrator, seconds_ago=0), log_in(administrator)
        exports, open_to_old = set(), set()
        for route in routes():
            cache.clear()
            with transaction.atomic():
                answer = new.get(address(route, keys))
                transaction.set_rollback(True)
            if answer.headers.get("Content-Disposition", "").startswith("attachment"):
                exports.add(route.name)
                if not is_asked(old, route, "GET", keys):
                    open_to_old.add(route.name)
        assert open_to_old == NO_EXPORTS
        assert exports >= {"register-file", "lecture-file", "report", "api-report-download"}

    def test_the_rest_goes_on_without(self, world: World):
        old = log_in(world.own)
        for where in ("/", reverse("lecture", args=[world.lecture.pk]), reverse("account"), "/api/v1/courses/"):
            assert old.get(where).status_code == 200
        answer = old.post(reverse("record", args=[world.record.pk]), {"status": "late", "reason": "bus"})
        assert answer["Location"].startswith(reverse("lecture", args=[world.lecture.pk]))

    def test_the_password_opens_and_leads_back(self, world: World):
        old = log_in(world.own)
        where = f"{reverse('register-file', args=[world.course.pk, 'csv'])}?below=1"
        asked = old.get(where)["Location"]
        assert "Wrong password" in old.post(asked, {"password": "guess"}).content.decode()
        assert old.get(where)["Location"] == asked
        stolen = Client()
        stolen.cookies.load(old.cookies.output(header="", sep=";"))
        assert old.post(asked, {"password": "password"})["Location"] == where
        assert old.get(where).status_code == 200
        assert stolen.get(where)["Location"].startswith(reverse("login")), "a copy of the session has ended"

    def test_a_form_that_was_opened_in_time_can_be_sent(self, world: World):
        late = log_in(world.own, seconds_ago=RECENT_SECONDS + SENDING_SECONDS - 30)
        assert late.get(reverse("two-factor")).status_code == 302
        assert late.post(reverse("token-create"), {"name": "x", "scope": "read", "days": 30}).status_code == 201

    def test_what_was_sent_too_late_is_not_done(self, world: World):
        old = log_in(world.own)
        body = {"name": "x", "scope": "read", "days": 30}
        asked = old.post(reverse("token-create"), body, headers={"Referer": f"http://testserver{reverse('account')}"})
        assert "send the form again" in old.get(asked["Location"]).content.decode()
        assert old.post(asked["Location"], {"password": "password"})["Location"].endswith(reverse("account"))
        assert not ApiToken.objects.exists()

    def test_with_a_second_factor_the_code_is_asked_for_too(self, world: World):
        secret = generate_two_factor_secret()
        enable_two_factor(user=world.own, secret=secret, code=pyotp.TOTP(secret).now())
        TwoFactorDevice.objects.update(last_time_step=0)
        old = log_in(world.own)
        asked = reverse("confirm-login")
        for code in ("", "000000"):
            assert old.post(asked, {"password": "password", "code": code}).status_code == 400
            assert old.get(reverse("two-factor"))["Location"].startswith(asked)
        assert old.post(asked, {"password": "password", "code": pyotp.TOTP(secret).now()}).status_code == 302
        assert old.get(reverse("two-factor")).status_code == 200

    def test_a_registrar_cannot_change_the_own_account_in_the_admin_either(self, world: World):
        secret = generate_two_factor_secret()
        enable_two_factor(user=world.registrar, secret=secret, code=pyotp.TOTP(secret).now())
        old = log_in(world.registrar)
        new = {"password1": "correct horse battery", "password2": "correct horse battery"}
        old.post(reverse("admin:auth_user_password_change", args=[world.registrar.pk]), new)
        old.post(reverse("admin:auth_user_disable_two_factor", args=[world.registrar.pk]), {"_form_submitted": "True"})
        assert User.objects.get(pk=world.registrar.pk).check_password("password")
        assert TwoFactorDevice.objects.filter(user=world.registrar).exists()

    def test_passwords_cannot_be_tried_out(self, world: World):
        old = log_in(world.own)
        for _ in range(10):
            old.post(reverse("confirm-login"), {"password": "guess"})
        assert "Too many" in old.post(reverse("confirm-login"), {"password": "password"}).content.decode()

    def test_a_dialog_of_the_admin_leaves_for_the_question(self, world: World):
        old = log_in(world.registrar)
        page = f"http://testserver{reverse('admin:auth_user_changelist')}"
        answer = old.get(
            reverse("admin:auth_user_disable_two_factor", args=[world.own.pk]),
            headers={"HX-Request": "true", "Referer": page},
        )
        assert answer["HX-Redirect"] == reverse("confirm-login", query={"next": page})

    @pytest.mark.parametrize("target", ["https://evil.example/", "//evil.example/", "javascript:alert(1)"])
    def test_it_leads_nowhere_else(self, world: World, target: str):
        old = log_in(world.own)
        asked = reverse("confirm-login", query={"next": target})
        assert old.post(asked, {"password": "password"})["Location"] == reverse("account")


class TestSessions:
    def sign_in(self, user: User) -> Client:
        client = Client(headers={"User-Agent": FIREFOX}, REMOTE_ADDR="192.0.2.7")
        client.post(reverse("login"), {"username": user.username, "password": "password"})
        return client

    def test_the_page_lists_the_own_ones(self, world: World):
        here, there = self.sign_in(world.own), self.sign_in(world.own)
        self.sign_in(world.other)
        page = here.get(reverse("account"))
        assert {session.pk for session in page.context["sessions"]} == {
            here.session.session_key,
            there.session.session_key,
        }
        shown = page.content.decode()
        assert shown.count("Firefox, Linux</strong>") == 2
        assert "192.0.2.7" in shown
        assert str(there.session.session_key) not in shown, "it opens the session"

    def test_nobody_who_deletes_an_account_sees_what_opens_it(self, world: World):
        there, administrator = self.sign_in(world.own), log_in(factories.person(Role.ADMINISTRATOR), seconds_ago=0)
        User.objects.filter(pk=world.own.pk).update(is_active=False)
        answer = administrator.get(reverse("admin:auth_user_delete", args=[world.own.pk]))
        assert answer.status_code == 200
        assert str(there.session.session_key) not in answer.content.decode()

    def test_one_is_ended(self, world: World):
        here, there, third = (self.sign_in(world.own) for _ in range(3))
        login = LoginSession.objects.get(pk=there.session.session_key).login_id
        assert here.post(reverse("sessions-end"), {"session": str(login)}).status_code == 302
        assert [client.get("/").status_code for client in (here, there, third)] == [200, 302, 200]

    def test_all_others_are_ended(self, world: World):
        here, there, third = (self.sign_in(world.own) for _ in range(3))
        other = self.sign_in(world.other)
        here.post(reverse("sessions-end"))
        assert [client.get("/").status_code for client in (here, there, third, other)] == [200, 302, 302, 200]

    def test_those_of_others_cannot_be_ended(self, world: World):
        here, other = self.sign_in(world.own), self.sign_in(world.other)
        login = LoginSession.objects.get(pk=other.session.session_key).login_id
        here.post(reverse("sessions-end"), {"session": str(login)})
        assert other.get("/").status_code == 200
        assert here.post(reverse("sessions-end"), {"session": "nonsense"}).status_code == 404

    def test_they_end_with_the_account(self, world: World):
        gone = factories.user(username="gone")
        client = self.sign_in(gone)
        gone.delete()
        assert client.get("/").status_code == 302
        assert not LoginSession.objects.exists()


class TestHistory:
    def kinds(self, user: User) -> list[str]:
        return list(AccountEvent.objects.filter(user=user).order_by("pk").values_list("kind", flat=True))

    def test_the_owner_sees_logins_and_failures(self, world: World):
        client = Client(headers={"User-Agent": FIREFOX}, REMOTE_ADDR="192.0.2.7")
        client.post(reverse("login"), {"username": "own", "password": "guess"})
        client.post(reverse("login"), {"username": "own", "password": "password"})
        assert self.kinds(world.own) == ["wrong-password", "logged-in"]
        page = client.get(reverse("account")).content.decode()
        assert page.count("Firefox, Linux · 192.0.2.7") == 2
        assert not AccountEvent.objects.filter(user=world.other).exists()

    def test_wrong_passwords_of_nobody_cost_the_same(self, client: Client, world: World):
        client.post(reverse("login"), {"username": "nobody", "password": "guess"})
        assert AccountEvent.objects.get(kind=AccountEvent.Kind.WRONG_PASSWORD).user is None

    def test_every_change_is_in_it(self, world: World):
        client = log_in(world.own, seconds_ago=0)
        AccountEvent.objects.all().delete()
        secret = client.get(reverse("two-factor")).context["secret"]
        client.post(reverse("two-factor"), {"code": pyotp.TOTP(secret).now()})
        client.post(reverse("token-create"), {"name": "script", "scope": "read", "days": 30})
        client.post(reverse("token-revoke", args=[ApiToken.objects.get().pk]))
        client.post(reverse("calendar-links"), {"course": ""})
        new = "correct horse battery"
        client.post(reverse("password"), {"old_password": "password", "new_password1": new, "new_password2": new})
        administrator = log_in(factories.person(Role.ADMINISTRATOR, username="boss"), seconds_ago=0)
        administrator.defaults["REMOTE_ADDR"] = "192.0.2.9"
        sent = {"_form_submitted": "True"}
        administrator.post(reverse("admin:auth_user_disable_two_factor", args=[world.own.pk]), sent)
        form = {"email": "own@example.org", "role": Role.REGISTRAR.value}
        form |= {"api_tokens-TOTAL_FORMS": "0", "api_tokens-INITIAL_FORMS": "0"}
        administrator.post(reverse("admin:auth_user_change", args=[world.own.pk]), form)
        administrator.post(reverse("admin:auth_user_change", args=[world.own.pk]), form)
        assert self.kinds(world.own) == [
            "two-factor-on",
            "recovery-codes-created",
            "token-created",
            "token-revoked",
            "calendar-link-created",
            "password-changed",
            "two-factor-off",
            "email-changed",
            "role-changed",
        ]
        world.own.refresh_from_db()
        page = log_in(world.own).get(reverse("account")).content.decode()
        assert len(re.findall(r"· by boss\b[^<]* · 192\.0\.2\.9", page)) == 3, "the last three"

    def test_what_is_done_on_the_server_says_so(self, world: World):
        secret = generate_two_factor_secret()
        enable_two_factor(user=world.own, secret=secret, code=pyotp.TOTP(secret).now())
        client = log_in(world.own)
        AccountEvent.objects.all().delete()
        call_command("disable_two_factor", "own")
        assert client.get(reverse("account")).content.decode().count("· on the server") == 1


@pytest.mark.parametrize(
    ("header", "said"),
    [
        (FIREFOX, "Firefox, Linux"),
        ("Mozilla/5.0 (Windows NT 10.0) AppleWebKit/537.36 Chrome/140.0 Safari/537.36 Edg/140.0", "Edge, Windows"),
        ("Mozilla/5.0 (iPhone; CPU iPhone OS 19_0 like Mac OS X) Version/19.0 Safari/604.1", "Safari, iPhone"),
        ("Mozilla/5.0 (Linux; Android 16; K) AppleWebKit/537.36 Chrome/140.0 Safari/537.36", "Chrome, Android"),
        ("<script>", ""),
        ("", ""),
    ],
)
def test_a_device_is_named_as_people_call_it(header: str, said: str):
    assert describe_device(header) == said
