"""Where converted weights lie: one file an embedder, in the folder that ROLLCALL_WEIGHTS names."""

import os
from pathlib import Path


def folder() -> Path:
    return Path(os.environ.get("ROLLCALL_WEIGHTS") or "var/weights")


def path(embedder: str) -> Path | None:
    """The file of an embedder's weights, None when there is none."""
    file = folder() / f"{embedder}.npz"
    return file if file.is_file() else None
