"""Processes of the release before go on while the tables are those of the next one: expand, then contract."""

import subprocess
from pathlib import Path
from typing import Any

import pytest
from django.apps import apps
from django.db import models
from django.db.migrations import Migration, operations
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.state import ModelState, ProjectState

from tests.deploy.migration_rules import find_breaks

ROOT = Path(__file__).resolve().parents[2]
APPS = {config.label for config in apps.get_app_configs() if config.name.startswith("campus.")}


def is_released(tag: str) -> bool:
    """Whether a tag is a release before this one."""
    command = ["git", "tag", "--list", tag, "--merged", "HEAD", "--no-contains", "HEAD"]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.strip() == tag


def test_no_migration_stops_the_release_before_it() -> None:
    loader = MigrationLoader(None)
    breaks: list[str] = []
    for key in loader.graph._generate_plan(loader.graph.leaf_nodes(), at_end=True):
        migration = loader.disk_migrations[key]
        if key[0] not in APPS or migration.initial:
            continue
        state = loader.project_state(key, at_end=False)
        found = list(find_breaks(migration, state))
        released = getattr(migration, "not_written_since", "")
        if not (released and is_released(released)):
            breaks += found
    assert not breaks


def altered(**change: Any) -> operations.AlterField:
    return operations.AlterField("Backup", "name", models.CharField(**{"max_length": 40} | change))


@pytest.mark.parametrize(
    "operation",
    [
        operations.AddField("Backup", "place", models.CharField(max_length=9, db_default="")),
        operations.AddField("Backup", "place", models.CharField(max_length=9, null=True)),
        operations.AddIndex("Backup", models.Index(fields=["name"], name="by_name")),
        operations.CreateModel("Place", [("id", models.BigAutoField(primary_key=True))]),
        altered(max_length=80),
        altered(null=True),
        altered(verbose_name="another one"),
    ],
    ids=lambda operation: operation.describe(),
)
def test_what_a_release_may_do(operation: Any) -> None:
    assert not breaks_of(operation)


@pytest.mark.parametrize(
    "operation",
    [
        operations.AddField("Backup", "place", models.CharField(max_length=9)),
        operations.AddField("Backup", "place", models.CharField(max_length=9, default="")),
        operations.AddField("Backup", "place", models.CharField(max_length=9, db_default="", unique=True)),
        operations.RemoveField("Backup", "name"),
        operations.RenameField("Backup", "name", "title"),
        operations.RenameModel("Backup", "Copy"),
        operations.DeleteModel("Backup"),
        operations.AddConstraint("Backup", models.UniqueConstraint(fields=["name"], name="one_name")),
        operations.RunSQL("DROP TABLE operations_backup"),
        altered(max_length=20),
        altered(unique=True),
        operations.AlterField("Backup", "name", models.PositiveIntegerField()),
        operations.AlterField("Backup", "note", models.CharField(max_length=40)),
        operations.SeparateDatabaseAndState(database_operations=[operations.RemoveField("Backup", "name")]),
    ],
    ids=lambda operation: operation.describe(),
)
def test_what_only_the_next_release_may_do(operation: Any) -> None:
    assert breaks_of(operation)


def breaks_of(operation: Any) -> list[str]:
    state = ProjectState()
    fields: list[tuple[str, models.Field]] = [
        ("id", models.BigAutoField(primary_key=True)),
        ("name", models.CharField(max_length=40)),
        ("note", models.CharField(max_length=40, null=True)),
    ]
    state.add_model(ModelState("operations", "Backup", fields))
    migration = Migration("0002_made_up", "operations")
    setattr(migration, "operations", [operation])  # noqa: B010 - of its own, not of the class
    return list(find_breaks(migration, state))
