"""Weights of networks and galleries: any file becomes arrays, or is refused with a sentence."""

import io
import pickle
import tempfile
import zipfile
from contextlib import suppress
from functools import cache
from pathlib import Path

import h5py
import numpy as np
import tensorflow as tf
from hypothesis import strategies as st

from recognition.embedding.weights import facenet_files
from recognition.errors import GalleryMismatch, WeightsMissing
from recognition.identification.gallery import Gallery
from tests.fuzz.fuzzing import fuzz
from tests.fuzz.mutations import mutated, mutated_parts
from tests.recognition.embedding.test_facenet import notes
from tests.recognition.people import gallery_of_class

KERAS_EXAMPLES = 5  # each is read by a process of its own
ARRAYS = {"conv2d_1a.conv.weight": np.ones((2, 3), np.float32), "logits.bias": np.zeros(8631, np.float32)}
NUMBERS = [b"\0\0\0\0", b"\xff\xff\xff\xff", b"\xff" * 8, b"\x7f" + b"\xff" * 7, b"\x80" * 9 + b"\1", b"\x08\x01"]
PICKLE_TOKENS = [
    *(b"cos\nsystem\n", b"(", b")", b"t", b"R", b"Q", b".", b"\x80\x02", b"ccollections\nOrderedDict\n", b"e", b"u"),
    *(b"ctorch._utils\n_rebuild_tensor_v2\n", b"ctorch\nFloatStorage\n", b"r\xff\xff\xff\x7f", b"j\xff\xff\xff\x7f"),
    *(b"X\xff\xff\xff\x7f", b"\x8a\x04\xff\xff\xff\x7f", b"\x94" * 99, b"2" * 9),
]
NPY_TOKENS = [
    *(b"'<f4'", b"'|O'", b"'<U9999999'", b"(1099511627776,)", b"(-1,)", b"True", b"\x93NUMPY", b"{", b"}", b"(", b"["),
    *(b'"labels": []', b'"format": 1e999', b"null", b"NaN", b"9" * 99, b'"\\ud800"', b"manifest.npy"),
]


def torch_zip() -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr("archive/data.pkl", notes(ARRAYS))
        for name, array in ARRAYS.items():
            archive.writestr(f"archive/data/{name}", array.tobytes())
    return content.getvalue()


def torch_before_1_6() -> bytes:
    keys = pickle.dumps(list(ARRAYS), 2)
    head: list[object] = [0x1950A86A20F9469CFC6C, 1001, {}]
    return b"".join(pickle.dumps(part, 2) for part in head) + notes(ARRAYS) + keys


def graph() -> bytes:
    frozen = tf.compat.v1.GraphDef()
    for name in ("InceptionResnetV1/Conv2d_1a_3x3/weights", "Logits/biases"):
        node = frozen.node.add(name=name, op="Const")
        node.attr["value"].tensor.CopyFrom(tf.make_tensor_proto(np.ones((2, 3), np.float32)))
    return frozen.SerializeToString()


@cache
def checkpoint() -> tuple[bytes, bytes]:
    """The index and the data."""
    with tempfile.TemporaryDirectory() as folder:
        names = ["InceptionResnetV1/Conv2d_1a_3x3/weights", "Logits/biases"]
        arrays = [np.ones((2, 3), np.float32), np.zeros(8631, np.float32)]
        tf.raw_ops.SaveV2(prefix=f"{folder}/m", tensor_names=names, shape_and_slices=["", ""], tensors=arrays)
        return (Path(folder) / "m.index").read_bytes(), next(Path(folder).glob("m.data*")).read_bytes()


def keras() -> bytes:
    content = io.BytesIO()
    with h5py.File(content, "w") as file:
        file.attrs["layer_names"] = [b"c"]
        file.create_group("c").attrs["weight_names"] = [b"k"]
        file["c"]["k"] = np.zeros(3, np.float32)
    return content.getvalue()


def own() -> bytes:
    content = io.BytesIO()
    np.savez(content, embedder=np.array("facenet-20180402"), weights=np.ones((2, 3), np.float32))
    return content.getvalue()


@cache
def gallery() -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        gallery_of_class(3).save(Path(folder) / "a.npz")
        return (Path(folder) / "a.npz").read_bytes()


def read_weights(content: bytes, name: str, **others: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        for other, data in others.items():
            (Path(folder) / other.replace("_at_", "-")).write_bytes(data)
        (Path(folder) / name).write_bytes(content)
        with suppress(WeightsMissing):
            assert facenet_files.read(Path(folder) / name).embedder in facenet_files.MODELS


@fuzz(
    content=st.deferred(
        lambda: mutated_parts([torch_zip()], PICKLE_TOKENS) | mutated([torch_zip(), torch_before_1_6()])
    )
)
def test_weights_of_pytorch_are_read_or_refused(content: bytes) -> None:
    read_weights(content, "a.pt")


@fuzz(content=st.deferred(lambda: mutated([graph()], NUMBERS)))
def test_a_graph_of_tensorflow_is_read_or_refused(content: bytes) -> None:
    read_weights(content, "a.pb")


@fuzz(
    index=st.deferred(lambda: mutated([checkpoint()[0]], NUMBERS)),
    data=st.deferred(lambda: st.just(checkpoint()[1]) | mutated([checkpoint()[1]], NUMBERS)),
)
def test_a_checkpoint_of_tensorflow_is_read_or_refused(index: bytes, data: bytes) -> None:
    read_weights(index, "m.index", **{"m.data_at_00000_at_of_at_00001": data})


@fuzz(examples=KERAS_EXAMPLES, content=st.deferred(lambda: mutated([keras()], NUMBERS)))
def test_weights_of_keras_are_read_or_refused(content: bytes) -> None:
    read_weights(content, "a.h5")


@fuzz(content=st.deferred(lambda: mutated_parts([own()], NPY_TOKENS) | mutated([own()], NPY_TOKENS)))
def test_kept_weights_are_read_or_refused(content: bytes) -> None:
    read_weights(content, "a.npz")


@fuzz(content=st.deferred(lambda: mutated_parts([gallery()], NPY_TOKENS) | mutated([gallery()], NPY_TOKENS)))
def test_a_gallery_is_loaded_or_refused(content: bytes) -> None:
    with tempfile.NamedTemporaryFile() as file, suppress(GalleryMismatch):
        file.write(content)
        file.flush()
        loaded = Gallery.load(Path(file.name))
        assert len(loaded.labels) == len(loaded.templates)
