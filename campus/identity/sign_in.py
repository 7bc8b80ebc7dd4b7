"""The only way in for those who sign in elsewhere: OpenID Connect, SAML, LDAP and launches from an LMS.

What has checked the provider's word makes an `Assertion` of it; `sign_in` finds whose account it is, or whose student's
page, applies the provider's rules, and opens a session. Claims have the names of OpenID Connect, whatever the kind:
`given_name`, `family_name`, `name`, `email`, `email_verified` ("true"), `preferred_username`.
"""

import json
import re
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

from django.conf import settings
from django.contrib.auth.models import Group, User
from django.db import IntegrityError, transaction
from django.http import HttpRequest, HttpResponseRedirect
from django.shortcuts import redirect
from django.utils import timezone
from django.utils.http import url_has_allowed_host_and_scheme

from campus.academics.models import Student
from campus.accounts.history import record_event as record_account_event
from campus.accounts.invitations import accept_invitation, email_in_use, free_username
from campus.accounts.models import AccountEvent, LoginSession
from campus.accounts.recent_login import CONFIRMED_KEY, RECENT_SECONDS
from campus.accounts.roles import Role, assigned_role
from campus.accounts.selectors import has_two_factor
from campus.accounts.services import set_role
from campus.accounts.session_store import LOGIN_KEY, UNTIL_KEY
from campus.accounts.signin import ExternalLogin, start_pending_login, start_session
from campus.audit.models import Action
from campus.audit.services import record_event
from campus.common.errors import UserError
from campus.consent.links import extend_student_link
from campus.identity.access_rules import Access, access_by
from campus.identity.models import MAX_SUBJECT_LENGTH, ExternalIdentity, IdentityProvider, load_claims

STUDENT_KEY: Final = "signed-in-student"  # in a session that opens the page of this student and nothing else
OWN_PAGE: Final = "own"  # what stands in the place of the link's secret in the address of that page
MAX_CLAIMS_LENGTH: Final = 20_000
Rule = ExternalIdentity.Rule


class SignInError(UserError):
    """A sign-in that is refused. The message is for administrators; the person reads a code."""


@dataclass(frozen=True, kw_only=True)
class Assertion:
    """What a provider says of somebody who has just signed in there, checked.

    `authentication`: the values of acr and amr; `session_id`: the session there, by which a logout names it;
    `authenticated_at`: when the person gave the password, if the provider says so; `session_until`: when the session
    has to end; `kept`: what the session keeps for its logout.
    """

    issuer: str
    subject: str
    claims: dict[str, list[str]] = field(default_factory=dict)
    authentication: list[str] = field(default_factory=list)
    session_id: str = ""
    authenticated_at: datetime | None = None
    session_until: datetime | None = None
    kept: dict[str, str] = field(default_factory=dict)

    def claim(self, name: str) -> str:
        """The claim's first value; "" where it is missing."""
        return next(iter(self.claims.get(name, [])), "")


@dataclass(frozen=True, kw_only=True)
class Decision:
    """Who signs in, and what the person gets. Neither user nor student: a new account is made."""

    identity: ExternalIdentity | None
    user: User | None
    student: Student | None
    rule: str
    access: Access


def sign_in(
    request: HttpRequest, provider: IdentityProvider, assertion: Assertion, next_: str = ""
) -> HttpResponseRedirect:
    """Open a session for the person, or ask for the code of the second step first. Raises SignInError."""
    person = admit(provider, assertion)
    external = ExternalLogin(
        details={
            "provider": str(provider.pk),
            "external_subject": assertion.subject,
            "external_session": assertion.session_id[:255],
        },
        values={
            **assertion.kept,
            **({UNTIL_KEY: assertion.session_until.isoformat()} if assertion.session_until else {}),
        },
    )
    if isinstance(person, Student):
        _start_student_session(request, person, external)
        return redirect("my-data", key=OWN_PAGE)
    next_ = _own_address(request, next_)
    backend = settings.AUTHENTICATION_BACKENDS[0]
    if has_two_factor(person) and not set(provider.second_factor_values) & set(assertion.authentication):
        person.backend = backend
        start_pending_login(request, person, next_, external)
        return redirect("login-code")
    start_session(request, person, backend, external)
    if assertion.authenticated_at:
        request.session[CONFIRMED_KEY] = assertion.authenticated_at.timestamp()
    return redirect(next_ or settings.LOGIN_REDIRECT_URL)


