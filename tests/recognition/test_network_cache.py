"""Networks are converted once. Whatever happens to what is kept of them, they answer as before."""

import gc
import os
import subprocess
import sys
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from recognition import network_cache
from recognition.detection import cascade
from recognition.embedding import dlib_resnet, load_embedder
from recognition.errors import WeightsMissing
from recognition.inference import Network, Runtime
from recognition.network_cache import load_networks

CROPS = np.random.default_rng(0).integers(0, 256, (2, 24, 24, 3), dtype=np.uint8)


def load(cache: Path | None, weights: Path | None = None) -> dict[str, Network]:
    return load_networks(cascade.build, weights or cascade.packaged_weights(), Runtime(precision="f32", cache=cache))


def answers(networks: Mapping[str, Network]) -> np.ndarray:
    return networks["rnet"](CROPS)[0]


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cache with the cascade."""
    folder = tmp_path_factory.mktemp("networks")
    load(folder)
    return folder


@pytest.fixture
def cache(kept: Path, tmp_path: Path) -> Path:
    """A copy of it for one test."""
    subprocess.run(["cp", "-a", kept, tmp_path / "networks"], check=True)
    return tmp_path / "networks"


@pytest.fixture
def builds(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """The folders that are built from now on, in this process, which has TensorFlow already."""
    folders = []

    def build(function: network_cache.Build, weights: Path, folder: Path) -> None:
        folders.append(folder)
        network_cache._write(function, weights, folder)

    monkeypatch.setattr(network_cache, "_build_in_another_process", build)
    return folders


def networks_in(cache: Path) -> list[Path]:
    return sorted(cache.glob("[!.]*"))


def test_kept_networks_answer_as_those_just_built(cache: Path, builds: list[Path]) -> None:
    kept, built = load(cache), load(None)
    gc.collect()
    assert set(kept) == {"pnet", "rnet", "onet"}
    for name, side in (("pnet", 31), ("rnet", 24), ("onet", 48)):
        for count in (3, 1, 33):
            pictures = np.random.default_rng(0).integers(0, 256, (count, side, side, 3), dtype=np.uint8)
            np.testing.assert_allclose(kept[name](pictures)[0], built[name](pictures)[0], atol=1e-5)
    assert builds == []


def test_a_process_with_kept_networks_imports_neither_tensorflow_nor_scipy(cache: Path) -> None:
    program = (
        "import sys, numpy\n"
        "from pathlib import Path\n"
        "from recognition import Detector, Runtime\n"
        "print(Detector(runtime=Runtime(cache=Path(sys.argv[1]))).detect([numpy.zeros((60, 80, 3), numpy.uint8)]))\n"
        "print({'tensorflow', 'keras', 'scipy', 'sklearn', 'pandas', 'torch'} & set(sys.modules))\n"
    )
    done = subprocess.run([sys.executable, "-c", program, cache], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "[[]]\nset()\n", "")


def test_a_process_that_is_ready_to_recognise_takes_at_most_350_megabytes() -> None:
    program = (
        "import numpy\n"
        "from benchmarks.memory import memory_bytes\n"
        "from recognition import Detector, Runtime, load_embedder, process_segment\n"
        "from recognition.cli.environment import network_cache_folder\n"
        "runtime = Runtime(cache=network_cache_folder())\n"
        "Detector(runtime=runtime).detect([numpy.zeros((240, 320, 3), numpy.uint8)])\n"
        "embedders = [load_embedder(id, runtime=runtime) for id in ('dlib-resnet-v1', 'facenet-20180408')]\n"
        "print(memory_bytes('VmRSS'))\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert int(done.stdout) <= 350_000_000


@pytest.mark.parametrize(
    ("name", "damage"),
    [
        ("rnet.bin", "changed"),
        ("pnet.bin", "gone"),
        ("rnet.xml", "cut"),
        ("manifest.json", "cut"),
        ("manifest.json", "gone"),
    ],
)
def test_what_is_damaged_is_built_anew(cache: Path, builds: list[Path], name: str, damage: str) -> None:
    expected = answers(load(cache))
    file = networks_in(cache)[0] / name
    content = file.read_bytes()
    if damage == "gone":
        file.unlink()
    else:
        middle = len(content) // 2
        file.write_bytes(
            content[:middle] + (b"" if damage == "cut" else bytes([content[middle] ^ 1]) + content[middle + 1 :])
        )
    np.testing.assert_array_equal(answers(load(cache)), expected)
    assert len(builds) == 1
    np.testing.assert_array_equal(answers(load(cache)), expected)
    assert len(builds) == 1


def test_an_unfinished_network_is_not_used_and_goes(cache: Path, builds: list[Path]) -> None:
    networks_in(cache)[0].rename(cache / ".unfinished")
    (cache / ".unfinished" / "manifest.json").unlink()
    load(cache)
    assert len(builds) == 1
    assert not (cache / ".unfinished").exists()


def test_several_processes_build_once(tmp_path: Path) -> None:
    weights, folder = cascade.packaged_weights(), tmp_path / "cascade-1"
    with ThreadPoolExecutor() as pool:
        for _ in pool.map(lambda _: network_cache._build_in_another_process(cascade.build, weights, folder), range(3)):
            pass
    assert networks_in(tmp_path) == [folder]
    assert not (tmp_path / ".unfinished").exists()
    assert set(network_cache._read(folder) or {}) == {"pnet", "rnet", "onet"}


def test_other_weights_code_or_openvino_are_other_networks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    weights = tmp_path / "weights"
    weights.write_bytes(b"1")
    hashes = {network_cache._hash(cascade.build, weights), network_cache._hash(dlib_resnet.build_from_file, weights)}
    monkeypatch.setattr(network_cache, "version", lambda package: "2030.1")
    hashes.add(network_cache._hash(cascade.build, weights))
    weights.write_bytes(b"2")
    hashes.add(network_cache._hash(cascade.build, weights))
    assert len(hashes) == 4


def test_a_folder_that_cannot_be_made_is_no_obstacle(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "file").touch()
    assert answers(load(tmp_path / "file" / "networks")).shape == (2, 5)
    assert (
        f"can't be kept in {tmp_path}/file/networks, so each start takes seconds longer: NotADirectory" in caplog.text
    )


def test_faulty_weights_are_named_and_nothing_is_kept(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "weights.dat").write_bytes(b"nothing")
    runtime = Runtime(cache=tmp_path / "networks")
    for file, fault in (("weights.dat", "incomplete or another file"), ("none.dat", "can't be read")):
        with pytest.raises(WeightsMissing, match=fault):
            load_embedder("dlib-resnet-v1", tmp_path / file, runtime)
    assert not networks_in(tmp_path / "networks")
    assert not caplog.text


def test_on_a_gpu_tensorflow_runs_the_networks_and_nothing_is_kept(
    cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = answers(load(cache))
    for module in ("inference", "network_cache"):
        monkeypatch.setattr(f"recognition.{module}.uses_gpu", lambda runtime: True)
    np.testing.assert_allclose(answers(load(tmp_path / "none")), expected, atol=1e-4)
    assert not (tmp_path / "none").exists()


def test_superseded_networks_go_after_a_month(cache: Path) -> None:
    [folder] = networks_in(cache)
    old, recent, other = (cache / name for name in ("cascade-old", "cascade-recent", "facenet-old"))
    for superseded, days in ((old, 31), (recent, 29), (other, 31)):
        superseded.mkdir()
        then = time.time() - days * 24 * 3600
        os.utime(superseded, (then, then))
    network_cache._write(cascade.build, cascade.packaged_weights(), folder)
    assert old.exists()  # nothing was built
    (folder / "rnet.bin").write_bytes(b"")
    network_cache._write(cascade.build, cascade.packaged_weights(), folder)
    assert networks_in(cache) == sorted([folder, recent, other])
