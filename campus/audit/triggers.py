"""The database itself refuses to change or delete entries of the audit log, whoever asks.

What it lets through: a new entry is sealed once, and entries up to the checkpoint are deleted. Whoever may drop
triggers can get past them; then the hashes tell.
"""

from typing import Any, Final

from django.db import connection

from campus.audit.models import FIELDS, AuditEntry

CHANGED: Final = "The audit log is append-only: an entry cannot be changed."
DELETED: Final = "The audit log is append-only: an entry cannot be deleted."
IS_KEPT: Final = "NOT EXISTS (SELECT 1 FROM audit_auditcheckpoint WHERE sequence >= OLD.sequence)"
POSTGRESQL: Final = f"""
CREATE OR REPLACE FUNCTION audit_refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN RAISE EXCEPTION '%', TG_ARGV[0] USING ERRCODE = 'integrity_constraint_violation'; END $$;
CREATE OR REPLACE TRIGGER audit_no_change BEFORE UPDATE ON audit_auditentry FOR EACH ROW
WHEN (OLD.sequence IS NOT NULL OR {" OR ".join(f"OLD.{name} IS DISTINCT FROM NEW.{name}" for name in FIELDS)})
EXECUTE FUNCTION audit_refuse('{CHANGED}');
CREATE OR REPLACE FUNCTION audit_refuse_deletion() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF {IS_KEPT} THEN RAISE EXCEPTION '{DELETED}' USING ERRCODE = 'integrity_constraint_violation'; END IF;
  RETURN OLD;
END $$;
CREATE OR REPLACE TRIGGER audit_no_deletion BEFORE DELETE ON audit_auditentry FOR EACH ROW
EXECUTE FUNCTION audit_refuse_deletion();
"""
SQLITE: Final = (
    f"""CREATE TRIGGER IF NOT EXISTS audit_no_change BEFORE UPDATE ON audit_auditentry
WHEN OLD.sequence IS NOT NULL OR {" OR ".join(f"OLD.{name} IS NOT NEW.{name}" for name in FIELDS)}
BEGIN SELECT RAISE(ABORT, '{CHANGED}'); END""",
    f"""CREATE TRIGGER IF NOT EXISTS audit_no_deletion BEFORE DELETE ON audit_auditentry WHEN {IS_KEPT}
BEGIN SELECT RAISE(ABORT, '{DELETED}'); END""",
)


def create_triggers(**_: Any) -> None:
    """Create them where they are missing. Handles `post_migrate`."""
    if AuditEntry._meta.db_table not in connection.introspection.table_names():
        return  # only other apps were migrated
    with connection.cursor() as cursor:
        for statement in (POSTGRESQL,) if connection.vendor == "postgresql" else SQLITE:
            cursor.execute(statement)


def drop_triggers() -> None:
    """Let all rows be replaced, as a restored backup does."""
    table = " ON audit_auditentry" if connection.vendor == "postgresql" else ""
    with connection.cursor() as cursor:
        for name in ("audit_no_change", "audit_no_deletion"):
            cursor.execute(f"DROP TRIGGER IF EXISTS {name}{table}")
