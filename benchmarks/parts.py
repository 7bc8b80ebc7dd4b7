"""Rows for the parts: the cascade and the embedders, each against the peers on the same pictures."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import av
import cv2
import numpy as np
from numpy.typing import NDArray

from benchmarks.versus import Check, Peers, Row, cosines, count_matches, measure_alternately
from recognition import Detector, DetectorSettings, Embedder, load_embedder
from recognition.detection.alignment import align_face
from recognition.people_folder import photos_by_person

ROUNDS = 5
FRAMES_PER_CALL = 4
CROPS_PER_BATCH = 32
MIN_FACE_PX = 20
CLIP = Path("clips", "street_walking_1080p.mp4")

Images = NDArray[np.uint8]


@dataclass(frozen=True, slots=True, kw_only=True)
class Bench:
    """What all rows need. `data` is the folder of real photographs and clips."""

    peers: Peers
    data: Path
    tools: Path
    cache: Path
    lecture: Path | None = None


def measure_seconds(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def measure_cascade(bench: Bench, name: str, call: str, package: str, target: float, min_recall: float | None) -> Row:
    """Measure the cascade on a clip of 1080p, in parts of some frames each."""
    with av.open(str(bench.data / CLIP)) as container:
        frames = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
    parts = [
        frames[at : at + 5 * FRAMES_PER_CALL : 5]
        for at in range(0, len(frames) - 5 * FRAMES_PER_CALL + 1, 5 * FRAMES_PER_CALL)
    ]
    files = [bench.peers.save_array(f"{name}-{i}", np.stack(part)) for i, part in enumerate(parts)]
    detector = Detector(DetectorSettings(min_face=MIN_FACE_PX))
    detected: dict[int, list[NDArray[np.float32]]] = {}
    expected: dict[int, list[NDArray[np.float32]]] = {}

    def ours(number: int) -> float:
        part = parts[number % len(parts)]
        start = time.perf_counter()
        faces_by_frame = detector.detect(part)
        seconds = time.perf_counter() - start
        detected[number % len(parts)] = [
            np.array([face.box for face in faces], np.float32).reshape(-1, 4) for faces in faces_by_frame
        ]
        return len(part) / seconds

    def peer(number: int) -> float:
        out = bench.peers.file("faces.npz")
        seconds = bench.peers.call(call, frames=files[number % len(files)], min_face=MIN_FACE_PX, out=out)["seconds"]
        with np.load(out) as faces:
            boxes, frame = faces["boxes"], faces["frame"]
        expected[number % len(parts)] = [boxes[frame == index] for index in range(FRAMES_PER_CALL)]
        return FRAMES_PER_CALL / seconds

    ours(0), peer(0)
    speeds = measure_alternately(max(ROUNDS, len(parts)), ours, peer)
    matches, total = count_matches(
        [boxes for i in sorted(expected) for boxes in expected[i]],
        [boxes for i in sorted(expected) for boxes in detected[i]],
    )
    what = f"cascade, 1080p street clip, faces from {MIN_FACE_PX} px, against {package}"
    recall = matches / max(total, 1)
    checks = (Check(name=f"share of its {total} faces that are found", value=recall, min_value=min_recall),)
    ours_per_second, peers_per_second = speeds
    return Row(
        name=name,
        what=what,
        unit="frames/s",
        ours=ours_per_second,
        peer=peers_per_second,
        target=target,
        checks=checks,
    )


def make_crops(people: Path, embedder: Embedder, count: int) -> Images:
    """Face crops of `count` photos of real people, as many of each person."""
    photos = [path for row in zip(*photos_by_person(people, 4).values(), strict=False) for path in row]
    detector, crops = Detector(DetectorSettings(min_face=48)), []
    for path in photos:
        image = cv2.cvtColor(cv2.imread(str(path)), cv2.COLOR_BGR2RGB)
        for face in detector.detect([image])[0][:1]:
            crops.append(embedder.crop(image, face, align_face(image, face)))
        if len(crops) == count:
            break
    return np.stack(crops)


def measure_embedding(
    bench: Bench, name: str, call: str, embedder: Embedder, crops: Sequence[Images]
) -> tuple[tuple[float, ...], ...]:
    """Faces per second of ours and of the peer, measured alternately, and the cosine of each pair of embeddings."""
    files = [bench.peers.save_array(f"{name}-{i}", batch) for i, batch in enumerate(crops)]
    similarities: list[float] = []
    out = bench.peers.file("vectors.npy")

    def ours(number: int) -> float:
        return CROPS_PER_BATCH / measure_seconds(lambda: embedder.embed(crops[number % len(crops)]))

    def peer(number: int) -> float:
        return CROPS_PER_BATCH / bench.peers.call(call, crops=files[number % len(crops)], out=out)["seconds"]

    for number, batch in enumerate(crops):
        ours(number), peer(number)
        similarities.extend(cosines(embedder.embed(batch), np.load(out)).tolist())
    return *measure_alternately(ROUNDS, ours, peer), tuple(similarities)


def mtcnn(bench: Bench) -> Row:
    return measure_cascade(bench, "cascade-mtcnn", "mtcnn", "mtcnn 1.0.0", 8, 0.98)


def facenet_pytorch(bench: Bench) -> Row:
    return measure_cascade(bench, "cascade-facenet-pytorch", "torch_mtcnn", "facenet-pytorch's MTCNN", 4, None)


def facenet(bench: Bench) -> Row:
    """Both with the same random weights, which the peer makes: speed doesn't depend on what was learnt."""
    crops = make_crops(bench.data / "people", load_embedder("dlib-resnet-v1"), 2 * CROPS_PER_BATCH)
    crops = np.stack([cv2.resize(crop, (160, 160), interpolation=cv2.INTER_LINEAR) for crop in crops])
    weights, vectors = bench.peers.file("random.pt"), bench.peers.file("vectors.npy")
    handed = bench.peers.save_array("crops", crops)
    bench.peers.call("facenet_weights", out=weights)
    ours, peer, similarities = measure_embedding(
        bench, "facenet", "facenet", load_embedder("facenet-20180402", weights), np.split(crops, 2)
    )
    bench.peers.call("facenet_weights", out=weights, crops=handed)
    bench.peers.call("facenet", crops=handed, out=vectors)
    spread = cosines(load_embedder("facenet-20180402", weights).embed(crops), np.load(vectors))
    checks = (
        Check(name="smallest cosine to float32", value=min(similarities), min_value=0.9999),
        Check(
            name="the same with statistics that spread the faces, where small differences grow",
            value=float(spread.min()),
        ),
    )
    what = f"facenet-20180402, batch {CROPS_PER_BATCH}, against facenet-pytorch's InceptionResnetV1"
    return Row(
        name="facenet",
        what=what,
        unit="faces/s",
        ours=ours,
        peer=peer,
        target=3,
        checks=checks,
        note="the same random weights for both",
    )


