import io
from dataclasses import replace

import numpy as np
import pytest

from recognition.errors import RecognitionError
from recognition.tracking.result_file import dump_segment_result, load_segment_result
from recognition.types import Crop
from tests.recognition.people import result, track

CROP = Crop(time=1.0, quality=0.5, jpeg=b"a picture", blurred=b"a few pixels")


def test_what_is_saved_is_loaded() -> None:
    saved = result(track(1, np.arange(0, 20, 2.0), segment=3), track(2, np.arange(4, 8, 2.0), segment=3))
    saved = replace(saved, tracks=(replace(saved.tracks[0], crops=(CROP,)), *saved.tracks[1:]))
    loaded = load_segment_result(dump_segment_result(saved))
    assert (loaded.embedder, loaded.frames, loaded.faces) == (saved.embedder, saved.frames, saved.faces)
    for a, b in zip(saved.tracks, loaded.tracks, strict=True):
        assert (a.segment, a.crops) == (b.segment, b.crops)
        for name in ("times", "boxes", "embeddings", "qualities"):
            assert np.array_equal(getattr(a, name), getattr(b, name))


def test_an_empty_segment() -> None:
    assert load_segment_result(dump_segment_result(result())) == result()


def test_damaged_contents_are_refused_and_never_unpickled() -> None:
    pickled = io.BytesIO()
    np.savez(pickled, manifest=np.array([{}], dtype=object))
    for content in (b"", b"PK\x03\x04 no zip", pickled.getvalue()):
        with pytest.raises(RecognitionError, match="Process the recording again"):
            load_segment_result(content)
