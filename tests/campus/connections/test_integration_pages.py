"""The pages for administrators name every setting and function, and none that there is not."""

import re
from pathlib import Path

import pytest
from django.urls import reverse

from campus.connections.adapters import adapter_for
from campus.connections.lti.platform_services import MARK_SCOPES, MEMBERS_SCOPE
from campus.connections.moodle_client import FUNCTIONS
from campus.connections.oneroster_client import SCOPE, SERVICE
from campus.connections.oneroster_reader import FILES

ROOT = Path(__file__).resolve().parents[3]
PAGES = ROOT / "docs" / "integrations"


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("lti", "lti"),
        ("moodle", "moodle"),
        ("canvas", "canvas"),
        ("oneroster", "oneroster"),
        ("calendar-feeds", "calendar"),
    ],
)
def test_a_page_has_the_settings_and_their_choices(name: str, kind: str) -> None:
    page = (PAGES / f"{name}.md").read_text()
    table = dict(re.findall(r"^ +\| `(\w+)` \| (.+) \|$", page, re.MULTILINE))
    fields = adapter_for(kind).settings_form.base_fields
    assert table.keys() == fields.keys()
    for key, field in fields.items():
        if key != "course":
            missing = [value for value, _label in getattr(field, "choices", ()) if f"`{value}`" not in table[key]]
            assert not missing
    assert "ROLLCALL_CONNECTION_NETWORKS" in page


def test_moodles_functions() -> None:
    page = (PAGES / "moodle.md").read_text()
    assert set(re.findall(r"^ +- `(\w+)`$", page, re.MULTILINE)) == set(FUNCTIONS)


def test_what_a_registry_has_to_have() -> None:
    page = (PAGES / "oneroster.md").read_text()
    assert set(re.findall(r"`(https://purl\S+)`", page)) == set(SCOPE.split())
    assert SERVICE in page
    assert {name.removesuffix(".csv") for name in re.findall(r"`(\w+\.csv)`", page)} == {*FILES, "manifest"}


def test_lti_addresses_and_scopes_are_those_that_there_are() -> None:
    page = (PAGES / "lti.md").read_text()
    paths = set(re.findall(r"`https://rollcall\.example\.org(/\S+/)`", page)) - {"/lti/register/…/"}
    assert paths == {reverse(name) for name in ("lti-launch", "lti-login", "lti-keys")}
    assert set(re.findall(r"`(https://purl\S+)`", page)) == {*MARK_SCOPES, MEMBERS_SCOPE}
    assert reverse("lti-registration", args=["…"]).startswith("/lti/register/")
    sentences = "".join(path.read_text() for path in (ROOT / "campus" / "connections").rglob("*.py"))
    said = re.findall(r"^\| ([^|]+) \| [^|]+ \|$", page.split("## When something is wrong")[1], re.MULTILINE)[1:]
    parts = [part.strip() for line in said for part in line.split("…") if "code" not in line and "," not in line]
    assert [part for part in parts if part and " ".join(part.split()) not in " ".join(sentences.split())] == []
