from pathlib import Path

import numpy as np
import pytest

from recognition.errors import RecognitionError
from recognition.tracking.result_file import load_segment_result, save_segment_result
from tests.recognition.people import result, track


def test_what_is_saved_is_loaded(tmp_path: Path) -> None:
    saved = result(track(1, np.arange(0, 20, 2.0), segment=3), track(2, np.arange(4, 8, 2.0), segment=3))
    save_segment_result(tmp_path / "3.npz", saved)
    loaded = load_segment_result(tmp_path / "3.npz")
    assert (loaded.embedder, loaded.frames, loaded.faces) == (saved.embedder, saved.frames, saved.faces)
    for a, b in zip(saved.tracks, loaded.tracks, strict=True):
        assert (a.segment, a.crops) == (b.segment, b.crops)
        for name in ("times", "boxes", "embeddings", "qualities"):
            assert np.array_equal(getattr(a, name), getattr(b, name))


def test_an_empty_segment(tmp_path: Path) -> None:
    save_segment_result(tmp_path / "0.npz", result())
    assert load_segment_result(tmp_path / "0.npz") == result()


def test_damaged_files_are_refused_and_never_unpickled(tmp_path: Path) -> None:
    bad = tmp_path / "bad.npz"
    for content in (b"", b"PK\x03\x04 no zip"):
        bad.write_bytes(content)
        with pytest.raises(RecognitionError, match="Process the recording again"):
            load_segment_result(bad)
    with bad.open("wb") as file:
        np.savez(file, manifest=np.array([{}], dtype=object))
    with pytest.raises(RecognitionError, match="Process the recording again"):
        load_segment_result(bad)
    with pytest.raises(RecognitionError, match="missing"):
        load_segment_result(tmp_path / "none.npz")
