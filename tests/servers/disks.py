"""Disks of a test's own, which can be filled. Needs root."""

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

DISK_SIZE = "8g"  # of which a tmpfs takes only what is used


@contextmanager
def small_disk(folder: Path) -> Iterator[None]:
    """The folder is a file system of its own."""
    folder.mkdir(exist_ok=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={DISK_SIZE}", "tmpfs", str(folder)], check=True)
    (folder / "one page").write_bytes(b"x")  # a tmpfs cannot be smaller
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def fill_disk(folder: Path, left_bytes: int = 0) -> None:
    _resize(folder, str(shutil.disk_usage(folder).used + left_bytes))


def empty_disk(folder: Path) -> None:
    _resize(folder, DISK_SIZE)


def _resize(folder: Path, size: str) -> None:
    subprocess.run(["mount", "-o", f"remount,size={size}", str(folder)], check=True)
