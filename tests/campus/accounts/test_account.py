"""The own account: tokens for programs, the second step of the login, a forgotten password, and how long a login
lasts."""

import hashlib
import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pyotp
import pytest
from django.contrib.auth.models import User
from django.contrib.auth.tokens import default_token_generator
from django.core import mail
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone
from django.utils.http import urlsafe_base64_encode
from rest_framework.test import APIClient

from campus.academics.calendar_links import calendar_link_token, renew_calendar_link
from campus.accounts.access import ALLOWED_FOR_READING_TOKENS
from campus.accounts.models import ApiToken, RecoveryCode, TwoFactorDevice
from campus.accounts.roles import Role
from campus.accounts.services import MAX_TOKENS_PER_USER, create_token, enable_two_factor, generate_two_factor_secret
from campus.accounts.signin import MAX_ATTEMPTS, PENDING_LOGIN_KEY
from campus.common import jobs
from campus.outbox.models import Delivery
from campus.outbox.services import deliver
from tests.campus import factories
from tests.campus.conftest import World
from tests.campus.permissions import address, routes, things

NEW = "correct horse battery"


@pytest.fixture
def own(client: Client, world: World) -> Client:
    client.force_login(world.own)
    return client


def make_token(user: User, scope: str = "write", days: int = 30) -> tuple[ApiToken, str]:
    return create_token(user=user, name="script", scope=scope, days=days)


def with_token(secret: str, kind: str = "Bearer") -> APIClient:
    api = APIClient()
    api.credentials(HTTP_AUTHORIZATION=f"{kind} {secret}")
    return api


class TestTokens:
    def test_the_page_shows_the_secret_once_and_keeps_its_hash_only(self, own: Client, world: World):
        answer = own.post(reverse("token-create"), {"name": "timetable", "scope": "read", "days": 30})
        assert answer.status_code == 201
        assert "no-store" in answer["Cache-Control"]
        secret = re.search(r"rollcall_[\w-]{43}", answer.content.decode())
        assert secret
        token = ApiToken.objects.get()
        assert token.digest == hashlib.sha256(secret[0].encode()).hexdigest()
        assert token.prefix == secret[0][:13]
        assert secret[0] not in own.get(reverse("account")).content.decode()
        assert with_token(secret[0]).get("/api/v1/courses/").status_code == 200

    def test_each_program_has_its_own_and_one_can_be_revoked(self, own: Client, world: World):
        (first, one), (_, two) = make_token(world.own), make_token(world.own)
        assert own.post(reverse("token-revoke", args=[first.pk])).status_code == 302
        assert with_token(one).get("/api/v1/courses/").status_code == 401
        assert with_token(two, "Token").get("/api/v1/courses/").status_code == 200

    def test_another_ones_token_does_not_exist(self, own: Client, world: World):
        token, _ = make_token(world.registrar)
        assert own.post(reverse("token-revoke", args=[token.pk])).status_code == 404
        assert ApiToken.objects.exists()

    def test_a_reading_token_reads(self, world: World):
        _, secret = make_token(world.registrar, "read")
        api = with_token(secret)
        assert api.get("/api/v1/attendance/").status_code == 200
        refused = api.patch(f"/api/v1/attendance/{world.record.pk}/", {"status": "excused"}, format="json")
        assert refused.status_code == 403
        assert "may read, and change nothing" in refused.json()["detail"]
        assert api.post("/api/v1/lectures/", {}, format="json").status_code == 403
        assert api.delete("/api/v1/token/").status_code == 204, "its own end it may bring about"

    @pytest.mark.parametrize("who", ["registrar", "own"])
    def test_a_reading_token_changes_nothing_anywhere(self, world: World, who: str):
        _, secret = make_token(getattr(world, who), "read")
        keys = things(world)
        for route in routes():
            if not route.name.startswith("api-") or route.name in ALLOWED_FOR_READING_TOKENS:
                continue
            for verb in ("POST", "PUT", "PATCH", "DELETE"):
                answer = with_token(secret).generic(verb, address(route, keys), "{}", content_type="application/json")
                assert answer.status_code in (302, 403, 405), (verb, route.name)

    def test_it_ends(self, world: World):
        token, secret = make_token(world.own)
        ApiToken.objects.filter(pk=token.pk).update(expires_at=timezone.now() - timedelta(seconds=1))
        answer = with_token(secret).get("/api/v1/courses/")
        assert answer.status_code == 401
        assert answer["WWW-Authenticate"].startswith("Bearer")

    def test_it_ends_with_the_account(self, world: World):
        _, secret = make_token(world.own)
        User.objects.filter(pk=world.own.pk).update(is_active=False)
        assert with_token(secret).get("/api/v1/courses/").status_code == 401

    @pytest.mark.parametrize("secret", ["", "nonsense", "rollcall_", "a b", "ü" * 5000, "\x00"])
    def test_nonsense_opens_nothing(self, world: World, secret: str):
        assert with_token(secret).get("/api/v1/courses/").status_code == 401

    def test_the_last_use_is_noted_at_most_once_a_minute(self, world: World, django_assert_num_queries):
        token, secret = make_token(world.own)
        api = with_token(secret)
        api.get("/api/v1/token/")
        used = ApiToken.objects.get(pk=token.pk).last_used_at
        assert used
        with django_assert_num_queries(1):
            assert api.get("/api/v1/token/").json()["scope"] == "write"
        assert ApiToken.objects.get(pk=token.pk).last_used_at == used

    def test_a_token_says_what_it_may(self, world: World):
        _, secret = make_token(world.own, "read")
        about = with_token(secret).get("/api/v1/token/").json()
        assert (about["name"], about["scope"]) == ("script", "read")
        assert secret not in str(about)

    def test_there_are_only_so_many(self, own: Client, world: World):
        for _ in range(MAX_TOKENS_PER_USER):
            make_token(world.own)
        answer = own.post(reverse("token-create"), {"name": "one more", "scope": "read", "days": 30})
        assert answer.status_code == 400
        assert "Revoke one" in answer.content.decode()

    @pytest.mark.parametrize("wrong", [{"name": ""}, {"scope": "all"}, {"days": 100_000}])
    def test_odd_wishes_are_refused(self, own: Client, world: World, wrong: dict[str, object]):
        assert own.post(reverse("token-create"), {"name": "x", "scope": "read", "days": 30} | wrong).status_code == 400
        assert not ApiToken.objects.exists()


