"""The table of who may do what, `docs/permissions.csv`: it is what the program does, and each line of it is as it
should be.

A new address is in it by itself. Where the table changes on purpose:
WRITE_PERMISSIONS=1 .venv/bin/python -m pytest tests/campus/test_permissions.py
"""

import os
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote

from django.conf import settings

from campus.accounts.access import ALLOWED_FOR_READERS
from campus.common.file_responses import WORKBOOK_TYPE
from tests.campus.conftest import World
from tests.campus.permissions import (
    FAULT,
    HIDDEN,
    LOGIN,
    NO,
    TABLE,
    YES,
    address,
    ask,
    committed,
    outcome,
    people,
    routes,
    table,
    things,
    unrendered,
    written,
)

# What is there without a login: how to get in, the language, what monitors ask, and the links of calendars and for
# students' own pages, which are secrets of their own.
PUBLIC = {
    *(
        "login",
        "login-code",
        "password-reset",
        "password-reset-confirm",
        "invitation",
        "api-token",
        "set_language",
        "calendar",
        "health",
        "livez",
        "readyz",
        "lti-keys",
        "lti-launch",
        "lti-login",
        "lti-registration",
        "message-choice",
        "my-data",
        "my-data-file",
        "my-link",
        "own-photo-picture",
    ),
    "admin:logout",
}
# What belongs to no class.
EVERYBODYS = {"api-room-detail", "api-holiday-detail", "api-status-detail", "api-term-detail", "room"}
# Whose it is alone, whatever the role of others.
OWN = {
    "admin:biometrics_facephoto_import",
    "admin:biometrics_facephoto_waiting",
    "course-photo-import",
    "api-import-calendar",
    "api-import-detail",
    "api-import-roster",
    "api-photoimport-detail",
    "api-photoimport-discard",
    "api-photoimport-encoding",
    "api-photoimport-file",
    "api-photoimport-waiting",
    "api-photoimport-waiting-picture",
}
# Forms, which an auditor does not need to read: those of a class's page, and of the admin.
FORMS = {
    "connection-zip",
    "course-erase",
    "course-photo-zip",
    "course-roster",
    "course-roster-preview",
    "course-timetable-preview",
    "legal-hold-create",
    "student-data",
    "student-erase",
}
READABLE = ("changelist", "change", "history", "download", "picture", "thumbnail")


def test_the_table_is_what_the_program_does(world: World):
    now = written(table(world))
    if os.environ.get("WRITE_PERMISSIONS"):
        TABLE.write_text(now)
    assert now.splitlines() == TABLE.read_text().splitlines(), (
        "look at the difference; where it is meant, run this with WRITE_PERMISSIONS=1"
    )


def wrong(fault: Callable[[dict[str, str]], bool]) -> list[str]:
    return [f"{row['verb']} {row['address']}" for row in committed() if fault(row)]


def test_without_a_login_there_is_only_the_login():
    assert not wrong(lambda row: row["anonymous"] not in (LOGIN, NO, HIDDEN) and row["name"] not in PUBLIC)


def test_a_lecturer_has_no_admin():
    def opened(row: dict[str, str]) -> bool:
        return (
            row["name"].startswith("admin:")
            and row["name"] not in PUBLIC
            and YES in (row["lecturer"], row["other lecturer"])
        )

    assert not wrong(opened)


def test_another_lecturers_class_does_not_exist():
    def opened(row: dict[str, str]) -> bool:
        return (
            "<" in row["address"]
            and row["other lecturer"] not in (HIDDEN, NO)
            and row["name"] not in PUBLIC | EVERYBODYS
        )

    assert not wrong(opened)


def test_an_auditor_changes_nothing_but_the_own_account():
    assert not wrong(
        lambda row: (
            row["verb"] not in ("GET", "HEAD") and row["auditor"] == YES and row["name"] not in ALLOWED_FOR_READERS
        )
    )


def test_an_auditor_reads_what_a_registrar_reads():
    def kept_back(row: dict[str, str]) -> bool:
        form = row["name"].startswith("admin:") and row["name"].rpartition("_")[2] not in READABLE
        return (
            row["verb"] == "GET"
            and row["registrar"] == YES
            and row["auditor"] != YES
            and not form
            and row["name"] not in OWN | FORMS
        )

    assert not [line for line in wrong(kept_back) if "/admin/auth/user/<id>/password/" not in line]


def test_an_administrator_may_what_a_registrar_may():
    assert not wrong(lambda row: row["registrar"] == YES and row["administrator"] != YES and row["name"] not in OWN)


def test_every_answer_is_one_and_every_object_was_there():
    assert not wrong(lambda row: FAULT in row.values())
    # There are no addresses of a provider of sign-ins before it is active, which one that answers can be.
    of_provider = "/sign-in/<slug:slug>/"
    assert not wrong(
        lambda row: HIDDEN in row.values() and YES not in row.values() and not row["address"].startswith(of_provider)
    )


def test_it_has_every_kind_of_file_the_stream_uploads_in_parts_and_the_admins_actions():
    given = {row["gives"] for row in committed() if row["verb"] == "GET"}
    files = {"image/jpeg", "video/mp4", "text/csv", "text/calendar", WORKBOOK_TYPE}
    assert given >= files | {"text/event-stream", "application/octet-stream"}
    assert {"POST action=delete_selected", "POST action=cancel_all"} <= {row["verb"] for row in committed()}
    assert {row["verb"] for row in committed() if row["name"] == "api-upload"} == {"GET", "PATCH", "DELETE"}
    assert {row["verb"] for row in committed() if row["name"] == "api-upload-parts"} == {"POST"}


def test_head_is_answered_as_get_and_no_other_verb_opens_the_admin(world: World):
    keys, clients = things(world), people(world)
    known = {(route.pattern, route.name): route for route in routes()}
    wrong = []
    with unrendered():
        for row in committed():
            if row["verb"] != "GET":
                continue
            where = address(known[row["address"], row["name"]], keys)
            verbs = ("HEAD", "PUT", "PATCH", "DELETE") if row["name"].startswith("admin:") else ("HEAD",)
            for who in ("anonymous", "other lecturer"):
                for verb in verbs:
                    if outcome(ask(clients[who], verb, where), where, known=who != "anonymous") != row[who]:
                        wrong.append(f"{verb} {where} {who}")
    assert not wrong


def test_options_does_not_tell_what_there_is(world: World):
    """The answer about an object of another class is that about one that does not exist."""
    keys, client = things(world), people(world)["other lecturer"]
    about_objects = [route for route in routes() if route.pattern.startswith("/api/") and "<" in route.pattern]
    for route in about_objects:
        there, not_there = (ask(client, "OPTIONS", address(route, known)) for known in (keys, {}))
        assert (there.status_code, there.content) == (not_there.status_code, not_there.content), route.pattern


def test_no_file_is_reached_by_its_name(world: World):
    things(world)
    client = people(world)["administrator"]
    folders = [Path(settings.MEDIA_ROOT), Path(settings.REPORTS_DIR)]
    names = [path.relative_to(folder) for folder in folders for path in folder.rglob("*") if path.is_file()]
    assert len(names) > 10
    for name in names:
        for before in ("/", "/media/", "/static/", "/static/../media/", "/static/..%2fmedia/", "/reports/", "/api/v1/"):
            assert ask(client, "GET", f"{before}{quote(str(name))}").status_code == 404, f"{before}{name}"


def test_what_readers_may_send_exists():
    assert {route.name for route in routes()} >= ALLOWED_FOR_READERS
