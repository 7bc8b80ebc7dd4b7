"""The log in JSON says what happened where, and nothing that people are called, have typed or have sent."""

import ast
import json
import logging
import uuid
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from celery import Celery
from django.contrib.auth.models import User
from django.test import Client

from campus.academics.models import Student
from campus.attendance.statuses import Status
from campus.cctv.models import Camera
from campus.common import jobs
from campus.common.errors import UserError
from campus.common.json_logs import LEFT_OUT, OWN_LOGGERS, JsonFormatter
from campus.common.log_context import add_log_context
from campus.common.storage import mark_storage
from campus.recordings.models import Recording
from recognition.errors import RecognitionError
from tests.campus import factories
from tests.campus.conftest import World
from tests.conftest import REPOSITORY
from workers import leased_task as leased_task_module
from workers.leased_task import leased_task

HOSTILE = (
    "Ada Lovelace",
    "lovelace",
    "ada@example.org",
    "Vorlesung über Bäume.mp4",
    "/srv/cctv/Lovelace/1.mp4",
    'x" , "level": "INFO',
    "line\nbreak",
    "S12345678-Lovelace",
    "%s%d",
)
LEVELS = {"debug", "info", "warning", "error", "exception", "critical"}


def line(logger: str, message: Any, *arguments: Any, error: BaseException | None = None) -> dict[str, Any]:
    """What the log has of a call."""
    info = (type(error), error, error.__traceback__) if error else None
    record = logging.LogRecord(logger, logging.INFO, __file__, 1, message, arguments, info)
    text = JsonFormatter().format(record)
    assert "\n" not in text
    return json.loads(text)


def calls() -> Iterator[tuple[str, Any]]:
    """All calls of a logger in the program."""
    for package in OWN_LOGGERS:
        for path in sorted((REPOSITORY / package).rglob("*.py")):
            for node in ast.walk(ast.parse(path.read_text())):
                if (
                    isinstance(node, ast.Call)
                    and isinstance(node.func, ast.Attribute)
                    and node.func.attr in LEVELS
                    and isinstance(node.func.value, ast.Name)
                    and node.func.value.id in ("log", "logger", "logging")
                ):
                    yield f"{path.relative_to(REPOSITORY)}:{node.lineno}", node


def test_every_call_fills_a_template_that_is_written_in_the_code():
    """Only so can the values be told from the sentence."""
    found = dict(calls())
    assert len(found) > 30
    assert [
        where
        for where, call in found.items()
        if not (isinstance(call.args[0], ast.Constant) and isinstance(call.args[0].value, str))
    ] == []


@pytest.mark.parametrize("text", HOSTILE)
def test_no_call_of_the_program_logs_a_hostile_text(text: str):
    """Each call, with the text in the place of each value."""
    for where, call in calls():
        template = call.args[0].value
        wanted = (text,) * (len(call.args) - 1)
        said = json.dumps(line(where.partition("/")[0], template, *wanted), ensure_ascii=False)
        assert text not in said.replace(template, ""), where
        assert json.dumps(text)[1:-1] not in said.replace(template, ""), where


@pytest.mark.parametrize("text", HOSTILE)
def test_no_error_tells_what_it_is_about(text: str):
    def fail() -> None:
        hidden = text  # noqa: F841 - a variable that a trace could show
        raise UserError("The student {name} is in no class.", name=text)

    errors: list[BaseException] = [
        ValueError(text),
        OSError(2, "gone", text),
        RecognitionError("{file} is broken", file=text),
    ]
    try:
        fail()
    except UserError as error:
        errors.append(error)
    for raised in errors:
        said = line("workers.leased_task", "%s %s: %s", "recognise", 7, raised, error=raised)
        assert text not in json.dumps(said, ensure_ascii=False)
        assert type(raised).__name__ in said["error"]
    assert said["error"] == "UserError: The student {name} is in no class."
    assert said["trace"][-1].startswith("tests/campus/common/test_json_logs.py:")
    assert said["message"].startswith("recognise 7: UserError")


