"""Somebody signs in by OpenID Connect in a browser, at oidc-provider, which is certified for it; and is logged out of
both.
"""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from django.contrib.auth.models import User
from playwright.sync_api import Page, expect

from campus.accounts.models import LoginSession
from campus.accounts.roles import Role, assigned_role
from campus.accounts.services import set_role
from campus.identity.models import IdentityProvider
from tests.campus.conftest import World
from tests.e2e.conftest import SignIn, sees, until, usable
from tests.servers.openid_node import NodeOpenIDProvider
from tests.servers.stores import Missing

SECRET = "a secret that is long enough for it"


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[[dict], NodeOpenIDProvider]]:
    """The provider with this client, until the end of the test."""
    with ExitStack() as stack:

        def start(client: dict) -> NodeOpenIDProvider:
            try:
                return stack.enter_context(NodeOpenIDProvider(tmp_path, client))
            except Missing as missing:
                pytest.skip(str(missing))

        yield start


def test_in_and_out(page: Page, address: str, world: World, start, sign_in: SignIn, settings):
    settings.CONNECTION_NETWORKS = ["127.0.0.0/8", "::1/128"]
    client = {
        "client_id": "rollcall",
        "client_secret": SECRET,
        "redirect_uris": [f"{address}/sign-in/university/callback/"],
        "post_logout_redirect_uris": [f"{address}/login/"],
        "backchannel_logout_uri": f"{address}/sign-in/university/logout/",
        "backchannel_logout_session_required": True,
    }
    server = start(client)
    provider = IdentityProvider.objects.create(
        slug="university",
        name="University",
        active=True,
        matching=IdentityProvider.Matching.USER_NAME,
        settings={"issuer": server.issuer, "client_id": "rollcall", "scopes": "openid profile"},
    )
    provider.secret = SECRET
    provider.save()
    provider.access_rules.create(value="registry", role=Role.REGISTRAR)
    page.goto("/account/")
    usable(page)
    log_in_there(page, "own registry")
    page.wait_for_url("**/account/")
    expect(page.get_by_role("region", name="How you sign in elsewhere")).to_contain_text("by the user name")
    usable(page)
    assert assigned_role(User.objects.get(pk=world.own.pk)) == Role.REGISTRAR

    page.get_by_role("button", name="Account:").click()
    page.get_by_role("button", name="Log out").click()
    page.get_by_role("button", name="Yes, sign me out").click()
    page.wait_for_url("**/login/**")
    assert not LoginSession.objects.filter(user=world.own).exists()

    log_in_there(page, "own registry")
    page.wait_for_url(f"{address}/")
    page.goto(f"{server.issuer}/session/end")
    page.get_by_role("button", name="Yes, sign me out").click()
    until(page, lambda: not LoginSession.objects.filter(user=world.own).exists())
    page.goto("/account/")
    log_in_there(page, "nobody")
    sees(page, "You could not be signed in")
    sees(page, provider.failures.get().code)
    usable(page)

    set_role(user=world.registrar, role=Role.ADMINISTRATOR)
    sign_in(world.registrar)
    page.goto(f"/admin/identity/identityprovider/{provider.pk}/change/")
    expect(page.get_by_label("Issuer")).to_be_visible()
    usable(page)
    page.get_by_role("link", name="Test it").click()
    page.get_by_role("button", name="Test it").click()
    sees(page, "Both clocks agree", "It knows this client and its secret.")
    usable(page)


def log_in_there(page: Page, name: str) -> None:
    """On the login page, go to the provider, and log in as somebody who agrees to everything."""
    page.get_by_role("link", name="Log in with University").click()
    page.get_by_placeholder("Enter any login").fill(name)
    page.get_by_placeholder("and password").fill("any")
    page.get_by_role("button", name="Sign-in").click()
    page.get_by_role("button", name="Continue").click()
