"""The weights of FaceNet, from every form in which people have them."""

import json
import re
import runpy
import shutil
import zipfile
from functools import partial
from hashlib import sha256
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import h5py
import numpy as np
import pytest
import tensorflow as tf
from numpy.typing import NDArray

from recognition.__main__ import main
from recognition.cli.environment import weights_folder
from recognition.embedding import Embedder, load_embedder
from recognition.embedding.weights import facenet_files, installed
from recognition.embedding.weights.installed import WeightsFolder
from recognition.errors import WeightsMissing
from recognition.inference import Runtime
from tests.recognition import facenet_writers
from tests.recognition.embedding.test_facenet import save as save_torch

GOLDEN = Path(__file__).parent / "golden"
SCRIPT = runpy.run_path(str(GOLDEN / "make_facenet_golden.py"))
CROPS = SCRIPT["random_crops"]()


def constant_network(answer: float, crops: NDArray[np.uint8]) -> list[NDArray[np.float32]]:
    return [np.full((len(crops), 512), answer, np.float32)]


@pytest.fixture(scope="module", autouse=True)
def store(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        folder = tmp_path_factory.mktemp("store")
        patch.setenv("ROLLCALL_WEIGHTS_DIR", str(folder))
        yield folder


@pytest.fixture(scope="module")
def arrays():
    """Random weights whose normalisations don't scale, as in the original."""
    with np.load(GOLDEN / "facenet_random.npz", allow_pickle=False) as file:
        shapes = {
            str(name): tuple(int(n) for n in shape if n)
            for name, shape in zip(file["names"], file["shapes"], strict=True)
        }
    scales = [name for name in shapes if name.endswith("bn.weight")]
    return {name: SCRIPT["random_tensor"](name, shape) for name, shape in shapes.items()} | {
        name: np.ones(shapes[name], np.float32) for name in scales
    }


@pytest.fixture(scope="module")
def files(arrays, tmp_path_factory):
    """Each form's file, written by its own writer, and what those that can answer answer."""
    folder = tmp_path_factory.mktemp("files")
    original = folder / "20180402-114759"
    graph = facenet_writers.save_original(arrays, original, 8631, CROPS)
    keras = facenet_writers.save_deepface(arrays, folder / "facenet512_weights.h5", CROPS)
    save_torch(folder / "20180402-114759-vggface2.pt", arrays | {"logits.bias": np.zeros(8631, np.float32)})
    return folder, graph, keras


FORMS = [
    "20180402-114759-vggface2.pt",
    "facenet512_weights.h5",
    "20180402-114759/20180402-114759.pb",
    "20180402-114759",
]


@pytest.mark.parametrize("form", [*FORMS, "20180402-114759/model-20180402-114759.ckpt-275.index"])
def test_every_form_gives_the_same_numbers(files, arrays, form):
    found = facenet_files.read(files[0] / form)
    assert found.embedder == "facenet-20180402"
    for name, array in arrays.items():
        np.testing.assert_array_equal(found.arrays[name], array, name)


@pytest.fixture(scope="module")
def kept(files):
    """The original's folder, added."""
    return WeightsFolder(weights_folder()).add(files[0] / "20180402-114759")


def test_the_embedder_answers_as_tensorflow_and_keras_do(kept, files, store):
    _, graph, keras = files
    weights = WeightsFolder(store).file_of("facenet-20180402")
    embedder = load_embedder("facenet-20180402", weights, Runtime(precision="f32"))
    assert (kept.embedder, kept.version, kept.form) == (
        "facenet-20180402",
        embedder.version,
        "the original's frozen graph",
    )
    assert np.abs(embedder.embed(CROPS) - graph).max() < 1e-5
    assert np.abs(embedder.embed(CROPS) - keras).max() < 1e-5


def test_kept_weights_are_listed_and_verified(kept, store, capsys, monkeypatch, tmp_path):
    assert main(["weights", "verify"]) == 0
    assert "facenet-20180402: as it was added" in capsys.readouterr().out
    shutil.copytree(store, tmp_path / "store")
    monkeypatch.setenv("ROLLCALL_WEIGHTS_DIR", str(tmp_path / "store"))
    assert main(["weights", "list"]) == 0
    lines = capsys.readouterr().out
    assert f"facenet-20180402: version {kept.version}, added {kept.added} from 20180402-114759" in lines
    assert "facenet-20180408: comes with a package" in lines
    assert "dlib-facenet-v1: both dlib-resnet-v1 and facenet-20180408" in lines
    assert "trained on CASIA-WebFace" in lines
    with WeightsFolder(weights_folder()).file_of("facenet-20180402").open("r+b") as file:
        file.seek(1_000_000)
        file.write(b"\xff")
    assert main(["weights", "verify"]) == 1
    assert "has changed since it was added" in capsys.readouterr().out
    WeightsFolder(weights_folder()).file_of("facenet-20180402").unlink()
    assert main(["weights", "verify"]) == 1
    assert "is gone" in capsys.readouterr().out
    (tmp_path / "store" / "manifest.json").write_text("[]")
    assert main(["weights", "list"]) == 1
    assert "manifest.json is damaged" in capsys.readouterr().err


def test_a_zip_of_the_original_is_read_and_a_huge_one_refused(files, arrays, tmp_path, monkeypatch):
    with zipfile.ZipFile(tmp_path / "original.zip", "w") as archive:
        for file in (files[0] / "20180402-114759").iterdir():
            if not file.name.endswith(".pb"):
                archive.write(file, f"20180402-114759/{file.name}")
    found = facenet_files.read(tmp_path / "original.zip")
    assert found.form == "the original's checkpoint"
    np.testing.assert_array_equal(found.arrays["last_linear.weight"], arrays["last_linear.weight"])
    with zipfile.ZipFile(tmp_path / "bomb.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("model.pb", bytes(5_000_000))
    monkeypatch.setattr(facenet_files, "MAX_BYTES", 1_000_000)
    with pytest.raises(WeightsMissing, match="too large"):
        facenet_files.read(tmp_path / "bomb.zip")


def test_which_model_is_told_by_the_number_of_people(arrays, tmp_path):
    for people, embedder in ((8631, "facenet-20180402"), (10575, "facenet-20180408")):
        save_torch(tmp_path / "renamed.pt", arrays | {"logits.bias": np.zeros(people, np.float32)})
        assert facenet_files.read(tmp_path / "renamed.pt").embedder == embedder
    with pytest.raises(WeightsMissing, match="facenet-20180408, not of facenet-20180402"):
        load_embedder("facenet-20180402", tmp_path / "renamed.pt")
    save_torch(tmp_path / "own.pt", {"logits.bias": np.zeros(7, np.float32)})
    with pytest.raises(WeightsMissing, match="a model of 7 people; known are 20180402-114759 \\(8631\\)"):
        facenet_files.read(tmp_path / "own.pt")


@pytest.mark.parametrize("form", FORMS[:3])
def test_a_file_cut_short_is_a_sentence(files, tmp_path, form):
    source = files[0] / form
    for share in (0.0001, 0.3, 0.999):
        with source.open("rb") as file:
            (tmp_path / source.name).write_bytes(file.read(int(source.stat().st_size * share)))
        with pytest.raises(WeightsMissing):
            WeightsFolder(weights_folder()).add(tmp_path / source.name)


def test_a_file_that_crashes_the_hdf5_library_is_a_sentence(tmp_path):
    with h5py.File(tmp_path / "crash.h5", "w") as file:
        file.attrs["layer_names"] = [b"c"]
        file.create_group("c").attrs["weight_names"] = [b"k"]
        file["c"]["k"] = np.zeros(3, np.float32)
    content = bytearray((tmp_path / "crash.h5").read_bytes())
    content[857] ^= 0xFF  # the type of an attribute: HDF5 1.14 ends with a segmentation fault
    (tmp_path / "crash.h5").write_bytes(content)
    with pytest.raises(WeightsMissing, match="damaged or of another model"):
        facenet_files.read(tmp_path / "crash.h5")


def test_a_checkpoint_without_its_data_is_a_sentence(files, tmp_path):
    shutil.copy(files[0] / "20180402-114759" / "model-20180402-114759.ckpt-275.index", tmp_path)
    with pytest.raises(WeightsMissing, match="damaged or of another model"):
        facenet_files.read(tmp_path)


def test_a_graph_that_claims_more_than_it_holds_is_refused_before_it_grows(tmp_path):
    graph = tf.compat.v1.GraphDef()
    node = graph.node.add(name="InceptionResnetV1/Conv2d_1a_3x3/weights", op="Const")
    node.attr["value"].tensor.dtype = 1
    node.attr["value"].tensor.float_val.append(1.0)
    for _ in range(2):
        node.attr["value"].tensor.tensor_shape.dim.add(size=1 << 20)
    (tmp_path / "hostile.pb").write_bytes(graph.SerializeToString())
    with pytest.raises(WeightsMissing, match="another model"):
        WeightsFolder(weights_folder()).add(tmp_path / "hostile.pb")


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "none of the known forms"),
        (b"<!DOCTYPE html><p>Quota exceeded", "a web page"),
        (b"\x7fELF" + bytes(99), "none of the known"),
    ],
)
def test_other_files_are_a_sentence(tmp_path, capsys, monkeypatch, content, sentence):
    monkeypatch.setenv("ROLLCALL_WEIGHTS_DIR", str(tmp_path / "store"))
    (tmp_path / "file").write_bytes(content)
    assert main(["weights", "add", str(tmp_path / "file")]) == 1
    assert sentence in capsys.readouterr().err
    assert WeightsFolder(weights_folder()).installed() == []


