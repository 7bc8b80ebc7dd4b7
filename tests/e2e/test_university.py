"""A lecture at a university that has everything else already: sign-in, learning platform, recorder, student pages."""

import re
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import av
import httpx
import pytest
from django.core.cache import cache
from django.core.files.base import ContentFile
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from playwright.sync_api import Browser, Page, expect

from campus.accounts.roles import Role
from campus.biometrics.services import add_photo, request_training
from campus.cctv.collection import collect_footage
from campus.cctv.fetch_queue import queue_wanted_files
from campus.cctv.models import Source
from campus.common import jobs
from campus.connections.runs import request_due_runs
from campus.identity.models import AccessRule, IdentityProvider
from campus.identity.provider_settings import settings_form
from campus.identity.provisioning import create_scim_token
from campus.recordings.models import Recording
from campus.recordings.services import start_due_votes
from demo.lecture import write_photos, write_video
from tests.campus import factories
from tests.campus.connections.platforms import connect, work_off
from tests.e2e.conftest import NARROW, SignIn, sees
from tests.servers.isapi import IsapiRecorder
from tests.servers.lti_platform import Platform, lti_platform
from tests.servers.openid import CLIENT, SECRET, OpenIDPeer, openid_peer
from tests.servers.saml_idp import SamlIdp
from workers import sources
from workers.aggregate import aggregate
from workers.fetch import fetch
from workers.file_imports import read_file
from workers.ingest import ingest
from workers.leased_task import run_attempt
from workers.segments import recognise
from workers.training import check_photo, train

CHANNEL, ROOM = "101", "B 12"
NUMBER_OF_DANA = "urn:schac:personalUniqueCode:de:example.edu:Matrikelnummer:0004"
USER = "urn:ietf:params:scim:schemas:core:2.0:User"
FILM_REPEATS = 4  # of the demo's 40 seconds
FILM_BEGAN = timezone.now().replace(microsecond=0) - timedelta(hours=1)


@pytest.fixture
def film(tmp_path: Path) -> Path:
    """The demo's lecture as a recorder keeps it: a picture a second, each for itself."""
    write_video(tmp_path / "lecture.mp4")
    path = tmp_path / "film.ts"
    with av.open(str(tmp_path / "lecture.mp4")) as source:
        pictures = [frame.to_image() for n, frame in enumerate(source.decode(video=0)) if n % 10 == 0]
    with av.open(str(path), "w", format="mpegts") as container:
        stream = container.add_stream("libx264", rate=1, options={"preset": "ultrafast", "tune": "zerolatency"})
        stream.width, stream.height = pictures[0].size
        stream.pix_fmt, stream.codec_context.gop_size = "yuv420p", 1
        for picture in pictures * FILM_REPEATS:
            container.mux(stream.encode(av.VideoFrame.from_image(picture)))
        container.mux(stream.encode())
    return path


@pytest.fixture
def provider(own_machine: None) -> Iterator[OpenIDPeer]:
    with openid_peer() as peer:
        yield peer


@pytest.fixture
def platform(own_machine: None) -> Iterator[Platform]:
    with lti_platform(Platform()) as served:
        yield served


@pytest.fixture
def identity_provider(own_machine: None, address: str) -> Iterator[SamlIdp]:
    """That of the students."""
    with SamlIdp() as idp:
        form = settings_form("saml", {"metadata_url": f"{idp.url}/metadata"})
        assert form.is_valid()
        IdentityProvider.objects.create(
            kind="saml",
            slug="students",
            name="Students",
            active=True,
            settings=form.cleaned_data,
            for_staff=False,
            for_students=True,
            student_number_claim="schacPersonalUniqueCode",
        )
        idp.trust(httpx.get(address + reverse("saml-metadata", args=["students"])).text)
        yield idp


@pytest.fixture
def own_machine(settings: Any) -> None:
    settings.CONNECTION_NETWORKS = ["127.0.0.0/8", "::1/128"]
    settings.SOURCE_NETWORKS = ["127.0.0.0/8"]
    cache.clear()


