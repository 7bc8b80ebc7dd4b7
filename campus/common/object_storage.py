"""A store that speaks S3 in the place of the disk, so that machines need share none."""

import errno
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import IO, Any, Final
from urllib.parse import parse_qs, urlsplit

import boto3
from boto3.exceptions import Boto3Error
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from django.core.files.base import File

from campus.common.remote_storage import COPY_BYTES, RemoteStorage, check_name
from campus.common.storage import STORAGE_MARK, StoredFile, UnfinishedFile

# Of answers to conditional requests: the object has changed, it is gone, or another change is under way.
CHANGED: Final = {409, 412}
PART_SECONDS: Final = 3600  # so long a signed address takes a part
EMPTY: Final = 416  # the object has none of the bytes that were asked for


class S3Storage(RemoteStorage):
    """One folder (media or reports) of `s3://bucket/prefix?endpoint=https://…&region=…`. boto3 finds the credentials:
    in AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or in the file that AWS_SHARED_CREDENTIALS_FILE names.
    """

    def __init__(self, url: str, folder: str) -> None:
        address = urlsplit(url)
        query = {name: values[0] for name, values in parse_qs(address.query).items()}
        self._bucket = address.netloc
        self._prefix = "/".join(part for part in (address.path.strip("/"), folder) if part)
        self.address = f"{self._bucket}/{self._prefix}"
        self._endpoint, self._region = query.get("endpoint"), query.get("region")

    @property
    def _client(self) -> Any:
        return _client_of(os.getpid(), self._endpoint, self._region, is_patient=True)

    def is_here(self) -> bool:
        client = _client_of(os.getpid(), self._endpoint, self._region, is_patient=False)
        try:
            client.head_object(Bucket=self._bucket, Key=self._key(STORAGE_MARK))
        except (ClientError, BotoCoreError):
            return False
        return True

    def _key(self, name: str) -> str:
        return f"{self._prefix}/{check_name(name)}"

    def _save(self, name: str, content: "File[Any]") -> str:
        content.seek(0)
        with _os_errors(name):
            self._client.upload_fileobj(content, self._bucket, self._key(name))
        return name

    def stat(self, name: str) -> StoredFile:
        with _os_errors(name):
            return _stored_file(name, self._client.head_object(Bucket=self._bucket, Key=self._key(name)))

    def read(self, name: str, length: int = -1) -> bytes:
        return self._get(name, **({} if length < 0 else {"Range": f"bytes=0-{length - 1}"}))

    def read_range(self, file: StoredFile, start: int, end: int) -> bytes:
        return self._get(file.name, Range=f"bytes={start}-{end - 1}", IfMatch=file.version)

    def _get(self, name: str, **condition: str) -> bytes:
        with _os_errors(name):
            try:
                answer = self._client.get_object(Bucket=self._bucket, Key=self._key(name), **condition)
            except ClientError as error:
                if _status(error) == EMPTY:
                    return b""
                raise
            content: bytes = answer["Body"].read()
            return content

    def write(self, name: str, content: bytes) -> None:
        with _os_errors(name):
            self._client.put_object(Bucket=self._bucket, Key=self._key(name), Body=content)

    def replace_head(self, name: str, head: bytes, by: bytes) -> bool:
        key = self._key(name)
        with _os_errors(name):
            found = self._client.get_object(Bucket=self._bucket, Key=key)
            content = found["Body"].read()
            if not content.startswith(head):
                return False
            try:
                self._client.put_object(
                    Bucket=self._bucket, Key=key, Body=by + content[len(head) :], IfMatch=found["ETag"]
                )
            except ClientError as error:
                if _status(error) in CHANGED:
                    return False
                raise
        return True

    def delete(self, name: str) -> None:
        key = self._key(name)
        with _os_errors(name):
            answer = self._client.delete_object(Bucket=self._bucket, Key=key)
            if "VersionId" in answer or answer.get("DeleteMarker"):
                self._delete_versions(key)

    def _delete_versions(self, key: str) -> None:
        """All that a bucket with versioning has kept of an object, with the marks of its deletions."""
        for page in self._client.get_paginator("list_object_versions").paginate(Bucket=self._bucket, Prefix=key):
            for entry in (*page.get("Versions", ()), *page.get("DeleteMarkers", ())):
                if entry["Key"] == key:
                    self._client.delete_object(Bucket=self._bucket, Key=key, VersionId=entry["VersionId"])

    def walk(self, folder: str = "") -> Iterator[StoredFile]:
        prefix = self._key(folder) + "/" if folder else self._prefix + "/"
        with _os_errors(folder):
            pages = self._client.get_paginator("list_objects_v2").paginate(Bucket=self._bucket, Prefix=prefix)
            for page in pages:
                for entry in page.get("Contents", ()):
                    yield _stored_file(entry["Key"].removeprefix(f"{self._prefix}/"), entry)

    def download(self, file: StoredFile, target: IO[bytes]) -> int:
        # boto3 compares the bytes with the store's checksum.
        with _os_errors(file.name):
            answer = self._client.get_object(
                Bucket=self._bucket, Key=self._key(file.name), IfMatch=file.version, ChecksumMode="ENABLED"
            )
            return sum(target.write(chunk) for chunk in answer["Body"].iter_chunks(COPY_BYTES))

    def store(self, file: Path, name: str) -> None:
        with _os_errors(name):
            self._client.upload_file(str(file), self._bucket, self._key(name))

    def begin_parts(self, name: str) -> str:
        with _os_errors(name):
            return str(self._client.create_multipart_upload(Bucket=self._bucket, Key=self._key(name))["UploadId"])

    def sign_part(self, name: str, parts_id: str, number: int, size: int) -> str:
        part = self._parts(name, parts_id) | {"PartNumber": number, "ContentLength": size}
        with _os_errors(name):
            return str(self._client.generate_presigned_url("upload_part", Params=part, ExpiresIn=PART_SECONDS))

    def address_of_parts(self, folder: str) -> str:
        url, _query = self.sign_part(f"{folder}/-", "-", 1, 1).split("?")
        return url.removesuffix("-")

    def find_parts(self, name: str, parts_id: str) -> dict[int, tuple[int, str]]:
        with _os_errors(name):
            pages = self._client.get_paginator("list_parts").paginate(**self._parts(name, parts_id))
            parts = [part for page in pages for part in page.get("Parts", ())]
        return {part["PartNumber"]: (part["Size"], part["ETag"]) for part in parts}

    def join_parts(self, name: str, parts_id: str, tags: Sequence[str]) -> None:
        parts = [{"PartNumber": number, "ETag": tag} for number, tag in enumerate(tags, 1)]
        with _os_errors(name):
            self._client.complete_multipart_upload(**self._parts(name, parts_id), MultipartUpload={"Parts": parts})

    def discard_parts(self, name: str, parts_id: str) -> None:
        with suppress(FileNotFoundError), _os_errors(name):
            self._client.abort_multipart_upload(**self._parts(name, parts_id))

    def find_unfinished(self, folder: str) -> Iterator[UnfinishedFile]:
        prefix = self._key(folder) + "/"
        with _os_errors(folder):
            pages = self._client.get_paginator("list_multipart_uploads").paginate(Bucket=self._bucket, Prefix=prefix)
            uploads = [upload for page in pages for upload in page.get("Uploads", ())]
        for upload in uploads:
            if upload["Key"].startswith(prefix):  # not every server heeds the prefix
                name = upload["Key"].removeprefix(f"{self._prefix}/")
                yield UnfinishedFile(name, upload["UploadId"], upload["Initiated"])

    def _parts(self, name: str, parts_id: str) -> dict[str, Any]:
        return {"Bucket": self._bucket, "Key": self._key(name), "UploadId": parts_id}


