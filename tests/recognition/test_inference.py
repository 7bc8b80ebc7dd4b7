"""A compiled network gives what the Keras model gives, for any number of pictures of any size."""

import gc
import os
import subprocess
import sys

import keras
import numpy as np
import pytest
from keras import layers

from recognition.errors import RecognitionError
from recognition.inference import MAX_BATCH_BYTES, MAX_BATCH_ROWS, Runtime, _in_batches, compile_model, uses_gpu


class Counted(layers.Layer):
    """Passes its input on, and counts how often the model is described anew."""

    calls = 0

    def call(self, x):
        type(self).calls += 1
        return x


@pytest.fixture(scope="module")
def model():
    keras.utils.set_random_seed(1)
    pictures = keras.Input((None, None, 3), dtype="uint8")
    x = Counted()(layers.Rescaling(1 / 128, offset=-127.5 / 128)(pictures))
    x = layers.PReLU(alpha_initializer="random_normal", shared_axes=[1, 2])(layers.Conv2D(8, 3)(x))
    x = layers.MaxPooling2D(2, 2, padding="same")(x)
    # In an order in which outputs sorted by name or by making would be wrong.
    second = layers.Conv2D(2, 1, activation="softmax", name="a")(x)
    return keras.Model(pictures, [layers.Conv2D(4, 1, name="b")(x), second])


@pytest.fixture(scope="module", params=["OpenVINO", "TensorFlow"])
def run(model, request):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("recognition.inference.uses_gpu", lambda runtime: request.param == "TensorFlow")
        return compile_model(model, Runtime(precision="f32"))


def pictures(*shape):
    return np.random.default_rng(sum(shape)).integers(0, 256, (*shape, 3), dtype=np.uint8)


@pytest.mark.parametrize("shape", [(1, 20, 31), (3, 20, 31), (7, 5, 5), (MAX_BATCH_ROWS + 3, 12, 9)])
def test_it_gives_what_keras_gives_in_the_models_order(model, run, shape):
    given = pictures(*shape)
    expected = model(given)
    answer = run(given)
    assert [output.shape for output in answer] == [tuple(output.shape) for output in expected]
    for output, wanted in zip(answer, expected, strict=True):
        assert output.dtype == np.float32
        np.testing.assert_allclose(output, wanted, atol=1e-5)


@pytest.mark.parametrize("precision", [None, "bf16"])
def test_in_the_precision_that_the_processor_does_best_the_answer_is_nearly_the_same(model, precision):
    given = pictures(3, 20, 31)
    for output, wanted in zip(compile_model(model, Runtime(precision=precision))(given), model(given), strict=True):
        assert output.dtype == np.float32
        np.testing.assert_allclose(output, wanted, atol=0.03)


def test_a_call_is_cut_by_rows_and_by_bytes():
    sizes = []
    run = _in_batches(lambda batch: [sizes.append(len(batch)) or np.zeros(len(batch), np.float32)], np.dtype(np.uint8))
    run(pictures(2 * MAX_BATCH_ROWS + 5, 2, 2))
    assert sizes == [MAX_BATCH_ROWS, MAX_BATCH_ROWS, 4, 1]
    sizes.clear()
    run(np.zeros((5, MAX_BATCH_BYTES // 3000 - 10, 500, 3), np.uint8))
    assert sizes == [2, 2, 1]


def test_batches_change_nothing(run):
    given = pictures(2 * MAX_BATCH_ROWS + 29, 12, 12)
    for output, *ones in zip(run(given), *(run(picture[None]) for picture in given), strict=True):
        np.testing.assert_allclose(output, np.concatenate(ones), atol=1e-6)


def test_no_pictures_give_no_outputs(run):
    assert [output.shape for output in run(pictures(0, 12, 12))] == [(0, 5, 5, 4), (0, 5, 5, 2)]


def test_a_part_of_an_array_is_read_as_it_is(run):
    given = pictures(4, 30, 40)
    np.testing.assert_array_equal(run(given[::2, 3:20, ::-1])[0], run(given[::2, 3:20, ::-1].copy())[0])


def test_answers_stay_as_they_were(run):
    first = run(pictures(1, 12, 12))[0]
    copy = first.copy()
    run(pictures(1, 12, 13))
    run(pictures(1, 12, 12) // 2)
    np.testing.assert_array_equal(first, copy)


def test_new_shapes_do_not_compile_anew(run):
    run(pictures(1, 12, 12))
    before = Counted.calls
    for size in range(10, 60):
        run(pictures(size % 5 + 1, size, size + 3))
    assert Counted.calls == before


def test_the_network_outlives_the_keras_model():
    def make():
        pictures = keras.Input((24, 24, 3))
        x = layers.PReLU(shared_axes=[1, 2])(layers.Conv2D(28, 3)(pictures))
        x = layers.PReLU(shared_axes=[1, 2])(layers.Conv2D(48, 3, 4)(x))
        x = layers.PReLU()(layers.Dense(128)(layers.Flatten()(x)))
        model = keras.Model(pictures, layers.Dense(4)(x))
        model.set_weights([np.full_like(weights, 0.01) for weights in model.get_weights()])
        return compile_model(model)

    run = make()
    given = np.random.default_rng(0).random((300, 24, 24, 3), dtype=np.float32)
    expected = run(given)[0]
    gc.collect()
    _ = [
        np.full(count, 1e9, np.float32)
        for count in (1200 * 128, 128 * 4, 28 * 48 * 9, 28 * 27, 128)
        for _ in range(200)
    ]
    np.testing.assert_array_equal(run(given)[0], expected)


def test_a_device_is_chosen_and_a_gpu_that_is_not_there_is_a_sentence(model, monkeypatch):
    monkeypatch.setattr("tensorflow.config.list_physical_devices", lambda kind: [])
    with pytest.raises(RecognitionError, match="sees no GPU here"):
        compile_model(model, Runtime(device="gpu"))
    monkeypatch.setattr("tensorflow.config.list_physical_devices", lambda kind: [kind])
    assert uses_gpu(Runtime(device="gpu"))
    assert not uses_gpu(Runtime(device="cpu"))


def test_tensorflow_is_asked_for_a_gpu_only_where_the_system_shows_one(monkeypatch):
    monkeypatch.setattr("tensorflow.config.list_physical_devices", lambda kind: [kind])
    monkeypatch.setattr("recognition.inference._has_gpu_device", lambda: True)
    assert uses_gpu(Runtime())
    monkeypatch.setattr("recognition.inference._has_gpu_device", lambda: False)
    assert not uses_gpu(Runtime())


def test_importing_loads_no_framework_and_compiling_prints_nothing_and_reports_nothing(tmp_path):
    program = (
        "import sys, recognition.inference, recognition.embedding\n"
        "assert not {'tensorflow', 'keras', 'openvino', 'torch'} & set(sys.modules)\n"
        "import keras\n"
        "x = keras.Input((4,))\n"
        "runtime = recognition.inference.Runtime(threads=1)\n"
        "run = recognition.inference.compile_model(keras.Model(x, keras.layers.Dense(2)(x)), runtime)\n"
        "import numpy\n"
        "assert run(numpy.ones((5, 4), 'f4'))[0].shape == (5, 2)\n"
        "assert not [name for name in sys.modules if name.startswith('openvino_telemetry.')]\n"
    )
    clean = {name: value for name, value in os.environ.items() if not name.startswith("TF_")}
    done = subprocess.run(
        [sys.executable, "-c", program],
        env=clean,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
