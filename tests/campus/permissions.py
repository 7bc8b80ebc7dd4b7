"""Who gets what: every address of the program and every action of the admin's lists, asked with every verb by every
role. Nothing here lists the addresses."""

import csv
import io
import re
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from datetime import timedelta
from functools import cache as remembered
from http import HTTPMethod
from http.cookies import SimpleCookie
from pathlib import Path
from typing import Any
from unittest.mock import patch

from django.contrib import admin
from django.contrib.auth.models import Group, User
from django.contrib.messages import get_messages
from django.core.cache import cache
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.db import transaction
from django.template.base import Template
from django.test import Client, RequestFactory
from django.urls import NoReverseMatch, get_resolver, reverse
from django.urls.resolvers import URLPattern, URLResolver
from django.utils import timezone
from django.utils.safestring import SafeString
from django_celery_beat.models import IntervalSchedule, PeriodicTask

import campus.urls  # noqa: F401  (registers what the admin shows)
from campus.academics.calendar_links import calendar_link_token, renew_calendar_link
from campus.academics.models import FileImport, Holiday, LectureSeries, Term
from campus.accounts.invitations import invitation_token, invite
from campus.accounts.roles import Role
from campus.accounts.services import create_token
from campus.attendance.models import AnnotatedVideo, AttendanceChange, Objection, Snapshot
from campus.biometrics.models import LookAlike, PhotoImport, SentPhoto, WaitingPhoto
from campus.cctv.models import Alarm, Collection, SourceTest
from campus.common.periodic_tasks import COLLECT_FOOTAGE
from campus.common.storage import clear_storage
from campus.connections.models import Connection, ConnectionRun
from campus.consent.links import renew_student_link, student_link_token
from campus.consent.models import Consent
from campus.consent.services import record_answer
from campus.identity.models import IdentityProvider
from campus.outbox.models import Delivery, MessageSettings, Webhook
from campus.outbox.opt_ins import record_opt_in
from campus.privacy.models import Erasure, LegalHold
from campus.recordings.models import Upload
from recognition.messages import Message
from tests.campus import factories
from tests.campus.conftest import World, jpeg
from tests.campus.security_headers import find_header_faults

TABLE = Path(__file__).resolve().parents[2] / "docs" / "permissions.csv"
WHO = ("anonymous", "lecturer", "other lecturer", "auditor", "registrar", "administrator")
READERS = ("anonymous", "lecturer", "registrar", "administrator")
# Whose pages are rendered; no other test looks at them. Those of others take time, and `test_every_page` looks at each.
RENDERED_FOR = "auditor"
YES, NO, HIDDEN, LOGIN, MISSING, FAULT = "yes", "no", "hidden", "login", "-", "fault"
VERBS = (HTTPMethod.GET, HTTPMethod.POST, HTTPMethod.PUT, HTTPMethod.PATCH, HTTPMethod.DELETE)
# What stands for a part of an address that is no object's key.
WORDS = {
    "kind": "csv",
    "action": "restart",
    "status": "present",
    "n": 0,
    "number": 1,
    "uidb64": "x",
    "token": "x",
    "folder": "media",
    "slug": "sso",
}
# Addresses whose words are others.
WORDS_OF = {"sighting-action": {"action": "reject"}}
DAY = factories.STARTS.date()
NO_ACTION = "No action selected."  # what Django's admin says also to who may not do what was chosen
NO_ROUTES = {"admin:view_on_site", "admin:app_list", "api-not-found"}  # theirs is what they lead to


@dataclass(frozen=True)
class Route:
    name: str
    pattern: str
    converters: dict[str, Any] = field(hash=False)


def routes() -> Iterator[Route]:
    def walk(resolver: URLResolver, before: str, space: str, known: dict[str, Any]) -> Iterator[Route]:
        for entry in resolver.url_patterns:
            pattern = before + re.sub(r"\(\?P<(\w+)>[^)]*\)", r"<\1>", str(entry.pattern)).strip("^$")
            converters = known | dict.fromkeys(re.findall(r"<(?:\w+:)?(\w+)>", pattern))
            if isinstance(entry, URLResolver):
                yield from walk(
                    entry,
                    pattern.replace("^", ""),
                    f"{space}{entry.namespace}:" if entry.namespace else space,
                    converters,
                )
            elif isinstance(entry, URLPattern) and entry.name and space + entry.name not in NO_ROUTES:
                yield Route(space + entry.name, "/" + pattern.replace("$", "").replace("^", ""), converters)

    yield from walk(get_resolver(), "", "", {})


