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
