"""An S3 server: moto's, which keeps everything in memory. It looks at signatures once its users are known."""

import importlib.util
import json
import os
import sys
from typing import Any

from tests.servers.stores import FileServer, Missing

BUCKET, FOLDER = "recordings", "cctv"
ALL = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}]}
UNCHECKED = 4  # the calls of `start`


class Moto(FileServer):
    kind = "s3"
    username = password = "nobody-yet"

    @property
    def address(self) -> str:
        return f"http://localhost:{self.port}/{BUCKET}/{FOLDER}"

    def command(self) -> list[str]:
        if not importlib.util.find_spec("moto"):
            raise Missing("moto is not installed (requirements-dev.txt)")
        return [sys.executable, "-m", "moto.server", "-H", self.host, "-p", str(self.port)]

    def environment(self) -> dict[str, str]:
        return os.environ | {"INITIAL_NO_AUTH_ACTION_COUNT": str(UNCHECKED)}

    def client(self, service: str = "s3") -> Any:
        import boto3

        keys = {"aws_access_key_id": self.username, "aws_secret_access_key": self.password}
        return boto3.client(service, endpoint_url=f"http://{self.host}:{self.port}", region_name="us-east-1", **keys)

    def start(self) -> None:
        super().start()
        self.client().create_bucket(Bucket=BUCKET)
        users = self.client("iam")
        users.create_user(UserName="viewer")
        users.put_user_policy(UserName="viewer", PolicyName="all", PolicyDocument=json.dumps(ALL))
        key = users.create_access_key(UserName="viewer")["AccessKey"]
        self.username, self.password = key["AccessKeyId"], key["SecretAccessKey"]

    def put(self, path: str, content: bytes, age: float = 600.0) -> None:
        """An object is as old as it is: `age` is not heeded."""
        self.client().put_object(Bucket=BUCKET, Key=f"{FOLDER}/{path}", Body=content)

    def storage_url(self, prefix: str) -> str:
        """ROLLCALL_STORAGE_URL of a storage at this server."""
        return f"s3://{BUCKET}/{prefix}?endpoint=http://{self.host}:{self.port}&region=us-east-1"


class UncheckedMoto(Moto):
    """It looks at no signature, since it does not know those that are in an address."""

    def environment(self) -> dict[str, str]:
        return super().environment() | {"INITIAL_NO_AUTH_ACTION_COUNT": "1000000"}

    def admit(self, origin: str) -> None:
        """Let pages from there send files."""
        rule = {"AllowedMethods": ["PUT"], "AllowedOrigins": [origin]}
        self.client().put_bucket_cors(Bucket=BUCKET, CORSConfiguration={"CORSRules": [rule]})

    def unfinished(self, prefix: str) -> list[dict[str, Any]]:
        """The files of which parts may have come."""
        files = self.client().list_multipart_uploads(Bucket=BUCKET).get("Uploads", [])
        return [file for file in files if file["Key"].startswith(prefix)]

    def parts(self, file: dict[str, Any]) -> list[Any]:
        """The parts of such a file that have come."""
        answer = self.client().list_parts(Bucket=BUCKET, Key=file["Key"], UploadId=file["UploadId"])
        return list(answer.get("Parts", []))
