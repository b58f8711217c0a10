"""Measures the covariance of each layer's inputs and the effect of its outputs on the model's, in one pass."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from keras_approx.compat import keras, tf
from keras_approx.errors import CalibrationError
from keras_approx.graph.topology import calls
from keras_approx.layers.skip_wrapper import SkipWrapper, skip_wrappers
from keras_approx.layers.transposed_conv import TransposedConv2D
from keras_approx.measure.batches import batch_length, model_batches
from keras_approx.measure.calibration import input_specs
from keras_approx.progress import Progress
from keras_approx.skipping.elimination import InputMoments, LayerMoments


def measure_moments(
    model: Any, data: Any, *, batch_size: int = 64, steps: int | None = None, verbose: bool = True
) -> dict[str, LayerMoments]:
    """The moments of every layer that carries a mask.

    One pass over the data; memory grows with the square of a layer's operands for one output, not with the samples.
    Sensitivities come from one backward pass a batch, of the outputs' sum with random signs (Hutchinson, "A stochastic
    estimator of the trace of the influence matrix", 1989); the signs are the same each time.

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
        CalibrationError: If there is no data, it does not fit the model, or activations or gradients are not finite.
    """
    skip_wrappers(model)
    wrappers = [call for call in calls(model) if isinstance(call.layer, SkipWrapper)]
    layers = [call.layer for call in wrappers]
    inputs, outputs = [call.input_tensors[0] for call in wrappers], [call.output for call in wrappers]
    measure = _measuring(model, keras.Model(model.inputs, [*inputs, *outputs, *model.outputs]), layers)
    batches = model_batches(model, data, batch_size, steps)
    progress = Progress("looking at activations", batches.count, "batch", verbose)
    totals: dict[str, list[Any]] = {layer.name: [0.0, 0.0, 0.0, 0.0] for layer in layers}
    samples = number = 0
    for number, batch in enumerate(batches, start=1):
        samples += batch_length(batch)
        measured = measure(tf.nest.map_structure(tf.constant, batch), tf.constant(number))
        for layer, new in zip(layers, measured, strict=True):  # those of one layer's calls go together
            total = totals[layer.name]
            for place, value in enumerate(new):
                total[place] = total[place] + value.numpy().astype(np.float64)
        progress.update(number)
    if not number:
        raise CalibrationError("there is no data: expected at least one batch of inputs, got none")
    progress.finish(number)
    return {name: _layer_moments(name, samples, *total) for name, total in totals.items()}


def measure_input_moments(
    model: Any, exact: Any, layer: SkipWrapper, data: Any, *, batch_size: int = 64, steps: int | None = None
) -> InputMoments:
    """The moments of a layer's inputs in a model, beside those in another one of the same layers.

    Args:
        model: A wrapped model, measured as it is.
        exact: The model whose inputs are wanted.
        layer: One of the model's.
        data: Inputs, as keras_approx.calibrate takes them; none of it was missing before.
        batch_size: Samples at a time, for arrays.
        steps: Batches to use at most; None for all there are.
    """
    ends = [
        [call.input_tensors[0] for call in calls(each) if call.layer.name == layer.name]
        for each in (model, exact)
    ]
    prefixes = [keras.Model(each.inputs, end) for each, end in zip((model, exact), ends, strict=True)]

    def operands(prefix: Any, inputs: Any) -> Any:
        taps = tf.nest.flatten(prefix(inputs, training=False))
        return tf.concat([_operands(layer, tap) for tap in taps], axis=-2)

    @tf.function(input_signature=[input_specs(model)])
    def measure(inputs: Any) -> tuple[Any, ...]:
        has, wanted = (operands(prefix, inputs) for prefix in prefixes)
        count, total, products = _moments(has)
        return (
            count,
            total,
            products,
            tf.reduce_sum(wanted, axis=-2),
            tf.matmul(has, wanted, transpose_a=True),
        )

    totals: list[Any] = [0.0] * 5
    for batch in model_batches(model, data, batch_size, steps):
        found = measure(tf.nest.map_structure(tf.constant, batch))
        totals = [total + new.numpy().astype(np.float64) for total, new in zip(totals, found, strict=True)]
    count, total, products, others, crossed = totals
    mean, wanted = total / count, others / count
    return InputMoments(
        mean, wanted, products / count - _outer(mean, mean), crossed / count - _outer(mean, wanted)
    )


def _measuring(model: Any, tapped: Any, layers: Sequence[SkipWrapper]) -> Any:
    """A function of a batch and its number that gives the sums of each layer."""

    def measure(inputs: Any, number: Any) -> list[tuple[Any, Any, Any, Any]]:
        with tf.GradientTape() as tape:
            tape.watch(inputs)  # so that layers that do not train are recorded too
            taps = tf.nest.flatten(tapped(inputs, training=False))
            value = tf.add_n(
                [_signed_sum(output, number, i) for i, output in enumerate(taps[2 * len(layers) :])]
            )
        gradients = tape.gradient(value, taps[len(layers) : 2 * len(layers)], unconnected_gradients="zero")
        return [
            (*_moments(_operands(layer, tap)), _squares(gradient))
            for layer, tap, gradient in zip(layers, taps, gradients, strict=False)
        ]

    return tf.function(measure, input_signature=[input_specs(model), tf.TensorSpec((), tf.int32)])


def _signed_sum(output: Any, batch: Any, number: int) -> Any:
    """The sum of an output's values with random signs, other ones for each batch and output."""
    signs = tf.random.stateless_uniform(tf.shape(output), (number, batch), 0, 2, tf.int32)
    return tf.reduce_sum(tf.cast(2 * signs - 1, output.dtype) * output)


