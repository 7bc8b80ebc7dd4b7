"""Where converted weights lie: one file an embedder, in the folder that ROLLCALL_WEIGHTS names."""

import os
from pathlib import Path


def folder() -> Path:
    return Path(os.environ.get("ROLLCALL_WEIGHTS") or "var/weights")


def path(embedder: str, within: Path | None = None) -> Path | None:
    """The file of an embedder's weights in a folder (default: the one of ROLLCALL_WEIGHTS), None when there is none."""
    file = (within or folder()) / f"{embedder}.npz"
    return file if file.is_file() else None
