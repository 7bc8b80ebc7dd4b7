"""Networks are kept as OpenVINO reads them, so that a process that runs them needs no TensorFlow.

Each folder in the cache holds the networks of one file of weights. Its name has the hash of all that they depend on:
the weights, the code that builds the networks, and OpenVINO's version. They are built in a process of their own, one
after the other, so that TensorFlow takes memory once and not for long.
"""

import fcntl
import hashlib
import json
import logging
import mmap
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from importlib.metadata import version
from pathlib import Path
from pkgutil import resolve_name
from typing import TYPE_CHECKING

import numpy as np

from recognition import inference
from recognition.activation_ranges import ACTIVATION_RANGES
from recognition.files import READ_ERRORS, sha256_of
from recognition.inference import (
    Network,
    Runtime,
    compile_converted,
    compile_model,
    convert_to_openvino,
    import_openvino,
    uses_gpu,
)

if TYPE_CHECKING:
    import keras
    import openvino

logger = logging.getLogger(__name__)

BUILD_TIMEOUT_SECONDS = 300
MAX_UNUSED_DAYS = 30
MAX_WEIGHTS_BYTES = 2**30

Build = Callable[[Path], Mapping[str, "keras.Model"]]
CachedModel = tuple["openvino.Model", mmap.mmap, Path | None]  # its weights; a folder where OpenVINO may write


def load_networks(build: Build, weights: Path, runtime: Runtime | None = None) -> dict[str, Network]:
    """The networks that `build` makes of a file or folder of weights, by name, compiled for this machine.

    `build` is a function at the top of its module; the names that it gives are file names. It is called only if the
    networks are not in the runtime's cache yet, or have been damaged there. They are compiled as by `compile_model`.
    """
    runtime = runtime or Runtime()
    if runtime.cache is None or uses_gpu(runtime):
        return _compile_built(build(weights), runtime)
    try:
        kept = _read_or_build(build, weights.absolute(), runtime.cache.absolute())
    except OSError as error:
        # Of faulty weights `build` says what is wrong with them.
        networks = _compile_built(build(weights), runtime)
        logger.warning("The networks can't be kept in %s, so each start takes seconds longer: %s", runtime.cache, error)
        return networks
    return {name: _compile_kept(name, *network, runtime) for name, network in kept.items()}


def _compile_built(models: Mapping[str, "keras.Model"], runtime: Runtime) -> dict[str, Network]:
    return {name: compile_model(model, runtime, ACTIVATION_RANGES.get(name)) for name, model in models.items()}


def _compile_kept(
    name: str, model: "openvino.Model", weights: mmap.mmap, compiled: Path | None, runtime: Runtime
) -> Network:
    network = compile_converted(model, runtime, ACTIVATION_RANGES.get(name), weights, compiled)
    # The first call copies the weights into the order in which they are used, so the file need not stay in memory.
    shape = model.input().partial_shape
    if all(size.is_static for size in list(shape)[1:]):
        network(np.zeros([1, *(size.get_length() for size in list(shape)[1:])]))
    weights.madvise(mmap.MADV_DONTNEED)
    return network


def _read_or_build(build: Build, weights: Path, cache: Path) -> dict[str, CachedModel]:
    """The networks from the cache. Raises OSError when they can't be kept there."""
    folder = cache / f"{build.__module__.rpartition('.')[2]}-{_hash(build, weights)}"
    if kept := _read(folder):
        return kept
    _build_in_another_process(build, weights, folder)
    if kept := _read(folder):
        return kept
    raise OSError("what was written there can't be read")


def _hash(build: Build, weights: Path) -> str:
    """The hash of what the networks depend on. Raises OSError when the weights can't be read."""
    package = Path(resolve_name(build.__module__).__file__).parent
    code = [Path(__file__), Path(inference.__file__), *sorted(package.rglob("*.py"))]
    files = sorted(weights.iterdir()) if weights.is_dir() else [weights]
    if not all(file.is_file() for file in files) or sum(file.stat().st_size for file in files) > MAX_WEIGHTS_BYTES:
        raise OSError(f"{weights} has more than weights")
    digest = hashlib.sha256(f"{version('openvino')} {build.__qualname__}".encode())
    for file in code + files:
        digest.update(file.name.encode() + sha256_of(file).encode())
    return digest.hexdigest()[:32]


def _read(folder: Path) -> dict[str, CachedModel] | None:
    """The networks in a folder of the cache; None if it is not there or damaged."""
    try:
        sha256_by_file = json.loads((folder / "manifest.json").read_text())
        if not all(sha256_of(folder / name) == sha256 for name, sha256 in sha256_by_file.items()):
            return None
        return {Path(name).stem: _map(folder / name) for name in sha256_by_file if name.endswith(".xml")}
    except (*READ_ERRORS, AttributeError, RuntimeError):  # OpenVINO raises RuntimeError
        return None


def _map(description: Path) -> CachedModel:
    openvino = import_openvino()
    with description.with_suffix(".bin").open("rb") as file:
        weights = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY)
    tensor = openvino.Tensor(np.frombuffer(weights, np.uint8), shared_memory=True)
    compiled = description.parent / "compiled" if os.access(description.parent, os.W_OK) else None
    return openvino.Core().read_model(description.read_bytes(), tensor), weights, compiled


def _build_in_another_process(build: Build, weights: Path, folder: Path) -> None:
    command = [sys.executable, "-m", __name__, f"{build.__module__}:{build.__qualname__}", str(weights), str(folder)]
    root = Path(__file__).parents[1]
    try:
        subprocess.run(command, cwd=root, capture_output=True, timeout=BUILD_TIMEOUT_SECONDS, check=True)  # noqa: S603
    except subprocess.TimeoutExpired as error:
        raise OSError("building them takes too long") from error
    except subprocess.CalledProcessError as error:
        raise OSError(error.stderr.decode(errors="replace").strip().rpartition("\n")[2]) from error


def _write(build: Build, weights: Path, folder: Path) -> None:
    """Build the networks and put them in `folder`, which appears whole or not at all, in the place of a damaged one."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    with (folder.parent / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if _read(folder):
            return  # another process was faster
        unfinished = folder.parent / ".unfinished"
        shutil.rmtree(unfinished, ignore_errors=True)  # of a process that was killed
        unfinished.mkdir()
        for name, model in build(weights).items():
            import_openvino().serialize(convert_to_openvino(model), unfinished / f"{name}.xml")
        sha256_by_file = {file.name: sha256_of(file) for file in unfinished.iterdir()}
        (unfinished / "manifest.json").write_text(json.dumps(sha256_by_file))
        shutil.rmtree(folder, ignore_errors=True)
        unfinished.rename(folder)
        _delete_superseded(folder)


def _delete_superseded(folder: Path) -> None:
    """Delete networks of earlier weights, code or versions. An installation that still uses them builds them anew."""
    stem = folder.name.rpartition("-")[0]
    for other in folder.parent.glob(f"{stem}-*"):
        if other != folder and time.time() - other.stat().st_mtime > MAX_UNUSED_DAYS * 24 * 3600:
            shutil.rmtree(other)


if __name__ == "__main__":
    _write(resolve_name(sys.argv[1]), Path(sys.argv[2]), Path(sys.argv[3]))
