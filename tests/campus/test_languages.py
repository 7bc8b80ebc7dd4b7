"""Other languages: what is translated is complete and keeps its placeholders, and pages are in it, with its dates
and numbers."""

import ast
import io
from pathlib import Path
from typing import Any

import pytest
from babel.messages.extract import DEFAULT_KEYWORDS, extract
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from django.conf import settings as project
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse
from django.utils import translation
from django.utils.translation import gettext
from django.utils.translation.template import templatize
from openpyxl import load_workbook
from pypdf import PdfReader

from campus.academics.models import Course
from campus.accounts.selectors import language_of, use_language_of
from campus.accounts.services import set_language
from campus.attendance.lecture_report import build_lecture_report
from campus.attendance.models import RegisterPolicy
from campus.attendance.notifications import notify_recording_counted
from campus.attendance.overrides import sign_off_lecture
from campus.attendance.pdf import lecture_pdf
from campus.attendance.pdf_fonts import fallback_font
from campus.attendance.register import build_register
from campus.attendance.register_workbook import write_register
from campus.common.errors import UserError
from campus.common.messages import localize
from campus.outbox.models import Delivery
from campus.outbox.password_reset import send_password_reset
from campus.web.management.commands.makemessages import error_classes
from recognition.detection.quality import Quality, judge_enrolment_photo
from recognition.errors import RecordingOutOfLimits
from recognition.excel.lecture_workbook import write_lecture_workbook
from tests.campus import factories
from tests.campus.conftest import World
from tests.conftest import REPOSITORY

FOR_TERMINALS = {"commands", "cli"}  # folders; whoever types commands reads English
FILES = sorted(Path(project.LOCALE_PATHS[0]).glob("*/LC_MESSAGES/django.po"))


def catalogue(file: Path):
    with file.open("rb") as lines:
        return read_po(lines, locale=file.parts[-3])


def test_every_language_but_the_codes_own_has_a_file():
    assert {file.parts[-3] for file in FILES} == {code for code, _ in project.LANGUAGES if not code.startswith("en")}


def sentences() -> set[str]:
    """What the code and the templates say to people."""
    keywords = (
        DEFAULT_KEYWORDS
        | {"gettext_lazy": None, "ngettext_lazy": (1, 2), "pgettext_lazy": ((1, "c"), 2)}
        | {"translate": None, "Message": None, "with_count": (1, 2)}
        | dict.fromkeys(error_classes())
    )
    code = []
    for folder in ("campus", "recognition", "workers"):
        code += [
            path.read_text() for path in (REPOSITORY / folder).rglob("*.py") if not FOR_TERMINALS & set(path.parts)
        ]
    for page in (REPOSITORY / "campus").rglob("templates/**/*.*"):
        code += [line.strip() for line in templatize(page.read_text()).splitlines() if "gettext" in line]
    said = [found[1] for text in code for found in extract("python", io.BytesIO(text.encode()), keywords)]
    return {words if isinstance(words, str) else words[0] for words in said}


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.parts[-3])
def test_nothing_that_is_said_is_missing(file: Path):
    ids = {message.id if isinstance(message.id, str) else message.id[0] for message in catalogue(file)}
    assert sentences() - ids == set()


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.parts[-3])
def test_everything_is_translated_with_its_placeholders(file: Path):
    catalog = catalogue(file)
    said = {
        message.id: [message.string] if isinstance(message.string, str) else message.string
        for message in catalog
        if message.id
    }
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
    assert "16. Nov 2026" in client.get(reverse("lecture", args=[world.lecture.pk]), headers=german).content.decode()


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


# A person's own language.


def lang(client: Client, path: str = "/") -> str:
    return (
        "de" if '<html lang="de"' in client.get(path, headers={"Accept-Language": "en-GB"}).content.decode() else "en"
    )


def test_the_language_that_a_person_chose_is_there_on_the_next_machine(
    client: Client, world: World, german: dict[str, str]
):
    client.force_login(world.own)
    client.post(reverse("set_language"), {"language": "de", "next": "/account/"})
    assert (lang(client), language_of(world.own)) == ("de", "de")
    assert '<option value="de" lang="de" selected>' in client.get("/account/").content.decode()
    elsewhere = Client()
    assert lang(elsewhere, "/login/") == "en"
    elsewhere.post("/login/", {"username": "own", "password": "password"})
    assert lang(elsewhere) == "de"
    elsewhere.post(reverse("set_language"), {"language": "", "next": "/account/"})
    assert (lang(elsewhere), language_of(world.own)) == ("en", "")


def test_who_is_not_signed_in_and_odd_wishes_change_no_account(client: Client, world: World):
    client.post(reverse("set_language"), {"language": "de"})
    client.force_login(world.own)
    for wish in ("xx", "../../etc", "de\x00"):
        client.post(reverse("set_language"), {"language": wish})
    assert language_of(world.own) == ""
    with pytest.raises(UserError):
        set_language(user=world.own, language="xx")


