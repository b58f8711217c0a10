"""What the pages take for granted: the reader's models, samples and names, all as small as they can be."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from tests.export.models.networks import Layers
from tests.keras_approx import models

SHAPE, CLASSES, COUNT = (8, 8, 3), 4, 160


def int8_model(seed: int = 0) -> bytes:
    """A classifier as some other tool may have made it."""
    network = Layers(np.random.default_rng(seed))
    start = network.input(SHAPE)
    x = network.pool(network.conv(start, 6, activation="relu"))
    return network.builder.finish(start, network.builder.softmax(network.dense(x, CLASSES)))


def write_files(folder: Path) -> None:
    """Puts every file that a page reads before it wrote it into a folder."""
    model = models.small()
    model.save(folder / "model.keras")
    for number, name in enumerate(("model_int8", "words", "faces")):
        (folder / f"{name}.tflite").write_bytes(int8_model(number))
    images, classes = models.inputs(model, COUNT), models.labels(COUNT)
    np.savez(folder / "train.npz", inputs=images, labels=classes)
    np.savez(folder / "test.npz", inputs=models.inputs(model, 40, seed=7), labels=models.labels(40, seed=8))
    np.save(folder / "images.npy", images[:3])


def for_start() -> dict[str, Any]:
    """Pixels and their classes."""
    images = np.random.default_rng(0).integers(0, 256, (40, *SHAPE), np.uint8)
    return {"images": images, "classes": models.labels(40)}


def for_elimination() -> dict[str, Any]:
    """A trained network and inputs, as in the README."""
    network = models.small()
    return {"network": network, "images": models.inputs(network, COUNT)}


def for_a_strategy() -> dict[str, Any]:
    """A network, inputs and batches with labels."""
    import tensorflow as tf  # noqa: PLC0415 (this page's alone)

    given = for_elimination()
    batches = tf.data.Dataset.from_tensor_slices((given["images"], models.labels(COUNT))).batch(COUNT // 2)
    return {"network": given["network"], "inputs": given["images"], "dataset": batches}


def for_several_outputs() -> dict[str, Any]:
    """A model of a class and a value, and a wrapped model of a value."""
    import keras_approx  # noqa: PLC0415
    from keras_approx.compat import keras  # noqa: PLC0415

    start = keras.Input(SHAPE)
    x = keras.layers.Flatten()(keras.layers.Conv2D(4, 3, activation="relu")(start))
    kind = keras.layers.Dense(CLASSES, activation="softmax", name="kind")(x)
    size = keras.layers.Dense(1, name="size")(x)
    images = models.inputs(models.small(), COUNT)
    sizes = images.mean((1, 2, 3))[:, None]
    wrapped = keras_approx.wrap(keras.Model(start, size), compensate=True)
    keras_approx.calibrate(wrapped, images)
    return {
        "model": keras.Model(start, [kind, size]),
        "images": images,
        "kinds": models.labels(COUNT),
        "sizes": sizes,
        "wrapped": wrapped,
        "others": images[:40],
        "values": sizes[:40],
    }
