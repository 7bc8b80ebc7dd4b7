"""The audit log: what it takes, that nobody changes it, and how a change is found that somebody made all the same."""

import hashlib
import json
import re
from datetime import timedelta

import pytest
from django.core.management import call_command
from django.db import IntegrityError, connection, transaction
from django.utils import timezone

from campus.audit.chain import verify_chain
from campus.audit.models import Action, AuditEntry
from campus.audit.services import prune_before, record_event, record_read, seal_entries
from campus.audit.triggers import create_triggers, drop_triggers
from tests.campus import factories

pytestmark = pytest.mark.django_db


def write(n: int = 5) -> None:
    """So many entries, sealed."""
    for number in range(n):
        record_event(None, Action.EXPORTED, course=number, about="csv")
    seal_entries()


def tamper(*statements: str) -> None:
    """As somebody does who may change the database itself."""
    drop_triggers()
    with connection.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)
    create_triggers()


def test_an_entry_says_who_did_what_and_its_hash_can_be_computed_elsewhere():
    registrar = factories.registrar(username="ada", first_name="Ada", last_name="Löw")
    record_event(registrar, Action.TRAINED, student=7, course=3, about="gallery 12")
    seal_entries()
    registrar.delete()

    entry = AuditEntry.objects.get(action=Action.TRAINED)
    assert (entry.actor_name, entry.actor_role, entry.student_id, entry.course_id) == ("Ada Löw", "Registrar", 7, 3)
    at = entry.at.strftime("%Y-%m-%dT%H:%M:%S.%f")
    who, what = [entry.actor_id, "Ada Löw", "Registrar"], ["trained", 7, None, 3, "gallery 12"]
    written = [entry.sequence, entry.previous_hash, entry.pk, at, *who, *what]
    assert entry.hash == hashlib.sha256(json.dumps(written, separators=(",", ":")).encode()).hexdigest()
    assert verify_chain().faults == []


def test_looking_at_a_page_again_within_the_hour_is_one_entry():
    user, other = factories.user(), factories.user()
    for who, lecture in ((user, 1), (user, 1), (user, 2), (other, 1)):
        record_read(who, Action.SAW_FACES, lecture=lecture)
    assert AuditEntry.objects.count() == 3


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE audit_auditentry SET about = 'xlsx' WHERE sequence = 3",
        "UPDATE audit_auditentry SET hash = '0' WHERE sequence = 3",
        "UPDATE audit_auditentry SET about = 'xlsx' WHERE sequence IS NULL",
        "DELETE FROM audit_auditentry WHERE sequence = 3",
        "DELETE FROM audit_auditentry WHERE sequence IS NULL",
    ],
)
def test_the_database_refuses_to_change_the_log(statement: str):
    write()
    record_event(None, Action.EXPORTED)
    with pytest.raises(IntegrityError, match="append-only"), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(statement)


def test_programs_cannot_change_the_log():
    write(1)
    entry = AuditEntry.objects.get()
    for change in (entry.save, entry.delete, AuditEntry.objects.all().delete):
        with pytest.raises(TypeError, match="append-only"):
            change()
    with pytest.raises(TypeError, match="append-only"):
        AuditEntry.objects.update(about="")


@pytest.mark.parametrize(
    ("statement", "found"),
    [
        ("UPDATE audit_auditentry SET about = 'xlsx' WHERE sequence = 3", "Entry 3 of .* was changed"),
        ("DELETE FROM audit_auditentry WHERE sequence IN (2, 3)", "Entries 2 to 3 are missing"),
        ("DELETE FROM audit_auditentry WHERE sequence = 5", "Entries 5 to 5 are missing: the end was cut off"),
        ("UPDATE audit_auditentry SET hash = previous_hash WHERE sequence = 3", "Entry 4 follows another entry 3"),
        ("UPDATE audit_auditentry SET sequence = 9 WHERE sequence = 5", "Entries 5 to 8 are missing"),
    ],
)
def test_a_change_is_found(statement: str, found: str, capsys):
    write()
    call_command("verify_audit")
    head = f"--head={capsys.readouterr().out.split('Head: ')[1].strip()}"
    call_command("verify_audit", head)
    tamper(statement)
    with pytest.raises(SystemExit):
        call_command("verify_audit", head)
    assert re.search(found, capsys.readouterr().err)


def test_a_log_that_was_written_anew_as_a_whole_is_not_that_of_the_printed_head():
    write()
    head = verify_chain().head
    tamper("UPDATE audit_auditentry SET sequence = NULL, previous_hash = '', hash = '', about = 'xlsx'")
    seal_entries()
    assert verify_chain().faults == []
    assert verify_chain(head).faults == [
        "Entry 5 is not that of the printed head: the log up to there was written anew."
    ]


def test_entries_that_nobody_seals_are_reported():
    write()
    AuditEntry.objects.create(action=Action.EXPORTED, at=timezone.now() - timedelta(minutes=6))
    (fault,) = verify_chain().faults
    assert fault.startswith("1 entries have waited")


def test_old_entries_can_be_deleted_and_the_rest_is_still_verified():
    long_ago = timezone.now() - timedelta(days=400)
    for _ in range(3):
        AuditEntry.objects.create(action=Action.EXPORTED, at=long_ago)
    write(2)
    head, old = verify_chain().head, f"2:{AuditEntry.objects.get(sequence=2).hash}"
    assert prune_before(timezone.now() - timedelta(days=365)) == 3
    assert prune_before(timezone.now() - timedelta(days=365)) == 0
    seal_entries()
    assert list(AuditEntry.objects.order_by("pk").values_list("sequence", "action")) == [
        (4, "exported"),
        (5, "exported"),
        (6, "pruned"),
    ]
    assert verify_chain(head).faults == []
    assert verify_chain(old).faults == ["Entry 2 of the printed head was deleted on schedule. Compare a newer head."]


def test_a_hundred_thousand_entries_are_sealed_and_verified():
    count = 100_000 if connection.vendor == "sqlite" else 5_000  # a server writes them for longer, and hashes the same
    columns = "at, actor_name, actor_role, action, lecture_id, about, previous_hash, hash"
    with connection.cursor() as cursor:
        cursor.executemany(
            f"INSERT INTO audit_auditentry ({columns}) VALUES (%s, 'Ada', '', 'saw-faces', %s, '', '', '')",  # noqa: S608
            [(timezone.now(), number) for number in range(count)],
        )
    seal_entries()
    tamper("UPDATE audit_auditentry SET actor_name = 'Bob' WHERE sequence = 4777")
    result = verify_chain()
    assert result.entries == count
    (fault,) = result.faults
    assert fault.startswith("Entry 4777 of ")
    assert fault.endswith(" was changed.")
