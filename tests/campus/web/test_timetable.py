"""The timetable's pages: the registrar's preview and import, the lecturer's day, and links for calendar programs."""

from datetime import UTC, date, datetime, timedelta

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse, reverse_lazy
from django.utils import timezone
from icalendar import Calendar
from rest_framework.test import APIClient

from campus.academics.models import CalendarLink, Holiday, Lecture, LectureSeries, Term
from campus.accounts.roles import Role
from campus.attendance.models import SignOff
from tests.campus import factories
from tests.campus.academics.calendars import WEEKLY, ics, single
from tests.campus.conftest import World
from tests.campus.file_imports import read_uploads, send_file

SERIES = {
    "title": "Waves",
    "weekdays": ["0", "2"],
    "every_weeks": "1",
    "starts": "09:15",
    "ends": "10:45",
    "first_day": "2099-03-02",
    "last_day": "2099-03-29",
    "time_zone": "Europe/Berlin",
}


@pytest.fixture
def registrar(client: Client, world: World) -> Client:
    client.force_login(world.registrar)
    return client


def fingerprints(page) -> dict[str, str]:
    return {f"fingerprint-{plan['series'].pk}": plan["fingerprint"] for plan in page.context["plans"]}


def test_a_registrar_sees_the_lectures_of_a_series_before_they_are_made(registrar: Client, world: World):
    answer = registrar.post(reverse("admin:academics_lectureseries_add"), {**SERIES, "course": world.course.pk})
    series = LectureSeries.objects.get()
    assert series.weekdays == [0, 2]
    page = registrar.get(answer["Location"])
    assert page.context["writes"] == 8
    assert not series.lectures.exists()
    registrar.post(answer["Location"], fingerprints(page))
    assert series.lectures.count() == 8
    assert "Nothing to change" in registrar.get(answer["Location"]).content.decode()


def test_a_new_holiday_leads_to_the_plan_of_the_series_it_touches(registrar: Client, world: World):
    registrar.post(reverse("admin:academics_lectureseries_add"), {**SERIES, "course": world.course.pk})
    plan = reverse("admin:academics_lectureseries_preview")
    registrar.post(plan, fingerprints(registrar.get(plan)))
    days = {"first_day": "2099-03-02", "last_day": "2099-03-08"}
    answer = registrar.post(reverse("admin:academics_holiday_add"), {"name": "Carnival", **days})
    assert answer["Location"] == plan
    assert Lecture.objects.filter(series__isnull=False).count() == 8
    registrar.post(plan, fingerprints(registrar.get(plan)))
    assert Lecture.objects.filter(series__isnull=False).count() == 6
    assert Holiday.objects.get().name == "Carnival"


def test_a_plan_that_is_out_of_date_is_not_carried_out(registrar: Client, world: World):
    registrar.post(reverse("admin:academics_lectureseries_add"), {**SERIES, "course": world.course.pk})
    plan = reverse("admin:academics_lectureseries_preview")
    seen = fingerprints(registrar.get(plan))
    LectureSeries.objects.update(title="Other", starts="08:00")
    answer = registrar.post(plan, seen, follow=True)
    assert "once more" in answer.content.decode()
    assert not Lecture.objects.filter(series__isnull=False).exists()


@pytest.mark.parametrize("name", ["admin:academics_lectureseries_preview", "admin:academics_lecture_calendar_import"])
def test_only_a_registrar_plans(client: Client, world: World, name: str):
    assert client.get(reverse(name)).status_code == 302
    client.force_login(world.own)
    assert client.get(reverse(name)).status_code == 302
    assert client.post(reverse(name), {}).status_code == 302


CALENDAR = reverse_lazy("admin:academics_lecture_calendar_import")


def preview(client: Client, content: bytes, **fields: str) -> str:
    """The address of the preview of a calendar, which is read."""
    address = client.post(CALENDAR, {"file": SimpleUploadedFile("term.ics", content), **fields})["Location"]
    read_uploads()
    return address