def test_a_library_that_writes_values_into_its_sentence_is_not_quoted():
    assert line("paramiko", "Connected as %s", "ada")["message"].startswith(LEFT_OUT)
    assert line("django.request", "Not Found: /students/Ada")["message"].startswith(LEFT_OUT)
    assert line("django.request", "%s: %s", "Not Found", "/invitation/secret")["message"] == f"{LEFT_OUT}: {LEFT_OUT}"
    assert line("celery.app.trace", "Task %(id)s: %(exc)s", {"id": uuid.UUID(int=1).hex, "exc": "Ada"})["message"] == (
        f"Task {uuid.UUID(int=1).hex}: {LEFT_OUT}"
    )
    assert line("campus.x", ValueError("Ada"))["message"].startswith(LEFT_OUT)
    assert line("campus.x", "%d seconds", "Ada")["message"] == "%d seconds"


def test_what_helps_is_said():
    key = uuid.uuid4()
    said = line("workers.x", "%s %s: %.1f s, %s, %s, %s", "recognise", key, 1.25, Status.PRESENT, "vision", None)
    assert said["message"] == f"recognise {key}: 1.2 s, present, vision, None"
    assert said["level"] == "INFO"
    with add_log_context(recording=key):
        assert line("workers.x", "x")["recording"] == str(key)
    assert "recording" not in line("workers.x", "x")


def test_rows_are_their_kind_and_id():
    assert line("campus.x", "%s", Camera(pk=5))["message"] == "camera 5"
    assert line("campus.x", "%s", Student(pk=6, name="Ada"))["message"] == "student 6"
    assert line("campus.x", "%s", User(pk=7, username="ada"))["message"] == "user 7"
    assert line("campus.x", "%s", Recording(original_name="Ada.mp4"))["message"].startswith("recording ")


class Lines(logging.Handler):
    def __init__(self) -> None:
        super().__init__()
        self.setFormatter(JsonFormatter())
        self.lines: list[dict[str, Any]] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(json.loads(self.format(record)))


@pytest.fixture
def logged() -> Iterator[list[dict[str, Any]]]:
    handler = Lines()
    root = logging.getLogger()
    root.addHandler(handler)
    yield handler.lines
    root.removeHandler(handler)


def test_a_request_and_its_lines_have_one_id(client: Client, world: World, logged: list[dict[str, Any]]):
    client.force_login(world.own)
    response = client.post(f"/recordings/{world.failed.pk}/dismiss/")
    (said,) = [entry for entry in logged if "dismissed" in entry["message"]]
    assert said["request"] == response.headers["X-Request-ID"]
    assert client.get("/livez").headers["X-Request-ID"] != said["request"]
    assert said["message"] == f"recording {world.failed.pk}: dismissed by user {world.own.pk}"


def test_a_job_and_its_lines_have_its_recording(db, monkeypatch, logged: list[dict[str, Any]]):
    mark_storage()
    segment = factories.planned().segments.first()

    def break_down(_row: Any) -> None:
        raise ValueError("Ada")

    job = replace(jobs.RECOGNISE, name="vision")  # a word of the program that no task has
    with monkeypatch.context() as patch:
        patch.setattr(leased_task_module, "app", celery := Celery(set_as_current=False))
        leased_task(job)(break_down)
        celery.tasks[job.task](jobs.MESSAGE_VERSION, str(segment.pk))
    said = next(entry for entry in logged if entry.get("error"))
    assert said["job"] == "vision"
    assert (said["row"], said["recording"]) == (segment.pk, str(segment.recording_id))
    assert said["message"] == f"vision {segment.pk}: attempt 1 failed"
    assert "Ada" not in json.dumps(logged)
    assert said["trace"][0].startswith("workers/leased_task.py:")