@pytest.fixture
def phone(world: World) -> pyotp.TOTP:
    """The app on `own`'s phone; its first code was used to set the step up two minutes ago."""
    secret = generate_two_factor_secret()
    enable_two_factor(user=world.own, secret=secret, code=pyotp.TOTP(secret).now())
    TwoFactorDevice.objects.update(last_time_step=0)
    return pyotp.TOTP(secret)


def password(client: Client, next_: str = ""):
    return client.post(reverse("login"), {"username": "own", "password": "password", "next": next_})


class TestSecondStep:
    def test_it_is_set_up_with_the_phone(self, own: Client, world: World):
        page = own.get(reverse("two-factor"))
        secret = page.context["secret"]
        assert f"secret={secret}" in page.context["address"]
        assert "data:image/svg+xml" in page.content.decode()
        assert own.post(reverse("two-factor"), {"code": "000000"}).status_code == 400
        assert not TwoFactorDevice.objects.exists()
        assert own.post(reverse("two-factor"), {"code": pyotp.TOTP(secret).now()}).status_code == 201
        assert TwoFactorDevice.objects.get().user == world.own

    def test_the_password_alone_opens_nothing(self, client: Client, phone: pyotp.TOTP, world: World):
        answer = password(client)
        assert answer["Location"] == reverse("login-code")
        assert client.get("/").status_code == 302
        assert client.get("/admin/").status_code == 302
        assert client.get("/api/v1/courses/").status_code == 401

    def test_the_code_opens_and_leads_on(self, client: Client, phone: pyotp.TOTP, world: World):
        where = reverse("lecture", args=[world.lecture.pk])
        password(client, where)
        before = client.session.session_key
        assert client.post(reverse("login-code"), {"code": phone.now()})["Location"] == where
        assert client.session.session_key != before
        assert PENDING_LOGIN_KEY not in client.session
        assert client.get("/").status_code == 200

    def test_no_code_is_good_twice(self, client: Client, phone: pyotp.TOTP, world: World):
        code = phone.now()
        password(client)
        client.post(reverse("login-code"), {"code": code})
        second = Client()
        password(second)
        assert "used already" in second.post(reverse("login-code"), {"code": code}).content.decode()
        assert second.get("/").status_code == 302

    def test_codes_cannot_be_tried_out(self, client: Client, phone: pyotp.TOTP, world: World):
        for n in range(MAX_ATTEMPTS):
            password(client)  # the right password between the tries does not help
            client.post(reverse("login-code"), {"code": f"{n:06}"}, headers={"X-Forwarded-For": f"10.0.0.{n}"})
        assert "Too many wrong codes" in client.post(reverse("login-code"), {"code": phone.now()}).content.decode()
        assert client.get("/").status_code == 302

    def test_without_a_password_there_is_no_code(self, client: Client, phone: pyotp.TOTP, world: World):
        assert client.post(reverse("login-code"), {"code": phone.now()})["Location"] == reverse("login")
        assert client.get("/").status_code == 302

    def test_a_password_changed_meanwhile_ends_the_login(self, client: Client, phone: pyotp.TOTP, world: World):
        password(client)
        world.own.set_password(NEW)
        world.own.save()
        assert client.post(reverse("login-code"), {"code": phone.now()})["Location"] == reverse("login")

    def test_half_a_login_does_not_wait_for_ever(self, client: Client, phone: pyotp.TOTP, world: World):
        password(client)
        session = client.session
        session[PENDING_LOGIN_KEY] |= {"until": 0}
        session.save()
        assert client.post(reverse("login-code"), {"code": phone.now()})["Location"] == reverse("login")

    def test_the_api_asks_for_it_too(self, phone: pyotp.TOTP, world: World):
        body = {"username": "own", "password": "password"}
        refused = APIClient().post("/api/v1/token/", body, format="json")
        assert refused.status_code == 401
        assert "code" in refused.json()["detail"]
        assert APIClient().post("/api/v1/token/", body | {"code": "123"}, format="json").status_code == 400
        assert APIClient().post("/api/v1/token/", body | {"code": phone.now()}, format="json").status_code == 200

    def test_it_is_switched_off_with_a_code(self, own: Client, phone: pyotp.TOTP, world: World):
        assert own.post(reverse("two-factor"), {"code": "000000"}).status_code == 400
        assert TwoFactorDevice.objects.exists()
        assert own.post(reverse("two-factor"), {"code": phone.now()}).status_code == 302
        assert not TwoFactorDevice.objects.exists()