def test_a_calendar_is_imported_after_a_look(registrar: Client, world: World):
    hostile = single("x", "20990501T080000Z", "SUMMARY:<script>alert(1)</script>")
    address = preview(registrar, ics(WEEKLY, hostile))
    page = registrar.get(address)
    assert page.context["writes"] == 3
    assert "<script>alert" not in page.content.decode()
    assert world.course.lectures.count() == 1
    answer = registrar.post(address, follow=True)
    assert "3 new" in answer.content.decode()
    assert world.course.lectures.count() == 4
    assert "already imported" in registrar.post(address, follow=True).content.decode()


def test_the_page_waits_for_the_worker(registrar: Client, world: World):
    address = registrar.post(CALENDAR, {"file": SimpleUploadedFile("term.ics", ics(WEEKLY))})["Location"]
    page = registrar.get(address).content.decode()
    assert "term.ics is being read" in page
    assert 'http-equiv="refresh"' in page, "also without scripts"
    asked = {"HX-Request": "true"}
    assert registrar.get(address, headers=asked).status_code == 204
    assert "is being read" in registrar.post(address).content.decode()
    read_uploads()
    assert registrar.get(address, headers=asked)["HX-Refresh"] == "true"
    assert registrar.get(address).context["writes"] == 3


def test_what_repeats_without_an_end_is_asked_for_the_end_of_the_term(world: World) -> None:
    client = Client()
    client.force_login(world.registrar)
    forever = ics([*single("a", "20990323T090000Z"), "RRULE:FREQ=WEEKLY"])
    page = client.get(preview(client, forever)).content.decode()
    assert "Say which day is the last of the term" in page
    page = client.get(preview(client, forever, until="2099-04-13")).content.decode()
    assert "new: 4" in page
    api = APIClient()
    api.force_authenticate(world.registrar)
    sent = send_file(api, "/api/v1/lectures/import/", forever, until="2099-04-13").json()
    assert (
        len(api.post(f"/api/v1/imports/{sent['id']}/calendar/", {"dry_run": True}, format="json").json()["rows"]) == 4
    )


def test_lectures_that_are_gone_are_shown_and_cancelled_with_the_tick(registrar: Client, world: World):
    registrar.post(preview(registrar, ics(WEEKLY, single("x", "20990501T080000Z"))))
    address = preview(registrar, ics(WEEKLY))
    shown = registrar.get(address)
    assert (shown.context["writes"], shown.context["gone"]) == (1, 1)
    assert "no longer in the calendar" in shown.content.decode()
    registrar.post(address)
    assert not world.course.lectures.filter(cancelled=True).exists()
    answer = registrar.post(preview(registrar, ics(WEEKLY)), {"complete": "on"}, follow=True)
    assert "1 cancelled" in answer.content.decode()
    assert world.course.lectures.get(uid="x").cancelled


def test_an_import_is_its_owners(registrar: Client, world: World):
    address = preview(registrar, ics(WEEKLY))
    registrar.force_login(factories.registrar(username="second"))
    assert registrar.post(address)["Location"] == CALENDAR
    assert world.course.lectures.count() == 1


def test_what_is_no_calendar_is_told_with_the_form(registrar: Client, monkeypatch: pytest.MonkeyPatch):
    page = registrar.get(preview(registrar, b"number;name"))
    assert "no calendar file" in str(page.context["problem"])
    assert f'action="{CALENDAR}"' in page.content.decode()
    monkeypatch.setattr("campus.academics.file_imports.MAX_CALENDAR_BYTES", 5)
    page = registrar.post(CALENDAR, {"file": SimpleUploadedFile("a.ics", ics(WEEKLY))})
    assert "larger than" in page.content.decode()


