"""FaceNet's network with given weights, built and saved by TensorFlow as the original was, and by Keras as deepface's
is.

`arrays` are by facenet-pytorch's names and in its shapes.
"""

from pathlib import Path

import h5py
import keras
import numpy as np
import tensorflow as tf
from keras import layers
from keras.src.legacy.saving.legacy_h5_format import save_weights_to_hdf5_group

v1 = tf.compat.v1


def network(net, x):
    """The layers in the order of facenet's inception_resnet_v1.py: `net` makes them."""
    for torch, scope, filters, size, stride, padding in [
        ("conv2d_1a", "Conv2d_1a_3x3", 32, 3, 2, "valid"),
        ("conv2d_2a", "Conv2d_2a_3x3", 32, 3, 1, "valid"),
        ("conv2d_2b", "Conv2d_2b_3x3", 64, 3, 1, "same"),
        ("", "", 0, 3, 2, "valid"),
        ("conv2d_3b", "Conv2d_3b_1x1", 80, 1, 1, "valid"),
        ("conv2d_4a", "Conv2d_4a_3x3", 192, 3, 1, "valid"),
        ("conv2d_4b", "Conv2d_4b_3x3", 256, 3, 2, "valid"),
    ]:
        x = net.conv(x, torch, scope, filters, size, stride, padding) if torch else net.pool(x)

    def tower(x, torch, scope, steps):
        for i, (step, filters, size) in enumerate(steps):
            last = "1a" in step
            number = f".{i}" if len(steps) > 1 else ""
            x = net.conv(
                x,
                torch + number,
                f"{scope}/Conv2d_{step}",
                filters,
                size,
                2 if last else 1,
                "valid" if last else "same",
            )
        return x

    def block(x, torch, scope, towers, scale, relu=True):
        ends = [tower(x, f"{torch}.branch{b}", f"{scope}/Branch_{b}", steps) for b, steps in enumerate(towers)]
        return net.residual(x, net.concat(ends), f"{torch}.conv2d", f"{scope}/Conv2d_1x1", scale, relu)

    def reduction(x, torch, scope, towers):
        return net.concat(
            [tower(x, f"{torch}.branch{b}", f"{scope}/Branch_{b}", steps) for b, steps in enumerate(towers)]
            + [net.pool(x)]
        )

    of35 = [
        [("1x1", 32, 1)],
        [("0a_1x1", 32, 1), ("0b_3x3", 32, 3)],
        [("0a_1x1", 32, 1), ("0b_3x3", 32, 3), ("0c_3x3", 32, 3)],
    ]
    of17 = [[("1x1", 128, 1)], [("0a_1x1", 128, 1), ("0b_1x7", 128, (1, 7)), ("0c_7x1", 128, (7, 1))]]
    of8 = [[("1x1", 192, 1)], [("0a_1x1", 192, 1), ("0b_1x3", 192, (1, 3)), ("0c_3x1", 192, (3, 1))]]
    for i in range(5):
        x = block(x, f"repeat_1.{i}", f"Repeat/block35_{i + 1}", of35, 0.17)
    x = reduction(
        x, "mixed_6a", "Mixed_6a", [[("1a_3x3", 384, 3)], [("0a_1x1", 192, 1), ("0b_3x3", 192, 3), ("1a_3x3", 256, 3)]]
    )
    for i in range(10):
        x = block(x, f"repeat_2.{i}", f"Repeat_1/block17_{i + 1}", of17, 0.10)
    x = reduction(
        x,
        "mixed_7a",
        "Mixed_7a",
        [
            [("0a_1x1", 256, 1), ("1a_3x3", 384, 3)],
            [("0a_1x1", 256, 1), ("1a_3x3", 256, 3)],
            [("0a_1x1", 256, 1), ("0b_3x3", 256, 3), ("1a_3x3", 256, 3)],
        ],
    )
    for i in range(5):
        x = block(x, f"repeat_3.{i}", f"Repeat_2/block8_{i + 1}", of8, 0.20)
    return net.bottleneck(block(x, "block8", "Block8", of8, 1.0, relu=False))


class Original:
    """Variables and graph with the names of davidsandberg/facenet."""

    def __init__(self, arrays):
        self.arrays = arrays

    def variable(self, name, array):
        # As TensorFlow 1 did it: a reference, not a resource.
        return v1.get_variable(name, initializer=np.ascontiguousarray(array), use_resource=False)

    def norm(self, x, torch, scope):
        parts = [("beta", "bias"), ("moving_mean", "running_mean"), ("moving_variance", "running_var")]
        beta, mean, variance = (
            self.variable(f"{scope}/BatchNorm/{there}", self.arrays[f"{torch}.{mine}"]) for there, mine in parts
        )
        return tf.nn.batch_normalization(x, mean, variance, beta, None, 0.001)

    def conv(self, x, torch, scope, filters, size, stride, padding):
        kernel = self.variable(f"{scope}/weights", self.arrays[f"{torch}.conv.weight"].transpose(2, 3, 1, 0))
        return tf.nn.relu(self.norm(tf.nn.conv2d(x, kernel, stride, padding.upper()), f"{torch}.bn", scope))

    def residual(self, x, y, torch, scope, scale, relu):
        kernel = self.variable(f"{scope}/weights", self.arrays[f"{torch}.weight"].transpose(2, 3, 1, 0))
        x = x + scale * (
            tf.nn.conv2d(y, kernel, 1, "SAME") + self.variable(f"{scope}/biases", self.arrays[f"{torch}.bias"])
        )
        return tf.nn.relu(x) if relu else x

    def pool(self, x):
        return tf.nn.max_pool2d(x, 3, 2, "VALID")

    def concat(self, parts):
        return tf.concat(parts, 3)

    def bottleneck(self, x):
        kernel = self.variable("Bottleneck/weights", self.arrays["last_linear.weight"].T)
        return self.norm(tf.reduce_mean(x, [1, 2]) @ kernel, "last_bn", "Bottleneck")


