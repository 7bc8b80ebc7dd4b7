"""Rows for the parts: the cascade and the embedders, each against the peers on the same pictures."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import av
import cv2
import numpy as np
from numpy.typing import NDArray

from benchmarks.versus import Check, Peers, Row, cosines, found_too, in_turns
from recognition.detection.alignment import align_face
from recognition.detection.detector import Detector, DetectorSettings
from recognition.embedding import Embedder, load_embedder
from recognition.people_folder import photos_by_person

ROUNDS = 5
FRAMES_A_CALL = 4
CROPS = 32
MIN_FACE = 20  # pixels
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


def clock(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def cascade(bench: Bench, name: str, call: str, package: str, target: float, least_recall: float | None) -> Row:
    """The cascade on a clip of 1080p, in parts of some frames each."""
    with av.open(str(bench.data / CLIP)) as container:
        frames = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
    parts = [
        frames[at : at + 5 * FRAMES_A_CALL : 5]
        for at in range(0, len(frames) - 5 * FRAMES_A_CALL + 1, 5 * FRAMES_A_CALL)
    ]
    files = [bench.peers.hand_over(f"{name}-{i}", np.stack(part)) for i, part in enumerate(parts)]
    detector = Detector(DetectorSettings(min_face=MIN_FACE))
    got: dict[int, list[NDArray[np.float32]]] = {}
    wanted: dict[int, list[NDArray[np.float32]]] = {}

    def ours(number: int) -> float:
        part = parts[number % len(parts)]
        start = time.perf_counter()
        found = detector.detect(part)
        seconds = time.perf_counter() - start
        got[number % len(parts)] = [
            np.array([face.box for face in faces], np.float32).reshape(-1, 4) for faces in found
        ]
        return len(part) / seconds

    def peer(number: int) -> float:
        out = bench.peers.file("found.npz")
        seconds = bench.peers.call(call, frames=files[number % len(files)], min_face=MIN_FACE, out=out)["seconds"]
        with np.load(out) as found:
            boxes, frame = found["boxes"], found["frame"]
        wanted[number % len(parts)] = [boxes[frame == index] for index in range(FRAMES_A_CALL)]
        return FRAMES_A_CALL / seconds

    ours(0), peer(0)
    speeds = in_turns(max(ROUNDS, len(parts)), ours, peer)
    hits, total = found_too([b for i in sorted(wanted) for b in wanted[i]], [b for i in sorted(wanted) for b in got[i]])
    what = f"cascade, 1080p street clip, faces from {MIN_FACE} px, against {package}"
    checks = (Check(name=f"finds of its {total} faces the share", value=hits / max(total, 1), least=least_recall),)
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


def crops_of(people: Path, embedder: Embedder, count: int) -> Images:
    """Face crops of real faces: `count` photos, as many of each person as of any other."""
    photos = [path for row in zip(*photos_by_person(people, 4).values(), strict=False) for path in row]
    detector, crops = Detector(DetectorSettings(min_face=48)), []
    for path in photos:
        image = cv2.cvtColor(cv2.imread(str(path)), cv2.COLOR_BGR2RGB)
        for face in detector.detect([image])[0][:1]:
            crops.append(align_face(image, face, embedder.targets, embedder.crop_size))
        if len(crops) == count:
            break
    return np.stack(crops)


def embedding(
    bench: Bench, name: str, call: str, embedder: Embedder, crops: Sequence[Images]
) -> tuple[tuple[float, ...], ...]:
    """Faces a second of ours and of the peer, in turns, and the cosine of each pair of answers."""
    files = [bench.peers.hand_over(f"{name}-{i}", batch) for i, batch in enumerate(crops)]
    alike: list[float] = []
    out = bench.peers.file("vectors.npy")

    def ours(number: int) -> float:
        return CROPS / clock(lambda: embedder.embed(crops[number % len(crops)]))

    def peer(number: int) -> float:
        return CROPS / bench.peers.call(call, crops=files[number % len(crops)], out=out)["seconds"]

    for number, batch in enumerate(crops):
        ours(number), peer(number)
        alike.extend(cosines(embedder.embed(batch), np.load(out)).tolist())
    return *in_turns(ROUNDS, ours, peer), tuple(alike)


def mtcnn(bench: Bench) -> Row:
    return cascade(bench, "cascade-mtcnn", "mtcnn", "mtcnn 1.0.0", 8, 0.98)


def facenet_pytorch(bench: Bench) -> Row:
    return cascade(bench, "cascade-facenet-pytorch", "torch_mtcnn", "facenet-pytorch's MTCNN", 4, None)


def facenet(bench: Bench) -> Row:
    """Both with the same random weights, which the peer makes: speed doesn't depend on what was learnt."""
    crops = crops_of(bench.data / "people", load_embedder("dlib-resnet-v1"), 2 * CROPS)
    crops = np.stack([cv2.resize(crop, (160, 160), interpolation=cv2.INTER_LINEAR) for crop in crops])
    weights, vectors = bench.peers.file("random.pt"), bench.peers.file("vectors.npy")
    handed = bench.peers.hand_over("crops", crops)
    bench.peers.call("facenet_weights", out=weights)
    ours, peer, alike = embedding(
        bench, "facenet", "facenet", load_embedder("facenet-20180402", weights), np.split(crops, 2)
    )
    bench.peers.call("facenet_weights", out=weights, crops=handed)
    bench.peers.call("facenet", crops=handed, out=vectors)
    spread = cosines(load_embedder("facenet-20180402", weights).embed(crops), np.load(vectors))
    checks = (
        Check(name="least cosine to float32", value=min(alike), least=0.9999),
        Check(
            name="the same with statistics that spread the faces, where small differences grow",
            value=float(spread.min()),
        ),
    )
    what = f"facenet-20180402, batch {CROPS}, against facenet-pytorch's InceptionResnetV1"
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


def dlib(bench: Bench) -> Row:
    embedder = load_embedder("dlib-resnet-v1")
    crops = crops_of(bench.data / "people", embedder, 2 * CROPS)
    ours, peer, alike = embedding(bench, "dlib", "dlib", embedder, np.split(crops, 2))
    checks = (Check(name="least cosine to dlib's", value=min(alike), least=0.9999),)
    return Row(
        name="dlib",
        what=f"dlib-resnet-v1, batch {CROPS}, against dlib-bin",
        unit="faces/s",
        ours=ours,
        peer=peer,
        target=25,
        checks=checks,
    )