def test_weights_that_make_no_vectors_are_not_kept(arrays, tmp_path, monkeypatch):
    monkeypatch.setenv("ROLLCALL_WEIGHTS_DIR", str(tmp_path / "store"))
    kernel = arrays["conv2d_1a.conv.weight"]
    save_torch(tmp_path / "20180402.pt", arrays | {"conv2d_1a.conv.weight": np.full_like(kernel, np.nan)})
    with pytest.raises(WeightsMissing, match=r"damaged: conv2d_1a\.conv\.weight has values that are no numbers"):
        WeightsFolder(weights_folder()).add(tmp_path / "20180402.pt")
    assert WeightsFolder(weights_folder()).installed() == []
    for answer in (0, 1):
        embedder = Embedder(
            id="facenet-20180402",
            version="1",
            crop_size=160,
            dimension=512,
            crop=None,
            network=partial(constant_network, answer),
        )
        with pytest.raises(WeightsMissing, match="the numbers in the file are wrong"):
            installed.check_embedder(embedder)


def test_a_folder_that_cannot_be_written_is_said_with_what_to_do(files, tmp_path, monkeypatch, capsys):
    (tmp_path / "file").write_text("no folder")
    monkeypatch.setenv("ROLLCALL_WEIGHTS_DIR", str(tmp_path / "file" / "weights"))
    assert main(["weights", "add", str(files[0] / "20180402-114759-vggface2.pt")]) == 1
    assert re.search(r"weights cannot be written \(.+\)\. Set ROLLCALL_WEIGHTS_DIR to", capsys.readouterr().err)


