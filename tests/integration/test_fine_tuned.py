"""The whole way: a network is wrapped, calibrated, fine-tuned with masks, and becomes C without what it skips."""

from __future__ import annotations

import re
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tf_keras
from numpy.typing import NDArray

import export
import keras_approx
from export.artifact.compiling import build_arm
from export.frontend import read_tflite
from export.ir.graph import Graph
from export.ir.ops import Conv2D, FullyConnected
from tests.integration.exactness import assert_exact, quantized, real

KEPT = 0.3
CLASSES = 3
SHAPE = (10, 10, 3)


def images(count: int, seed: int) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """A pattern for each class, under noise."""
    patterns = np.random.default_rng(0).normal(size=(CLASSES, *SHAPE))
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, CLASSES, count)
    return (patterns[labels] + rng.normal(size=(count, *SHAPE))).astype(np.float32), labels


@dataclass(frozen=True)
class Tuned:
    """A fine-tuned model and its export."""

    model: Any
    result: export.Export
    graph: Graph

    @property
    def weights(self) -> dict[str, NDArray[np.int8]]:
        """Int8 weights as Keras orders them, by layer."""
        ops = [op for op in self.graph.ops if isinstance(op, Conv2D | FullyConnected)]
        names = list(keras_approx.get_masks(self.model))
        return {
            name: np.moveaxis(np.asarray(self.graph.constant(op.weights)), 0, -1)
            for name, op in zip(names, ops, strict=True)
        }


@pytest.fixture(scope="module")
def tuned(tmp_path_factory: pytest.TempPathFactory) -> Tuned:
    tf_keras.utils.set_random_seed(1)
    layers = tf_keras.layers
    network = tf_keras.Sequential(
        [
            layers.Conv2D(8, 3, activation="relu", input_shape=SHAPE),
            layers.MaxPooling2D(),
            layers.Conv2D(7, 3, padding="same", use_bias=False),
            layers.BatchNormalization(),
            layers.ReLU(),
            layers.Flatten(),
            layers.Dense(CLASSES),
        ]
    )
    inputs, labels = images(256, seed=1)
    model = keras_approx.wrap(network)
    keras_approx.calibrate(model, inputs, verbose=False)
    model.compile(
        tf_keras.optimizers.Adam(0.005), tf_keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    )
    skipping = keras_approx.callbacks.UpdateSkipMasks(
        keras_approx.schedules.Polynomial(1.0, KEPT, end_step=16), frequency=4
    )
    model.fit(inputs, labels, batch_size=16, epochs=3, callbacks=[skipping], verbose=0)
    result = export.to_c(model, tmp_path_factory.mktemp("tuned") / "out")
    return Tuned(model, result, read_tflite((result.path / "model.tflite").read_bytes()))


def test_every_byte_is_that_of_the_reference_kernels(tuned: Tuned) -> None:
    inputs, labels = images(50, seed=2)
    outputs = assert_exact(tuned.result, quantized(tuned.result, inputs))
    trained = tuned.model.predict(inputs, verbose=0)
    assert np.abs(real(tuned.result, outputs) - trained).max() < 0.1 * np.abs(trained).max()
    assert np.mean(outputs.argmax(axis=1) == labels) > 0.9


def test_masks_are_as_sparse_as_asked(tuned: Tuned) -> None:
    masks = keras_approx.get_masks(tuned.model)
    assert len(masks) == 3
    layers = [layer for layer in tuned.result.estimate.layers if layer.macs]
    assert sum(layer.kept_macs for layer in layers) <= 1.05 * KEPT * sum(layer.macs for layer in layers)


def test_skipped_weights_are_zero(tuned: Tuned) -> None:
    for name, mask in keras_approx.get_masks(tuned.model).items():
        assert not tuned.weights[name][~mask].any()
        assert tuned.weights[name][mask].any()


def test_skipped_pairs_leave_no_instruction(tuned: Tuned, tmp_path: Path) -> None:
    """Dual products of the C files, and of the linked program, are the kept pairs at each position of a block."""
    total = 0
    layers = [layer for layer in tuned.result.manifest["layers"] if layer["macs"]]
    assert (
        sum(layer["kernel"] == "unpacked" for layer in layers) >= len(layers) - 1
    )  # the first may pair along x
    masks = keras_approx.get_masks(tuned.model)
    for layer, (name, mask) in zip(layers, masks.items(), strict=True):
        source = (tuned.result.path / layer["source"]).read_text()
        written = len(re.findall(r"\bK_(?:MAC|DOT_FROM)\(", source))
        total += written
        if layer["kernel"] != "unpacked":
            continue
        weights = tuned.weights[name]
        odd = [(0, 0)] * (weights.ndim - 2) + [(0, weights.shape[-2] % 2), (0, 0)]
        kept, allowed = (
            int(np.count_nonzero(halves[..., 0::2, :] | halves[..., 1::2, :]))
            for halves in (np.pad(weights, odd), np.pad(mask, odd))
        )
        positions = 1 if weights.ndim == 2 else 2
        assert 0 < written == positions * kept <= positions * allowed
    image = tmp_path / "network.elf"
    image.write_bytes(build_arm(tuned.result.path).elf)
    listing = subprocess.run(
        ["arm-none-eabi-objdump", "-d", str(image)], capture_output=True, text=True, check=True
    ).stdout
    assert len(re.findall(r"\tsmlad\t", listing)) == total