def things(world: World) -> dict[str, object]:
    """The key of the object that an address is about, by the word before it. All of them belong to the class of
    `own`."""
    change = AttendanceChange.objects.create(
        lecture=world.lecture,
        record=world.record,
        old_status="present",
        new_status="late",
        user=world.own,
        user_name="own",
    )
    webhook = Webhook.objects.create(url="https://example.org/hook")
    provider = IdentityProvider.objects.create(slug="sso", name="University", settings={"issuer": "http://127.0.0.1:1"})
    camera = factories.camera("B 13")
    SourceTest.objects.create(source=camera.source)
    collection = Collection.objects.create(
        lecture=world.lecture, next_check_at=timezone.now(), deadline_at=timezone.now()
    )
    token, _ = create_token(user=world.own, name="script", scope="read", days=1)
    link = renew_calendar_link(user=world.own, course=world.course)
    photo_import = PhotoImport.objects.create(
        user=world.registrar, course=world.course, original_name="photos.zip", total=1
    )
    waiting_photo = WaitingPhoto(photo_import=photo_import, folder="nobody", original_name="1.jpg", sha256="0" * 64)
    waiting_photo.thumbnail = default_storage.save("imports/small.jpg", ContentFile(jpeg()))
    waiting_photo.file.save("1.jpg", ContentFile(jpeg()))
    student_link = renew_student_link(student=world.student, user=world.registrar)
    opt_in = record_opt_in(
        student=world.student,
        recipient="guardian",
        channel="sms",
        address="+49 171 5550199",
        language="en-gb",
        user=world.registrar,
    )
    MessageSettings.objects.create(pk=1)
    sent_photo = SentPhoto(link=student_link, original_name="1.jpg", sha256="0" * 64, state=SentPhoto.State.WAITING)
    sent_photo.picture = default_storage.save("sent/small.jpg", ContentFile(jpeg()))
    sent_photo.file.save("1.jpg", ContentFile(jpeg()))
    look_alike = LookAlike.objects.create(first=world.student, second=factories.student(), similarity=0.99)
    invitation = invite(
        first_name="Ada", last_name="New", email="new@example.org", role=Role.LECTURER, by=world.registrar
    )
    connection = Connection.objects.create(kind=Connection.Kind.LTI, name="Moodle", active=True)
    linked_class = connection.links.create(course=world.course, remote_id="7", remote_name="CS 101")
    linked_class.marks.create(
        student=world.student, remote_person="1", value="90/100", changed_at=timezone.now(), state="failed"
    )
    connection.runs.create(link=linked_class, task=ConnectionRun.Task.MARKS, state="done", counts={"failed": 1})
    connection.people.create(remote_id="1", number_key=world.student.number_key, student=world.student)
    keys = {
        "classes courses course": world.course.pk,
        "students student": world.student.pk,
        "lectures lecture": world.lecture.pk,
        "recordings recording": world.failed.pk,
        "records attendance attendancerecord": world.record.pk,
        "attendancechange changes": change.pk,
        "enrolments": world.course.enrolments.get(student=world.student).pk,
        "uploads": Upload.objects.create(
            lecture=world.lecture, user=world.own, size=1, expires_at=timezone.now() + timedelta(days=1)
        ).pk,
        "calendar": calendar_link_token(link),
        "calendar-links": link.pk,
        "statuses": "late",
        "room rooms": factories.room("B 12").pk,
        "source sources": camera.source.pk,
        "camera cameras": camera.pk,
        "footagefile footage-files": factories.footage_file(camera, factories.STARTS).pk,
        "collection collections": collection.pk,
        "alarm": Alarm.objects.create(kind=Alarm.Kind.QUEUE, key="queue", text=Message("Work waits.")).pk,
        "periodictask": PeriodicTask.objects.create(
            name=COLLECT_FOOTAGE.name,
            task=COLLECT_FOOTAGE.task,
            interval=IntervalSchedule.objects.create(every=60, period="seconds"),
            last_run_at=timezone.now(),
        ).pk,
        "webhook webhooks": webhook.pk,
        "connection connections": connection.pk,
        "linked-classes": linked_class.pk,
        "identityprovider": provider.pk,
        "externalidentity": provider.identities.create(issuer="https://id.example", subject="1", user=world.own).pk,
        "delivery deliveries": Delivery.objects.create(webhook=webhook, event="test", body="{}", key="test").pk,
        "group": Group.objects.get(name=Role.LECTURER).pk,
        "lectureseries series": LectureSeries.objects.create(
            course=world.course, starts="09:00", ends="10:30", first_day=DAY, last_day=DAY
        ).pk,
        "term terms": Term.objects.create(name="Spring", first_day=DAY, last_day=DAY).pk,
        "holiday holidays": Holiday.objects.create(name="Easter", first_day=DAY, last_day=DAY).pk,
        "reports report": world.report.pk,
        "excuses": factories.excuse(
            world.student, course=world.course, document=ContentFile(b"%PDF-", "a.pdf"), document_name="a.pdf"
        ).pk,
        "galleries gallery": world.gallery.pk,
        "face crops sightings": world.sighting.pk,
        "unknown unknown-people": world.unknown.pk,
        "annotated-videos": AnnotatedVideo.objects.create(
            recording=world.recording,
            user=world.own,
            start=0,
            end=10,
            state=AnnotatedVideo.State.READY,
            file=clear_storage().save("annotated/one.mp4", ContentFile(b"video")),
        ).pk,
        "snapshots": Snapshot.objects.create(
            recording=world.recording,
            time=5,
            state=Snapshot.State.READY,
            file=default_storage.save("snapshots/one.jpg", ContentFile(jpeg())),
        ).pk,
        "photos facephoto": world.photo.pk,
        "zip photo-imports": photo_import.pk,
        "import import-calendar imports roster": FileImport.objects.create(
            user=world.registrar, course=world.course, kind=FileImport.Kind.ROSTER, original_name="roster.csv"
        ).pk,
        "legal-holds": LegalHold.objects.create(lecture=factories.lecture(), reason="x", user_name="registrar").pk,
        "consents": record_answer(student=world.student, given=True, method=Consent.Method.PAPER).pk,
        "erasures": Erasure.objects.create(
            kind=Erasure.Kind.STUDENT, subject=world.record.student_id, requested_by_name="registrar"
        ).pk,
        "waiting": waiting_photo.pk,
        "me": student_link_token(student_link),
        "messages": opt_in.code,
        "bigbluebutton": factories.source(kind="bbb", address="https://bbb.example.org").pk,
        "zoom": factories.source(kind="zoom", address="https://api.zoom.us/v2").pk,
        "objections": Objection.objects.create(record=world.record, text="I was there.", due_on=DAY).pk,
        "student-links": student_link.pk,
        "sent": sent_photo.pk,
        "look-alikes": look_alike.pk,
        "lecture-faces": factories.lecture_face(world.lecture, world.student).pk,
        "tokens": token.pk,
        "user": world.own.pk,
        "invitation": invitation_token(invitation),
        "invitations": invitation.pk,
    }
    rows = {model._meta.model_name: model._default_manager.first() for model in admin.site._registry}
    known = {name: row.pk for name, row in rows.items() if row is not None and name}
    return known | {word: key for words, key in keys.items() for word in words.split()}


