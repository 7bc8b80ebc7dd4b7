"""Files of a backup: encrypted and authenticated in pieces, so that gigabytes fit through little memory.

    magic (4 bytes) | salt (16) | pieces, each: length (4) | ciphertext with tag

The key of a file is derived of the backup's key, the salt and the file's place in the backup. Pieces are numbered, and
the last one says so: none can be changed, moved, left out or put into another file unnoticed.
"""

import io
import secrets
import struct
from typing import IO, Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

MAGIC: Final = b"RCB\x01"
SALT_BYTES: Final = 16
PIECE_BYTES: Final = 1024 * 1024
TAG_BYTES: Final = 16
LENGTH: Final = struct.Struct(">I")


class DamagedBackup(Exception):
    """A file of a backup is not what was written. The message is a sentence."""


def _cipher(key: bytes, salt: bytes, place: str) -> AESGCM:
    return AESGCM(HKDF(algorithm=SHA256(), length=32, salt=salt, info=place.encode()).derive(key))


def _nonce(number: int, *, is_last: bool) -> bytes:
    return number.to_bytes(11, "big") + bytes([is_last])


class SealedWriter(io.RawIOBase):
    """Encrypts what is written to it into `target`, which stays open. Only `close` writes the end: without it, nobody
    can read the file.
    """

    def __init__(self, target: IO[bytes], key: bytes, place: str) -> None:
        salt = secrets.token_bytes(SALT_BYTES)
        target.write(MAGIC + salt)
        self._target, self._cipher = target, _cipher(key, salt, place)
        self._piece = bytearray()
        self._number = 0

    def writable(self) -> bool:
        return True

    def write(self, content: object, /) -> int:
        view = memoryview(content)  # type: ignore[arg-type]
        self._piece += view
        while len(self._piece) > PIECE_BYTES:
            self._write_piece(bytes(self._piece[:PIECE_BYTES]), is_last=False)
            del self._piece[:PIECE_BYTES]
        return view.nbytes

    def close(self) -> None:
        if not self.closed:
            self._write_piece(bytes(self._piece), is_last=True)
        super().close()

    def _write_piece(self, content: bytes, *, is_last: bool) -> None:
        encrypted = self._cipher.encrypt(_nonce(self._number, is_last=is_last), content, None)
        self._target.write(LENGTH.pack(len(encrypted)) + encrypted)
        self._number += 1


class SealedReader(io.RawIOBase):
    """Reads what a SealedWriter wrote with this key for this place. Raises DamagedBackup."""

    def __init__(self, source: IO[bytes], key: bytes, place: str) -> None:
        head = source.read(len(MAGIC) + SALT_BYTES)
        if not head.startswith(MAGIC) or len(head) < len(MAGIC) + SALT_BYTES:
            raise _damaged(place)
        self._source, self._place, self._cipher = source, place, _cipher(key, head[len(MAGIC) :], place)
        self._length = source.read(LENGTH.size)
        if not self._length:
            raise _damaged(place)
        self._piece = b""
        self._number = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: object, /) -> int:
        while not self._piece and self._length:
            self._read_piece()
        view = memoryview(buffer)  # type: ignore[arg-type]
        count = min(len(view), len(self._piece))
        view[:count], self._piece = self._piece[:count], self._piece[count:]
        return count

    def _read_piece(self) -> None:
        if len(self._length) < LENGTH.size or (size := LENGTH.unpack(self._length)[0]) > PIECE_BYTES + TAG_BYTES:
            raise _damaged(self._place)
        encrypted = self._source.read(size)
        self._length = self._source.read(LENGTH.size)
        try:
            self._piece = self._cipher.decrypt(_nonce(self._number, is_last=not self._length), encrypted, None)
        except InvalidTag:
            raise _damaged(self._place) from None
        self._number += 1


def _damaged(place: str) -> DamagedBackup:
    return DamagedBackup(f"The backup's file “{place}” is damaged or incomplete.")
