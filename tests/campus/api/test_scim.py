"""Accounts of staff that a university's directory provisions: SCIM 2.0, checked by a second implementation, and as
Microsoft Entra ID and Okta send it."""

import json
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.wsgi import get_wsgi_application
from django.test import Client

from campus.accounts.models import ApiToken, LoginSession
from campus.accounts.roles import Role, assigned_role
from campus.accounts.services import create_token, set_role
from campus.identity.models import FailedSignIn, IdentityProvider, ProvisionedUser
from campus.identity.provisioning import create_scim_token
from campus.identity.sign_in import Assertion, admit
from tests.campus.conftest import World

USER = "urn:ietf:params:scim:schemas:core:2.0:User"
ENTERPRISE = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"
GROUP = "urn:ietf:params:scim:schemas:core:2.0:Group"
PATCH = "urn:ietf:params:scim:api:messages:2.0:PatchOp"
MEDIA = "application/scim+json"


@pytest.fixture
def provider(world: World) -> IdentityProvider:
    return IdentityProvider.objects.create(slug="entra", name="Entra ID", active=True, settings={"issuer": "https://x"})


class Directory:
    """What sends the requests."""

    def __init__(self, provider: IdentityProvider) -> None:
        self.secret = create_scim_token(provider=provider)[1]
        self.client = Client(headers={"Authorization": f"Bearer {self.secret}"})

    def send(self, method: str, path: str, body: Any = None, **headers: str) -> Any:
        data = "" if body is None else json.dumps(body)
        return self.client.generic(method, f"/scim/v2{path}", data, content_type=MEDIA, headers=headers)

    def add(
        self, user_name: str = "ada@example.edu", *, extension: dict[str, Any] | None = None, **more: Any
    ) -> dict[str, Any]:
        person = {"schemas": [USER], "userName": user_name, "externalId": f"oid-{user_name}", "active": True} | more
        answer = self.send("POST", "/Users", person | (extension or {}))
        assert answer.status_code == 201, answer.text
        return dict(answer.json())

    def patch(self, path: str, *operations: dict[str, Any], **headers: str) -> Any:
        return self.send("PATCH", path, {"schemas": [PATCH], "Operations": list(operations)}, **headers)


@pytest.fixture
def directory(provider: IdentityProvider) -> Directory:
    return Directory(provider)


@pytest.mark.django_db(transaction=True)  # its requests open and close connections as those of a server do
def test_a_second_implementation_finds_nothing_wrong(directory: Directory):
    """scim2-tester makes, reads, changes and deletes all that our schemas announce."""
    # Four seconds, which no other process of the tests need spend.
    from scim2_client.engines.wsgi import WSGISCIMClient
    from scim2_tester import Status, check_server

    headers = {"Authorization": f"Bearer {directory.secret}"}
    client = WSGISCIMClient(get_wsgi_application(), "http://localhost/scim/v2", headers)
    results = check_server(client)
    # An account is open or closed: “active” can't be taken away, which it tries with whatever it has drawn before.
    told = [result for result in results if not ("patch:remove" in result.tags and result.data.get("urn") == "active")]
    bad = [result for result in told if result.status not in (Status.SUCCESS, Status.SKIPPED)]
    assert not bad, "\n".join(f"{result.title}: {result.reason}" for result in bad)
    assert sum(result.status == Status.SUCCESS for result in results) > 30


def test_only_a_token_of_an_active_provider_opens_it(directory: Directory, provider: IdentityProvider, world: World):
    path = "/scim/v2/Users"
    refused = Client().get(path)
    assert (refused.status_code, refused["Content-Type"]) == (401, MEDIA)
    assert refused.json()["schemas"] == ["urn:ietf:params:scim:api:messages:2.0:Error"]
    token = create_token(user=world.registrar, name="x", scope=ApiToken.Scope.WRITE, days=1)[1]
    assert Client(headers={"Authorization": f"Bearer {token}"}).get(path).status_code == 401
    assert directory.client.get("/api/v1/courses/").status_code == 401, "it opens nothing else"
    other = Directory(IdentityProvider.objects.create(slug="other", name="Other", active=True))
    key = other.add()["id"]
    assert directory.send("GET", f"/Users/{key}").status_code == 404, "of another provider"
    IdentityProvider.objects.update(active=False)
    assert directory.send("GET", "/Users").status_code == 401


