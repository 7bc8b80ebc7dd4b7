"""The page for administrators says what there is."""

import json
import re
from pathlib import Path

import pytest
from django.test import Client
from django.urls import resolve

from campus.accounts.roles import Role
from campus.accounts.services import set_role
from campus.identity.models import IdentityProvider
from campus.identity.provider_settings import settings_form
from tests.campus.conftest import World

PAGE = (Path(__file__).resolve().parents[3] / "docs" / "integrations" / "openid-connect.md").read_text()


def test_its_examples_are_valid_settings():
    examples = [json.loads(text) for text in re.findall(r"```json\n(.*?)\n```", PAGE, re.DOTALL)]
    assert len(examples) == 3
    for example in examples:
        form = settings_form("oidc", example)
        assert not form.errors
        assert form.cleaned_data == example


def test_its_addresses_are_there():
    paths = re.findall(r"https://rollcall\.example\.org(/[^`]+)`", PAGE)
    assert [resolve(path).url_name for path in paths] == ["sign-in-callback", "login", "sign-in-logout"]


def test_its_fields_are_there(client: Client, world: World):
    set_role(user=world.registrar, role=Role.ADMINISTRATOR)
    client.force_login(world.registrar)
    provider = IdentityProvider.objects.create(slug="sso", name="University")
    pages = ("add", f"{provider.pk}/change")
    shown = "".join(client.get(f"/admin/identity/identityprovider/{page}/").content.decode() for page in pages)
    missing = [name for name in re.findall(r"\*\*(.+?)\*\*", PAGE) if name.lower() not in shown.lower()]
    assert not missing


@pytest.mark.parametrize(
    "sentence", re.findall(r"^\| (?:…|“…”)?(?: is)? ?([A-Z][^|…]{8,}?)(?: …| \|)", PAGE, re.MULTILINE)
)
def test_its_sentences_are_those_of_the_program(sentence: str):
    folder = Path(__file__).resolve().parents[3] / "campus" / "identity"
    source = re.sub(r'"\s*\n\s*"', "", "".join(file.read_text() for file in folder.glob("*.py")))
    assert re.sub("“.*?”", "“{claim}”", sentence) in source or sentence in source
