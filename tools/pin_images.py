"""Name the images in deploy/ by the digests that their tags have today: `python3 -m tools.pin_images`.

It asks the registries through Docker. Run it again to follow a tag that has moved.
"""

import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

DEPLOY = Path(__file__).resolve().parents[1] / "deploy"
FILES = ("Dockerfile", "Dockerfile.gpu", "compose.yaml")
# An image of somebody else has a tag; ours have none.
IMAGE = re.compile(r"^(FROM |    image: )([\w./-]+:[\w.-]+)(?:@sha256:[0-9a-f]{64})?$", re.MULTILINE)


def read_digest(image: str) -> str:
    """The digest of an image's list of platforms. Raises OSError or CalledProcessError if it cannot be had."""
    command = ["docker", "buildx", "imagetools", "inspect", "--format", "{{.Manifest.Digest}}", image]
    return subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout.strip()  # noqa: S603


def pin(text: str, digest_of: Callable[[str], str]) -> str:
    """A Dockerfile or a compose file with each image named by its tag and digest."""
    return IMAGE.sub(lambda match: f"{match[1]}{match[2]}@{digest_of(match[2])}", text)


def main() -> None:
    try:
        pinned = {DEPLOY / name: pin((DEPLOY / name).read_text(), read_digest) for name in FILES}
    except (OSError, subprocess.CalledProcessError) as error:
        sys.exit(f"The digests could not be read ({error}). Install Docker with buildx, and look at the network.")
    for path, text in pinned.items():
        path.write_text(text)


if __name__ == "__main__":
    main()
