"""How the commands load models: with the installed weights, and with the runtime that the environment sets."""

from pathlib import Path

from recognition.cli.environment import inference_precision, inference_threads, network_cache_folder, weights_folder
from recognition.embedding import Embedder, load_embedder
from recognition.embedding.weights.installed import WeightsFolder
from recognition.inference import Runtime


def chosen_runtime() -> Runtime:
    return Runtime(threads=inference_threads(), precision=inference_precision(), cache=network_cache_folder())


def load_chosen_embedder(id: str, weights: Path | None = None) -> Embedder:
    """Load the embedder with `weights`, or else with those in the weights folder."""
    return load_embedder(id, weights or WeightsFolder(weights_folder()).file_of(id), chosen_runtime())
