"""The pages for administrators name every setting, and no address or sentence that there is not."""

import re
from pathlib import Path

import pytest
from django.urls import reverse

from campus.api.scim.resources import MAX_RESULTS, Group, User
from campus.identity.provider_settings import SETTINGS

ROOT = Path(__file__).resolve().parents[3]
PAGES = ROOT / "docs" / "integrations"
SOURCE = "".join(
    " ".join(re.sub(r'"\s*\n\s*"', "", path.read_text()).split())
    for folder in ("identity", "api/scim")
    for path in sorted((ROOT / "campus" / folder).rglob("*.py"))
)


@pytest.mark.parametrize("kind", ["saml", "ldap"])
def test_a_page_has_the_settings(kind: str) -> None:
    page = (PAGES / f"{kind}.md").read_text()
    assert set(re.findall(r"^ +\| `(\w+)` \|", page, re.MULTILINE)) == set(SETTINGS[kind].base_fields)
    assert "ROLLCALL_CONNECTION_NETWORKS" in page
    problems = page.split("| it says | do |")[1]
    said = re.findall(r"^\| ([^|]+) \|", problems.replace("|---|---|", ""), re.MULTILINE)
    assert len(said) > 5
    assert [text for text in said if not all(word in SOURCE for word in text.split())] == []


def test_addresses_of_saml() -> None:
    page = (PAGES / "saml.md").read_text()
    assert reverse("saml-metadata", args=["NAME"]) in page
    assert f"`{reverse('sign-in', args=['NAME'])}`" in page


def test_what_a_directory_sends_and_gets() -> None:
    page = (PAGES / "scim.md").read_text()
    known = {*User.model_fields, *Group.model_fields, "name.given_name", "name.family_name"}
    sent = {
        name for row in re.findall(r"^ +\| (`[^|]+) \|", page, re.MULTILINE) for name in re.findall(r"`(.+?)`", row)
    }
    assert {re.sub(r"([A-Z])", r"_\1", name).lower() for name in sent} <= known
    assert f"pages of at most {MAX_RESULTS}" in page
    assert reverse("scim-user-list") == "/scim/v2/Users"
