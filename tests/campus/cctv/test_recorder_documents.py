"""What docs/integrations/recorders.md tells an administrator is there."""

import re
from ipaddress import ip_address

import pytest
from django.urls import resolve

from campus.cctv import egress_policy
from campus.cctv.models import Source
from tests.conftest import REPOSITORY

TEXT = (REPOSITORY / "docs" / "integrations" / "recorders.md").read_text()


def test_each_recorder_has_a_section_with_addresses_that_are_accepted(monkeypatch: pytest.MonkeyPatch) -> None:
    own = [(ip_address("192.0.2.1"), True)]
    monkeypatch.setattr(egress_policy, "resolve_allowed_addresses", lambda *_: own)
    sections = dict(part.split("\n", 1) for part in re.split(r"^## ", TEXT, flags=re.MULTILINE)[1:])
    for kind in Source.RECORDER_KINDS:
        addresses = re.findall(r"`(https?://[^`]+)`", sections[str(Source.Kind(kind).label)])
        assert addresses
        for address in addresses:
            found = egress_policy.allowed_address(Source(kind=kind, address=address))
            assert bool(found.file_servers) == ("files=" in address or kind == Source.Kind.ONVIF)


def test_what_is_to_be_pressed_and_entered_is_on_the_pages() -> None:
    web = REPOSITORY / "campus" / "web"
    pages = [*web.rglob("*.html"), web / "admin" / "sources.py", web / "admin" / "devices_page.py"]
    shown = "".join(page.read_text() for page in pages)
    fields = {str(getattr(field, "verbose_name", "")) for field in Source._meta.get_fields()}
    for text in ("Test now", "Test again", "Save the rooms", "Look for devices", "Add as a source"):
        assert f"“{text}”" in " ".join(TEXT.split())
        assert text in shown
    for address in re.findall(r"`(/recorders/[^`]+)`", TEXT):
        assert resolve(address.replace("/N/", "/7/")).kwargs == {"pk": 7}
    assert {"clock is ahead by", "time zone", "kind", "address", "user name"} <= fields
