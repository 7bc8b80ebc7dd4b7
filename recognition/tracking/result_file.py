"""The result of a segment as a file, on its way from where it was made to the vote: one npz file, never a pickle."""

import base64
import io
import json
from typing import Any

import numpy as np

from recognition.errors import RecognitionError
from recognition.files import READ_ERRORS
from recognition.types import Crop, SegmentResult, Stranger, Track

FORMAT = 3


def dump_segment_result(result: SegmentResult) -> bytes:
    """The result as the content of a file. Its `light` and `motion` are left out."""
    manifest = {
        "format": FORMAT,
        "embedder": result.embedder,
        "frames": result.frames,
        "faces": result.faces,
        "segments": [track.segment for track in result.tracks],
        "motions": [track.motion for track in result.tracks],
        "strangers": [
            track.stranger and (track.stranger.key, track.stranger.is_static, track.stranger.resembles)
            for track in result.tracks
        ],
        "crops": [[(crop.time, crop.quality) for crop in track.crops] for track in result.tracks],
        "blurred": [[base64.b64encode(crop.blurred).decode() for crop in track.crops] for track in result.tracks],
    }
    arrays: dict[str, Any] = {}
    for i, track in enumerate(result.tracks):
        arrays[f"{i}.times"] = track.times
        arrays[f"{i}.boxes"] = track.boxes
        arrays[f"{i}.embeddings"] = track.embeddings
        arrays[f"{i}.qualities"] = track.qualities
        for j, crop in enumerate(track.crops):
            arrays[f"{i}.crop{j}"] = np.frombuffer(crop.jpeg, np.uint8)
    file = io.BytesIO()
    np.savez(file, manifest=np.frombuffer(json.dumps(manifest).encode(), np.uint8), **arrays)
    return file.getvalue()


def load_segment_result(content: bytes) -> SegmentResult:
    """The result that `dump_segment_result` made `content` of. Raises RecognitionError when it is empty or damaged."""
    try:
        with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
            manifest = json.loads(arrays["manifest"].tobytes())
            if manifest["format"] != FORMAT:
                raise ValueError("format")
            tracks = tuple(
                Track(
                    segment=manifest["segments"][i],
                    times=arrays[f"{i}.times"],
                    boxes=arrays[f"{i}.boxes"],
                    embeddings=arrays[f"{i}.embeddings"],
                    qualities=arrays[f"{i}.qualities"],
                    crops=tuple(
                        Crop(
                            time=time,
                            quality=quality,
                            jpeg=arrays[f"{i}.crop{j}"].tobytes(),
                            blurred=base64.b64decode(manifest["blurred"][i][j]) if "blurred" in manifest else b"",
                        )
                        for j, (time, quality) in enumerate(crops)
                    ),
                    motion=manifest["motions"][i],
                    stranger=_load_stranger(manifest["strangers"][i]),
                )
                for i, crops in enumerate(manifest["crops"])
            )
    except READ_ERRORS as error:
        raise RecognitionError("The result of a segment is missing or damaged. Process the recording again.") from error
    return SegmentResult(
        embedder=manifest["embedder"], frames=manifest["frames"], faces=manifest["faces"], tracks=tracks
    )


def _load_stranger(stranger: Any) -> Stranger | None:
    if stranger is None:
        return None
    key, is_static, resembles = stranger
    return Stranger(key=key, is_static=is_static, resembles=tuple(resembles))