def confirm_sign_in(request: HttpRequest, assertion: Assertion, next_: str) -> HttpResponseRedirect:
    """Note that whoever is signed in here has just given the password there. Raises SignInError where it was somebody
    else, or a while ago.
    """
    known = ExternalIdentity.objects.filter(
        issuer=assertion.issuer, subject=assertion.subject, user=request.user.pk
    ).exists()
    if not known:
        raise SignInError("“{subject}” is not who is signed in here.", subject=assertion.subject)
    at = assertion.authenticated_at
    if at is None or abs(timezone.now() - at) > timedelta(seconds=RECENT_SECONDS):
        raise SignInError(
            "The provider did not ask for the password again. Expected: “auth_time” of the last {n} minutes. "
            "Received: {received}.",
            n=RECENT_SECONDS // 60,
            received=at or "-",
        )
    request.session.cycle_key()  # a copy of the session is not confirmed with it
    request.session[CONFIRMED_KEY] = at.timestamp()
    return redirect(_own_address(request, next_) or "account")


def _own_address(request: HttpRequest, next_: str) -> str:
    """Where the person wanted to go; "" where that is not here."""
    is_own = url_has_allowed_host_and_scheme(next_, {request.get_host()}, require_https=request.is_secure())
    return next_ if is_own else ""


def signed_in_student(request: HttpRequest) -> Student | None:
    """The student whose session this is."""
    key = request.session.get(STUDENT_KEY)
    return Student.objects.filter(pk=key, erased_at=None, guest=False).first() if key else None


def end_sessions(provider: IdentityProvider, *, subject: str = "", session_id: str = "") -> int:
    """End the sessions that began with this session at the provider, or all of this person; returns how many."""
    sessions = LoginSession.objects.filter(provider=provider.pk)
    if session_id:
        sessions = sessions.filter(external_session=session_id)
    if subject:
        sessions = sessions.filter(external_subject=subject)
    if not (session_id or subject):
        return 0
    users = set(User.objects.filter(sessions__in=sessions))
    ended = sessions.delete()[0]
    for user in users:
        record_account_event(user=user, kind=AccountEvent.Kind.SESSIONS_ENDED, about=provider.name)
    return ended


def decide(provider: IdentityProvider, assertion: Assertion) -> Decision:
    """Who this is, and what the rules give; changes nothing. Raises SignInError, which says what is missing."""
    if not assertion.subject or len(assertion.subject) > MAX_SUBJECT_LENGTH:
        raise SignInError(
            "The subject has {n} characters. Expected: 1 to {most}.", n=len(assertion.subject), most=MAX_SUBJECT_LENGTH
        )
    rules = list(provider.access_rules.select_related("course"))
    access = access_by(rules, assertion.claims)
    identity = (
        ExternalIdentity.objects.select_related("user", "student")
        .filter(issuer=assertion.issuer, subject=assertion.subject)
        .first()
    )
    user, student, rule = (identity.user, identity.student, "") if identity else _match(provider, assertion, access)
    if user:
        access = access_by(rules, _with_provisioned_groups(provider, user, assertion.claims))
    if user and not provider.for_staff:
        raise SignInError("“{subject}” is staff, and this sign-in is for students.", subject=assertion.subject)
    if student and not provider.for_students:
        raise SignInError("“{subject}” is a student, and this sign-in is for staff.", subject=assertion.subject)
    if user and not user.is_active and not hasattr(user, "invitation"):
        raise SignInError("The account “{user}” is deactivated.", user=user.get_username())
    if student and (student.erased_at or student.guest):
        raise SignInError("The student of “{subject}” is erased or a guest.", subject=assertion.subject)
    return Decision(identity=identity, user=user, student=student, rule=rule, access=access)


def admit(provider: IdentityProvider, assertion: Assertion) -> User | Student:
    """Link, make and change what `decide` has found. Raises SignInError."""
    try:
        return _admit(provider, assertion)
    except IntegrityError:  # the same person signs in twice at once: now the identity is there
        return _admit(provider, assertion)


