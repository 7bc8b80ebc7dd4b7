"""ONVIF devices near a worker are found, and what else answers changes nothing."""

from collections.abc import Iterator
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from campus.accounts.roles import Role
from campus.cctv.models import DeviceSearch
from campus.cctv.services import request_device_search
from campus.common import jobs
from tests.campus import factories
from tests.servers.ws_discovery import Devices, match, matches
from workers.device_search import search_devices
from workers.leased_task import run_attempt
from workers.sources import find_devices

CAMERA = match(
    "http://169.254.7.7/onvif/device_service http://{ip}:8080/onvif/device_service https://{ip}/onvif/device_service",
    ["type/NetworkVideoTransmitter", "name/Hall%20A%E2%80%AE", "hardware/DS-2CD2143G2", "location/"],
)


OTHER = CAMERA.replace("8080", "8081")
HOSTILE = {
    "somebody else's address": matches(match("http://10.9.8.7/onvif/device_service http://{ip}@10.9.8.7/")),
    "no web address": matches(match("javascript:alert(1) ftp://{ip}/ rtsp://{ip}/ http://[{ip}/ {ip} //{ip}")),
    "an address that is not allowed": matches(match("http://{ip}:6379/ http://{ip}:99999/")),
    "to another question": matches(OTHER, relates_to="urn:uuid:00000000-0000-0000-0000-000000000000"),
    "another kind of answer": matches(OTHER).replace("ProbeMatches>", "ResolveMatches>"),
    "foreign XML": "<html><body>http://{ip}:8081/ {relates_to}</body></html>",
    "broken XML": matches(OTHER)[:-1],
    "entities": '<!DOCTYPE a [<!ENTITY b "bbbb">]>' + matches(OTHER).partition("?>")[2],
    "deep": "<a>" * 20_000,
    "huge": "x" * 65_000,
}


@pytest.fixture
def devices(monkeypatch: pytest.MonkeyPatch, settings: Any) -> Iterator[Devices]:
    settings.SOURCE_NETWORKS = ["0.0.0.0/0"]
    settings.BROKER_URL = "memory://"
    with Devices() as devices:
        monkeypatch.setattr("workers.device_search.PORT", devices.port)
        monkeypatch.setattr("workers.device_search.ROUND_SECONDS", 0.3)
        yield devices


def search() -> DeviceSearch:
    row = jobs.FIND_DEVICES.claim(request_device_search().pk, owner="worker")
    run_attempt(jobs.FIND_DEVICES, find_devices, row)
    return DeviceSearch.objects.get()


@pytest.mark.django_db
def test_a_device_is_found_and_chosen(devices: Devices) -> None:
    devices.answers = [matches(CAMERA)]
    office, where = Client(), reverse("admin:cctv_source_devices")
    office.force_login(factories.registrar())
    assert where in office.get(reverse("admin:cctv_source_add")).content.decode()
    office.post(where)
    part = office.get(where, headers={"HX-Request": "true"}).content.decode()
    assert 'hx-trigger="every 2s"' in part
    assert "<html" not in part

    ((address, name, hardware),) = search().devices
    assert address.endswith(":8080"), "the first of its own addresses"
    assert (name, hardware) == ("Hall A", "DS-2CD2143G2")
    assert set(devices.asked_for) == {"NetworkVideoTransmitter", "Device"}
    page = office.get(where)
    assert "1 device answered" in page.content.decode()
    (row,) = page.context["table"]["rows"]
    chosen = office.get(str(row[-1]).partition('href="')[2].partition('"')[0].replace("&amp;", "&"))
    form = chosen.context["adminform"].form
    assert [form[field].value() for field in ("kind", "address")] == ["onvif", address]
    assert form["name"].value() == f"Hall A {address.partition('://')[2]}"

    office.force_login(factories.person(Role.AUDITOR))
    assert office.get(where).status_code == 403


def test_hostile_answers_change_nothing(devices: Devices) -> None:
    devices.answers = [*HOSTILE.values(), matches(CAMERA)]
    assert [address.rpartition(":")[2] for address, _name, _hardware in search_devices()] == ["8080"]


def test_there_is_an_end(devices: Devices, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("workers.device_search.MAX_DEVICES", 50)
    devices.answers = [matches(*(match(f"http://{{ip}}:{port}/", ["name/" + "x" * 150]) for port in range(8001, 8101)))]
    found = search_devices()
    assert len(found) == 50
    assert {name for _address, name, _hardware in found} == {"x" * 100}


@pytest.mark.django_db
def test_only_allowed_networks_are_listed(devices: Devices, settings: Any) -> None:
    devices.answers = [matches(CAMERA)]
    settings.SOURCE_NETWORKS = ["10.0.0.0/8"]
    assert search().devices == []
    assert devices.asked_for
    settings.SOURCE_NETWORKS, devices.asked_for = [], []
    row = search()
    assert (row.state, "ROLLCALL_SOURCE_NETWORKS" in str(row.error)) == ("failed", True)
    assert devices.asked_for == []