def save_original(arrays, folder: Path, people: int, crops) -> np.ndarray:
    """Write 20180402-114759.pb and the checkpoint beside it; what the graph answers to `crops`."""
    folder.mkdir()
    with tf.Graph().as_default(), v1.Session() as session:
        images = v1.placeholder(tf.float32, (None, 160, 160, 3), "input")
        with v1.variable_scope("InceptionResnetV1"):
            prelogits = network(Original(arrays), images)
        tf.math.l2_normalize(prelogits, 1, 1e-10, name="embeddings")
        with v1.variable_scope("Logits"):
            v1.get_variable("weights", (512, people), use_resource=False)
            v1.get_variable("biases", (people,), use_resource=False)
        session.run(v1.global_variables_initializer())
        v1.train.Saver().save(session, str(folder / "model-20180402-114759.ckpt"), 275)
        frozen = v1.graph_util.convert_variables_to_constants(session, session.graph_def, ["embeddings"])
        (folder / "20180402-114759.pb").write_bytes(frozen.SerializeToString())
        return session.run("embeddings:0", {"input:0": (crops - 127.5) / 128})


class Deepface:
    """Keras layers with the names of deepface's Facenet.py, where the second branch of some blocks has the block's
    number.
    """

    def __init__(self, arrays):
        self.arrays = arrays
        self.weights = []

    def give(self, layer, x, *arrays):
        self.weights.append((layer, arrays))
        return layer(x)

    def norm(self, x, torch, name):
        layer = layers.BatchNormalization(epsilon=0.001, scale=False, name=f"{name}_BatchNorm")
        return self.give(
            layer, x, *(self.arrays[f"{torch}.{part}"] for part in ("bias", "running_mean", "running_var"))
        )

    def name(self, scope):
        for there, here in (
            ("Repeat/block35_", "Block35_"),
            ("Repeat_1/block17_", "Block17_"),
            ("Repeat_2/block8_", "Block8_"),
        ):
            scope = scope.replace(there, here)
        block, _, rest = scope.replace("Block8/", "Block8_6/").partition("/")
        if block.startswith(("Block17_", "Block8_")) and block != "Block8_6":
            rest = rest.replace("Branch_1", f"Branch_{block.split('_')[1]}")
        return "_".join([block, *rest.split("/")]).strip("_")

    def conv(self, x, torch, scope, filters, size, stride, padding):
        layer = layers.Conv2D(filters, size, strides=stride, padding=padding, use_bias=False, name=self.name(scope))
        x = self.give(layer, x, self.arrays[f"{torch}.conv.weight"].transpose(2, 3, 1, 0))
        return layers.Activation("relu", name=f"{layer.name}_Activation")(self.norm(x, f"{torch}.bn", layer.name))

    def residual(self, x, y, torch, scope, scale, relu):
        layer = layers.Conv2D(x.shape[3], 1, name=self.name(scope))
        y = self.give(layer, y, self.arrays[f"{torch}.weight"].transpose(2, 3, 1, 0), self.arrays[f"{torch}.bias"])
        x = layers.add([x, layers.Lambda(lambda part: part * scale)(y)])
        return layers.Activation("relu")(x) if relu else x

    def pool(self, x):
        return layers.MaxPooling2D(3, 2)(x)

    def concat(self, parts):
        return layers.Concatenate()(parts)

    def bottleneck(self, x):
        x = layers.Dropout(0.2)(layers.GlobalAveragePooling2D()(x))
        x = self.give(layers.Dense(512, use_bias=False, name="Bottleneck"), x, self.arrays["last_linear.weight"].T)
        return self.norm(x, "last_bn", "Bottleneck")


def save_deepface(arrays, path: Path, crops) -> np.ndarray:
    """Write the h5 file as Keras 2 does; what the model answers to `crops`, made unit length."""
    net = Deepface(arrays)
    images = keras.Input((160, 160, 3))
    model = keras.Model(images, network(net, images))
    for layer, weights in net.weights:
        layer.set_weights(weights)
    with h5py.File(path, "w") as file:
        save_weights_to_hdf5_group(file, model)
    raw = np.asarray(model((crops - 127.5) / 128, training=False))
    return raw / np.linalg.norm(raw, axis=1, keepdims=True)
