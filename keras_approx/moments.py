"""Measures how the inputs of each layer vary together, in one pass over the data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from keras_approx.batches import input_batches
from keras_approx.compat import keras, tf
from keras_approx.errors import CalibrationError
from keras_approx.skip_wrapper import SkipWrapper, skip_wrappers
from keras_approx.topology import calls


@dataclass(frozen=True)
class InputMoments:
    """Moments of a layer's inputs over samples and output positions.

    The n operands of one output channel are in the order of the kernel's axes.

    Attributes:
        mean: E[a], float64 [n].
        covariance: E[a a^T] - E[a] E[a]^T, float64 [n, n].
    """

    mean: np.ndarray
    covariance: np.ndarray


def measure_moments(
    model: Any, data: Any, *, batch_size: int = 64, steps: int | None = None, verbose: bool = True
) -> dict[str, InputMoments]:
    """The mean and the covariance of the inputs of every layer that carries a mask, over samples and output positions.

    One pass over the data; memory grows with the square of a layer's operands for one output, not with the samples.

    Args:
        model: A wrapped model, measured as it is, with its masks and quantization.
        data: Inputs, as keras_approx.calibrate takes them.
        batch_size: Samples at a time, for arrays.
        steps: Batches to use at most; None for all there are.
        verbose: Whether to show progress.

    Returns:
        By layer name.

    Raises:
        NotWrappedError: If the model is not wrapped.
        CalibrationError: If there is no data, it does not fit the model, or activations are not finite.
    """
    skip_wrappers(model)
    wrappers = [call for call in calls(model) if isinstance(call.layer, SkipWrapper)]
    layers = [call.layer for call in wrappers]
    tapped = keras.Model(model.inputs, [call.input_tensors[0] for call in wrappers])
    spec = tf.TensorSpec((None, *model.input_shape[1:]), tf.float32)

    def moments(inputs: Any) -> list[tuple[Any, Any, Any]]:
        taps = tf.nest.flatten(tapped(inputs, training=False))
        return [_moments(_operands(layer, tap)) for layer, tap in zip(layers, taps, strict=True)]

    measure = tf.function(moments, input_signature=[spec])
    batches = input_batches(data, tuple(model.input_shape[1:]), batch_size, steps)
    progress = keras.utils.Progbar(batches.count, verbose=int(verbose), unit_name="batch")
    totals: list[list[Any]] = [[0.0, 0.0, 0.0] for _ in layers]
    number = 0
    for number, batch in enumerate(batches, start=1):
        for total, new in zip(totals, measure(tf.constant(batch)), strict=True):
            for place, value in enumerate(new):
                total[place] = total[place] + value.numpy().astype(np.float64)
        progress.update(number)
    if not number:
        raise CalibrationError("there is no data: expected at least one batch of inputs, got none")
    if batches.count is None:
        progress.update(number, finalize=True)
    return {
        layer.name: _input_moments(layer.name, *total) for layer, total in zip(layers, totals, strict=True)
    }


def _operands(layer: SkipWrapper, inputs: Any) -> Any:
    """The inputs of each output position, `[places, n]`."""
    if isinstance(layer.layer, keras.layers.Dense):
        return tf.reshape(inputs, (-1, inputs.shape[-1]))
    height, width = layer.kernel.shape[:2]
    rows, columns = layer.layer.strides
    dilation = layer.layer.dilation_rate
    patches = tf.image.extract_patches(
        inputs,
        (1, height, width, 1),
        (1, rows, columns, 1),
        (1, *dilation, 1),
        layer.layer.padding.upper(),
    )
    return tf.reshape(patches, (-1, patches.shape[-1]))


def _moments(operands: Any) -> tuple[Any, Any, Any]:
    """How many there are, their sum and the sum of their products."""
    return (
        tf.cast(tf.shape(operands)[0], tf.float32),
        tf.reduce_sum(operands, axis=0),
        tf.matmul(operands, operands, transpose_a=True),
    )


def _input_moments(name: str, count: float, total: np.ndarray, products: np.ndarray) -> InputMoments:
    mean = total / count
    covariance = products / count - np.outer(mean, mean)
    if not np.all(np.isfinite(covariance)):
        raise CalibrationError(
            f"the inputs of layer {name!r} have no finite covariance: check the model's weights and the scale of the "
            "inputs"
        )
    return InputMoments(mean, covariance)
