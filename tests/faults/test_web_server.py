"""The real web server: uploads survive it, an ordinary tus client resumes where it stopped; and it decodes nothing."""

import hashlib
import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import requests
from django.conf import settings
from tusclient.client import TusClient
from tusclient.exceptions import TusCommunicationError, TusUploadFailed

from campus.accounts.services import create_token
from campus.recordings.models import Recording, Upload
from tests.campus import factories
from tests.campus.conftest import World, own_folders, world
from tests.campus.permissions import address, people, routes, things
from tests.web_server import WebServer

__all__ = ["own_folders", "world"]

FILES = re.compile(
    r"(?:export|register|attendance)/<\S*kind|(?:download|pictures?|thumbnail|file|face|two-factor)/|/(?:crops|reports)/<"
)
DECODERS = re.compile(r"site-packages/(?:PIL|pillow|av|cv2|opencv|tensorflow|openvino)\S*|libav\w+\S*")
FILE = np.random.default_rng(1).bytes(12 * 1024 * 1024)
SHA256 = hashlib.sha256(FILE).hexdigest()


def kind_of(answer: requests.Response) -> str:
    return answer.headers.get("Content-Type", "").partition(";")[0]


@pytest.fixture
def web(transactional_db: None, tmp_path: Path, settings) -> Iterator[WebServer]:
    settings.BROKER_URL = "redis://127.0.0.1:1/0"  # nothing listens there
    settings.MEDIA_ROOT = tmp_path / "var" / "media"
    settings.REPORTS_DIR = tmp_path / "reports"
    server = WebServer(tmp_path)
    settings.MEDIA_ROOT.mkdir(parents=True)
    server.start()
    yield server
    server.kill()


def test_nothing_that_was_uploaded_is_lost_with_a_killed_server(web: WebServer, tmp_path: Path):
    user = factories.user()
    lecture = factories.lecture(factories.course(lecturers=(user,)))
    _token, secret = create_token(user=user, name="uploads", scope="write", days=1)
    path = tmp_path / "lecture.mp4"
    path.write_bytes(FILE)
    client = TusClient(f"{web.url}/api/v1/uploads/", headers={"Authorization": f"Bearer {secret}"})
    metadata = {"lecture": str(lecture.pk), "filename": path.name, "sha256": SHA256}
    uploader = client.uploader(str(path), metadata=metadata, chunk_size=1024 * 1024, upload_checksum=True)
    uploader.upload(stop_at=5 * 1024 * 1024)
    web.kill()
    with pytest.raises((TusCommunicationError, TusUploadFailed)):
        uploader.upload_chunk()
    assert Upload.objects.get().offset == 5 * 1024 * 1024
    web.start()
    again = client.uploader(str(path), url=uploader.url, chunk_size=1024 * 1024, retries=3, retry_delay=1)
    assert again.offset == 5 * 1024 * 1024
    again.upload()
    recording = Recording.objects.get()
    assert (recording.sha256, recording.uploaded_by) == (SHA256, user)
    assert Path(recording.file.path).read_bytes() == FILE


def test_a_web_process_has_no_decoders_of_pictures_and_videos(web: WebServer, world: World):
    """All files that it gives or writes are asked for: pictures, videos, workbooks, PDF documents, QR codes."""
    keys, client = things(world), people(world)["administrator"]
    paths = [address(route, keys) for route in routes() if FILES.search(route.pattern)]
    paths += [path.replace("csv", kind) for path in paths for kind in ("pdf", "xlsx") if "csv" in path]
    cookies = {settings.SESSION_COOKIE_NAME: client.cookies[settings.SESSION_COOKIE_NAME].value}
    answers = [requests.get(web.url + path, cookies=cookies, timeout=60, allow_redirects=False) for path in paths]
    assert not [answer.url for answer in answers if answer.status_code >= 500], web.log.read_text()
    assert {"application/pdf", "image/jpeg", "text/csv"} <= {kind_of(answer) for answer in answers}
    processes = Path(f"/proc/{web.process.pid}/task/{web.process.pid}/children").read_text().split()
    assert len(processes) == 2
    for process in processes:
        assert not DECODERS.findall(Path(f"/proc/{process}/maps").read_text())
