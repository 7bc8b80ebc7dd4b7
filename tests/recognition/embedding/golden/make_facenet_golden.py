"""Writes the files that the tests of FaceNet compare with, from PyTorch and facenet-pytorch:

    pip install torch==2.13.0 requests tqdm && pip install --no-deps facenet-pytorch==2.6.0
    python tests/recognition/embedding/golden/make_facenet_golden.py

facenet_random.npz: names and shapes of its InceptionResnetV1's weights, and what the network answers with
`random_tensor` as its weights to `random_crops`. tiny_zip.pt and tiny_legacy.pt: a small state_dict in both of
PyTorch's formats.
"""

import importlib.util
import sys
import types
import zlib
from pathlib import Path

import numpy as np

FOLDER = Path(__file__).resolve().parent


def random_tensor(name: str, shape: tuple[int, ...]) -> np.ndarray:
    """Weights that keep the activations of a deep network at about the size of its input (He), the same for a name
    wherever it is asked.
    """
    generator = np.random.default_rng(zlib.crc32(name.encode()))
    if name.endswith(("running_var", "bn.weight")):
        return generator.uniform(0.7, 1.4, shape).astype(np.float32)
    spread = np.sqrt(2 / np.prod(shape[1:])) if len(shape) > 1 else 0.1
    return (spread * generator.standard_normal(shape)).astype(np.float32)


def random_crops() -> np.ndarray:
    """Four RGB face crops (4, 160, 160, 3) uint8: coloured patches, of another size in each."""
    generator = np.random.default_rng(160)
    return np.stack(
        [np.kron(generator.integers(0, 256, (160 // s, 160 // s, 3)), np.ones((s, s, 1))) for s in (1, 8, 32, 80)]
    ).astype(np.uint8)


def main() -> None:
    import torch

    # The package's __init__ wants torchvision, which the network doesn't need.
    package = types.ModuleType("facenet_pytorch")
    package.__path__ = importlib.util.find_spec("facenet_pytorch").submodule_search_locations
    sys.modules["facenet_pytorch"] = package
    from facenet_pytorch.models.inception_resnet_v1 import InceptionResnetV1

    network = InceptionResnetV1().eval()
    state = {name: tensor for name, tensor in network.state_dict().items() if not name.endswith("num_batches_tracked")}
    network.load_state_dict(
        {name: torch.from_numpy(random_tensor(name, tuple(t.shape))) for name, t in state.items()}, strict=False
    )
    pixels = torch.from_numpy(random_crops()).permute(0, 3, 1, 2).float()
    with torch.no_grad():
        vectors = network((pixels - 127.5) / 128).numpy()
    shapes = [[*tensor.shape] + [0] * (4 - tensor.dim()) for tensor in state.values()]
    np.savez_compressed(
        FOLDER / "facenet_random.npz", names=list(state), shapes=np.array(shapes, np.int32), vectors=vectors
    )

    numbers = torch.arange(24, dtype=torch.float32).reshape(2, 3, 4)
    tiny = {"whole": numbers, "part": numbers[1, 1:], "turned": numbers.permute(2, 0, 1), "count": torch.tensor(7)}
    torch.save(tiny, FOLDER / "tiny_zip.pt")
    torch.save(tiny, FOLDER / "tiny_legacy.pt", _use_new_zipfile_serialization=False)


if __name__ == "__main__":
    main()