def address(route: Route, keys: dict[str, object]) -> str:
    words = WORDS | WORDS_OF.get(route.name, {})
    arguments = {}
    for name in route.converters:
        before = re.search(rf"([\w-]+)/<(?:\w+:)?{name}>", route.pattern)
        key = keys.get(before[1], 0) if before else 0
        arguments[name] = words.get(name, key)
    try:
        return reverse(route.name, kwargs=arguments)
    except NoReverseMatch:  # the key is a UUID
        return reverse(
            route.name,
            kwargs={name: value or "00000000-0000-0000-0000-000000000000" for name, value in arguments.items()},
        )


@remembered
def readers() -> dict[tuple[str, str], str]:
    """The address and name of each route -> for whom it is: the one with the least rights who may read it; empty:
    nobody reads it."""
    found = {(row["address"], row["name"]): "" for row in committed()}
    read = (row for row in committed() if row["verb"] == HTTPMethod.GET)
    return found | {
        (row["address"], row["name"]): next((who for who in READERS if row[who] == YES), "") for row in read
    }


def reader(route: Route) -> str:
    """For whom a page is; the administrator, where it is too new for the table."""
    return readers().get((route.pattern, route.name), "administrator")


def ask(client: Client, verb: str, where: str, data: dict[str, str] | None = None) -> Any:
    """The response to a request of which nothing is left."""
    cache.clear()
    cookies = client.cookies.copy()
    with transaction.atomic():
        if data is None:
            body = "{}" if where.startswith("/api/") else ""
            headers = {"Tus-Resumable": "1.0.0"}
            response = client.generic(verb, where, body, content_type="application/json", headers=headers)
        else:
            response = client.post(where, data)
        transaction.set_rollback(True)
    client.cookies = SimpleCookie(cookies)  # of who has logged out
    assert find_header_faults(response, where) == []
    return response


