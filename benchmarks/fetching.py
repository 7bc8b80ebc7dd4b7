"""How fast footage is fetched, and in how little memory: `python -m benchmarks.fetching [--gib 4] [--only OpenSsh
...]`.

Starts each of the servers that the tests use, on loopback, lets it have a sparse file of so many GiB (that of S3 keeps
it in memory), and fetches that as a worker does, in a process of its own. Prints MB a second without and with the
SHA-256 of it all, how long that keeps a core busy, and the process's peak memory; exits with 1 when that is over 200
MB. Server and client share the machine's cores.
"""

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

MAX_MEMORY_MB = 200.0  # MB
GIB = 1024**3
FILE = "cam1/090000.mp4"


def fetch(fields: dict[str, Any], password: str, size: int, folder: Path) -> dict[str, float]:
    """In this process, by the worker's own steps: connect, look, copy, hash."""
    import django

    django.setup()
    from django.conf import settings

    from campus.cctv.fetching import partial_file_path
    from campus.cctv.models import FootageFile, Source
    from workers import fetch, source_listing

    settings.SOURCE_NETWORKS, settings.SOURCE_FOLDERS, settings.MEDIA_ROOT = (
        ["127.0.0.0/8", "::1/128"],
        ["/"],
        str(folder),
    )
    # No database: the rows are here only.
    for name in ("active_fetch_count", "bytes_fetched_in_last_day"):
        setattr(fetch, name, lambda _source: 0)
    setattr(fetch, "save_fetch_progress", lambda **_fields: True)  # noqa: B010 - a replacement, for which mypy has no type
    source = Source(pk=1, secret=password, max_file_gib=64, **fields)
    footage_file = FootageFile(source=source, path=FILE, size=size)
    path = partial_file_path(footage_file)
    with source_listing.open_store(source, seconds=60, max_bytes=GIB) as (store, _guard):
        store.stat(FILE)  # the libraries are loaded then
    began, busy = time.monotonic(), time.process_time()
    with fetch.open_partial_file(footage_file, path) as part:
        fetch.download(footage_file, part)
        copied, worked = time.monotonic(), time.process_time()
        fetch.hash_file(part, "sha256")
        over = time.monotonic()
        if part.seek(0, os.SEEK_END) != size:
            raise SystemExit("This is not all of the file.")
    path.unlink()
    # Not getrusage's, which begins with the memory of the process that started this one.
    found = re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())
    peak = int(found[1]) * 1.024e-3 if found else 0.0
    return {
        "copied": size / 1e6 / (copied - began),
        "hashed": size / 1e6 / (over - began),
        "busy": (worked - busy) / size * 1e9,
        "peak": peak,
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--gib", type=float, default=4.0)
    parser.add_argument("--only", nargs="*", default=[])
    given = parser.parse_args()
    from tests.servers.ftps import PyFtpd
    from tests.servers.nginx import Nginx, NginxDav
    from tests.servers.openssh import OpenSsh
    from tests.servers.s3 import Moto
    from tests.servers.samba import Samba
    from tests.servers.stores import FileServer, Missing

    class Folder(FileServer):
        kind = "folder"

        @property
        def address(self) -> str:
            return str(self.files)

        def start(self) -> None:
            """There is nobody to serve it."""

    worst = 0.0
    for kind in (Folder, OpenSsh, Samba, PyFtpd, Nginx, NginxDav, Moto):
        if given.only and kind.__name__ not in given.only:
            continue
        size = int(given.gib * GIB)
        with ExitStack() as stack:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
            try:
                server: Any = stack.enter_context(kind(folder / "server"))
            except Missing as missing:
                print(f"{kind.__name__:10} {missing}")
                continue
            if kind is Moto:
                server.put(FILE, bytes(size))
            else:
                (server.files / FILE).parent.mkdir()
                with (server.files / FILE).open("wb") as file:
                    file.truncate(size)
            fields = server.fields | ({"host_key": server.host_key} if kind is OpenSsh else {})
            cert = server.folder / "cert.pem"
            trusted = {"SSL_CERT_FILE": str(cert)} if cert.exists() else {}
            environment = os.environ | {"DJANGO_SETTINGS_MODULE": "campus.settings.test"} | trusted
            task = json.dumps({"fields": fields, "password": server.password, "size": size, "folder": str(folder)})
            answer = subprocess.run(
                [sys.executable, "-m", "benchmarks.fetching", "--fetch"],
                input=task,
                capture_output=True,
                text=True,
                env=environment,
                check=False,
            )
            if answer.returncode:
                print(f"{kind.__name__:10} failed: {answer.stderr.strip().splitlines()[-1]}")
                worst = float("inf")
                continue
            found = json.loads(answer.stdout.splitlines()[-1])
        worst = max(worst, found["peak"])
        print(
            f"{kind.__name__:10} {size / GIB:.1f} GiB: {found['copied']:5.0f} MB/s, {found['hashed']:5.0f} MB/s with "
            "its SHA-256, "
            f"{found['busy']:.1f} s of a core for each GB, at most {found['peak']:.0f} MB of memory",
            flush=True,
        )
    return 0 if worst <= MAX_MEMORY_MB else 1


if __name__ == "__main__":
    if sys.argv[1:] == ["--fetch"]:
        task = json.loads(sys.stdin.read())
        print(json.dumps(fetch(task["fields"], task["password"], task["size"], Path(task["folder"]))))
        sys.exit(0)
    sys.exit(main())