def work(job: jobs.Job, task: Callable[[Any], None]) -> None:
    """Do all that waits of one kind, as a worker does."""
    for pk in list(job.waiting().values_list("pk", flat=True)):
        run_attempt(job, task, job.claim(pk, owner=f"worker {timezone.now()}"))


def enrol_faces(course: Any, folder: Path) -> None:
    write_photos(folder)
    for student in course.students.all():
        for path in sorted((folder / student.name).iterdir()):
            add_photo(student=student, file=ContentFile(path.read_bytes(), path.name), name=path.name)
    work(jobs.CHECK_PHOTO, check_photo)
    request_training(course=course)
    work(jobs.TRAIN, train)


def count_what_the_recorder_has(source: Source) -> Recording:
    collect_footage()
    work(jobs.SCAN_SOURCE, sources.scan_source)
    while source.footage_files.filter(state="fetching").exists():
        work(jobs.FETCH, fetch)
        queue_wanted_files(source=source)
    work(jobs.INGEST, ingest)
    while jobs.RECOGNISE.waiting().exists():
        work(jobs.RECOGNISE, recognise)
    recording = Recording.objects.get()
    start_due_votes(recording_id=recording.pk)
    work(jobs.AGGREGATE, aggregate)
    recording.refresh_from_db()
    return recording


def launch(page: Page, platform: Platform, address: str, user: str) -> Page:
    """Somebody opens the link in the course: a new tab."""
    begun = {
        "iss": platform.issuer,
        "client_id": platform.client_id,
        "login_hint": user,
        "target_link_uri": f"{address}/lti/launch/",
        "lti_message_hint": urlencode({"target": f"{address}/lti/launch/"}),
    }
    page.goto(f"{platform.issuer}/launch-link?{urlencode({'to': f'{address}/lti/login/?{urlencode(begun)}'})}")
    with page.context.expect_page() as opened:
        page.get_by_role("link", name="Rollcall").click()
    tab = opened.value
    tab.get_by_role("button", name="Go on").click()
    return tab


