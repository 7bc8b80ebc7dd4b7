"""A program that knows nothing but the description of the API talks nonsense to a running server, and gets no
nonsense back."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from campus.accounts.services import create_token
from campus.cctv.models import Collection
from campus.common import jobs
from campus.outbox.models import Webhook
from tests.campus import factories
from tests.campus.conftest import World
from tests.conftest import REPOSITORY

SECONDS = 15  # at most
OPERATION = """
[[operations]]
include-path-regex = "^/api/v1/{path}/{{id}}/"
parameters = {{ id = "{id}" }}
"""


def rows(world: World) -> dict[str, Any]:
    """One that is there of each kind."""
    camera = factories.camera()
    return {
        "sources": camera.source,
        "cameras": camera,
        "footage_files": factories.footage_file(camera, factories.STARTS),
        "collections": Collection.objects.create(
            lecture=world.foreign, next_check_at=factories.STARTS, deadline_at=factories.STARTS
        ),
        "courses": world.course,
        "students": world.student,
        "enrolments": world.course.enrolments.first(),
        "photos": world.photo,
        "lectures": world.lecture,
        "recordings": world.recording,
        "attendance": world.record,
        "sightings": world.sighting,
        "unknown": world.unknown,
        "reports": world.report,
        "galleries": world.gallery,
        "webhooks": Webhook.objects.create(url="http://127.0.0.1:1/hook"),
    }


@pytest.fixture
def no_broker(settings):
    settings.BROKER_URL = "redis://127.0.0.1:1/0"
    jobs.producer.cache_clear()
    yield
    jobs.producer.cache_clear()


def test_the_server_keeps_to_its_description(
    transactional_db, live_server, world: World, no_broker, monkeypatch, tmp_path: Path
):
    monkeypatch.setattr("campus.api.views.events.MAX_STREAM_SECONDS", 0.1)
    _, token = create_token(user=world.registrar, name="schemathesis", scope="write", days=1)
    config = tmp_path / "schemathesis.toml"
    config.write_text("".join(OPERATION.format(path=path, id=row.pk) for path, row in rows(world).items()))
    conformance = ("status_code", "content_type", "response_headers", "response_schema")
    checks = ",".join(["not_a_server_error", *(f"{name}_conformance" for name in conformance)])
    command = [
        str(Path(sys.executable).with_name("schemathesis")),
        *("--config-file", str(config)),
        "run",
        f"{live_server.url}/api/v1/schema/",
        *("--header", f"Authorization: Bearer {token}"),
        *("--checks", checks),
        *("--phases", "coverage,fuzzing"),
        *("--max-time", str(SECONDS)),
        *("--seed", "7"),
        *("--exclude-path", "/api/v1/token/"),  # it would revoke the very token
        *("--generation-database", "none"),
        "--no-color",
    ]
    run = subprocess.run(
        command,
        cwd=tmp_path,
        env=os.environ | {"SCHEMATHESIS_HOOKS": "tests.campus.api.schemathesis_hooks", "PYTHONPATH": str(REPOSITORY)},
        capture_output=True,
        text=True,
        timeout=170,
        check=False,
    )
    assert run.returncode == 0, run.stdout[-12_000:] + run.stderr[-2_000:]
