"""Uploads in pieces, by a tus client that knows nothing of this server, and by hand where such a client does no wrong."""

import hashlib
from base64 import b64encode
from pathlib import Path

import pytest
from django.conf import settings as django_settings
from django.test import Client
from django.urls import reverse

from campus.footage.models import Recording, Upload
from campus.footage.uploads import part_path
from tests.campus.conftest import World

FILE = bytes(range(256)) * 4096  # 1 MiB
SHA256 = hashlib.sha256(FILE).hexdigest()
CHUNK = 300_000


@pytest.fixture(autouse=True)
def nobody_else(settings):
    settings.BROKER_URL = "redis://127.0.0.1:1/0"


class Tus:
    """The headers of the protocol, for requests as no well-behaved client makes them."""

    def __init__(self, client: Client, world: World) -> None:
        self.client, self.world = client, world

    def create(self, *, size: int = len(FILE), name: str = "lecture.mp4", **more: str):
        told = {"lecture": str(self.world.lecture.pk), "filename": name} | more
        pairs = ",".join(f"{key} {b64encode(value.encode()).decode()}" for key, value in told.items())
        headers = {"Tus-Resumable": "1.0.0", "Upload-Length": str(size), "Upload-Metadata": pairs}
        return self.client.post(reverse("api-uploads"), headers=headers)

    def patch(self, url: str, at: int, body: bytes, **headers: str):
        common = {"Tus-Resumable": "1.0.0", "Upload-Offset": str(at)}
        return self.client.patch(url, body, content_type="application/offset+octet-stream", headers=common | headers)

    def head(self, url: str):
        return self.client.head(url, headers={"Tus-Resumable": "1.0.0"})

    def delete(self, url: str):
        return self.client.delete(url, headers={"Tus-Resumable": "1.0.0"})


@pytest.fixture
def tus(client: Client, world: World) -> Tus:
    client.force_login(world.own)
    return Tus(client, world)


def files_left() -> list[str]:
    """Files of uploads and recordings that no row knows."""
    media = Path(django_settings.MEDIA_ROOT)
    known = {media / name for name in Recording.objects.values_list("file", flat=True)}
    known |= {part_path(upload) for upload in Upload.objects.filter(recording=None)}
    return [path.name for folder in ("uploads", "recordings") for path in (media / folder).glob("*") if path not in known]


def test_a_tus_client_uploads_a_recording_in_pieces(tus: Tus):
    url = tus.create(sha256=SHA256)["Location"]
    for at in range(0, len(FILE), CHUNK):
        answer = tus.patch(url, at, FILE[at : at + CHUNK])
        assert answer.status_code == 204, answer.content
    recording = Recording.objects.get(pk=answer["Rollcall-Recording"])
    assert Path(recording.file.path).read_bytes() == FILE
    assert (recording.sha256, recording.size, recording.uploaded_by, recording.state) == (SHA256, len(FILE), tus.world.own, "uploaded")
    assert not files_left()
