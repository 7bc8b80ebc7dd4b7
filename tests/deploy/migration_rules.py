"""What a migration may do while processes of the release before it go on writing.

A release expands the tables; only the one after it may take away what then nobody writes any more. Such a migration
says so: `not_written_since = "v1.3"` is the release that has stopped writing it.
"""

from collections.abc import Iterator
from typing import Any

from django.db import models
from django.db.migrations import Migration, operations
from django.db.migrations.state import ProjectState

HARMLESS = (
    operations.AddIndex,
    operations.AlterModelManagers,
    operations.AlterModelOptions,
    operations.CreateModel,
    operations.RemoveConstraint,
    operations.RemoveIndex,
    operations.RenameIndex,
    operations.RunPython,
)


def find_breaks(migration: Migration, state: ProjectState) -> Iterator[str]:
    """What would stop the release before from writing. `state` is that before the migration; it is moved on."""
    for operation in migration.operations:
        before = state.clone()
        operation.state_forwards(migration.app_label, state)
        if problem := _find_break(operation, migration.app_label, before, state):
            yield f"{migration}: {operation.describe()}: {problem}"


def _find_break(operation: Any, app: str, before: ProjectState, after: ProjectState) -> str:
    if isinstance(operation, HARMLESS):
        return ""
    if isinstance(operation, operations.SeparateDatabaseAndState):
        return next(filter(None, (_find_break(part, app, before, after) for part in operation.database_operations)), "")
    if isinstance(operation, operations.AddField):
        return _find_break_of_new_field(operation.field)
    if isinstance(operation, operations.AlterField):
        model = (app, operation.model_name_lower)
        return _find_break_of_altered_field(before.models[model].fields[operation.name], operation.field)
    return "the release before may still use what this takes away, renames or limits"


def _find_break_of_new_field(field: models.Field) -> str:
    if field.unique and not field.null:
        return "two rows without a value are not unique"
    if field.many_to_many or field.null or field.has_db_default():
        return ""
    return "the release before writes rows without this column: give it db_default or null"


def _find_break_of_altered_field(old: models.Field, new: models.Field) -> str:
    if old.null and not new.null:
        return "the release before may still write NULL"
    if old.has_db_default() and not new.has_db_default():
        return "the release before may rely on the default"
    if new.unique and not old.unique:
        return "the release before may write the same value twice"
    if (old.max_length or 0) > (new.max_length or 0) > 0:
        return "the release before may write longer values"
    if old.get_internal_type() != new.get_internal_type():
        return "the release before writes values of another type"
    return ""
