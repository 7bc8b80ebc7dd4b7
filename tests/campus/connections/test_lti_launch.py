"""Launches from a platform: who comes, where that leads, and what is refused."""

import time
from collections.abc import Iterator
from datetime import timedelta

import pytest
from django.core.cache import cache
from django.test import Client
from django.utils import timezone
from joserfc import jwt
from joserfc.jwk import KeySet, RSAKey

from campus.accounts.roles import Role
from campus.common.errors import UserError
from campus.connections.lti.course_links import link_course
from campus.connections.lti.keys import FIRST_USE, ROTATION, published_keys, sign
from campus.connections.models import Connection, ConnectionRun, CourseLink, RegistrationLink, RemotePerson, SigningKey
from campus.identity.models import AccessRule, ExternalIdentity, IdentityProvider
from tests.campus import factories
from tests.campus.connections.launches import authenticate, begin, form_fields, launch, query_of
from tests.campus.connections.platforms import connect, course_of, work_off
from tests.servers.lti_platform import CLAIM, Platform, lti_platform

pytestmark = pytest.mark.django_db
DEEP_LINKING = "https://purl.imsglobal.org/spec/lti-dl/claim/"


@pytest.fixture
def platform(settings) -> Iterator[Platform]:
    settings.CONNECTION_NETWORKS = ["127.0.0.0/8"]
    cache.clear()
    with lti_platform(Platform()) as served:
        served.add_member("grace", "Grace Hopper", "T1", role="Instructor", email="grace@example.org")
        yield served


@pytest.fixture
def connection(platform: Platform) -> Connection:
    """People of staff are found by their user name, which the platform sends as ID number."""
    connection = connect(platform)
    IdentityProvider.objects.update(matching="user-name", match_claim="lis_person_sourcedid")
    return connection


def decode(token: str) -> jwt.Token:
    """A token of ours, as a platform reads it."""
    return jwt.decode(token, KeySet.import_key_set(published_keys()))  # type: ignore[arg-type]


def sentence(response) -> str:
    assert response.status_code == 400
    return response.content.decode()


def test_an_instructor_says_which_class_it_is_and_the_roster_comes(platform: Platform, connection: Connection) -> None:
    own = factories.user(username="T1")
    course = course_of(platform, "Ada Lovelace")
    foreign = factories.course(code="MA 202")
    course.lecturers.set([own])
    client = Client()
    first = launch(client, platform, "grace")
    assert first.status_code == 302
    assert first.headers["Location"].startswith("/lti/class/?choice=")
    page = client.get(first.headers["Location"]).content.decode()
    assert "CS101" in page
    assert "MA 202" not in page
    choice = query_of(first.headers["Location"])["choice"]
    assert client.post("/lti/class/", {"choice": choice, "course": foreign.pk}).status_code == 404
    with pytest.raises(UserError, match="not yours"):
        link_course(user=own, connection=connection, context={"id": "course-7"}, course=foreign)
    assert client.post("/lti/class/", {"choice": choice, "course": course.pk}).status_code == 302
    row = CourseLink.objects.get()
    assert (row.course, row.remote_id, row.remote_name) == (course, "course-7", "CS 101 Programming")
    [run] = work_off()
    assert (run.task, run.state, run.counts["members"]) == ("roster", "done", 1)
    # From now on it leads to the class.
    assert launch(client, platform, "grace").headers["Location"] == f"/classes/{course.pk}/"
    identity = ExternalIdentity.objects.get()
    assert (identity.issuer, identity.subject, identity.user) == (platform.issuer, "grace", own)
    # What one has come for is nobody else's.
    other = Client()
    other.force_login(factories.user(username="other"))
    assert other.get(first.headers["Location"]).status_code == 403


def test_a_student_gets_to_the_own_page_and_to_nothing_else(platform: Platform, connection: Connection) -> None:
    course_of(platform, "Ada Lovelace", "Alan Turing")
    client = Client()
    response = launch(client, platform, "user-1")
    assert response.headers["Location"] == "/me/own/"
    assert client.get("/me/own/").status_code == 200
    assert client.get("/classes/").status_code == 302
    person = RemotePerson.objects.get()  # so that marks arrive also where the platform sends no roster
    assert (person.remote_id, person.student.name) == ("user-1", "Ada Lovelace")
    assert CourseLink.objects.count() == 0

    platform.add_member("nobody", "Eve", "9999")
    assert launch(Client(), platform, "nobody").status_code == 403