def test_a_lecture_that_is_changed_in_the_admin_is_left_alone_by_its_series(registrar: Client, world: World):
    registrar.post(reverse("admin:academics_lectureseries_add"), {**SERIES, "course": world.course.pk})
    plan = reverse("admin:academics_lectureseries_preview")
    registrar.post(plan, fingerprints(registrar.get(plan)))
    first, second, *_ = Lecture.objects.filter(series__isnull=False).order_by("starts_at")
    listing = reverse("admin:academics_lecture_changelist")
    registrar.post(listing, {"action": "cancel_all", "_selected_action": [first.pk]})
    first.refresh_from_db()
    assert (first.cancelled, first.detached) == (True, True)
    inline = {"recordings-TOTAL_FORMS": 0, "recordings-INITIAL_FORMS": 0}
    form = {
        "title": "Guest",
        "room": "",
        "starts_at_0": "2099-03-05",
        "starts_at_1": "12:00",
        "ends_at_0": "2099-03-05",
        "ends_at_1": "13:00",
    }
    registrar.post(reverse("admin:academics_lecture_change", args=[second.pk]), form | inline)
    second.refresh_from_db()
    assert (second.title, second.detached) == ("Guest", True)


def test_the_day_shows_todays_lectures_the_next_and_what_waits(client: Client, world: World):
    noon = timezone.localtime().replace(hour=12, minute=0, second=0, microsecond=0)
    factories.lecture(world.course, starts_at=noon, title="Today's")
    factories.lecture(world.course, starts_at=noon + timedelta(hours=3), title="Dropped", cancelled=True)
    factories.lecture(world.course, starts_at=noon + timedelta(days=2), title="Soon")
    forgotten = factories.lecture(world.course, starts_at=noon - timedelta(days=2), title="Forgotten")
    world.sighting.present, world.sighting.to_confirm = False, True
    client.force_login(world.own)
    agenda = client.get("/").context["agenda"]
    assert [row.lecture.title for row in agenda.today] == ["Today's", "Dropped"]
    assert agenda.next_lecture.title == "Soon"
    sentences = {todo.text for todo in agenda.todos}
    assert "loops-2.mp4 failed: The file is damaged. Upload another copy." in sentences
    assert any(todo.lecture == forgotten for todo in agenda.todos)
    client.force_login(world.other)
    other = client.get("/").context["agenda"]
    assert (other.today, other.this_week, other.next_lecture) == ([], [], None)
    assert not [todo for todo in other.todos if todo.lecture.course == world.course]


def test_the_day_asks_the_database_as_often_however_much_there_is(
    client: Client, world: World, django_assert_max_num_queries
):
    now = timezone.now()
    for n in range(12):
        course = factories.course(lecturers=(world.own,), students=1)
        factories.recording(factories.lecture(course, starts_at=now - timedelta(hours=n % 3)))
        factories.lecture(course, starts_at=now + timedelta(days=n + 1))
    client.force_login(world.own)
    with django_assert_max_num_queries(22):
        client.get("/")
    with django_assert_max_num_queries(19):
        client.get(reverse("course", args=[world.course.pk]))


def test_a_lecturer_moves_and_cancels_the_own_lecture(client: Client, world: World):
    client.force_login(world.own)
    address = reverse("lecture-change", args=[world.lecture.pk])
    assert "Loops" in client.get(address).content.decode()
    form = {
        "title": "Loops",
        "room": "C 3",
        "starts_at": "2026-11-17T10:00",
        "ends_at": "2026-11-17T11:30",
        "cancelled": "on",
    }
    assert client.post(address, form).status_code == 302
    world.lecture.refresh_from_db()
    assert (world.lecture.room.name, world.lecture.cancelled) == ("C 3", True)
    assert world.lecture.starts_at == datetime(2026, 11, 17, 10, 0, tzinfo=UTC)
    assert "cancelled" in client.get(reverse("course", args=[world.course.pk])).content.decode()
    assert client.post(address, form | {"ends_at": "2026-11-17T09:00"}).status_code == 400
    client.force_login(world.other)
    assert client.post(address, form).status_code == 404


