"""Make a virtual environment with pip, also on a bare Debian whose Python comes without one: `python3 make_venv.py
FOLDER`.
"""

import sys

if sys.version_info < (3, 11):  # noqa: UP036  (this is what says so)
    sys.exit(
        f"Rollcall needs Python 3.11 or later; this is {sys.version.split()[0]}. Install one and name it: make "
        "PYTHON=python3.12"
    )

import importlib.util
import os
import re
import subprocess
import tempfile
import urllib.error
import urllib.parse
import urllib.request
import venv
from pathlib import Path


def latest_pip(index: str) -> str:
    """The address of the newest release of pip in a package index."""
    page = f"{index.rstrip('/')}/pip/"
    with urllib.request.urlopen(page, timeout=60) as answer:  # noqa: S310
        links = re.findall(r'href="([^"]+/pip-([\d.]+)-py3-none-any\.whl[^"]*)"', answer.read().decode())
    link, _ = max(links, key=lambda found: [int(number) for number in found[1].split(".")])
    return urllib.parse.urljoin(page, link)


def main(folder: Path) -> None:
    complete = importlib.util.find_spec("ensurepip") is not None
    venv.create(folder, clear=False, symlinks=True, with_pip=complete)
    if complete:
        return
    index = os.environ.get("PIP_INDEX_URL", "https://pypi.org/simple")
    with tempfile.TemporaryDirectory() as downloads:
        try:
            address = latest_pip(index)
            wheel = Path(downloads, Path(urllib.parse.urlparse(address).path).name)
            urllib.request.urlretrieve(address, wheel)  # noqa: S310
        except (urllib.error.URLError, ValueError) as error:
            sys.exit(
                f"This Python has no pip, and none could be fetched from {index} ({error}). Install it: apt install "
                "python3-venv"
            )
        # A wheel of pip can run from itself.
        command = [str(folder / "bin" / "python"), f"{wheel}/pip", "install", "--quiet", "--no-index", str(wheel)]
        subprocess.run(command, check=True)  # noqa: S603


if __name__ == "__main__":
    main(Path(sys.argv[1]))
