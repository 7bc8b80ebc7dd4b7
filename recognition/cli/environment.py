"""What is read from the environment for the library, which reads none of it itself."""

import os
from pathlib import Path


def weights_folder(var: Path | None = None) -> Path:
    """ROLLCALL_WEIGHTS_DIR, else the folder `weights` in `var`, which for the command line is ROLLCALL_DATA_DIR or
    ./var."""
    var = var or Path(os.environ.get("ROLLCALL_DATA_DIR") or "var")
    return Path(os.environ.get("ROLLCALL_WEIGHTS_DIR") or var / "weights")


def inference_threads() -> int:
    """ROLLCALL_THREADS: threads of each network; 0, the default, for all cores."""
    return int(os.environ.get("ROLLCALL_THREADS") or 0)


def inference_precision() -> str | None:
    """ROLLCALL_PRECISION: "f32" or "bf16"; None for what the processor does best."""
    return os.environ.get("ROLLCALL_PRECISION") or None
