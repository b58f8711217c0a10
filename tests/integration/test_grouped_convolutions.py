"""Masks of grouped convolutions, from calibration to C."""

from __future__ import annotations

import numpy as np
import pytest

import export
import keras_approx
from export.artifact.compiling import build_host
from export.frontend.reference import run_reference
from keras_approx.compat import keras
from keras_approx.layers.skip_wrapper import get_masks, set_masks, skip_wrappers
from keras_approx.measure.moments import measure_moments

SHAPE = (7, 6, 4)
GROUPS = 2


@pytest.fixture(scope="module")
def images() -> np.ndarray:
    rng = np.random.default_rng(0)
    return (rng.normal(size=(48, *SHAPE)) + np.arange(4)).astype(np.float32)


def network() -> keras.Model:
    keras.utils.set_random_seed(1)
    layers = keras.layers
    return keras.Sequential(
        [
            layers.Input(SHAPE),
            layers.Conv2D(6, 3, groups=GROUPS, padding="same", name="grouped", activation="relu"),
            layers.Conv2D(8, (2, 1), strides=2, groups=GROUPS, use_bias=False, name="strided"),
            layers.BatchNormalization(),
            layers.ReLU(),
            layers.Flatten(),
            layers.Dense(3, name="dense"),
        ]
    )


@pytest.fixture
def wrapped(images):
    model = keras_approx.wrap(network(), compensate=True)
    keras_approx.calibrate(model, images, verbose=False)
    return model


def windows(images: np.ndarray, group: int) -> np.ndarray:
    """What the output positions of a 3x3 convolution see of a group: [places, operands]."""
    part = np.split(np.pad(images, ((0, 0), (1, 1), (1, 1), (0, 0))), GROUPS, axis=-1)[group]
    taps = [part[:, y : y + SHAPE[0], x : x + SHAPE[1]] for y in range(3) for x in range(3)]
    return np.stack(taps, axis=-2).reshape(-1, 9 * part.shape[-1])


def test_statistics_are_those_of_each_group(wrapped, images) -> None:
    layer = wrapped.get_layer("grouped")
    assert layer.get_mask().shape == (3, 3, 2, 6)
    found = layer.get_statistics()
    moments = measure_moments(wrapped, images, verbose=False)["grouped"]
    for group in range(GROUPS):
        seen = windows(images, group)
        for channel in range(3 * group, 3 * group + 3):
            np.testing.assert_allclose(
                found.mean[..., channel].ravel(), seen.mean(axis=0), rtol=1e-3, atol=1e-3
            )
            square = np.square(seen).mean(axis=0)
            np.testing.assert_allclose(found.mean_square[..., channel].ravel(), square, rtol=1e-3, atol=1e-3)
        # Quantized inputs, hence the tolerance.
        np.testing.assert_allclose(moments.mean[group], seen.mean(axis=0), atol=0.03)
        np.testing.assert_allclose(moments.covariance[group], np.cov(seen.T, bias=True), atol=0.05)


@pytest.mark.parametrize("metric", ["relative", "expected", "energy", "variance"])
def test_metrics_rank_the_operands_of_groups(wrapped, metric: str) -> None:
    layer = wrapped.get_layer("strided")
    values = keras_approx.significance.significance(metric, layer.kernel.numpy(), layer.get_statistics())
    assert values.shape == layer.get_mask().shape
    assert values.any()


def test_compensation_keeps_the_means(wrapped, images) -> None:
    first = keras.Model(wrapped.inputs, wrapped.get_layer("grouped").output)
    before = first.predict(images, verbose=0).mean(axis=(0, 1, 2))
    mask = np.random.default_rng(2).random((3, 3, 2, 6)) < 0.5
    wrapped.get_layer("grouped").set_mask(mask)
    after = first.predict(images, verbose=0).mean(axis=(0, 1, 2))
    np.testing.assert_allclose(after, before, atol=0.05)


def test_elimination_fits_each_group(images) -> None:
    """What is left of a layer comes nearer to its outputs with new weights than with the old ones.

    Neighboring pixels resemble each other, or there would be nothing to make up with.
    """
    images = np.cumsum(images - np.arange(4), axis=1)

    def outputs(model) -> np.ndarray:
        return keras.Model(model.inputs, model.get_layer("strided").output).predict(images, verbose=0)

    wanted = outputs(network())
    fitted = keras_approx.eliminate(
        keras_approx.wrap(network(), compensate=True), images, kept=0.6, scope="layer", verbose=False
    )
    masks = get_masks(fitted)
    assert 0.4 < masks["grouped"].mean() < 0.7
    masked = keras_approx.wrap(network(), compensate=True)
    keras_approx.calibrate(masked, images, verbose=False)
    set_masks(masked, masks)
    centered = [found - found.mean(axis=(0, 1, 2)) for found in (wanted, outputs(fitted), outputs(masked))]
    error, before = (np.square(found - centered[0]).mean() for found in centered[1:])
    assert error < 0.9 * before


def pairs(rng: np.random.Generator, shape: tuple[int, ...], kept: float) -> np.ndarray:
    """A mask of whole pairs at random."""
    chosen = rng.random((*shape[:2], 1, shape[3])) < kept
    return np.repeat(chosen, shape[2], axis=2)


def test_export_uses_the_masks(wrapped, images, tmp_path) -> None:
    rng = np.random.default_rng(3)
    pricer = export.Pricer(wrapped, target="cortex-m33")
    cycles = {}
    for kept in (1.0, 0.3):
        masks = {
            layer.name: pairs(rng, layer.get_mask().shape, kept)
            for layer in skip_wrappers(wrapped)
            if layer.name != "dense"
        }
        set_masks(wrapped, masks)
        done = export.to_c(wrapped, tmp_path / str(kept), target="cortex-m33")
        conv = done.estimate.layers[1]
        assert conv.kind == "conv2d"
        share = conv.kept_macs / conv.macs
        assert share == pytest.approx(masks["grouped"].mean() / GROUPS, abs=0.02)
        assert pricer(masks)["cycles"] == done.estimate.cycles
        cycles[kept] = conv.cycles
        inputs = rng.integers(-128, 128, (5, *SHAPE)).astype(np.int8)
        model = (tmp_path / str(kept) / "model.tflite").read_bytes()
        np.testing.assert_array_equal(build_host(done.path).run(inputs), run_reference(model, inputs))
    assert cycles[0.3] < 0.75 * cycles[1.0]