def test_a_lecture_among_the_systems_of_a_university(
    page: Page,
    address: str,
    identity_provider: SamlIdp,
    chromium: Browser,
    sign_in: SignIn,
    provider: OpenIDPeer,
    platform: Platform,
    film: Path,
    tmp_path: Path,
) -> None:
    course = factories.course(code="CS101", name="Programming")
    registrar = factories.registrar()
    # A lecturer who has no account yet signs in at the university.
    staff = IdentityProvider.objects.create(
        slug="sso",
        name="University",
        active=True,
        creates_accounts=True,
        settings={"issuer": provider.issuer, "scopes": "openid profile email", "client_id": CLIENT},
        secret=SECRET,
    )
    AccessRule.objects.create(provider=staff, claim="groups", value="teachers", role=Role.LECTURER, course=course)
    provider.claims = {"sub": "grace", "given_name": "Grace", "family_name": "Hopper", "groups": ["teachers"]}
    provider.claims |= {"preferred_username": "hopper"}
    page.goto("/login/")
    page.get_by_role("link", name="University").click()
    sees(page, "CS101")

    # She opens the link in her course on the learning platform, which knows her by the same name.
    connect(platform)
    IdentityProvider.objects.filter(kind="lti").update(matching="user-name", match_claim="lis_person_sourcedid")
    platform.add_member("grace", "Grace Hopper", "hopper", role="Instructor")
    write_photos(tmp_path / "people")
    for number, folder in enumerate(sorted((tmp_path / "people").iterdir()), 1):
        platform.add_member(f"user-{number}", folder.name, f"{number:04}")
    tab = launch(page, platform, address, "grace")
    tab.get_by_role("button", name="Link this class").click()
    sees(tab, "CS101 is linked with")
    work_off()

    # The roster changes more than the connection may by itself, so a registrar looks at it.
    office = chromium.new_context(base_url=address, locale="en-GB")
    sign_in(registrar, office)
    desk = office.new_page()
    desk.goto("/connections/")
    desk.get_by_role("button", name="Preview roster").click()
    work_off()
    work(jobs.READ_FILE, read_file)
    desk.goto("/connections/")
    desk.get_by_role("link", name="Preview").click()
    desk.get_by_role("button", name="Import", exact=True).click()
    expect(desk.locator("#main")).to_contain_text("Amara Obi")
    assert course.students.count() == 8

    enrol_faces(course, tmp_path / "people")
    with IsapiRecorder(film) as recorder:
        recorder.recorded[CHANNEL] = [(FILM_BEGAN, FILM_BEGAN + FILM_REPEATS * timedelta(seconds=40))]
        source = factories.source(**recorder.fields, secret=recorder.password, time_zone="UTC")
        factories.camera(ROOM, source, label=CHANNEL)
        lecture = factories.lecture(
            course,
            room=ROOM,
            starts_at=FILM_BEGAN + timedelta(seconds=20),
            ends_at=FILM_BEGAN + timedelta(seconds=140),
        )
        recording = count_what_the_recorder_has(source)
    assert recording.state == Recording.State.DONE
    absent = lecture.records.filter(machine_status="absent").values_list("student__name", flat=True)
    assert set(absent) == {"Chiara Rossi", "Farida Haddad"}

    # She looks at it, sets one status by hand, and signs off: the marks stand on the platform.
    tab.goto(f"{address}/lectures/{lecture.pk}/")
    sees(tab, "6 present", "2 not seen")
    tab.get_by_label("Select Farida Haddad").check()
    several = tab.get_by_role("group", name="Set several at once")
    several.get_by_label("Status").select_option("Late")
    several.get_by_label("Reason").fill("Bus")
    several.get_by_role("button", name="Set for selected").click()
    sees(tab, "1 late")
    tab.locator("summary", has_text="Sign off").click()
    tab.get_by_role("button", name="Yes, sign off").click()
    sees(tab, "Signed off by Grace Hopper")
    request_due_runs()
    work_off()
    names = {member["user_id"]: member["name"] for member in platform.members.values()}
    marks = {names[user]: mark for user, mark in platform.marks().items()}
    assert marks.pop("Chiara Rossi") == 0
    assert 0 < marks.pop("Farida Haddad") < 100
    assert set(marks.values()) == {100}
    desk.goto("/connections/")
    sees(desk, "8 marks stand there")

    # A student sees it after signing in by SAML.
    identity_provider.attributes = {"pairwise-id": ["s4@example.edu"], "schacPersonalUniqueCode": [NUMBER_OF_DANA]}
    phone = chromium.new_context(base_url=address, locale="en-GB", viewport=NARROW)
    own = phone.new_page()
    own.goto("/login/")
    own.get_by_role("link", name="Students").click()
    sees(own, "Your attendance and your data, Dana")
    own.locator("summary", has_text="CS101").click()
    sees(own, "Present")

    # The lecturer leaves the university: nothing that was open to her still is.
    directory = Client(headers={"Authorization": f"Bearer {create_scim_token(provider=staff)[1]}"})
    person = {"schemas": [USER], "userName": "hopper", "externalId": "grace", "active": True}
    made = directory.post("/scim/v2/Users", person, content_type="application/scim+json")
    assert made.status_code == 201, made.content
    tab.reload()
    sees(tab, "Signed off by Grace Hopper")
    directory.delete(f"/scim/v2/Users/{made.json()['id']}")
    tab.reload()
    expect(tab).to_have_url(re.compile("/login/"))
    page.goto("/login/")
    page.get_by_role("link", name="University").click()
    expect(page.locator("#main")).not_to_contain_text("CS101")
    refused = launch(page, platform, address, "grace")
    sees(refused, "You could not be signed in")