def outcome(response: Any, where: str, *, known: bool) -> str:
    status, to = response.status_code, response.headers.get("Location", "")
    if status >= 500 and status not in (503, 507):
        return FAULT
    if status == 401 or to.startswith(("/login/", "/admin/login/")):
        return NO if known else LOGIN
    if to == "/admin/" and where not in (
        "/admin/login/",
        "/admin/logout/",
    ):  # how Django's admin says that a row does not exist
        return HIDDEN
    if to and where.startswith("/admin/") and NO_ACTION in map(str, get_messages(response.wsgi_request)):
        return NO
    return {403: NO, 404: HIDDEN, 405: MISSING}.get(status, YES)


def unrendered() -> AbstractContextManager[object]:
    """Templates take no time; and give nothing."""
    return patch.object(Template, "_render", lambda *_arguments: SafeString())


def people(world: World) -> dict[str, Client]:
    users: dict[str, User | None] = {
        "anonymous": None,
        "lecturer": world.own,
        "other lecturer": world.other,
        "auditor": factories.person(Role.AUDITOR),
        "registrar": world.registrar,
        "administrator": factories.person(Role.ADMINISTRATOR),
    }
    clients = {}
    for who, user in users.items():
        clients[who] = client = Client(raise_request_exception=False)
        if user:
            client.force_login(user)
            _, secret = create_token(user=user, name="all", scope="write", days=1)
            client.defaults["HTTP_AUTHORIZATION"] = f"Bearer {secret}"
    return clients


def verbs_of(client: Client, route: Route, where: str) -> list[str]:
    """The verbs that an address takes, by what it says to one that it does not."""
    if route.name.startswith("admin:"):  # Django's admin takes any other verb for GET
        return ["GET", "POST"]
    refusal = ask(client, "PROPFIND", where)
    if refusal.status_code != 405:
        return [verb for verb in VERBS if ask(client, verb, where).status_code != 405]
    allowed = {verb.strip() for verb in refusal.headers["Allow"].split(",")}
    return [verb for verb in (*VERBS, HTTPMethod.HEAD) if verb in allowed and not (verb == "HEAD" and "GET" in allowed)]


def table(world: World) -> list[dict[str, str]]:
    """One row an address and verb that anybody may send, and one an action of a list of the admin."""
    keys, clients = things(world), people(world)
    found = []
    for route in sorted(routes(), key=lambda route: (route.pattern, route.name)):
        where = address(route, keys)
        for verb in verbs_of(clients["administrator"], route, where):
            about = {"address": route.pattern, "name": route.name, "verb": verb}
            found.append(about | answers(clients, where, lambda client: ask(client, verb, where)))  # noqa: B023
    for model, action in actions():
        name = f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist"
        where = reverse(name)
        chosen = {"action": action, "_selected_action": str(keys[model._meta.model_name])}
        about = {"address": where, "name": name, "verb": f"POST action={action}"}
        found.append(about | answers(clients, where, lambda client: ask(client, "POST", where, chosen)))  # noqa: B023
    return [row for row in found if row["administrator"] != MISSING]


def actions() -> Iterator[tuple[Any, str]]:
    """The actions of the admin's lists."""
    request = RequestFactory().get("/")
    request.user = User(is_superuser=True, is_staff=True)
    for model, model_admin in sorted(admin.site._registry.items(), key=lambda entry: entry[0]._meta.label_lower):
        yield from ((model, action) for action in model_admin.get_actions(request))


def answers(clients: dict[str, Client], where: str, send: Callable[[Client], Any]) -> dict[str, str]:
    """What each gets, and what kind of content that is."""
    gives, given = "", {}
    for who, client in clients.items():
        with nullcontext() if who == RENDERED_FOR else unrendered():
            response = send(client)
        given[who] = outcome(response, where, known=who != "anonymous")
        if given[who] == YES and response.status_code in (200, 503):
            gives = response.headers.get("Content-Type", "").partition(";")[0]
    return {"gives": gives} | given


def written(rows: list[dict[str, str]]) -> str:
    text = io.StringIO()
    writer = csv.DictWriter(text, ["address", "name", "verb", "gives", *WHO], lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def committed() -> list[dict[str, str]]:
    with TABLE.open(newline="") as file:
        return list(csv.DictReader(file))