def test_roles_of_the_platform_give_what_the_rules_say(platform: Platform, connection: Connection) -> None:
    IdentityProvider.objects.update(matching="subject", creates_accounts=True)
    AccessRule.objects.create(provider=connection.sign_in, claim="roles", value="Instructor", role=Role.LECTURER)
    assert launch(Client(), platform, "grace").status_code == 302
    user = ExternalIdentity.objects.get().user
    assert (user.get_full_name(), user.email) == ("Grace Hopper", "grace@example.org")
    platform.add_member("guest", "Mallory", "X1", role="Mentor")
    assert launch(Client(), platform, "guest").status_code == 403


def test_a_lecture_is_chosen_and_linked_to(platform: Platform, connection: Connection) -> None:
    course = factories.course(lecturers=(factories.user(username="T1"),), code="CS101")
    lecture = factories.lecture(course, title="Loops")
    client = Client()
    first = launch(client, platform, "grace", deep=True)
    page = client.get(first.headers["Location"])
    assert "form-action 'self';" in page.headers["Content-Security-Policy"]
    choice = query_of(first.headers["Location"])["choice"]
    answer = client.post("/lti/content/", {"choice": choice, "content": f"lecture:{lecture.pk}"})
    # The form of this page alone may go elsewhere, and to the platform alone.
    assert f"form-action 'self' {platform.issuer};" in answer.headers["Content-Security-Policy"]
    assert f'action="{platform.issuer}/chosen"' in answer.content.decode()
    token = form_fields(answer.content.decode())["JWT"]
    claims = decode(token).claims
    assert (claims["iss"], claims["aud"]) == (platform.client_id, [platform.issuer])
    assert (claims[f"{CLAIM}message_type"], claims[f"{DEEP_LINKING}data"]) == ("LtiDeepLinkingResponse", "kept")
    [item] = claims[f"{DEEP_LINKING}content_items"]
    assert (item["type"], item["url"]) == ("ltiResourceLink", f"http://testserver/lectures/{lecture.pk}/")
    # And the link that was made leads there.
    assert launch(client, platform, "grace", target=item["url"]).headers["Location"] == f"/lectures/{lecture.pk}/"


def test_a_launch_counts_once_and_in_the_browser_that_began_it(platform: Platform, connection: Connection) -> None:
    factories.user(username="T1")
    client, other = Client(), Client()
    fields = authenticate(begin(client, platform, "grace"))
    assert "has not begun this launch" in sentence(other.post("/lti/launch/", fields))
    query = query_of(begin(client, platform, "grace").headers["Location"])
    token = platform.sign(platform.launch_claims("grace", query["nonce"], "http://testserver/lti/launch/"))
    other_state = query["state"][:-1] + ("A" if query["state"][-1] != "A" else "B")
    refused = client.post("/lti/launch/", {"state": other_state, "id_token": token})
    assert "has not begun this launch" in sentence(refused)
    begun = begin(client, platform, "grace")
    assert [cookie["samesite"] for cookie in begun.cookies.values()] == ["None"]
    cookies = {name: cookie.value for name, cookie in begun.cookies.items()}
    fields = authenticate(begun)
    assert client.post("/lti/launch/", fields).status_code == 302
    for name, value in cookies.items():
        client.cookies[name] = value
    assert "was used before" in sentence(client.post("/lti/launch/", fields))