def _operands(layer: SkipWrapper, inputs: Any) -> Any:
    """The inputs of each output position, `[places, n]`; `[groups, places, n]` of a layer with groups."""
    if isinstance(layer.layer, keras.layers.Dense):
        return tf.reshape(inputs, (-1, inputs.shape[-1]))
    if isinstance(layer.layer, TransposedConv2D):
        shape = layer.kernel.shape[:-1]
        each = tf.reshape(tf.eye(shape.num_elements()), (*shape, -1))
        return tf.reshape(layer.products(inputs, each), (-1, shape.num_elements()))
    height, width = layer.kernel.shape[:2]
    rows, columns = layer.layer.strides
    dilation = layer.layer.dilation_rate
    parts = []
    for part in tf.split(inputs, layer.groups, axis=-1):
        patches = tf.image.extract_patches(
            part,
            (1, height, width, 1),
            (1, rows, columns, 1),
            (1, *dilation, 1),
            layer.layer.padding.upper(),
        )
        parts.append(tf.reshape(patches, (-1, patches.shape[-1])))
    return parts[0] if len(parts) == 1 else tf.stack(parts)


def _outer(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Products of each element of one with each of the other, by group where there are groups."""
    return first[..., :, np.newaxis] * second[..., np.newaxis, :]


def _moments(operands: Any) -> tuple[Any, Any, Any]:
    """Their number, their sum and the sum of their products."""
    return (
        tf.cast(tf.shape(operands)[-2], tf.float32),
        tf.reduce_sum(operands, axis=-2),
        tf.matmul(operands, operands, transpose_a=True),
    )


def _squares(gradient: Any) -> Any:
    """The sum of squares by channel."""
    return tf.reduce_sum(tf.square(gradient), axis=tf.range(tf.rank(gradient) - 1))


def _layer_moments(
    name: str, samples: int, count: float, total: np.ndarray, products: np.ndarray, squares: np.ndarray
) -> LayerMoments:
    mean = total / count
    found = LayerMoments(mean, products / count - _outer(mean, mean), squares / samples, samples)
    for values, what in ((found.covariance, "inputs"), (found.sensitivity, "gradients")):
        if not np.all(np.isfinite(values)):
            raise CalibrationError(
                f"the {what} of layer {name!r} are not finite in squares: check the model's weights and the scale of "
                "the inputs"
            )
    return found
