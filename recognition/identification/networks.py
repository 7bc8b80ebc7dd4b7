"""What each network of an embedder of several says by itself."""

from collections.abc import Mapping

from recognition.vectors import Floats, normalise

# Where in the embedder's vector each network's is, by the id of the embedder that is this network alone.
NETWORKS: Mapping[str, Mapping[str, slice]] = {
    "dlib-facenet-v1": {"dlib-resnet-v1": slice(0, 128), "facenet-20180408": slice(128, 640)},
}


# The network that decides alone on a face of fewer pixels in height that was seen several times: its many observations
# are surer there than both networks together. A single look at such a face is surer with both (docs/benchmarks.md).
FAR_NETWORK: Mapping[str, str] = {"dlib-facenet-v1": "dlib-resnet-v1"}
FAR_FACE_PX = 40


def split_by_network(vectors: Floats, embedder: str) -> dict[str, Floats]:
    """The unit vectors (n, d) of each network within the embedder's (n, D); empty where it has only one."""
    return {network: normalise(vectors[:, part]) for network, part in NETWORKS.get(embedder, {}).items()}