@pytest.mark.parametrize(
    ("claims", "expected"),
    [
        ({"iss": "https://evil.example"}, "“iss”"),
        ({"aud": "another"}, "“aud”"),
        ({"aud": ["rollcall", "another"], "azp": "another"}, "“azp”"),
        ({"nonce": "another"}, "“nonce”"),
        ({"exp": time.time() - 300, "iat": time.time() - 600}, "Compare the clocks"),
        ({"iat": time.time() + 600, "exp": time.time() + 900}, "Compare the clocks"),
        ({"exp": "soon"}, "Compare the clocks"),
        ({"sub": ""}, "names nobody"),
        ({f"{CLAIM}version": "1.1"}, "“version”"),
        ({f"{CLAIM}message_type": "LtiSubmissionReviewRequest"}, "not answered"),
        ({f"{CLAIM}deployment_id": "2"}, "deployment ID “2”"),
    ],
)
def test_a_launch_that_is_not_right_is_refused_with_what_is_wrong(
    platform: Platform, connection: Connection, claims: dict, expected: str
) -> None:
    client = Client()
    begun = begin(client, platform, "grace")
    query = query_of(begun.headers["Location"])
    right = platform.launch_claims("grace", query["nonce"], "http://testserver/lti/launch/")
    token = platform.sign({**right, **claims})
    text = sentence(client.post("/lti/launch/", {"state": query["state"], "id_token": token}))
    assert expected in text
    assert ExternalIdentity.objects.count() == 0


def test_a_signature_has_to_be_the_platforms_whose_keys_may_change(platform: Platform, connection: Connection) -> None:
    factories.user(username="T1")
    for token in ("", "a.b.c", None):
        client = Client()
        query = query_of(begin(client, platform, "grace").headers["Location"])
        claims = platform.launch_claims("grace", query["nonce"], "http://testserver/lti/launch/")
        if token is None:
            key = RSAKey.generate_key(2048, auto_kid=True)
            token = jwt.encode({"alg": "RS256", "kid": platform.key.kid}, claims, key)
        assert "signature" in sentence(client.post("/lti/launch/", {"state": query["state"], "id_token": token}))
    cache.clear()
    assert launch(Client(), platform, "grace").status_code == 302
    platform.key = RSAKey.generate_key(2048, auto_kid=True)
    assert launch(Client(), platform, "grace").status_code == 302


def test_only_active_platforms_that_are_known_are_answered(platform: Platform, connection: Connection) -> None:
    assert "No connection has the issuer" in sentence(Client().get("/lti/login/?iss=https://evil.example&login_hint=1"))
    Connection.objects.update(active=False)
    assert "switched off" in sentence(begin(Client(), platform, "grace"))


def test_a_platform_registers_itself_and_a_person_switches_it_on(platform: Platform) -> None:
    administrator = factories.person(Role.ADMINISTRATOR)
    client = Client()
    client.force_login(administrator)
    page = client.post("/connections/register/", follow=True).content.decode()
    path = page.split("/lti/register/")[1].split("/")[0]
    query = {
        "openid_configuration": f"{platform.issuer}/.well-known/openid-configuration",
        "registration_token": "registration-token",
    }
    there = Client()
    assert there.get(f"/lti/register/{path}/", query | {"registration_token": "wrong"}).status_code == 400
    assert RegistrationLink.objects.count() == 0  # tried once
    page = client.post("/connections/register/", follow=True).content.decode()
    path = page.split("/lti/register/")[1].split("/")[0]
    assert there.get(f"/lti/register/{path}/", query).status_code == 200
    assert there.get(f"/lti/register/{path}/", query).status_code == 400
    [tool] = platform.registrations
    assert tool["jwks_uri"] == "http://testserver/lti/jwks/"
    assert tool["redirect_uris"] == ["http://testserver/lti/launch/"]
    connection = Connection.objects.get()
    assert (connection.name, connection.active) == (f"testlms 127.0.0.1:{platform.port}", False)
    assert connection.settings == platform.settings
    client.post(f"/connections/{connection.pk}/switch/")
    platform.tool_keys = there.get("/lti/jwks/").json()
    client.post(f"/connections/{connection.pk}/test/")
    [run] = work_off()
    assert (run.state, str(run.result)) == ("done", "The platform has 1 keys, and gives an access token.")


def test_our_key_changes_after_a_season_and_is_published_a_day_before(db) -> None:
    [first] = published_keys()["keys"]
    SigningKey.objects.update(created_at=timezone.now() - ROTATION - timedelta(hours=1))
    second = next(key for key in published_keys()["keys"] if key["kid"] != first["kid"])

    def kid() -> str:
        return decode(sign({})).header["kid"]

    assert kid() == first["kid"]
    SigningKey.objects.filter(pk=second["kid"]).update(created_at=timezone.now() - FIRST_USE - timedelta(minutes=1))
    assert kid() == second["kid"]
    assert "d" not in first
    assert ConnectionRun.objects.count() == 0