@pytest.mark.parametrize("day", ["0001-01-01", "9999-12-31"])
def test_a_year_that_nobody_means_is_refused_with_a_sentence(registrar: Client, world: World, settings, day: str):
    settings.TIME_ZONE = "Europe/Berlin" if day < "2000" else "America/New_York"
    lecture = world.lecture
    moments = {"starts_at": f"{day}T00:00", "ends_at": f"{day}T23:59"}
    parts = {f"{name}_{n}": part for name, moment in moments.items() for n, part in enumerate(moment.split("T"))}
    inline = {"recordings-TOTAL_FORMS": 0, "recordings-INITIAL_FORMS": 0}
    for address, form in (
        (reverse("lecture-create"), moments | {"course": lecture.course_id}),
        (reverse("lecture-change", args=[lecture.pk]), moments),
        (reverse("admin:academics_lecture_change", args=[lecture.pk]), parts | inline),
        (reverse("admin:academics_lecture_add"), parts | inline | {"course": lecture.course_id}),
    ):
        assert "Choose a day between 1970 and 2199." in registrar.post(address, form).content.decode(), address
    assert not Lecture.objects.exclude(starts_at__year=lecture.starts_at.year).exists()


def test_a_lecture_that_is_signed_off_is_moved_by_a_registrar_only(client: Client, world: World):
    SignOff.objects.create(lecture=world.lecture, user=world.own, user_name="own")
    address = reverse("lecture-change", args=[world.lecture.pk])
    form = {"title": "Late change", "room": "", "starts_at": "2026-11-17T10:00", "ends_at": "2026-11-17T11:30"}
    client.force_login(world.own)
    assert "signed off" in client.post(address, form).content.decode()
    client.force_login(world.registrar)
    client.post(address, form)
    world.lecture.refresh_from_db()
    assert world.lecture.title == "Late change"


def test_a_private_link_gives_the_own_lectures_to_a_calendar_program(client: Client, world: World):
    soon = timezone.now() + timedelta(days=1)
    mine = factories.lecture(world.course, starts_at=soon, title="Mine")
    factories.lecture(world.foreign.course, starts_at=soon, title="Not mine")
    client.force_login(world.own)
    client.post(reverse("calendar-links"), {"act": "renew", "course": ""})
    ((link, address),) = client.get(reverse("calendar-links")).context["links"]
    stranger = Client()  # a calendar program has no session
    answer = stranger.get(address)
    assert answer["Content-Type"].startswith("text/calendar")
    assert [str(event["summary"]) for event in Calendar.from_ical(answer.content).walk("VEVENT")][-1] == "CS101 Mine"
    assert b"Not mine" not in answer.content
    assert b"Student" not in answer.content
    assert CalendarLink.objects.get().used_at is not None
    wrong = address.replace(link.pk.hex, link.pk.hex[::-1])
    assert stranger.get(wrong).status_code == 404
    end = "1.ics" if address.endswith("0.ics") else "0.ics"
    assert stranger.get(address[:-5] + end).status_code == 404
    world.course.lecturers.clear()
    assert mine.title.encode() not in stranger.get(address).content
    world.own.is_active = False
    world.own.save()
    assert stranger.get(address).status_code == 404


def test_addresses_for_calendar_programs_are_those_of_the_site_whatever_a_request_says(
    client: Client, world: World, settings
):
    settings.BASE_URL, settings.ALLOWED_HOSTS = "https://rollcall.example", ["*"]
    client.force_login(world.own)
    api_client = APIClient()
    api_client.force_authenticate(world.own)
    api_client.post("/api/v1/calendar-links/", {}, format="json")
    ((_link, address),) = client.get(reverse("calendar-links"), headers={"host": "elsewhere.example:81"}).context[
        "links"
    ]
    assert address.startswith("https://rollcall.example/calendar/")
    listed = api_client.get("/api/v1/calendar-links/", headers={"host": "elsewhere.example"}).json()["results"]
    assert [row["url"] for row in listed] == [address]
    factories.lecture(world.course, starts_at=timezone.now())
    feed = Client().get(address.removeprefix("https://rollcall.example"), headers={"host": "elsewhere.example"})
    (event, *_) = Calendar.from_ical(feed.content).walk("VEVENT")
    assert str(event["uid"]).endswith("@rollcall.example")
    assert str(event["url"]).startswith("https://rollcall.example/lectures/")
    assert b"elsewhere" not in feed.content


