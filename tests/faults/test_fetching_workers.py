"""Real workers fetch footage from real servers, and are killed while they do."""

import hashlib
import json
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.utils import timezone

from campus.cctv.fetching import partial_file_path
from campus.cctv.models import FootageFile, Source
from campus.common import jobs
from tests.campus import factories
from tests.faults.conftest import Campus
from tests.servers.openssh import OpenSsh
from tests.servers.s3 import Moto
from tests.servers.stores import FileServer, file_servers  # noqa: F401
from tests.waiting import wait_until

# Of yesterday: a scan lists no older files unless a lecture waits for them.
PATH = f"cam1/{timezone.now() - timedelta(days=1):%Y%m%d}/090000.mp4"
# The stand-in for the vision reads JSON; what follows it makes the file long.
CONTENT = json.dumps({"segments": [[0]]}).encode() + b" " * 1_000_000


@pytest.mark.parametrize("kind", [OpenSsh, Moto], ids=lambda kind: kind.__name__)
def test_another_worker_resumes_the_fetch_of_a_killed_one(
    campus: Campus,
    file_servers: Callable[[type[FileServer]], Any],  # noqa: F811
    kind: type[FileServer],
) -> None:
    server = file_servers(kind)
    server.put(PATH, CONTENT)
    campus.environment["ROLLCALL_SOURCE_NETWORKS"] = "127.0.0.0/8,::1/128"
    source = factories.source(
        pattern="{camera}/{date:%Y%m%d}/{start:%H%M%S}.mp4",
        secret=server.password,
        max_kib_per_second=128,
        state=Source.State.SCANNING,
        **server.fields | ({"host_key": server.host_key} if kind is OpenSsh else {}),
    )
    factories.camera(source_=source, label="cam1")
    first = campus.worker(concurrency=1)
    jobs.SCAN_SOURCE.publish([source.pk])
    footage_file = wait_until(lambda: FootageFile.objects.filter(path=PATH).first(), "the file is discovered")
    wait_until(
        lambda: Source.objects.filter(pk=source.pk, state=Source.State.IDLE, error="").exists(), "the scan is over"
    )
    assert footage_file.size == len(CONTENT)

    FootageFile.objects.filter(pk=footage_file.pk).update(state=FootageFile.State.FETCHING)
    jobs.FETCH.publish([footage_file.pk])
    part = partial_file_path(footage_file)
    wait_until(lambda: part.exists() and part.stat().st_size > 100_000, "a part is fetched")
    first.kill()
    assert not FootageFile.objects.get(pk=footage_file.pk).file
    campus.worker(concurrency=2)
    wait_until(
        lambda: FootageFile.objects.filter(pk=footage_file.pk, state=FootageFile.State.STORED).exists(),
        "the file is fetched",
    )
    footage_file.refresh_from_db()
    assert footage_file.sha256 == hashlib.sha256(CONTENT).hexdigest()
    assert Path(footage_file.file.path).read_bytes() == CONTENT
    assert server.password not in campus.logs()
