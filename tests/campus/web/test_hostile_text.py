"""Text from outside stays text: every page is read while every text in the database is a script."""

import re
from html.parser import HTMLParser

import pytest
from django.db.models import CharField, F, Model, TextField, Value
from django.db.models.functions import Cast, Concat
from django.test import Client
from django.urls import reverse

from campus.attendance import statuses
from campus.audit.models import Action, AuditEntry
from campus.common.keys import MatchKeyField
from campus.common.messages import MessageField
from recognition.messages import Message
from tests.campus import factories
from tests.campus.conftest import World
from tests.campus.permissions import address, people, reader, routes, things
from tests.campus.rows import models

SHORT = "\"'><i hostile>"
LONG = f"{SHORT}<script>hostile</script><img src=hostile onerror=hostile()>hostile{{{{7*7}}}}hostile"
LONGEST_KEY = 40
EVALUATED = re.compile(r"x-|@|:|hx-(on|vals|vars|headers)")  # by Alpine.js and htmx
# What the program itself writes there, and reads again.
OURS = {
    "embedder",
    "event",
    "file",
    "events",
    "password",
    "sha256",
    "task",
    "language",
    "codename",
    "app_label",
    "model",
    "time_zone",
}


class Reader(HTMLParser):
    """Finds what a browser would run, or take for an element."""

    def __init__(self) -> None:
        super().__init__()
        self.faults: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for name, value in attrs:
            runs = EVALUATED.match(name) or name.startswith("on") or (value or "").startswith("javascript:")
            if "hostile" in name or (runs and "hostile" in (value or "")) or (name == "src" and value == "hostile"):
                self.faults.append(f"<{tag} {name}={value!r}>")


def faults(page: str) -> list[str]:
    parser = Reader()
    parser.feed(page)
    return parser.faults + [text for text in ("<script>hostile", "hostile49hostile") if text in page]


def fill(model: type[Model]) -> None:
    """Put a hostile text, as long as fits, into each text of each row."""
    filled: dict[str, object] = {}
    for field in model._meta.concrete_fields:
        if isinstance(field, MessageField):
            filled[field.name] = Message("{text}", text=LONG)
        elif (
            type(field) in (CharField, TextField)
            and not (field.choices or field.primary_key or isinstance(field, MatchKeyField))
            and field.name not in OURS
        ):
            longest = (field.max_length or 1000) - LONGEST_KEY
            text = LONG if len(LONG) <= longest else SHORT if len(SHORT) <= longest else ""
            if text and field.unique:
                filled[field.name] = Concat(Value(text), Cast(F("pk"), TextField()))
            elif text:
                filled[field.name] = text
    if filled:
        model._base_manager.update(**filled)


@pytest.fixture
def hostile_world(world: World) -> dict[str, object]:
    keys = things(world)
    for model in models():
        if model is not AuditEntry:  # which the database keeps as it is
            fill(model)
    AuditEntry.objects.create(actor_name=LONG[:150], about=LONG[:100], action=Action.EXPORTED)
    statuses.clear_cache()
    return keys


def test_no_text_becomes_part_of_a_page(world: World, hostile_world: dict[str, object]):
    clients = people(world)
    read, found = 0, []
    for route in routes():
        if who := reader(route):
            where = address(route, hostile_world)
            response = clients[who].get(where)
            if response.status_code >= 500 and route.name != "readyz":  # which is not ready without a broker
                found.append(f"{where}: {response.status_code}")
            if response.headers.get("Content-Type", "").startswith("text/html"):
                page = response.content.decode()
                read += "hostile" in page
                found += [f"{where}: {fault}" for fault in faults(page)]
    assert not found, "\n".join(found)
    assert read > 100


def test_names_in_the_text_of_a_form_stay_text(world: World):
    file = factories.footage_file(factories.camera("B 14"), factories.STARTS, path=LONG)
    client = Client()
    client.force_login(world.registrar)
    page = client.get(reverse("admin:cctv_footagefile_assign", query={"footage_file": file.pk})).content.decode()
    assert "hostile" in page
    assert not faults(page)


def test_the_reader_finds_what_it_looks_for():
    assert len(faults(f'<p title="">{LONG}</p>')) == 4
    assert faults("""<p x-data="{name: 'hostile'}">""")
    assert not faults("<p>&lt;i hostile&gt; hostile{{7*7}}hostile</p>")


def test_a_file_opened_by_itself_runs_nothing(client: Client, world: World):
    client.force_login(world.own)
    response = client.get(reverse("photo", args=[world.photo.pk]))
    assert "sandbox" in response["Content-Security-Policy"]
    assert response["X-Content-Type-Options"] == "nosniff"


def test_the_admin_runs_no_script_that_is_in_its_page(client: Client, world: World):
    client.force_login(world.registrar)
    scripts = re.search(r"script-src ([^;]*)", client.get(reverse("admin:index"))["Content-Security-Policy"])
    assert scripts
    assert "unsafe-inline" not in scripts[1]