def test_as_entra_id_sends_it(directory: Directory, provider: IdentityProvider):
    ada = directory.add(
        schemas=[USER, ENTERPRISE],
        displayName="Ada Byron",
        title="Countess",
        groups=[],
        meta={"resourceType": "User"},
        emails=[{"primary": True, "type": "work", "value": "ada@example.edu"}],
        name={"formatted": "Ada Byron", "familyName": "Byron", "givenName": "Ada"},
        extension={ENTERPRISE: {"department": "Maths"}},
    )
    user = User.objects.get(provisioned__pk=ada["id"])
    assert (user.get_full_name(), user.email, user.has_usable_password()) == ("Ada Byron", "ada@example.edu", False)
    assert "title" not in ada, "what is not needed is not kept"
    found = directory.send("GET", '/Users?filter=userName eq "ADA@example.edu"').json()
    assert (found["totalResults"], found["Resources"][0]["id"]) == (1, ada["id"])
    path = f"/Users/{ada['id']}"
    changed = directory.patch(
        path,
        {"op": "Replace", "path": 'emails[type eq "work"].value', "value": "countess@example.edu"},
        {"op": "Add", "path": "name.givenName", "value": "Augusta"},
        {
            "op": "Replace",
            "path": "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department",
            "value": "x",
        },
    )
    assert changed.status_code == 200, changed.text
    user.refresh_from_db()
    assert (user.first_name, user.email) == ("Augusta", "countess@example.edu")
    client = Client()
    client.force_login(user)
    create_token(user=user, name="x", scope=ApiToken.Scope.READ, days=1)
    assert directory.patch(path, {"op": "Replace", "path": "active", "value": "False"}).json()["active"] is False
    user.refresh_from_db()
    assert not user.is_active
    assert not LoginSession.objects.filter(user=user).exists()
    assert not ApiToken.objects.filter(user=user).exists()
    assert directory.patch(path, {"op": "replace", "value": {"active": True}}).json()["active"] is True
    user.refresh_from_db()
    assert user.is_active
    assert directory.send("DELETE", path).status_code == 204
    assert directory.send("GET", path).status_code == 404
    user.refresh_from_db()
    assert not user.is_active


def test_groups_give_and_take_roles_at_once(directory: Directory, provider: IdentityProvider):
    provider.access_rules.create(claim="groups", value="Registry", role=Role.REGISTRAR)
    ada = directory.add()
    group = directory.send(
        "POST", "/Groups", {"schemas": [GROUP], "displayName": "Registry", "members": [{"value": ada["id"]}]}
    ).json()
    person = admit(provider, Assertion(issuer="https://x", subject="oid-ada@example.edu"))
    assert person == User.objects.get(provisioned__pk=ada["id"]), "found by the id that its directory gave"

    def role() -> Role:
        return assigned_role(User.objects.get(pk=person.pk))

    assert role() == Role.REGISTRAR
    path = f"/Groups/{group['id']}"
    gone = {"op": "Remove", "path": "members", "value": [{"value": ada["id"]}]}
    assert directory.patch(path, gone).status_code == 200
    assert role() == Role.LECTURER
    assert directory.patch(path, {"op": "Add", "path": "members", "value": [{"value": ada["id"]}]}).status_code == 200
    assert role() == Role.REGISTRAR
    assert directory.send("GET", f"/Users/{ada['id']}").json()["groups"][0]["display"] == "Registry"
    assert directory.send("GET", '/Groups?filter=displayName eq "Registry"&excludedAttributes=members').json()[
        "Resources"
    ] == [{key: value for key, value in directory.send("GET", path).json().items() if key != "members"}]
    assert directory.send("DELETE", path).status_code == 204
    assert role() == Role.LECTURER
    stranger = {"schemas": [GROUP], "displayName": "B", "members": [{"value": group["id"]}]}
    assert directory.send("POST", "/Groups", stranger).status_code == 400