class TestRecoveryCodes:
    @pytest.fixture
    def codes(self, own: Client, world: World, phone: pyotp.TOTP) -> list[str]:
        world.own.email = "own@example.org"
        world.own.save()
        answer = own.post(reverse("recovery-codes"), {"code": phone.now()})
        assert answer.status_code == 201
        assert "no-store" in answer["Cache-Control"]
        TwoFactorDevice.objects.update(last_time_step=0)
        return re.findall(r"\d{5} \d{5} \d{5} \d{5}", answer.content.decode())

    def test_who_sets_up_the_two_factor_is_given_them_once(self, own: Client, world: World):
        secret = own.get(reverse("two-factor")).context["secret"]
        page = own.post(reverse("two-factor"), {"code": pyotp.TOTP(secret).now()})
        assert len(set(page.context["codes"])) == 10
        assert not RecoveryCode.objects.filter(digest__in=page.context["codes"]).exists()
        assert page.context["codes"][0] not in own.get(reverse("recovery-codes")).content.decode()
        assert "10 recovery codes are left" in own.get(reverse("account")).content.decode()

    def test_one_opens_once_and_the_person_is_told(self, codes: list[str], world: World):
        for code, opens in ((codes[0], True), (codes[0], False), (codes[1].replace(" ", "-"), True)):
            browser = Client()
            password(browser)
            browser.post(reverse("login-code"), {"code": code})
            assert (browser.get("/").status_code == 200) is opens
        assert RecoveryCode.objects.count() == 8
        first, second = Delivery.objects.filter(subject__contains="was used").order_by("created_at")
        assert first.to == second.to == "own@example.org"
        assert ("9 recovery codes are left" in first.body, "8 recovery codes are left" in second.body) == (True, True)
        assert codes[0] not in first.body

    def test_a_new_set_replaces_the_one_before(self, own: Client, codes: list[str], phone: pyotp.TOTP):
        page = own.post(reverse("recovery-codes"), {"code": codes[0]})  # the phone may be gone
        assert page.status_code == 201
        browser = Client()
        password(browser)
        assert "wrong or was used" in browser.post(reverse("login-code"), {"code": codes[1]}).content.decode()
        browser.post(reverse("login-code"), {"code": page.context["codes"][0]})
        assert browser.get("/").status_code == 200
        assert Delivery.objects.filter(subject__contains="new recovery codes").count() == 2

    def test_a_new_set_wants_a_code_and_a_two_factor(self, own: Client, codes: list[str], world: World):
        assert own.post(reverse("recovery-codes"), {"code": "000000"}).status_code == 400
        assert RecoveryCode.objects.count() == 10
        assert own.post(reverse("two-factor"), {"code": codes[0]}).status_code == 302
        assert not RecoveryCode.objects.exists(), "they end with the second step"
        assert own.post(reverse("recovery-codes"), {"code": codes[1]})["Location"] == reverse("two-factor")

    def test_they_are_good_for_a_token_and_for_nobody_else(self, codes: list[str], world: World):
        other = generate_two_factor_secret()
        enable_two_factor(user=world.other, secret=other, code=pyotp.TOTP(other).now())
        body = {"username": "other", "password": "password", "code": codes[0]}
        assert APIClient().post("/api/v1/token/", body, format="json").status_code == 400
        assert APIClient().post("/api/v1/token/", body | {"username": "own"}, format="json").status_code == 200

    def test_they_cannot_be_tried_out(self, codes: list[str], world: World):
        browser = Client()
        for n in range(MAX_ATTEMPTS):
            password(browser)
            browser.post(reverse("login-code"), {"code": f"{n:020}"})
        assert "Too many wrong codes" in browser.post(reverse("login-code"), {"code": codes[0]}).content.decode()
        assert RecoveryCode.objects.count() == 10


