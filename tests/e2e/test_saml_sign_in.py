"""A browser is sent to an identity provider on another site and comes back; an administrator sets provisioning up."""

import os
from pathlib import Path

from django.test import Client
from django.urls import reverse
from playwright.sync_api import Page, expect

from campus.accounts.models import LoginSession
from campus.accounts.roles import Role
from campus.identity.models import IdentityProvider, ScimToken
from tests.campus import factories
from tests.e2e.conftest import SignIn, usable
from tests.servers.saml_idp import SamlIdp


def test_a_form_of_another_site_signs_in(page: Page, address: str, settings):
    """The browser leaves our cookie out of it: our own page sends it once more, by a script that the policy allows."""
    settings.CONNECTION_NETWORKS, settings.BASE_URL = ["127.0.0.0/8"], address
    assert "localhost" in address, "another site than that of the identity provider"
    with SamlIdp(host="127.0.0.1") as idp:
        provider = IdentityProvider.objects.create(
            kind="saml",
            slug="university",
            name="University",
            active=True,
            settings={"metadata_url": f"{idp.url}/metadata"},
            creates_accounts=True,
        )
        provider.access_rules.create(claim="eduPersonScopedAffiliation", value="staff@example.edu", role=Role.LECTURER)
        idp.trust(Client().get(reverse("saml-metadata", args=["university"])).text)
        page.goto("/login/?next=/classes/")
        page.get_by_role("link", name="Log in with University").click()
        expect(page).to_have_url(f"{address}/classes/")
        assert LoginSession.objects.get(provider=provider.pk).user.first_name == "Ada"


def test_an_administrator_makes_and_revokes_a_token(page: Page, sign_in: SignIn):
    provider = IdentityProvider.objects.create(
        slug="entra", name="Entra ID", active=True, settings={"issuer": "https://x"}
    )
    sign_in(factories.person(Role.ADMINISTRATOR))
    page.goto(reverse("admin:identity_identityprovider_change", args=[provider.pk]))
    page.get_by_role("link", name="Provisioning (SCIM)").click()
    page.get_by_role("button", name="Make a token").click()
    expect(page.locator(".system[role=status]")).to_contain_text("rollcall_scim_")
    usable(page)
    if folder := os.environ.get("ROLLCALL_SCREENSHOTS"):
        page.screenshot(path=str(Path(folder) / "scim.png"))
    page.get_by_role("button", name="Revoke").click()
    expect(page.get_by_text("There is no token yet.")).to_be_visible()
    assert not ScimToken.objects.exists()
