"""deploy/nginx.conf and the application agree on what each address may be sent."""

import re
from dataclasses import dataclass
from pathlib import Path

import pytest
from django.conf import settings

from campus.common.upload_limits import MAX_FORM_BYTES
from campus.web.body_limits import DOCUMENTS, LOGINS, OWN_PHOTOS, STORED_FILES, UPLOADS, find_body_limit
from tests.campus.permissions import Route, routes

CONFIG = (Path(__file__).resolve().parents[2] / "deploy" / "nginx.conf").read_text()
UNITS = {"k": 1024, "m": 1024**2}
UUID = "0189d7a2-4c64-7a9e-8000-3b1a5f0c9d2e"


@dataclass(frozen=True, kw_only=True)
class Location:
    max_bytes: int
    port: int
    is_buffered: bool


def bytes_of(text: str, default: int) -> int:
    found = re.search(r"client_max_body_size (\d+)([km]);", text)
    return int(found[1]) * UNITS[found[2]] if found else default


def locations() -> dict[str, Location]:
    """The locations by their regular expressions; "" is the one for all other addresses."""
    server = CONFIG[CONFIG.index("listen 443") :]
    default = bytes_of(server[: server.index("location")], 0)
    found = {}
    for pattern, text in re.findall(r"location (?:/|~ (\S+)) \{(.*?)\n    \}", server, re.DOTALL):
        port = re.search(r"proxy_pass http://127\.0\.0\.1:(\d+);", text)
        assert port
        found[pattern] = Location(
            max_bytes=bytes_of(text, default),
            port=int(port[1]),
            is_buffered="proxy_request_buffering off" not in text,
        )
    return found


def example(route: Route) -> str:
    """An address of this route, with a key of the kind that it takes."""
    address = re.sub(r"<uuid:\w+>", UUID, route.pattern)
    address = re.sub(r"uploads/<\w+>", f"uploads/{UUID}", address)
    address = re.sub(r"(annotated-videos)/<\w+>", rf"\1/{UUID}", address)
    return re.sub(r"<(\w+:)?\w+>", "7", address)


LOCATIONS = locations()
PAGE = Location(max_bytes=settings.DATA_UPLOAD_MAX_MEMORY_SIZE, port=8000, is_buffered=True)


def find_location(address: str) -> Location:
    matching = [place for pattern, place in LOCATIONS.items() if pattern and re.search(pattern, address)]
    assert len(matching) <= 1, address
    return matching[0] if matching else LOCATIONS[""]


def test_other_addresses_are_pages():
    assert LOCATIONS[""] == PAGE


@pytest.mark.parametrize(
    ("names", "port"),
    [(LOGINS, 8000), (DOCUMENTS, 8000), (UPLOADS, 8001), (OWN_PHOTOS, 8001), (STORED_FILES, 8001)],
)
def test_an_address_takes_as_much_as_in_the_application(names: frozenset[str], port: int):
    for route in routes():
        if route.name in names:
            place = find_location(example(route))
            assert place.max_bytes == find_body_limit(route.name), route.name
            assert (place.port, place.is_buffered) == (port, port == 8000), route.name


def test_all_other_addresses_take_as_much_as_a_page():
    others = [route for route in routes() if route.name not in LOGINS | DOCUMENTS | UPLOADS | OWN_PHOTOS | STORED_FILES]
    assert others
    for route in others:
        place = find_location(example(route))
        assert (place.max_bytes, place.is_buffered) == (PAGE.max_bytes, True), route.name


def test_videos_are_sent_by_the_server_for_transfers():
    names = {route.name for route in routes() if find_location(example(route)).port == 8001}
    assert names == UPLOADS | OWN_PHOTOS | STORED_FILES | {"annotated-video-file", "api-annotated-video-file"}


def test_a_recording_of_the_largest_size_fits():
    assert max(place.max_bytes for place in LOCATIONS.values()) == settings.MAX_RECORDING_BYTES + MAX_FORM_BYTES


def test_nobody_reaches_the_files_for_workers_who_is_not_named():
    server = CONFIG[CONFIG.index("location ~ ^/internal/") :]
    assert server.split("\n")[1].strip() == "deny all;"