def test_letters_are_in_the_language_of_who_gets_them(world: World, german: dict[str, str], settings):
    RegisterPolicy.objects.create(course=world.course, mail_lecturers=True, mail_absentees=True)
    second = factories.user(email="second@example.org")
    world.course.lecturers.add(second)
    User.objects.filter(pk=world.own.pk).update(email="own@example.org")
    set_language(user=world.own, language="de")
    notify_recording_counted(recording=world.recording)
    subjects = dict(Delivery.objects.values_list("to", "subject"))
    assert subjects["own@example.org"].startswith("Anwesenheit: ")
    assert subjects["second@example.org"].startswith("Attendance of ")
    settings.LANGUAGE_CODE = "de"  # of the institution: for who has not chosen, and for students
    world.course.students.update(email="student@example.org")
    world.failed.delete()
    sign_off_lecture(lecture=world.lecture, user=world.own)
    absent = Delivery.objects.get(event="attendance.absent")
    assert (absent.subject[:8], "sind Sie" in absent.body or "Sie sind" in absent.body) == ("Abwesend", True)


def test_a_forgotten_password_is_written_about_in_the_own_language(world: World, german: dict[str, str], mailoutbox):
    User.objects.filter(pk=world.own.pk).update(email="own@example.org")
    set_language(user=world.own, language="de")
    assert send_password_reset("own@example.org")
    assert "Passwort" in mailoutbox[0].subject


# The institution's language.


def headings(path: Path) -> dict[str, list[object]]:
    return {sheet.title: [cell.value for cell in sheet[1]] for sheet in load_workbook(path)}


def test_a_german_institution_has_german_workbooks(world: World, german: dict[str, str], settings, tmp_path: Path):
    settings.LANGUAGE_CODE = "de"
    with use_language_of():
        write_lecture_workbook(tmp_path / "lecture.xlsx", build_lecture_report(world.lecture), gettext)
        write_register(tmp_path / "register.xlsx", build_register(world.course))
    lecture, term = headings(tmp_path / "lecture.xlsx"), headings(tmp_path / "register.xlsx")
    assert list(lecture) == ["Anwesenheit", "Zeitleiste", "Unbekannt", "Übersicht"]
    assert lecture["Anwesenheit"][:4] == ["Nummer", "Name", "Status", "Zuerst gesehen"]
    assert list(term) == ["Anwesenheitsbuch", "Studierende", "Übersicht"]
    assert "Unter 75%" in term["Anwesenheitsbuch"]
    summary = {
        row[0].value: row[1] for row in load_workbook(tmp_path / "lecture.xlsx")["Übersicht"].iter_rows(min_row=2)
    }
    assert (summary["Angesehen"].number_format, summary["Schwelle"].number_format) == ("0%", "0.000")
    assert load_workbook(tmp_path / "lecture.xlsx")["Anwesenheit"]["C2"].value == "Anwesend"


def test_what_the_vision_library_says_is_said_in_german(german: dict[str, str]):
    error = RecordingOutOfLimits(
        "The file has {n} streams; at most {most} are read. Export the video alone.", n=70, most=64
    )
    _, _, reason = judge_enrolment_photo(Quality(face_px=20, sharpness=30, light=90, yaw=0, pitch=0, roll=0, score=1))
    assert str(localize(error.message)) == str(error)
    with translation.override("de"):
        assert (
            str(localize(error.message))
            == "Die Datei hat 70 Ströme; höchstens 64 werden gelesen. Exportieren Sie das Video allein."
        )
        assert (
            str(localize(reason))
            == "Das Gesicht ist nur 20 Pixel hoch; nehmen Sie ein Foto, in dem es mindestens 80 hoch ist."
        )
        assert str(UserError("nobody translates this")) == "nobody translates this"


def test_values_of_a_message_stand_beside_its_template():
    keywords = {"Message", "with_count", *error_classes()}
    for folder in ("campus", "workers"):
        for path in (REPOSITORY / folder).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in keywords:
                    assert not any(isinstance(value, ast.JoinedStr) for value in node.args), f"{path}:{node.lineno}"


def test_names_in_every_script_are_printed(db: None):
    if not fallback_font("山"):
        pytest.skip("there are no fonts: apt install fonts-noto-core fonts-noto-cjk")
    course: Course = factories.course(name="Информатика")
    names = ["محمد", "יצחק", "山田太郎", "李明", "김철수", "สมชาย", "राम", "Zoë Nguyễn"]
    for name in names:
        factories.enrol(course, factories.student(name=name))
    lecture = factories.lecture(course)
    for student in course.students.all():
        lecture.records.create(student=student)
    page: Any = PdfReader(io.BytesIO(lecture_pdf(lecture))).pages[0]
    embedded = {font.get_object()["/BaseFont"].partition("+")[2] for font in page["/Resources"]["/Font"].values()}
    for script in ("Arabic", "Hebrew", "CJK", "Thai", "Devanagari"):
        assert any(script in font for font in embedded), script
    text = page.extract_text().replace("\x00", "")  # pypdf reads two bytes of each character of such a font
    for name in ("Информатика", "山田太郎", "李明", "김철수", "Zoë Nguyễn"):
        assert name in text
    assert "no font" not in text


def test_a_page_says_that_it_lacks_a_font(db: None, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("campus.attendance.pdf.fallback_font", lambda character: None)
    lecture = factories.lecture(factories.course(name="山田太郎"))
    assert "no font" in PdfReader(io.BytesIO(lecture_pdf(lecture))).pages[0].extract_text()