def facenet_in_integers(bench: Bench) -> Row:
    """FaceNet as it comes with Rollcall, in integers of 8 bits where its ranges are known: tests judge its answers."""
    embedder = load_embedder("facenet-20180408")
    crops = make_crops(bench.data / "people", embedder, 2 * CROPS_PER_BATCH)
    ours, peer, _unlike_weights = measure_embedding(bench, "facenet-integers", "facenet", embedder, np.split(crops, 2))
    return Row(
        name="facenet-integers",
        what=f"facenet-20180408, batch {CROPS_PER_BATCH}, against facenet-pytorch's InceptionResnetV1 in float32",
        unit="faces/s",
        ours=ours,
        peer=peer,
        target=5,
        note="the peer with weights of its own: the same layers",
    )


def dlib(bench: Bench) -> Row:
    embedder = load_embedder("dlib-resnet-v1")
    crops = make_crops(bench.data / "people", embedder, 2 * CROPS_PER_BATCH)
    ours, peer, similarities = measure_embedding(bench, "dlib", "dlib", embedder, np.split(crops, 2))
    checks = (Check(name="smallest cosine to dlib's, in integers", value=min(similarities), min_value=0.99),)
    return Row(
        name="dlib",
        what=f"dlib-resnet-v1, batch {CROPS_PER_BATCH}, against dlib-bin",
        unit="faces/s",
        ours=ours,
        peer=peer,
        target=25,
        checks=checks,
    )
