"""What `wrap` takes, `to_c` takes: random models of the layers in the table, masked, exported and compared."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras as keras3
import numpy as np
import pytest
import tf_keras

import export
import keras_approx
from export.artifact.compiling import build_host
from export.frontend.reference import run_reference
from keras_approx.layers.registry import LAYERS
from tests.integration.random_keras import ENDS, IMAGES, SEQUENCES, random_model


def _assert_goes_the_whole_way(model: Any, rng: np.random.Generator, folder: Path) -> None:
    wrapped = keras_approx.wrap(model)
    data = [rng.normal(size=(8, *tensor.shape[1:])).astype(np.float32) for tensor in wrapped.inputs]
    keras_approx.calibrate(wrapped, data, verbose=False)
    masks = {name: rng.random(mask.shape) < 0.7 for name, mask in keras_approx.get_masks(wrapped).items()}
    keras_approx.set_masks(wrapped, masks)
    _assert_exact(wrapped, rng, folder)


def _assert_exact(wrapped: Any, rng: np.random.Generator, folder: Path) -> None:
    done = export.to_c(wrapped, folder / "out")
    inputs = [rng.integers(-128, 128, (8, *tensor.shape[1:])).astype(np.int8) for tensor in wrapped.inputs]
    expected = run_reference((done.path / "model.tflite").read_bytes(), inputs)
    for found, wanted in zip(build_host(done.path).run(inputs), expected, strict=True):
        np.testing.assert_array_equal(found, wanted)


def test_every_layer_of_the_table_has_a_recipe() -> None:
    assert {*IMAGES, *SEQUENCES, *ENDS} == set(LAYERS)


def test_random_layers(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    images = [str(name) for name in rng.choice(list(IMAGES), 5, replace=False)]
    model = random_model(tf_keras, rng, ["Conv2DTranspose", *images], ["Conv1D", "LeakyReLU"])
    _assert_goes_the_whole_way(model, rng, tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(6))
def test_all_layers(seed: int, tmp_path: Path) -> None:
    """Every layer in two of the models, once in each library, behind others every time."""
    rng = np.random.default_rng(seed)
    part = slice(seed // 2, None, 3)
    images, sequences = (
        [str(name) for name in np.random.default_rng(7).permutation(list(known))[part]]
        for known in (IMAGES, SEQUENCES)
    )
    rng.shuffle(images)
    rng.shuffle(sequences)
    model = random_model((tf_keras, keras3)[seed % 2], rng, images, sequences)
    _assert_goes_the_whole_way(model, rng, tmp_path)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:no epoch was better", "ignore:the loss")
def test_layers_are_fine_tuned(tmp_path: Path) -> None:
    """With a teacher and masks that grow, a sixth of the layers in one model."""
    rng = np.random.default_rng(0)
    images, sequences = (list(known)[::6] for known in (IMAGES, SEQUENCES))
    model = random_model(tf_keras, rng, images, sequences)
    data, labels = (
        [rng.normal(size=(16, *tensor.shape[1:])).astype(np.float32) for tensor in tensors]
        for tensors in (model.inputs, model.outputs)
    )
    tuned, history = keras_approx.fine_tune(
        model,
        (data, labels),
        loss=["mse", "mse"],
        skipping=keras_approx.Rank("energy", 0.6, scope="layer"),
        epochs=2,
        batch_size=4,
        verbose=0,
    )
    assert history.history["kept"][-1] < 0.75
    _assert_exact(tuned, rng, tmp_path)
