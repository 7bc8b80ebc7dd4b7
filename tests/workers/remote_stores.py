"""Stores that machines share without a folder in common, and the fixtures with which tests run with each of them."""

import shutil
from pathlib import Path
from typing import Any, Self

import pytest

from campus.academics.import_models import FileImport
from campus.biometrics.models import PhotoImport
from campus.cctv.models import FootageFile
from campus.common.http_storage import HttpStorage
from campus.common.object_storage import S3Storage
from campus.common.storage import (
    STORAGE_MARK,
    local_path,
    mark_storage,
    media,
)
from campus.recordings.models import Recording
from campus.settings.file_stores import file_stores
from tests.servers.s3 import BUCKET, Moto
from tests.web_server import WebServer

FIELDS = (Recording.file, FootageFile.file, FileImport.file, PhotoImport.file)


class S3:
    """Objects whose names begin with what `prefix` says, so that each test has its own."""

    kind = S3Storage

    def __init__(self, folder: Path) -> None:
        self.moto = Moto(folder)
        self.port = self.moto.port

    def __enter__(self) -> Self:
        self.moto.__enter__()
        return self

    def __exit__(self, *error: Any) -> None:
        self.moto.__exit__(*error)

    def prepare(self, name: str, monkeypatch: pytest.MonkeyPatch) -> str:
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", self.moto.username)
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", self.moto.password)
        self.prefix = name
        return self.moto.storage_url(name)

    def content(self, key: str) -> bytes:
        return self.moto.client().get_object(Bucket=BUCKET, Key=f"{self.prefix}/{key}")["Body"].read()


class Folders:
    """The folders of a web server, which are emptied for each test."""

    kind = HttpStorage

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.web = WebServer(folder)
        self.port = self.web.port
        self.web.environment |= {
            "ROLLCALL_DATA_DIR": str(folder),
            "ROLLCALL_REPORTS_DIR": str(folder / "reports"),
        }

    def __enter__(self) -> Self:
        self.web.start()
        return self

    def __exit__(self, *error: Any) -> None:
        self.web.kill()

    def prepare(self, name: str, monkeypatch: pytest.MonkeyPatch) -> str:
        for folder in ("media", "reports"):
            shutil.rmtree(self.folder / folder, ignore_errors=True)
            (self.folder / folder).mkdir()
        return self.web.url

    def content(self, key: str) -> bytes:
        return (self.folder / key).read_bytes()


Server = S3 | Folders


@pytest.fixture(scope="module", params=[S3, Folders])
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, django_db_setup: None) -> Any:
    with request.param(tmp_path_factory.mktemp("server")) as running:
        yield running


def use_store(settings: Any, monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    settings.STORAGES = settings.STORAGES | file_stores(url)
    for descriptor in FIELDS:
        monkeypatch.setattr(descriptor.field, "storage", media())


@pytest.fixture(autouse=True)
def store(server: Server, settings: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    """Yields what reads the files without Rollcall."""
    use_store(settings, monkeypatch, server.prepare(tmp_path.name, monkeypatch))
    settings.BROKER_URL = "memory://"
    local_path(STORAGE_MARK).unlink()
    mark_storage()
    return server.content