def test_the_last_administrator_and_superusers_stay(directory: Directory, provider: IdentityProvider, world: World):
    provider.matching = IdentityProvider.Matching.USER_NAME
    provider.save()
    key = directory.add("own")["id"]
    assert ProvisionedUser.objects.get(pk=key).user == world.own
    set_role(user=world.own, role=Role.ADMINISTRATOR)
    for answer in (
        directory.patch(f"/Users/{key}", {"op": "replace", "path": "active", "value": False}),
        directory.send("DELETE", f"/Users/{key}"),
    ):
        assert (answer.status_code, "last administrator" in answer.json()["detail"]) == (403, True)
    assert User.objects.get(pk=world.own.pk).is_active
    assert ProvisionedUser.objects.get(pk=key).active
    assert FailedSignIn.objects.filter(provider=provider).count() == 2, "administrators see it"
    User.objects.create_superuser("root", "", "password")
    assert ProvisionedUser.objects.get(pk=directory.add("root")["id"]).user.username == "root2"
    # Whom an administrator has closed here stays closed, whatever is sent.
    other = directory.add("other")["id"]
    User.objects.filter(username="other").update(is_active=False)
    assert directory.patch(f"/Users/{other}", {"op": "replace", "path": "displayName", "value": "O"}).status_code == 200
    assert not User.objects.get(username="other").is_active


def test_versions_conflicts_and_wrong_requests(directory: Directory):
    ada = directory.add()
    path = f"/Users/{ada['id']}"
    answer = directory.send("GET", path)
    tag = answer["ETag"]
    assert directory.send("GET", path, **{"If-None-Match": tag}).status_code == 304
    name = {"op": "replace", "path": "displayName", "value": "Ada"}
    assert directory.patch(path, name, **{"If-Match": tag}).status_code == 200
    assert directory.patch(path, name | {"value": "Other"}, **{"If-Match": tag}).status_code == 412
    same = directory.send("POST", "/Users", {"schemas": [USER], "userName": "ADA@example.edu"})
    assert (same.status_code, same.json()["scimType"]) == (409, "uniqueness")
    for method, where, body, status in (
        ("POST", "/Users", {"schemas": [USER]}, 400),
        ("POST", "/Users", [], 400),
        ("GET", "/Users?filter=userName sw %22a%22", None, 400),
        ("GET", "/Users?filter=((", None, 400),
        ("GET", "/Users/not-a-key", None, 404),
        ("PATCH", path, {"schemas": [PATCH], "Operations": [{"op": "boil"}]}, 400),
        ("PUT", "/Users", {}, 405),
    ):
        answer = directory.send(method, where, body)
        assert (answer.status_code, answer["Content-Type"]) == (status, MEDIA), (method, where, answer.text)
        assert answer.json()["status"] == str(status)


def test_ten_thousand_people_are_paged(directory: Directory, provider: IdentityProvider):
    names = [f"person{n:05}" for n in range(10_000)]
    users = User.objects.bulk_create(User(username=name) for name in names)
    ProvisionedUser.objects.bulk_create(
        ProvisionedUser(provider=provider, user=user, user_name=user.username, user_name_key=user.username)
        for user in users
    )
    seen: list[str] = []
    while len(seen) < 10_000:
        page = directory.send("GET", f"/Users?startIndex={len(seen) + 1}&count=1000").json()
        assert (page["totalResults"], page["startIndex"], page["itemsPerPage"]) == (10_000, len(seen) + 1, 500)
        seen += [person["userName"] for person in page["Resources"]]
    assert sorted(seen) == names
