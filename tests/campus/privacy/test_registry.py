"""The registry of personal data knows every field and every folder, and the record of processing says the same."""

import ast
import re
from collections.abc import Iterator

from django.apps import apps
from django.contrib.auth.models import User
from django.db import models

from campus.academics.models import Student
from campus.common.jobs import LeasedJob
from campus.privacy.erasure import STUDENT_STEPS
from campus.privacy.record_of_processing import write_record
from campus.privacy.registry import MODELS
from campus.privacy.registry_entry import JOB_FIELDS
from campus.privacy.registry_folders import ELSEWHERE, FOLDERS
from tests.conftest import REPOSITORY


def own_fields(model: type[models.Model]) -> dict[str, models.Field]:
    fields = {field.name: field for field in model._meta.local_fields}
    return {name: field for name, field in fields.items() if not (issubclass(model, LeasedJob) and name in JOB_FIELDS)}


def test_every_field_of_every_model_is_registered():
    found = {model._meta.label: own_fields(model) for model in apps.get_models(include_auto_created=True)}
    assert found.keys() - MODELS.keys() == set(), "register these models in campus/privacy/registry.py"
    assert MODELS.keys() - found.keys() == set(), "these are gone"
    assert {label: MODELS[label].fields ^ fields.keys() for label, fields in found.items()} == {
        label: set() for label in found
    }, "register these fields in campus/privacy/registry.py"
    people = {
        f"{label}.{name}"
        for label, fields in found.items()
        for name, field in fields.items()
        if field.related_model in (Student, User) or isinstance(field, models.FileField)
        if name not in MODELS[label].personal.split()
    }
    assert people == set(), "whoever or whatever these lead to is a person or shows some"


def test_every_entry_says_whose_it_is_why_how_long_and_what_erases_it():
    for name, entry in {**MODELS, **FOLDERS, **ELSEWHERE}.items():
        assert not set(entry.personal.split()) & set(entry.plain.split()), name
        assert set(entry.steps.split()) <= STUDENT_STEPS.keys(), name
        if entry.personal or name in FOLDERS or name in ELSEWHERE:
            assert entry.purpose, name
            assert entry.term, name
            assert bool(entry.steps) != bool(entry.kept), name
        if entry.personal or name in FOLDERS:
            assert entry.whose, name


def folders_written_by(tree: ast.AST) -> Iterator[str]:
    """The folders whose names stand in a module that writes files."""
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call)]
    names = {call.func.id if isinstance(call.func, ast.Name) else getattr(call.func, "attr", "") for call in calls}
    keywords = [keyword for call in calls for keyword in call.keywords if keyword.arg == "upload_to"]
    if not names & {"write_media", "local_path", "tracks_folder", "writing", "store"} and not keywords:
        return
    for node in ast.walk(tree):
        match node:
            case ast.JoinedStr(values=[ast.Constant(value=str(text)), *_]):
                yield from re.findall(r"^(\w+)/", text)
            case ast.AnnAssign(target=ast.Name(id=name), value=ast.Constant(value=str(text))) if "FOLDER" in name:
                yield text
            case ast.Call(func=ast.Name(id="local_path"), args=[ast.Constant(value=str(text)), *_]):
                yield text
            case ast.keyword(arg="upload_to", value=ast.Constant(value=str(text))):
                yield text.split("/")[0]


def test_every_folder_that_the_code_writes_is_registered():
    written = {
        folder
        for root in ("campus", "workers")
        for path in sorted((REPOSITORY / root).rglob("*.py"))
        if "migrations" not in path.parts
        for folder in folders_written_by(ast.parse(path.read_text()))
    }
    assert written - FOLDERS.keys() == set(), "register these folders in campus/privacy/registry_folders.py"
    assert FOLDERS.keys() - written == {"Reports"}, "nothing is written there any more"


def test_the_record_of_processing_is_up_to_date():
    path = REPOSITORY / "docs" / "privacy" / "record-of-processing.md"
    assert path.read_text() == write_record(), "python manage.py record_of_processing"