def deliver_all() -> None:
    """What the worker does."""
    for pk in Delivery.objects.filter(state="queued").values_list("pk", flat=True):
        row = jobs.DELIVER.claim(pk, owner="worker")
        assert row is not None
        deliver(delivery=row)


def link_of(message: mail.EmailMessage) -> str:
    found = re.search(r"https://rollcall\.example\.org(/password/reset/\S+)", str(message.body))
    assert found
    return found[1]


class TestForgottenPassword:
    @pytest.fixture(autouse=True)
    def address_of_the_pages(self, settings) -> None:
        settings.BASE_URL = "https://rollcall.example.org"

    def test_an_email_leads_to_a_new_password(self, client: Client, world: World):
        factories.user(username="zoe", email="Zoe@example.org")
        assert client.post(reverse("password-reset"), {"email": "zoe@example.org"})["Location"] == "/login/"
        deliver_all()
        link = link_of(mail.outbox[0])
        form = client.get(link, follow=True)
        assert form.status_code == 200
        where = form.redirect_chain[-1][0]
        assert client.post(where, {"new_password1": NEW, "new_password2": NEW})["Location"] == "/login/"
        assert client.get("/").status_code == 302, "the letter alone logs nobody in"
        assert Client().post(reverse("login"), {"username": "zoe", "password": NEW})["Location"] == "/"
        assert "no longer valid" in Client().get(link).content.decode()

    def test_who_has_no_account_is_treated_the_same(self, client: Client, world: World):
        factories.user(email="zoe@example.org")
        answers, queries = [], []
        for email in ("zoe@example.org", "no@example.org"):
            with CaptureQueriesContext(connection) as captured:
                answers.append(client.post(reverse("password-reset"), {"email": email}))
            queries.append([re.sub(r"'[^']*'|_x\d+", "", query["sql"]) for query in captured])
        assert answers[0]["Location"] == answers[1]["Location"]
        assert queries[0] == queries[1], "its time tells nothing either: the worker looks for the account"
        deliver_all()
        assert [message.to for message in mail.outbox] == [["zoe@example.org"]]
        unsent = Delivery.objects.get(state=Delivery.State.FAILED)
        assert (unsent.to, str(unsent.error)) == ("no@example.org", "No open account has this address.")

    def test_a_closed_account_gets_no_email(self, client: Client, db: None):
        factories.user(email="gone@example.org", is_active=False)
        client.post(reverse("password-reset"), {"email": "gone@example.org"})
        deliver_all()
        assert not mail.outbox

    def test_the_link_cannot_be_read_in_the_outbox(self, client: Client, world: World):
        factories.user(email="zoe@example.org")
        client.post(reverse("password-reset"), {"email": "zoe@example.org"})
        deliver_all()
        delivery = Delivery.objects.get()
        assert delivery.state == Delivery.State.SENT
        assert "password/reset" not in str(vars(delivery))

    def test_nobodys_mailbox_is_flooded(self, client: Client, settings, db: None):
        settings.TRUSTED_PROXIES = 1
        factories.user(email="zoe@example.org")
        for n in range(MAX_ATTEMPTS + 5):
            client.post(
                reverse("password-reset"), {"email": "zoe@example.org"}, headers={"X-Forwarded-For": f"192.0.2.{n}"}
            )
        deliver_all()
        assert len(mail.outbox) == MAX_ATTEMPTS

    def test_emails_cannot_be_asked_for_at_speed(self, client: Client, db: None):
        for n in range(MAX_ATTEMPTS):
            client.post(reverse("password-reset"), {"email": f"{n}@example.org"})
        assert "Wait 15 minutes" in client.post(reverse("password-reset"), {"email": "x@example.org"}).content.decode()

    @pytest.mark.parametrize("host", ["testserver:8443", "testserver:1@evil.example"])
    def test_the_link_is_to_our_own_address_whatever_the_request_says(self, client: Client, db: None, host: str):
        factories.user(email="zoe@example.org")
        client.post(reverse("password-reset"), {"email": "zoe@example.org"}, headers={"Host": host})
        deliver_all()
        assert all("https://rollcall.example.org/password/reset/" in message.body for message in mail.outbox)
        assert not any(host in message.body for message in mail.outbox)

    def test_without_an_address_of_our_own_it_is_said(self, client: Client, settings, db: None):
        settings.BASE_URL = ""
        page = client.post(reverse("password-reset"), {"email": "zoe@example.org"}).content.decode()
        assert "Ask a registrar" in page
        assert not Delivery.objects.exists()