@transaction.atomic
def _admit(provider: IdentityProvider, assertion: Assertion) -> User | Student:
    Group.objects.select_for_update().get_or_create(name=Role.LECTURER)  # no two new accounts get the same user name
    decision = decide(provider, assertion)
    user, student = decision.user, decision.student
    if user is None and student is None:
        user = _new_account(assertion)
    if user and not user.is_active:
        user = accept_invitation(invitation=user.invitation, password=None)
    identity = decision.identity or ExternalIdentity(
        provider=provider,
        issuer=assertion.issuer,
        subject=assertion.subject,
        user=user,
        student=student,
        linked_by_rule=decision.rule,
    )
    is_new = identity._state.adding
    identity.last_sign_in_at = timezone.now()
    identity.claims = dump_claims(assertion)
    identity.save()
    if user:
        if is_new:
            record_account_event(user=user, kind=AccountEvent.Kind.IDENTITY_LINKED, about=provider.name)
        _apply(identity, user, decision.access)
        return user
    assert student is not None  # noqa: S101 - as the constraint of the identity says
    if is_new:
        record_event(None, Action.CHANGED_STUDENT, student=student.pk, about=f"signs in by {provider.slug}")
    extend_student_link(student=student)
    return student


def dump_claims(assertion: Assertion) -> str:
    """The claims as they are stored, for trying rules later; nothing where they are very long."""
    text = json.dumps(
        {"issuer": assertion.issuer, "sub": assertion.subject, "claims": assertion.claims}, ensure_ascii=False
    )
    return text if len(text) <= MAX_CLAIMS_LENGTH else ""


def _match(provider: IdentityProvider, assertion: Assertion, access: Access) -> tuple[User | None, Student | None, str]:
    """Who signs in for the first time. Raises SignInError where that is nobody, or not sure."""
    user, rule = _matching_user(provider, assertion) if provider.for_staff else (None, "")
    if user:
        if ExternalIdentity.objects.filter(provider=provider, user=user).exists():
            raise SignInError(
                "“{subject}” fits the account “{user}”, which is linked to another subject of this sign-in. An address "
                "or a user name may have gone to another person. Link them by hand if they are the same.",
                subject=assertion.subject,
                user=user.get_username(),
            )
        return user, None, rule
    number = ""
    if provider.for_students:
        claim = provider.student_number_claim
        number = _without_urn(assertion.claim(claim) if claim else assertion.subject)
        student = Student.objects.filter(number_key=number, guest=False, erased_at=None).first() if number else None
        if student:
            return None, student, Rule.STUDENT_NUMBER
    if provider.for_staff and provider.creates_accounts and access.rules:
        return None, None, Rule.NEW_ACCOUNT
    raise _nobody(provider, assertion, number)


def _without_urn(number: str) -> str:
    """The number at the end of a code of federations: urn:schac:personalUniqueCode:de:example.edu:Matrikelnummer:7."""
    return number.rpartition(":")[2] if number.casefold().startswith("urn:schac:personaluniquecode:") else number


def _nobody(provider: IdentityProvider, assertion: Assertion, number: str) -> SignInError:
    """Why nobody fits: which claim was looked at, what was expected, and what was received."""
    received = ", ".join(sorted(assertion.claims)) or "-"
    if provider.for_students and provider.student_number_claim and not number and not provider.for_staff:
        return SignInError(
            "The claim “{claim}” with the student number is missing. Received: {received}.",
            claim=provider.student_number_claim,
            received=received,
        )
    if provider.for_students and not provider.for_staff:
        return SignInError("No student has the number “{number}”.", number=number)
    matching = IdentityProvider.Matching
    if provider.matching == matching.VERIFIED_EMAIL and not assertion.claim("email"):
        return SignInError("The claim “{claim}” is missing. Received: {received}.", claim="email", received=received)
    if provider.matching == matching.VERIFIED_EMAIL and assertion.claim("email_verified") != "true":
        return SignInError(
            "The claim “email_verified” is not “true”. Expected, to find the account by its address: true. "
            "Received: “{received}”.",
            received=assertion.claim("email_verified") or "-",
        )
    claim = "email" if provider.matching == matching.VERIFIED_EMAIL else provider.match_claim or "preferred_username"
    if provider.matching == matching.USER_NAME and not assertion.claim(claim):
        return SignInError("The claim “{claim}” is missing. Received: {received}.", claim=claim, received=received)
    return SignInError(
        "Nobody here fits “{subject}” (“{claim}”: “{value}”), and no rule makes an account: invite the person, link "
        "the subject by hand, or write a rule. Received: {received}.",
        subject=assertion.subject,
        claim=claim,
        value=assertion.claim(claim) or "-",
        received=received,
    )