def test_who_only_reads_has_links_too_to_one_class_or_to_all(client: Client, world: World):
    soon = timezone.now() + timedelta(days=1)
    for course in (world.course, world.foreign.course):
        factories.lecture(course, starts_at=soon, title=f"Of {course.code}")
    client.force_login(factories.person(Role.AUDITOR))
    links = reverse("calendar-links")
    client.post(links, {"act": "renew", "course": ""})
    client.post(links, {"act": "renew", "course": world.course.pk})
    page = client.get(links)
    assert "All classes that you teach" not in page.content.decode()
    found = {link.course: Client().get(address).content.decode() for link, address in page.context["links"]}
    assert ("Of CS101" in found[None], "Of MA202" in found[None]) == (True, True)
    assert ("Of CS101" in found[world.course], "Of MA202" in found[world.course]) == (True, False)


def test_a_link_that_is_replaced_or_removed_stops_working(client: Client, world: World):
    client.force_login(world.own)
    links = reverse("calendar-links")
    addresses = []
    for _ in range(2):
        client.post(links, {"act": "renew", "course": world.course.pk})
        addresses.append(client.get(links).context["links"][0][1])
    assert [client.get(address).status_code for address in addresses] == [404, 200]
    client.post(links, {"act": "remove", "course": world.course.pk})
    assert client.get(addresses[1]).status_code == 404
    assert client.post(links, {"act": "renew", "course": world.foreign.course.pk}).status_code == 404


def test_a_page_is_in_the_language_that_was_chosen_or_that_the_browser_asks_for(client: Client, world: World):
    client.force_login(world.own)
    assert 'lang="en-gb"' in client.get("/").content.decode()
    assert 'lang="de"' in client.get("/", headers={"Accept-Language": "de-AT,de;q=0.9"}).content.decode()
    assert 'lang="en-gb"' in client.get("/", headers={"Accept-Language": "en-US"}).content.decode()
    client.post(reverse("set_language"), {"language": "de", "next": "/"})
    assert 'lang="de"' in client.get("/", headers={"Accept-Language": "en-GB"}).content.decode()
    away = client.post(reverse("set_language"), {"language": "en-gb", "next": "https://example.org/"})
    assert away["Location"] == "/"


def test_who_sees_many_classes_finds_one_by_code_or_name(client: Client, world: World):
    for n in range(30):
        factories.course(code=f"X{n:02}", name="Extra" if n else "Astronomy")
    client.force_login(world.registrar)
    home = client.get("/")
    assert "All 32 classes" in home.content.decode()
    assert len(home.context["courses"]) == 24
    assert [course.code for course in client.get("/classes/", {"q": "astro"}).context["page"]] == ["X00"]
    assert "No class is like that" in client.get("/classes/", {"q": "<nothing>"}).content.decode()


def test_the_list_of_classes_has_fifty_a_page_and_keeps_what_it_is_asked_for(client: Client, world: World):
    winter, summer = (
        Term.objects.create(name=name, first_day=date(2026, month, 1), last_day=date(2026, month + 2, 1))
        for name, month in (("Winter", 1), ("Summer", 4))
    )
    for n in range(60):
        factories.course(code=f"X{n:02}", term=winter if n < 55 else summer)
    client.force_login(world.registrar)
    page = client.get("/classes/", {"q": "x", "term": str(winter.pk)})
    assert len(page.context["page"]) == 50
    assert f"?q=x&amp;term={winter.pk}&amp;page=2" in page.content.decode()
    codes = [course.code for course in client.get("/classes/", {"term": summer.pk}).context["page"]]
    assert codes == ["X55", "X56", "X57", "X58", "X59"]
    assert client.get("/classes/", {"term": "nonsense", "page": "-1"}).context["page"].paginator.count == 62


def test_a_lecturer_lists_the_own_classes_alone(client: Client, world: World):
    factories.course(code="OTHER")
    client.force_login(world.own)
    assert list(client.get("/classes/").context["page"]) == [world.course]
