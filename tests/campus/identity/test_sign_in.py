"""Who gets in by a provider's word, as whom, and with what."""

from datetime import timedelta

import pyotp
import pytest
from django.contrib.auth.models import User
from django.http import HttpRequest
from django.test import Client, RequestFactory
from django.urls import reverse
from django.utils import timezone

from campus.accounts.invitations import invite
from campus.accounts.models import AccountEvent, Invitation, LoginSession
from campus.accounts.roles import Role, assigned_role
from campus.accounts.services import enable_two_factor, set_role
from campus.accounts.session_store import SessionStore
from campus.attendance.student_merge import merge_students
from campus.audit.models import Action, AuditEntry
from campus.identity.models import AccessRule, ExternalIdentity, IdentityProvider
from campus.identity.sign_in import Assertion, SignInError, admit, decide, end_sessions, sign_in
from tests.campus import factories
from tests.campus.conftest import World

Matching = IdentityProvider.Matching
ISSUER = "https://id.example.edu"


@pytest.fixture
def provider(db: None) -> IdentityProvider:
    return IdentityProvider.objects.create(slug="sso", name="University", active=True, settings={"issuer": ISSUER})


def says(subject: str = "s-1", **claims: str | list[str]) -> Assertion:
    lists = {name: [value] if isinstance(value, str) else value for name, value in claims.items()}
    return Assertion(issuer=ISSUER, subject=subject, claims=lists)


def browser() -> HttpRequest:
    request = RequestFactory().get("/")
    request.session = SessionStore()
    return request


def test_the_subject_counts_and_not_the_address(provider: IdentityProvider, world: World):
    """Whoever has the e-mail address of somebody is not that person."""
    User.objects.filter(pk=world.own.pk).update(email="own@example.edu")
    with pytest.raises(SignInError, match="Nobody here fits"):
        admit(provider, says(email="own@example.edu", email_verified="true"))
    provider.matching = Matching.VERIFIED_EMAIL
    with pytest.raises(SignInError, match="email_verified"):
        admit(provider, says(email="own@example.edu"))
    assert admit(provider, says(email="OWN@example.edu", email_verified="true")) == world.own
    with pytest.raises(SignInError, match="linked to another subject"):  # the address has gone to somebody else
        admit(provider, says("s-2", email="own@example.edu", email_verified="true"))
    assert admit(provider, says(email="new@example.edu")) == world.own, "the subject stays the same person"
    event = AccountEvent.objects.get(user=world.own, kind=AccountEvent.Kind.IDENTITY_LINKED)
    assert event.about == "University"
    assert AuditEntry.objects.filter(action=Action.CHANGED_ACCOUNT, about__contains="identity-linked").exists()


def test_nobody_becomes_a_superuser_by_a_claim(provider: IdentityProvider, world: World):
    User.objects.create_superuser("root", "root@example.edu", "password")
    for matching in (Matching.VERIFIED_EMAIL, Matching.USER_NAME):
        provider.matching = matching
        with pytest.raises(SignInError):
            admit(provider, says(email="root@example.edu", email_verified="true", preferred_username="root"))


def test_rules_give_and_take_roles_and_classes(provider: IdentityProvider, world: World):
    provider.matching = Matching.USER_NAME
    own = world.foreign.course
    by_hand = world.course  # `own` teaches it already
    provider.access_rules.create(claim="groups", value="registry", role=Role.REGISTRAR, order=1)
    provider.access_rules.create(claim="groups", value="everybody", role=Role.LECTURER, order=2)
    provider.access_rules.create(claim="groups", value="maths", course=own, order=3)
    provider.access_rules.create(claim="groups", value="teaches-{code}", order=4)
    groups = ["everybody", "registry", "maths", f"teaches-{by_hand.code}", "teaches-nothing-known"]
    user = admit(provider, says(preferred_username="own", groups=groups))
    assert user == world.own
    assert assigned_role(User.objects.get(pk=user.pk)) == Role.REGISTRAR
    assert set(user.courses.all()) == {own, by_hand}
    admit(provider, says(groups=["everybody"]))
    assert assigned_role(User.objects.get(pk=user.pk)) == Role.LECTURER
    assert set(user.courses.all()) == {by_hand}, "what a registrar gave stays"


def test_the_last_administrator_stays_one(provider: IdentityProvider, world: World):
    User.objects.filter(is_superuser=True).delete()
    set_role(user=world.own, role=Role.ADMINISTRATOR)
    provider.matching = Matching.USER_NAME
    provider.access_rules.create(value="it", role=Role.ADMINISTRATOR)
    admit(provider, says(preferred_username="own", groups=[]))
    assert assigned_role(User.objects.get(pk=world.own.pk)) == Role.ADMINISTRATOR
    assert AuditEntry.objects.filter(about__startswith="last administrator kept").exists()


