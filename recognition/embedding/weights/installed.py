"""The weights that don't come with a package: added from files that people have or fetched from their publisher, kept in one form.

`manifest.json` beside them says of each file its hash and where it came from, and of each address the hash that it had when it was
first fetched: what is there later has to be the same.
"""

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from recognition.embedding import Embedder, facenet
from recognition.embedding.weights import facenet_files
from recognition.embedding.weights.download import download
from recognition.embedding.weights.store import folder, path
from recognition.errors import DownloadFailed, WeightsMissing
from recognition.files import READ_ERRORS, atomic_write

__all__ = ["SOURCES", "Kept", "add", "fetch", "folder", "kept", "path", "verify"]

# Where the publishers keep them.
TORCH = "https://github.com/timesler/facenet-pytorch/releases/download/v2.2.9"
SOURCES = {
    "facenet-20180402": f"{TORCH}/20180402-114759-vggface2.pt",
    "facenet-20180408": f"{TORCH}/20180408-102900-casia-webface.pt",
    "facenet512": "https://github.com/serengil/deepface_models/releases/download/v1.0/facenet512_weights.h5",
}


@dataclass(frozen=True, slots=True)
class Kept:
    """Weights that are kept. `origin`: the file or address that they came from; `form`: what kind of file that was."""

    embedder: str
    version: str
    file: str
    sha256: str
    origin: str
    form: str
    added: str


def kept() -> list[Kept]:
    """What is kept, by embedder. Raises WeightsMissing when the manifest is damaged."""
    try:
        return [Kept(**entry) for _, entry in sorted(_manifest()["kept"].items())]
    except TypeError as error:
        raise WeightsMissing(
            f"{folder() / 'manifest.json'} is damaged. Delete it and add the weights again."
        ) from error


def add(source: Path, origin: str | None = None) -> Kept:
    """Convert a file, folder or zip in any form that `facenet_files.read` knows, try it, and keep it in place of what was there.

    `origin` is remembered instead of the file's name. Raises WeightsMissing.
    """
    embedder, weights = facenet.assemble(facenet_files.read(source))
    check(embedder)
    target = folder() / f"{embedder.id}.npz"
    with atomic_write(target) as beside:
        facenet_files.save(weights, beside)
        entry = Kept(
            embedder.id,
            embedder.version,
            target.name,
            _sha256(beside),
            origin or source.name,
            weights.form,
            f"{datetime.now(UTC):%Y-%m-%d}",
        )
    manifest = _manifest()
    manifest["kept"][embedder.id] = {name: getattr(entry, name) for name in Kept.__slots__}
    _write(manifest)
    return entry


def fetch(name: str, url: str | None = None, schemes: Sequence[str] = ("https",)) -> Kept:
    """Download the weights of one of SOURCES and add them. Raises DownloadFailed and WeightsMissing."""
    url = url or SOURCES[name]
    file = folder() / "downloads" / Path(url).name
    by_hand = f"Download {url} in a browser, then run: python -m recognition weights add {file.name}"
    try:
        download(url, file, schemes=schemes)
    except DownloadFailed as error:
        raise DownloadFailed(f"{error} {by_hand}") from error
    try:
        pinned = _manifest()["fetched"].get(name)
        digest = _sha256(file)
        if pinned and pinned != digest:
            raise DownloadFailed(
                f"The file at {url} is another than when it was first fetched (SHA-256 {digest}, then {pinned}): it is not used. "
                "If its publisher says why, download it in a browser and run: python -m recognition weights add "
                + file.name
            )
        result = add(file, url)
        manifest = _manifest()
        manifest["fetched"][name] = digest
        _write(manifest)
        return result
    finally:
        file.unlink()


def verify() -> Iterator[tuple[Kept, str | None]]:
    """Each of the weights kept, and what is wrong with it: the file's hash, its arrays or the vectors that they make; None if nothing."""
    for entry in kept():
        try:
            if _sha256(folder() / entry.file) != entry.sha256:
                raise WeightsMissing("The file has changed since it was added. Add or fetch the weights again.")
            embedder, _ = facenet.assemble(facenet_files.read(folder() / entry.file))
            check(embedder)
        except FileNotFoundError:
            yield entry, "The file is gone. Add or fetch the weights again."
        except WeightsMissing as error:
            yield entry, str(error)
        else:
            yield entry, None


def check(embedder: Embedder) -> None:
    """Weights of the right shapes can still be zeros or absurd. Raises WeightsMissing when face crops don't become different unit vectors."""
    size = embedder.crop_size
    crops = np.random.default_rng(0).integers(0, 256, (2, size, size, 3), np.uint8)
    with np.errstate(all="ignore"):
        vectors = embedder.embed(crops)
    if not np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-3) or np.allclose(vectors[0], vectors[1]):
        raise WeightsMissing(
            "The weights don't make vectors of faces: the numbers in the file are wrong. Get the file again."
        )


def _sha256(file: Path) -> str:
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


def _manifest() -> dict[str, Any]:
    file = folder() / "manifest.json"
    if not file.exists():
        return {"kept": {}, "fetched": {}}
    try:
        manifest = json.loads(file.read_text())
        return {"kept": dict(manifest["kept"]), "fetched": dict(manifest["fetched"])}
    except (*READ_ERRORS, TypeError) as error:
        raise WeightsMissing(f"{file} is damaged. Delete it and add the weights again.") from error


def _write(manifest: dict[str, Any]) -> None:
    with atomic_write(folder() / "manifest.json") as beside:
        beside.write_text(json.dumps(manifest, indent=1))