def change_on_the_page(world: World) -> None:
    client = Client()
    client.force_login(world.own)
    client.post(reverse("password"), {"old_password": "password", "new_password1": NEW, "new_password2": NEW})


def change_in_the_admin(world: World) -> None:
    client = Client()
    client.force_login(world.registrar)
    client.post(reverse("admin:auth_user_password_change", args=[world.own.pk]), {"password1": NEW, "password2": NEW})


def change_by_a_link(world: World) -> None:
    uid = urlsafe_base64_encode(str(world.own.pk).encode())
    client = Client()
    address = reverse("password-reset-confirm", args=[uid, default_token_generator.make_token(world.own)])
    client.post(client.get(address)["Location"], {"new_password1": NEW, "new_password2": NEW})


def change_in_a_program(world: World) -> None:
    world.own.set_password(NEW)
    world.own.save()


class TestNewPassword:
    @pytest.mark.parametrize("change", [change_on_the_page, change_in_the_admin, change_by_a_link, change_in_a_program])
    def test_it_ends_all_that_the_one_before_opened(self, own: Client, world: World, change: Callable[[World], None]):
        _, secret = make_token(world.own)
        _, another = make_token(world.other)
        feed = reverse("calendar", args=[calendar_link_token(renew_calendar_link(user=world.own, course=None))])
        assert Client().get(feed).status_code == 200
        change(world)
        assert User.objects.get(pk=world.own.pk).check_password(NEW)
        assert with_token(secret).get("/api/v1/courses/").status_code == 401
        assert Client().get(feed).status_code == 404
        assert own.get("/").status_code == 302
        assert with_token(another).get("/api/v1/courses/").status_code == 200

    def test_a_login_that_hashes_the_password_anew_ends_nothing(self, client: Client, world: World, settings):
        _, secret = make_token(world.own)
        settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.PBKDF2PasswordHasher", *settings.PASSWORD_HASHERS]
        password(client)
        assert User.objects.get(pk=world.own.pk).password.startswith("pbkdf2")
        assert with_token(secret).get("/api/v1/courses/").status_code == 200