def _with_provisioned_groups(
    provider: IdentityProvider, user: User, claims: dict[str, list[str]]
) -> dict[str, list[str]]:
    """The claims, with the names of the groups into which the provider has put the account by SCIM."""
    groups = provider.provisioned_groups.filter(members__user=user).values_list("display_name", flat=True)
    return {**claims, "groups": [*claims.get("groups", []), *groups]} if groups else claims


def reapply(identity: ExternalIdentity) -> None:
    """Give and take what the rules say now, by what was said at the last sign-in and the provider's groups of today."""
    if identity.user:
        claims = load_claims(identity.claims).get("claims", {})
        rules = identity.provider.access_rules.select_related("course")
        _apply(
            identity,
            identity.user,
            access_by(rules, _with_provisioned_groups(identity.provider, identity.user, claims)),
        )


def _matching_user(provider: IdentityProvider, assertion: Assertion) -> tuple[User | None, str]:
    """Superusers are linked by hand alone: what a provider says does not make anybody one."""
    provisioned = provider.provisioned_users.filter(external_id=assertion.subject).select_related("user")
    if row := provisioned.first():
        return row.user, Rule.PROVISIONED
    users = User.objects.filter(is_superuser=False)
    email = assertion.claim("email")
    if provider.matching == IdentityProvider.Matching.VERIFIED_EMAIL:
        is_verified = email and assertion.claim("email_verified") == "true"
        found = list(users.filter(email__iexact=email)[:2]) if is_verified else []
        return (found[0] if len(found) == 1 else None), Rule.VERIFIED_EMAIL
    if provider.matching == IdentityProvider.Matching.USER_NAME:
        name = assertion.claim(provider.match_claim or "preferred_username")
        if row := provider.provisioned_users.filter(user_name_key=name.casefold()).select_related("user").first():
            return row.user, Rule.PROVISIONED
        return (users.filter(username=name).first() if name else None), Rule.USER_NAME
    return None, ""


def _new_account(assertion: Assertion) -> User:
    email = assertion.claim("email")[:254]
    if email and email_in_use(email):
        raise SignInError(
            "There is already an account with the address {email}. Link “{subject}” to it by hand.",
            email=email,
            subject=assertion.subject,
        )
    full_name = assertion.claim("name")
    first, last = assertion.claim("given_name"), assertion.claim("family_name")
    if not (first or last):
        first, _space, last = full_name.rpartition(" ")
    stem = re.sub(r"@.*", "", assertion.claim("preferred_username") or email or full_name)
    return User.objects.create_user(
        free_username(stem), email, None, first_name=first[:150], last_name=last[:150], is_active=True
    )


def _apply(identity: ExternalIdentity, user: User, access: Access) -> None:
    """Give the role and the classes, and take away what rules gave before. The last administrator stays one."""
    if access.role and not user.is_superuser and access.role != assigned_role(user):
        try:
            set_role(user=user, role=access.role)
        except UserError:
            record_event(None, Action.CHANGED_ACCOUNT, about=f"last administrator kept, account {user.pk}")
    granted, due = set(identity.granted_courses.all()), set(access.courses)
    teaches = set(user.courses.filter(pk__in=[course.pk for course in due]))
    for course in (granted - due) | (due - teaches):
        (course.lecturers.add if course in due else course.lecturers.remove)(user)
        verb = "given to" if course in due else "taken from"
        record_event(None, Action.CHANGED_CLASS, course=course.pk, about=f"{verb} account {user.pk} by a sign-in rule")
    # A class that the person taught before any rule gave it is not taken away by one.
    identity.granted_courses.set((granted & due) | (due - teaches))


def _start_student_session(request: HttpRequest, student: Student, external: ExternalLogin) -> None:
    request.session.flush()
    values: dict[str, Any] = {STUDENT_KEY: student.pk, LOGIN_KEY: external.details, **external.values}
    request.session.update(values)
