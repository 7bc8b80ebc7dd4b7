"""Fetch the pages' two JavaScript libraries from npm's registry into a folder: `python3 fetch_scripts.py FOLDER`. No
node is needed.
"""

import base64
import hashlib
import io
import os
import sys
import tarfile
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Package:
    name: str
    version: str
    sha512: str  # of the package's file, as npm writes it into lock files
    script: str

    @property
    def path(self) -> str:
        return f"{self.name}/-/{self.name}-{self.version}.tgz"


PACKAGES = (
    Package(
        "tus-js-client",  # MIT
        "4.3.1",
        "ZLeYmjrkaU1fUsKbIi8JML52uAocjEZtBx4DKjRrqzrZa0O4MYwT6db+oqePlspV+FxXJAyFBc/L5gwUi2OFsg==",
        "dist/tus.min.js",
    ),
    Package(
        "hash-wasm",  # MIT; a browser's own digest wants the whole file in memory
        "4.13.0",
        "GrWl7wsV46fKIXQZB5ebskLZLAmKL6d9RS0fspCxDeQyjoNu1AfTJTMLPOJyfzaQm0ldFiwFN21/w+sE/kgEFQ==",
        "dist/sha256.umd.min.js",
    ),
)


def fetch(package: Package, registry: str) -> bytes:
    """The package's script. Nothing of a package with another content than the pinned one is used."""
    with urllib.request.urlopen(f"{registry.rstrip('/')}/{package.path}", timeout=60) as answer:  # noqa: S310
        archive = answer.read()
    if base64.b64encode(hashlib.sha512(archive).digest()).decode() != package.sha512:
        raise ValueError(f"{package.name} {package.version} from {registry} is not the package that it should be")
    with tarfile.open(fileobj=io.BytesIO(archive)) as files:
        script = files.extractfile(f"package/{package.script}")
        if script is None:
            raise ValueError(f"{package.name} {package.version} has no {package.script}")
        return script.read()


def main(folder: Path) -> None:
    registry = os.environ.get("NPM_CONFIG_REGISTRY", "https://registry.npmjs.org")
    folder.mkdir(parents=True, exist_ok=True)
    for package in PACKAGES:
        try:
            script = fetch(package, registry)
        except (urllib.error.URLError, OSError, ValueError, tarfile.TarError, KeyError) as error:
            sys.exit(
                f"{package.name} could not be fetched: {error}. Look at the network, or name another registry in "
                "NPM_CONFIG_REGISTRY."
            )
        # A map to the sources would be looked for, and is not here.
        lines = [line for line in script.splitlines(keepends=True) if not line.startswith(b"//# sourceMappingURL=")]
        (folder / Path(package.script).name).write_bytes(b"".join(lines))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