def test_adding_writes_into_the_weights_folder_alone(files, tmp_path, monkeypatch):
    """As in an image whose other folders are read-only."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "nowhere"))
    with zipfile.ZipFile(tmp_path / "original.zip", "w") as archive:
        for file in (files[0] / "20180402-114759").glob("*.pb"):
            archive.write(file, f"20180402-114759/{file.name}")
    folder = WeightsFolder(tmp_path / "weights")
    for source in (tmp_path / "original.zip", files[0] / "facenet512_weights.h5"):
        entry = folder.add(source)
        assert sorted(path.name for path in folder.path.iterdir()) == [entry.file, "manifest.json"]


def test_fetching_keeps_the_weights_and_pins_the_hash(kept, files, store, tmp_path, monkeypatch):
    monkeypatch.setenv("ROLLCALL_WEIGHTS_DIR", str(tmp_path / "store"))
    handler = partial(SimpleHTTPRequestHandler, directory=files[0])
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        url = f"http://127.0.0.1:{server.server_address[1]}/20180402-114759-vggface2.pt"
        entry = WeightsFolder(weights_folder()).fetch("facenet-20180402", url, ("http",))
        server.shutdown()
        thread.join()
    assert (entry.embedder, entry.version, entry.origin) == ("facenet-20180402", kept.version, url)
    assert (tmp_path / "store" / entry.file).read_bytes() == (store / kept.file).read_bytes()
    digest = sha256((files[0] / "20180402-114759-vggface2.pt").read_bytes()).hexdigest()
    assert json.loads((tmp_path / "store" / "manifest.json").read_text())["fetched_sha256"] == {
        "facenet-20180402": digest
    }