def test_an_account_is_made_only_where_a_rule_gives_something(provider: IdentityProvider, world: World):
    provider.creates_accounts = True
    provider.access_rules.create(value="staff", role=Role.LECTURER)
    with pytest.raises(SignInError):
        admit(provider, says(preferred_username="own", groups=["guests"]))
    user = admit(provider, says(preferred_username="own", given_name="Ada", family_name="Byron", groups=["staff"]))
    assert (user.username, user.get_full_name(), user.has_usable_password()) == ("own2", "Ada Byron", False)
    assert user.external_identities.get().linked_by_rule == ExternalIdentity.Rule.NEW_ACCOUNT
    provider.access_rules.create(value="staff-2", role=Role.LECTURER)
    User.objects.filter(pk=world.own.pk).update(email="own@example.edu")
    with pytest.raises(SignInError, match="already an account"):
        admit(provider, says("s-9", email="own@example.edu", groups=["staff"]))


def test_students_and_staff_each_by_their_own(provider: IdentityProvider, world: World):
    provider.for_staff, provider.for_students, provider.student_number_claim = False, True, "matriculation"
    with pytest.raises(SignInError, match="“matriculation” with the student number is missing"):
        admit(provider, says(email="x@example.edu"))
    with pytest.raises(SignInError, match="No student has the number"):
        admit(provider, says(matriculation="nobody"))
    assert admit(provider, says(matriculation=world.student.number)) == world.student
    assert admit(provider, says()) == world.student
    provider.for_staff, provider.for_students = True, False
    with pytest.raises(SignInError, match="is a student"):
        admit(provider, says())


def test_whoever_was_two_students_signs_in_as_the_one(provider: IdentityProvider, world: World):
    provider.for_staff, provider.for_students = False, True
    duplicate = factories.student()
    assert admit(provider, says(duplicate.number)) == duplicate
    merge_students(duplicate=duplicate, student=world.student, user=world.registrar)
    assert admit(provider, says(duplicate.number)) == world.student


def test_a_closed_account_stays_closed_and_an_invited_one_opens(provider: IdentityProvider, world: World):
    provider.matching = Matching.USER_NAME
    User.objects.filter(pk=world.own.pk).update(is_active=False)
    with pytest.raises(SignInError, match="deactivated"):
        admit(provider, says(preferred_username="own"))
    invited = invite(first_name="Ada", last_name="B", email="ada@example.edu", role=Role.LECTURER, by=world.registrar)
    assert admit(provider, says("s-2", preferred_username=invited.user.username)).is_active
    assert not Invitation.objects.exists()


def test_a_decision_changes_nothing(provider: IdentityProvider, world: World):
    provider.matching = Matching.USER_NAME
    AccessRule.objects.create(provider=provider, value="registry", role=Role.REGISTRAR)
    decision = decide(provider, says(preferred_username="own", groups=["registry"]))
    assert (decision.user, decision.access.role) == (world.own, Role.REGISTRAR)
    assert not ExternalIdentity.objects.exists()
    assert assigned_role(User.objects.get(pk=world.own.pk)) == Role.LECTURER


def test_the_code_is_asked_for_unless_the_provider_has_seen_a_second_factor(provider: IdentityProvider, world: World):
    provider.matching = Matching.USER_NAME
    secret = pyotp.random_base32()
    enable_two_factor(user=world.own, secret=secret, code=pyotp.TOTP(secret).now())
    request = browser()
    assert sign_in(request, provider, says(preferred_username="own"))["Location"] == reverse("login-code")
    assert "_auth_user_id" not in request.session
    provider.second_factor_values = ["mfa"]
    seen = Assertion(issuer=ISSUER, subject="s-1", authentication=["pwd", "mfa"])
    assert sign_in(request, provider, seen, "/classes/")["Location"] == "/classes/"
    assert request.session["_auth_user_id"] == str(world.own.pk)
    assert sign_in(request, provider, seen, "https://evil.example/")["Location"] == "/"


def test_the_provider_ends_sessions(provider: IdentityProvider, world: World):
    provider.matching = Matching.USER_NAME
    until = timezone.now() + timedelta(minutes=7)
    for session_id in ("first", "second"):
        assertion = Assertion(
            issuer=ISSUER,
            subject="s-1",
            claims={"preferred_username": ["own"]},
            session_id=session_id,
            session_until=until,
        )
        request = browser()
        sign_in(request, provider, assertion)
        request.session.save()
    rows = LoginSession.objects.filter(provider=provider.pk)
    assert {row.external_session for row in rows} == {"first", "second"}
    assert all(row.expire_date <= until for row in rows)
    assert end_sessions(provider) == 0
    assert end_sessions(provider, session_id="first") == 1
    assert end_sessions(provider, subject="somebody else") == 0
    assert end_sessions(provider, subject="s-1") == 1
    assert not rows.all().exists()


def test_a_password_session_is_not_a_providers(client: Client, world: World):
    client.force_login(world.own)
    assert LoginSession.objects.get(user=world.own).provider is None
