"""Settings from environment variables. The rest of the library does not read the environment."""

import os
from pathlib import Path


def weights_folder(var: Path | None = None) -> Path:
    """ROLLCALL_WEIGHTS_DIR, or else the folder `weights` in `var`.

    `var` defaults to ROLLCALL_DATA_DIR, or else ./var.
    """
    var = var or Path(os.environ.get("ROLLCALL_DATA_DIR") or "var")
    return Path(os.environ.get("ROLLCALL_WEIGHTS_DIR") or var / "weights")


def network_cache_folder(var: Path | None = None) -> Path:
    """ROLLCALL_NETWORK_CACHE_DIR, or else the folder `networks` in `var`.

    `var` defaults to `rollcall` in XDG_CACHE_HOME, or else in ~/.cache.
    """
    if folder := os.environ.get("ROLLCALL_NETWORK_CACHE_DIR"):
        return Path(folder)
    var = var or Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "rollcall"
    return var / "networks"


def inference_threads() -> int:
    """ROLLCALL_THREADS: CPU threads of each network; 0, the default, for all cores."""
    return int(os.environ.get("ROLLCALL_THREADS") or 0)


def inference_precision() -> str | None:
    """ROLLCALL_PRECISION: "f32" or "bf16"; None for what `Runtime` chooses."""
    return os.environ.get("ROLLCALL_PRECISION") or None
