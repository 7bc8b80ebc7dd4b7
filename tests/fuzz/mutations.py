"""Files that are almost right: real ones with some bytes removed, replaced, added or repeated."""

import io
import os
import zipfile
from collections.abc import Sequence
from pathlib import Path

from hypothesis import strategies as st

from tests.conftest import REPOSITORY

MAX_EDITS = 6
REPEATS = (1, 1, 1, 1, 2, 100, 10_000)


@st.composite
def mutated(draw: st.DrawFn, seeds: Sequence[bytes], tokens: Sequence[bytes] = ()) -> bytes:
    """One of the seeds after a few edits, which put in any bytes, or tokens that mean something to the reader."""
    content = bytearray(draw(st.sampled_from(seeds)))
    pieces = st.binary(max_size=6)
    if tokens:
        pieces |= st.sampled_from(tokens)
    for _ in range(draw(st.integers(0, MAX_EDITS))):
        place = draw(st.integers(0, len(content)))
        removed = draw(st.sampled_from([0, 1, 4, 20, 1000]) | st.integers(0, len(content) - place))
        content[place : place + removed] = draw(pieces) * draw(st.sampled_from(REPEATS))
    return bytes(content)


@st.composite
def mutated_parts(draw: st.DrawFn, seeds: Sequence[bytes], tokens: Sequence[bytes] = ()) -> bytes:
    """A zip in which some of the files are mutated, or missing."""
    with zipfile.ZipFile(io.BytesIO(draw(st.sampled_from(seeds)))) as source:
        parts = {name: source.read(name) for name in source.namelist()}
    for name in draw(st.lists(st.sampled_from(sorted(parts)), max_size=3)):
        parts[name] = draw(mutated([parts[name]], tokens))
    missing = draw(st.sampled_from(["", "", "", "", *sorted(parts)]))
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as target:
        for name, part in parts.items():
            if name != missing:
                target.writestr(name, part)
    return content.getvalue()


def case_files(folder: str) -> list[bytes]:
    """The files of a folder of `shared/cases`; none where that is not there."""
    shared = Path(os.environ.get("ROLLCALL_SHARED", REPOSITORY.parent / "shared" / "data")).parent
    return [path.read_bytes() for path in sorted((shared / "cases" / folder).glob("*")) if path.is_file()]
