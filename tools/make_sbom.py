"""Write what each image contains, a CycloneDX document an image: `.venv-audit/bin/python -m tools.make_sbom FOLDER`."""

import base64
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from tools.fetch_scripts import PACKAGES, Package

ROOT = Path(__file__).resolve().parents[1]
LOCKS = {"rollcall": "requirements.txt", "rollcall-gpu": "requirements-gpu.txt"}


def describe_script(package: Package) -> dict[str, Any]:
    """The component for a package from npm."""
    return {
        "bom-ref": f"npm-{package.name}",
        "type": "library",
        "name": package.name,
        "version": package.version,
        "purl": f"pkg:npm/{package.name}@{package.version}",
        "hashes": [{"alg": "SHA-512", "content": base64.b64decode(package.sha512).hex()}],
    }


def make_sbom(image: str) -> dict[str, Any]:
    """The document of an image: the packages that pip installs with the hashes of their files, and the pages' scripts.

    What Debian's packages bring is not in it: a scanner of images sees that.
    """
    requirements = "\n".join(
        path.read_text() for path in (ROOT / "locks" / LOCKS[image], ROOT / "requirements-facenet.txt")
    )
    command = [
        str(Path(sys.executable).with_name("cyclonedx-py")),
        "requirements",
        "--pyproject",
        "pyproject.toml",
        "-",
    ]
    made = subprocess.run(command, cwd=ROOT, input=requirements, stdout=subprocess.PIPE, text=True, check=True)  # noqa: S603
    sbom: dict[str, Any] = json.loads(made.stdout)
    if image == "rollcall":  # the one that serves pages
        sbom["components"] += [describe_script(package) for package in PACKAGES]
    return sbom


def main(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for image in LOCKS:
        (folder / f"{image}.cdx.json").write_text(json.dumps(make_sbom(image), indent=1))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
