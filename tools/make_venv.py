"""Make a virtual environment with pip, also on a bare Debian whose Python comes without one: `python3 make_venv.py
FOLDER`.
"""

import sys

if not (3, 11) <= sys.version_info < (3, 14):
    sys.exit(
        "Rollcall needs Python 3.11, 3.12 or 3.13, for which TensorFlow has packages; this is "
        f"{sys.version.split()[0]}. Install one and name it: make PYTHON=python3.12"
    )

import hashlib
import importlib.util
import os
import re
import subprocess
import tempfile
import urllib.parse
import urllib.request
import venv
from pathlib import Path

PIP_WHEEL = "pip-26.3-py3-none-any.whl"
PIP_SHA256 = "f3b60b20ffaadd4415ed7957212a38ac63fa4c5fa375bd0f4a797777940fad13"


def fetch_pip(index: str) -> bytes:
    """The wheel of pip from a package index. Raises ValueError if the index has none, or one with another content."""
    page = f"{index.rstrip('/')}/pip/"
    with urllib.request.urlopen(page, timeout=60) as answer:  # noqa: S310
        link = re.search(rf'href="([^"]+/{re.escape(PIP_WHEEL)}[^"]*)"', answer.read().decode())
    if not link:
        raise ValueError(f"it has no {PIP_WHEEL}")
    with urllib.request.urlopen(urllib.parse.urljoin(page, link[1]), timeout=60) as answer:  # noqa: S310
        wheel: bytes = answer.read()
    if hashlib.sha256(wheel).hexdigest() != PIP_SHA256:
        raise ValueError(f"its {PIP_WHEEL} is not the one that it should be")
    return wheel


def main(folder: Path) -> None:
    complete = importlib.util.find_spec("ensurepip") is not None
    venv.create(folder, clear=False, symlinks=True, with_pip=complete)
    if complete:
        return
    index = os.environ.get("PIP_INDEX_URL", "https://pypi.org/simple")
    with tempfile.TemporaryDirectory() as downloads:
        wheel = Path(downloads, PIP_WHEEL)
        try:
            wheel.write_bytes(fetch_pip(index))
        except (OSError, ValueError) as error:
            sys.exit(
                f"This Python has no pip, and none could be fetched from {index} ({error}). Install it: apt install "
                "python3-venv"
            )
        # A wheel of pip can run from itself.
        command = [str(folder / "bin" / "python"), f"{wheel}/pip", "install", "--quiet", "--no-index", str(wheel)]
        subprocess.run(command, check=True)  # noqa: S603


if __name__ == "__main__":
    main(Path(sys.argv[1]))