class TestSession:
    def test_a_login_ends(self, own: Client, world: World):
        assert own.get("/").status_code == 200
        session: Any = own.session
        assert session.get_expire_at_browser_close()
        row = session.model.objects.get(session_key=session.session_key)
        assert row.expire_date - timezone.now() <= timedelta(hours=12)
        row.expire_date = timezone.now() - timedelta(seconds=1)
        row.save()
        assert own.get("/").status_code == 302

    def test_a_new_password_logs_out_everywhere_else(self, own: Client, world: World):
        elsewhere = Client()
        elsewhere.force_login(world.own)
        own.post(reverse("password"), {"old_password": "password", "new_password1": NEW, "new_password2": NEW})
        assert own.get("/").status_code == 200
        assert elsewhere.get("/").status_code == 302


class TestAuditor:
    """Reads everything and the log, and changes nothing: by page, API or admin."""

    @pytest.fixture
    def auditor(self, client: Client, world: World) -> Client:
        who = factories.person(Role.AUDITOR, username="auditor")
        world.course.lecturers.add(who)  # also where somebody made him or her a lecturer
        client.force_login(who)
        return client

    def test_reads_all_classes_and_the_log(self, auditor: Client, world: World):
        page = auditor.get("/").content.decode()
        assert "CS101" in page
        assert "MA202" in page
        assert auditor.get(reverse("record", args=[world.record.pk])).status_code == 200
        assert auditor.get("/admin/attendance/attendancechange/").status_code == 200

    def test_changes_nothing(self, auditor: Client, world: World):
        refused = auditor.post(reverse("record", args=[world.record.pk]), {"status": "excused", "reason": "bus"})
        assert refused.status_code == 403
        assert "change nothing" in refused.content.decode()
        _, secret = make_token(User.objects.get(username="auditor"))
        assert (
            with_token(secret)
            .patch(f"/api/v1/attendance/{world.record.pk}/", {"status": "excused"}, format="json")
            .status_code
            == 403
        )
        assert auditor.post("/admin/academics/course/add/", {"code": "X", "name": "X"}).status_code == 403
        world.record.refresh_from_db()
        assert world.record.override_status == ""

    def test_sees_no_form_that_would_be_refused(self, auditor: Client, world: World):
        for path in ("/", reverse("course", args=[world.course.pk]), reverse("lecture", args=[world.lecture.pk])):
            page = auditor.get(path).content.decode()
            assert "New lecture" not in page
            assert "Move or cancel" not in page
            assert 'enctype="multipart/form-data"' not in page

    def test_keeps_the_own_account(self, auditor: Client, world: World):
        new = {"old_password": "password", "new_password1": NEW, "new_password2": NEW}
        assert auditor.post(reverse("password"), new).status_code == 302
        assert auditor.post(reverse("token-create"), {"name": "x", "scope": "read", "days": 30}).status_code == 201
        assert auditor.post(reverse("logout")).status_code == 302
