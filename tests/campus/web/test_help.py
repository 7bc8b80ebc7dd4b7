"""The question mark of each page, the page of all topics, and the tour of the first page."""

import re
from pathlib import Path

import pytest
from django.conf import settings
from django.test import Client
from django.urls import reverse

from campus.accounts.models import Preferences
from campus.accounts.roles import Role
from campus.accounts.services import set_language
from campus.web.help_topics import ADMIN_CHAPTER, CHAPTERS, TOPICS, HelpTopic, find_topic
from campus.web.tour import TOURS
from tests.campus import factories
from tests.campus.conftest import World
from tests.campus.permissions import address, people, reader, routes, things

DRAWINGS = Path(settings.BASE_DIR) / "campus/web/templates/web/help"
ALL_TOPICS: list[HelpTopic] = [topic for chapter in (*CHAPTERS, ADMIN_CHAPTER) for topic in chapter.topics]


def two_sentences(text: object) -> bool:
    return len(re.findall(r"[^.?!]+[.?!](?:\s|$)", str(text))) == 2


def test_every_page_that_people_see_has_a_topic(world: World):
    keys, clients = things(world), people(world)
    seen, without = 0, []
    for route in routes():
        if (
            ":" in route.name
            or route.name.startswith("api-")
            or route.name in ("help", "styleguide")
            or not (who := reader(route))
        ):
            continue
        response = clients[who].get(address(route, keys))
        if response.streaming or not response.headers.get("Content-Type", "").startswith("text/html"):
            continue
        page = response.content.decode()
        if page.lstrip().lower().startswith("<!doctype"):
            seen += 1
            if 'id="help-title"' not in page:
                without.append(route.name)
    assert without == []
    assert seen > 30


def test_no_topic_is_left_without_its_page():
    names = {route.name for route in routes()}
    admin = {name.rpartition("_")[0] for name in names}
    assert [view for view in TOPICS if view not in names | admin] == []
    assert len(TOPICS) == sum(len(topic.views) for topic in ALL_TOPICS), "a view is in two topics"


@pytest.mark.parametrize("topic", ALL_TOPICS, ids=lambda topic: topic.anchor)
def test_a_topic_is_two_sentences(topic: HelpTopic):
    assert two_sentences(topic.text)


def test_every_drawing_is_there_and_used():
    assert {topic.picture for topic in ALL_TOPICS} == {path.stem for path in DRAWINGS.iterdir()}


def test_before_the_login_it_leads_nowhere(client: Client, db: None):
    page = client.get(reverse("login")).content.decode()
    assert 'id="help-title"' in page
    assert reverse("help") not in page


def test_an_address_without_a_page_has_none(client: Client, db: None):
    assert 'id="help-title"' not in client.get("/nothing/").content.decode()


def test_more_leads_to_the_topic_among_all(client: Client, world: World):
    client.force_login(world.own)
    page = client.get(reverse("lecture", args=[world.lecture.pk])).content.decode()
    assert f'href="{reverse("help")}#lecture"' in page
    assert 'id="lecture"' in client.get(reverse("help")).content.decode()


def test_only_those_who_open_the_admin_read_about_it(client: Client, world: World):
    client.force_login(world.own)
    assert 'id="admin-auth_user"' not in client.get(reverse("help")).content.decode()
    client.force_login(world.registrar)
    assert 'id="admin-auth_user"' in client.get(reverse("help")).content.decode()
    page = client.get(reverse("admin:biometrics_facephoto_zip")).content.decode()
    assert f'href="{reverse("help")}#admin-biometrics_facephoto"' in page


def test_every_list_of_the_admin_has_a_topic():
    lists = [route.name for route in routes() if route.name.endswith("_changelist")]
    assert lists
    assert [name for name in lists if not find_topic(name)] == []


@pytest.mark.parametrize("role", TOURS)
def test_a_tour_has_five_steps_of_two_sentences(role: Role):
    assert len(TOURS[role]) == 5
    assert [step.title for step in TOURS[role] if not two_sentences(step.text)] == []


@pytest.mark.parametrize("role", [Role.LECTURER, Role.REGISTRAR, Role.AUDITOR, Role.ADMINISTRATOR])
def test_the_tour_comes_until_it_was_ended_and_when_it_is_asked_for(client: Client, db: None, role: Role):
    user = factories.person(role)
    client.force_login(user)

    def has_tour() -> bool:
        return b'id="tour"' in client.get(reverse("home")).content

    assert has_tour()
    assert client.post(reverse("tour-end")).status_code == 204
    set_language(user=user, language="de")
    assert not has_tour()
    assert client.post(reverse("tour-start"))["Location"] == reverse("home")
    assert has_tour()
    assert Preferences.objects.get(user=user).language == "de"
