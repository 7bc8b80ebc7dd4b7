"""The result of a segment on its way from the worker that made it to the vote: one npz file, never a pickle."""

import json
from pathlib import Path
from typing import Any

import numpy as np

from recognition.errors import RecognitionError
from recognition.files import READ_ERRORS, atomic_write
from recognition.types import Crop, SegmentResult, Track

FORMAT = 2


def save_segment_result(path: Path, result: SegmentResult) -> None:
    """Write the result, whole or not at all."""
    arrays: dict[str, Any] = {}
    crops = []
    for i, track in enumerate(result.tracks):
        arrays |= {f"{i}.times": track.times, f"{i}.boxes": track.boxes}
        arrays |= {f"{i}.embeddings": track.embeddings, f"{i}.qualities": track.qualities}
        arrays |= {f"{i}.crop{j}": np.frombuffer(crop.jpeg, np.uint8) for j, crop in enumerate(track.crops)}
        crops.append([(crop.time, crop.quality) for crop in track.crops])
    manifest = {
        "format": FORMAT,
        "embedder": result.embedder,
        "frames": result.frames,
        "faces": result.faces,
        "crops": crops,
    }
    manifest |= {
        "segments": [track.segment for track in result.tracks],
        "motions": [track.motion for track in result.tracks],
    }
    with atomic_write(path) as beside, beside.open("wb") as file:
        np.savez(file, manifest=np.frombuffer(json.dumps(manifest).encode(), np.uint8), **arrays)


def load_segment_result(path: Path) -> SegmentResult:
    """Read what `save_segment_result` wrote. Raises RecognitionError when the file is missing or damaged."""
    try:
        with np.load(path, allow_pickle=False) as arrays:
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
                        Crop(time, quality, arrays[f"{i}.crop{j}"].tobytes()) for j, (time, quality) in enumerate(crops)
                    ),
                    motion=manifest["motions"][i],
                )
                for i, crops in enumerate(manifest["crops"])
            )
    except READ_ERRORS as error:
        raise RecognitionError(
            "The result of a part of the recording is missing or damaged. Take attendance again."
        ) from error
    return SegmentResult(manifest["embedder"], manifest["frames"], manifest["faces"], tracks)
