"""What S3 alone has of a store on another machine; `test_remote_storage.py` has the rest."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import pytest

from campus.common.object_storage import S3Storage
from campus.common.storage import is_storage_here, media
from campus.settings.file_stores import file_stores
from tests.servers.s3 import BUCKET, Moto
from workers.faults import Fault, find_fault


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Moto]:
    with Moto(tmp_path_factory.mktemp("moto")) as moto:
        yield moto


@pytest.fixture(autouse=True)
def endpoint(server: Moto, settings: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> str:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", server.username)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", server.password)
    endpoint = f"http://127.0.0.1:{server.port}"
    settings.STORAGES = settings.STORAGES | file_stores(
        f"s3://{BUCKET}/{tmp_path.name}?endpoint={endpoint}&region=us-east-1"
    )
    return endpoint


def test_a_change_meanwhile_stays_and_what_was_deleted_does_not_come_back(monkeypatch: pytest.MonkeyPatch) -> None:
    client = cast(S3Storage, media())._client
    put = client.put_object
    media().write("a", b"head and body")
    assert not media().replace_head("a", b"feet", b"hand")

    def meanwhile(change: Any) -> None:
        def late_put(**arguments: Any) -> Any:
            monkeypatch.setattr(client, "put_object", put)
            change()
            return put(**arguments)

        monkeypatch.setattr(client, "put_object", late_put)

    meanwhile(lambda: media().write("a", b"head and feet"))
    assert not media().replace_head("a", b"head", b"hand")
    assert media().read("a") == b"head and feet"
    meanwhile(lambda: media().delete("a"))
    with pytest.raises(FileNotFoundError):
        media().replace_head("a", b"head", b"hand")
    assert not media().exists("a")


def test_wrong_credentials_are_the_machines_fault(
    endpoint: str, monkeypatch: pytest.MonkeyPatch, settings: Any
) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "wrong")
    # Another spelling of the region is another client, which reads the credentials again.
    settings.STORAGES = settings.STORAGES | file_stores(f"s3://{BUCKET}/x?endpoint={endpoint}/&region=us-east-1")
    assert not is_storage_here()
    with pytest.raises(OSError, match="refused") as caught:
        media().read("a")
    assert find_fault(caught.value) == Fault.MACHINE


def test_a_deletion_leaves_no_version_in_a_bucket_that_keeps_them() -> None:
    client = cast(S3Storage, media())._client
    client.put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration={"Status": "Enabled"})
    try:
        for content in (b"a face", b"the same face"):
            media().write("crops/a.jpg", content)
        media().write("crops/a.jpg.other", b"another's")
        media().delete("crops/a.jpg")
        answer = client.list_object_versions(Bucket=BUCKET)
        kept = [entry["Key"] for kind in ("Versions", "DeleteMarkers") for entry in answer.get(kind, ())]
        assert [key for key in kept if "crops/" in key and "a.jpg" in key and not key.endswith(".other")] == []
        assert media().read("crops/a.jpg.other") == b"another's"
    finally:
        client.put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration={"Status": "Suspended"})
