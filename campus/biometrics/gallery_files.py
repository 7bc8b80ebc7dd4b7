"""Load gallery files. The most recent ones stay in memory, because every segment of a recording needs the same one."""

from functools import lru_cache
from typing import TYPE_CHECKING

from campus.biometrics.models import Gallery
from campus.common.storage import media, read_media
from recognition.errors import GalleryMismatch

if TYPE_CHECKING:
    from recognition.identification.gallery import Gallery as LoadedGallery


def load_gallery(gallery: Gallery) -> "LoadedGallery":
    """The gallery of this row, from its file. Raises GalleryMismatch if the file is missing or damaged."""
    try:
        return _load(gallery.path, gallery.embedder, gallery.sha256, media().stat(gallery.path).version)
    except OSError as error:
        raise GalleryMismatch(
            "The gallery's file can't be read ({why}). Train the class's gallery again.", why=type(error).__name__
        ) from error


@lru_cache(maxsize=2)
def _load(name: str, embedder: str, sha256: str, _file_version: str) -> "LoadedGallery":
    from recognition.identification.gallery import Gallery

    return Gallery.from_bytes(read_media(name), embedder, sha256)