@cache
def _client_of(_process: int, endpoint: str | None, region: str | None, *, is_patient: bool) -> Any:
    """A client with connections of this process's own, since a fork must not share them."""
    config = Config(
        connect_timeout=5 if is_patient else 2,
        read_timeout=60 if is_patient else 3,
        retries={"mode": "standard", "total_max_attempts": 3 if is_patient else 1},
        signature_version="s3v4",  # which signs the size of a part
        # A store of one's own seldom has a name for each bucket.
        s3={"addressing_style": "path" if endpoint else "virtual"},
    )
    return boto3.session.Session().client("s3", endpoint_url=endpoint, region_name=region, config=config)


def _stored_file(name: str, facts: dict[str, Any]) -> StoredFile:
    """From an answer about an object, or from an entry of a list."""
    size = facts["ContentLength"] if "ContentLength" in facts else facts["Size"]
    written = int(facts["LastModified"].timestamp() * 1e9)
    return StoredFile(name=name, size=size, mtime_ns=written, version=facts["ETag"])


def _status(error: ClientError) -> int:
    return int(error.response["ResponseMetadata"]["HTTPStatusCode"])


@contextmanager
def _os_errors(name: str) -> Iterator[None]:
    try:
        yield
    except ClientError as error:
        if _status(error) == 404:
            raise FileNotFoundError(errno.ENOENT, "The storage does not have it", name) from error
        raise OSError(errno.EIO, f"The storage refused: {error}", name) from error
    except (BotoCoreError, Boto3Error) as error:
        raise OSError(errno.ENOTCONN, f"The storage did not answer: {error}", name) from error
