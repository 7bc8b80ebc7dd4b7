"""The weights that don't come with a package: added from a file or fetched from their publisher, kept in one format.

`manifest.json` beside them has each file's hash and origin, and for each address the hash of what was first fetched
from it: later downloads must be the same.
"""

import json
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from recognition.embedding import Embedder, facenet
from recognition.embedding.weights import facenet_files
from recognition.embedding.weights.download import download
from recognition.errors import DownloadFailed, WeightsMissing
from recognition.files import READ_ERRORS, atomic_write, sha256_of

# Where the publishers keep them.
TORCH_RELEASE = "https://github.com/timesler/facenet-pytorch/releases/download/v2.2.9"
SOURCES = {
    "facenet-20180402": f"{TORCH_RELEASE}/20180402-114759-vggface2.pt",
    "facenet-20180408": f"{TORCH_RELEASE}/20180408-102900-casia-webface.pt",
    "facenet512": "https://github.com/serengil/deepface_models/releases/download/v1.0/facenet512_weights.h5",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class InstalledWeights:
    """One embedder's weights in the folder.

    `origin` is the file or address that they came from, `form` says what kind of file that was, `added` is a date.
    """

    embedder: str
    version: str
    file: str
    sha256: str
    origin: str
    form: str
    added: str


@dataclass(slots=True)
class _Manifest:
    installed: dict[str, dict[str, str]] = field(default_factory=dict)
    fetched_sha256: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class WeightsFolder:
    """The folder `path` with one file of weights for each embedder. All writing happens in this folder."""

    path: Path

    def file_of(self, embedder: str) -> Path | None:
        """The file with the embedder's weights; None if there is none."""
        file = self.path / f"{embedder}.npz"
        return file if file.is_file() else None

    def installed(self) -> list[InstalledWeights]:
        """All weights in the folder, by embedder. Raises WeightsMissing when the manifest is damaged."""
        try:
            return [InstalledWeights(**entry) for _, entry in sorted(self._manifest().installed.items())]
        except TypeError as error:
            raise self._damaged() from error

    def add(self, source: Path, origin: str | None = None) -> InstalledWeights:
        """Convert a file, folder or zip in any form that `facenet_files.read` knows, try it, and put it in the place of
        an earlier one.

        `origin` is remembered instead of the file's name. Raises WeightsMissing, and OSError when the folder cannot be
        written.
        """
        self.path.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=self.path, prefix=".unpacked-") as scratch:
            embedder, weights = facenet.build_embedder(facenet_files.read(source, Path(scratch)))
        check_embedder(embedder)
        target = self.path / f"{embedder.id}.npz"
        with atomic_write(target) as temporary:
            facenet_files.save(weights, temporary)
            entry = InstalledWeights(
                embedder=embedder.id,
                version=embedder.version,
                file=target.name,
                sha256=sha256_of(temporary),
                origin=origin or source.name,
                form=weights.form,
                added=f"{datetime.now(UTC):%Y-%m-%d}",
            )
        manifest = self._manifest()
        manifest.installed[embedder.id] = asdict(entry)
        self._write(manifest)
        return entry

    def fetch(self, name: str, url: str | None = None, schemes: Sequence[str] = ("https",)) -> InstalledWeights:
        """Download the weights of one of SOURCES and add them. Raises DownloadFailed, WeightsMissing and OSError."""
        url = url or SOURCES[name]
        file = self.path / "downloads" / Path(url).name
        by_hand = f"Download {url} in a browser, then run: python -m recognition weights add {file.name}"
        try:
            download(url, file, schemes=schemes)
        except DownloadFailed as error:
            raise DownloadFailed("{error} {by_hand}", error=error.message, by_hand=by_hand) from error
        try:
            first_sha256 = self._manifest().fetched_sha256.get(name)
            sha256 = sha256_of(file)
            if first_sha256 and first_sha256 != sha256:
                raise DownloadFailed(
                    "The file at {url} is another than when it was first fetched (SHA-256 {sha256}, then "
                    "{first_sha256}): it is not used. If its publisher says why, download it in a browser and run: "
                    "python -m recognition weights add {name}",
                    url=url,
                    sha256=sha256,
                    first_sha256=first_sha256,
                    name=file.name,
                )
            entry = self.add(file, url)
            manifest = self._manifest()
            manifest.fetched_sha256[name] = sha256
            self._write(manifest)
            return entry
        finally:
            file.unlink()

    def verify(self) -> Iterator[tuple[InstalledWeights, str | None]]:
        """All weights, each with what is wrong with its file, its arrays or the vectors that they make; None if nothing
        is."""
        for entry in self.installed():
            try:
                if sha256_of(self.path / entry.file) != entry.sha256:
                    raise WeightsMissing("The file has changed since it was added. Add or fetch the weights again.")
                embedder, _ = facenet.build_embedder(facenet_files.read(self.path / entry.file))
                check_embedder(embedder)
            except FileNotFoundError:
                yield entry, "The file is gone. Add or fetch the weights again."
            except WeightsMissing as error:
                yield entry, str(error)
            else:
                yield entry, None

    def _manifest(self) -> _Manifest:
        file = self.path / "manifest.json"
        if not file.exists():
            return _Manifest()
        try:
            content: dict[str, Any] = json.loads(file.read_text())
            return _Manifest(dict(content["installed"]), dict(content["fetched_sha256"]))
        except (*READ_ERRORS, TypeError) as error:
            raise self._damaged() from error

    def _write(self, manifest: _Manifest) -> None:
        with atomic_write(self.path / "manifest.json") as temporary:
            temporary.write_text(json.dumps(asdict(manifest), indent=1))

    def _damaged(self) -> WeightsMissing:
        return WeightsMissing(
            "{path} is damaged. Delete it and add the weights again.", path=self.path / "manifest.json"
        )


def check_embedder(embedder: Embedder) -> None:
    """Weights of the right shapes can still be zeros or absurd. Raises WeightsMissing when face crops don't become
    different unit vectors."""
    size = embedder.crop_size
    crops = np.random.default_rng(0).integers(0, 256, (2, size, size, 3), np.uint8)
    with np.errstate(all="ignore"):
        vectors = embedder.embed(crops)
    if not np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-3) or np.allclose(vectors[0], vectors[1]):
        raise WeightsMissing(
            "The weights don't make vectors of faces: the numbers in the file are wrong. Get the file again."
        )
