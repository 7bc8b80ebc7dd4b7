"""S3, by s3fs."""

import ssl
from collections.abc import Iterator
from pathlib import Path

from botocore import exceptions as botocore
from fsspec.asyn import sync
from s3fs import S3FileSystem

from campus.cctv.egress_policy import Address
from campus.cctv.models import Source
from workers.stores.base import CHUNK_BYTES, CONNECT_SECONDS, READ_SECONDS, Store
from workers.stores.errors import ConnectionBroken, ErrorClass, StoreTimedOut
from workers.stores.http_errors import classify_http_error, classify_status

DEBIAN_CA_BUNDLE = Path("/etc/ssl/certs/ca-certificates.crt")
AMAZON_SUFFIX = ".amazonaws.com"
DEFAULT_REGION = "us-east-1"


def ca_bundle() -> str | bool:
    """The certificate authorities that this machine trusts, as for all other kinds of sources; botocore has its own."""
    system_bundle = ssl.get_default_verify_paths().cafile
    if not system_bundle and DEBIAN_CA_BUNDLE.exists():
        system_bundle = str(DEBIAN_CA_BUNDLE)
    return system_bundle or True


def region_of(address: Address) -> str:
    """The region in the address's `?region=`, else that of an Amazon host, else the usual one."""
    host = address.host.removesuffix(AMAZON_SUFFIX)
    amazon_region = host.rpartition(".")[2] if host != address.host else "s3"
    if amazon_region == "s3":
        amazon_region = DEFAULT_REGION
    return address.query.removeprefix("region=") or amazon_region


class S3(Store):
    """S3 and compatible servers: `https://server/bucket/prefix`, with `?region=` if it is not the usual one."""

    def __init__(self, address: Address, source: Source, password: str, *, learn_host_key: bool = False) -> None:
        fs = S3FileSystem(
            key=source.username or None,
            secret=password or None,
            anon=not source.username,
            endpoint_url=address.origin,
            client_kwargs={"region_name": region_of(address), "verify": ca_bundle()},
            config_kwargs={
                "s3": {"addressing_style": "path"},
                "connect_timeout": CONNECT_SECONDS,
                "read_timeout": READ_SECONDS,
                "retries": {"max_attempts": 1},
                "proxies": {},
                "ignore_configured_endpoint_urls": True,
            },
            skip_instance_cache=True,
            use_listings_cache=False,
        )
        self.fs, self.root = fs, address.path.strip("/")

    def read(self, path: str, offset: int) -> Iterator[bytes]:
        bucket, key, _version = self.fs.split_path(self.full_path(path))
        byte_range = {"Range": f"bytes={offset}-"} if offset else {}
        response = self.fs.call_s3("get_object", Bucket=bucket, Key=key, **byte_range)
        while chunk := sync(self.fs.loop, response["Body"].read, CHUNK_BYTES):
            yield chunk

    def close(self) -> None:
        self.fs.close_session(self.fs.loop, self.fs._s3)

    @staticmethod
    def classify_error(error: BaseException) -> ErrorClass | None:
        match error:
            case botocore.ClientError():
                return classify_status(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode"))
            case botocore.ConnectTimeoutError() | botocore.ReadTimeoutError():
                return StoreTimedOut
            case botocore.HTTPClientError() | botocore.ConnectionError():
                return ConnectionBroken
        return classify_http_error(error)
