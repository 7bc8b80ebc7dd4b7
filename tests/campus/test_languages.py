"""Other languages: what is translated is complete and keeps its placeholders, and pages are in it, with its dates and numbers."""

from pathlib import Path

import pytest
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from django.conf import settings as project
from django.test import Client
from django.urls import reverse

from tests.campus import factories
from tests.campus.conftest import World

FILES = sorted(Path(project.LOCALE_PATHS[0]).glob("*/LC_MESSAGES/django.po"))


def catalogue(file: Path):
    with file.open("rb") as lines:
        return read_po(lines, locale=file.parts[-3])


def test_every_language_but_the_codes_own_has_a_file():
    assert {file.parts[-3] for file in FILES} == {code for code, _ in project.LANGUAGES if not code.startswith("en")}


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.parts[-3])
def test_everything_is_translated_with_its_placeholders(file: Path):
    catalog = catalogue(file)
    said = {message.id: [message.string] if isinstance(message.string, str) else message.string for message in catalog if message.id}
    assert [key for key, words in said.items() if not all(words)] == []
    assert [message.id for message in catalog if message.id and message.fuzzy] == []
    assert [(message.id, [str(error) for error in errors]) for message, errors in catalog.check()] == []


@pytest.fixture
def german(settings, tmp_path: Path) -> dict[str, str]:
    """The German sentences as set-up compiles them, and the header by which a browser asks for them."""
    folder = tmp_path / "locale" / "de" / "LC_MESSAGES"
    folder.mkdir(parents=True)
    with (folder / "django.mo").open("wb") as compiled:
        write_mo(compiled, catalogue(next(file for file in FILES if file.parts[-3] == "de")))
    settings.LOCALE_PATHS = [str(tmp_path / "locale")]
    return {"Accept-Language": "de-DE,de;q=0.9"}


def test_a_lecturers_day_in_german(client: Client, world: World, german: dict[str, str]):
    client.force_login(world.own)
    page = client.get("/", headers=german).content.decode()
    assert "Vorlesungen heute" in page
    assert 'lang="de"' in page
    assert ">English</button>" in page  # languages stay in their own names
    assert "16. November 2026" in client.get(reverse("lecture", args=[world.lecture.pk]), headers=german).content.decode()


def test_a_progress_bar_is_a_progress_bar_in_every_language(client: Client, world: World, german: dict[str, str]):
    work = factories.planned(world.lecture, segments=3)
    work.segments.filter(index=0).update(progress=0.5)
    client.force_login(world.own)
    page = client.get(reverse("recording", args=[work.pk]), headers=german).content.decode()
    assert 'value="0,' not in page  # HTML wants a point


def test_dates_may_be_written_as_the_language_writes_them(client: Client, world: World, german: dict[str, str]):
    client.force_login(world.registrar)
    form = {"name": "Rosenmontag", "first_day": "11.02.2099", "last_day": "12.02.2099"}
    assert client.post(reverse("admin:academics_holiday_add"), form, headers=german).status_code == 302
