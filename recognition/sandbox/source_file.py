"""The file of a request, of which parts may not be on this machine yet."""

import io
import os
from collections.abc import Callable
from pathlib import Path
from typing import ClassVar


class SourceFile(io.FileIO):
    """The file, to read. Its readers open it with this.

    In a child whose file has holes, `fill` is set: it has bytes from one position to another brought here, and returns
    up to where they are here.
    """

    fill: ClassVar[Callable[[int, int], int] | None] = None

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self._size = os.fstat(self.fileno()).st_size
        self._filled = range(0)

    def read(self, size: int | None = -1, /) -> bytes:
        start = self.tell()
        end = self._size if size is None or size < 0 else min(start + size, self._size)
        fill = type(self).fill
        if fill and start < end and not (start in self._filled and end <= self._filled.stop):
            self._filled = range(start, fill(start, end))
        return super().read(size)
