"""The table of who may do what, `docs/permissions.csv`: it is what the program does, and each line of it is as it
should be.

A new address is in it by itself. Where the table changes on purpose:
WRITE_PERMISSIONS=1 .venv/bin/python -m pytest tests/campus/test_permissions.py
"""

import os
from collections.abc import Callable

from campus.accounts.access import ALLOWED_FOR_READERS
from tests.campus.conftest import World
from tests.campus.permissions import FAULT, HIDDEN, LOGIN, NO, TABLE, YES, committed, routes, table, written

# What is there without a login: how to get in, the language, and a calendar's link, which is a secret of its own.
PUBLIC = {
    *(
        "login",
        "login-code",
        "password-reset",
        "password-reset-confirm",
        "api-token",
        "set_language",
        "calendar",
        "health",
    ),
    "admin:logout",
}
# What belongs to no class.
EVERYBODYS = {"api-room-detail", "api-holiday-detail", "api-status-detail"}
# Whose it is alone, whatever the role of others.
OWN = {
    "admin:biometrics_facephoto_import",
    "admin:biometrics_facephoto_waiting",
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
# Forms of the admin, which an auditor does not need to read.
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
        lambda row: row["verb"] != "GET" and row["auditor"] == YES and row["name"] not in ALLOWED_FOR_READERS
    )


def test_an_auditor_reads_what_a_registrar_reads():
    def kept_back(row: dict[str, str]) -> bool:
        form = row["name"].startswith("admin:") and row["name"].rpartition("_")[2] not in READABLE
        return (
            row["verb"] == "GET"
            and row["registrar"] == YES
            and row["auditor"] != YES
            and not form
            and row["name"] not in OWN
        )

    assert not [line for line in wrong(kept_back) if "/admin/auth/user/<id>/password/" not in line]


def test_an_administrator_may_what_a_registrar_may():
    assert not wrong(lambda row: row["registrar"] == YES and row["administrator"] != YES and row["name"] not in OWN)


def test_every_answer_is_one_and_every_object_was_there():
    assert not wrong(lambda row: FAULT in row.values())
    assert not wrong(lambda row: HIDDEN in row.values() and YES not in row.values())


def test_what_readers_may_send_exists():
    assert {route.name for route in routes()} >= ALLOWED_FOR_READERS
