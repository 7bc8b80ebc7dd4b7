"""How other systems name a face, on the same vectors."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from recognition.vectors import normalise

# From which cosine on the nearest mean counts: as deepface's distance of 0.07 for dlib, else as Frigate does.
NEAREST_MEAN_MIN_COSINE = {"dlib-resnet-v1": 0.93}
FRIGATE_MIN_COSINE = 0.61
FACE_RECOGNITION_MAX_DISTANCE = 0.6  # between dlib's vectors; those of others have other lengths

Floats = NDArray[np.float32]
Rule = Callable[[Floats], list[str | None]]


def train_peer_rules(photos_by_name: Mapping[str, Sequence[Floats]], embedder: str) -> dict[str, Rule]:
    """The rules of other systems, each from raw vectors (n, d) to labels, None for nobody."""
    from sklearn.svm import SVC

    labels = np.array([name for name, vectors in photos_by_name.items() for _ in vectors])
    photos = np.stack([vector for vectors in photos_by_name.values() for vector in vectors])
    names = sorted(set(labels))
    means = normalise(np.stack([normalise(photos[labels == name]).mean(axis=0) for name in names]))
    svm = SVC(kernel="linear", random_state=0).fit(normalise(photos), labels)
    min_cosine = NEAREST_MEAN_MIN_COSINE.get(embedder, FRIGATE_MIN_COSINE)

    def argmax(vectors: Floats) -> list[str | None]:
        return [str(label) for label in svm.predict(normalise(vectors))]

    def nearest_photo(vectors: Floats) -> list[str | None]:
        distances = np.linalg.norm(vectors[:, None] - photos[None], axis=2)
        return [str(labels[row.argmin()]) if row.min() <= FACE_RECOGNITION_MAX_DISTANCE else None for row in distances]

    def nearest_mean(vectors: Floats) -> list[str | None]:
        return [names[row.argmax()] if row.max() >= min_cosine else None for row in normalise(vectors) @ means.T]

    rules: dict[str, Rule] = {"SVM, the likeliest (first FaceNet systems)": argmax}
    if embedder == "dlib-resnet-v1":
        rules[f"a photo within {FACE_RECOGNITION_MAX_DISTANCE} (face_recognition)"] = nearest_photo
    return rules | {f"nearest mean from cosine {min_cosine} (Frigate)": nearest_mean}


def majority_label(labels: Sequence[str | None]) -> str | None:
    return Counter(labels).most_common(1)[0][0] if labels else None
