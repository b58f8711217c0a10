"""Runs data through a wrapped model once, and stores operand statistics and activation ranges."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np

from keras_approx.compat import keras, tf
from keras_approx.errors import CalibrationError
from keras_approx.graph.topology import calls
from keras_approx.layers.quantized_layers import QuantizeActivation, QuantizedWrapper
from keras_approx.layers.registry import positions
from keras_approx.layers.skip_wrapper import SkipWrapper, check_all_wrapped, skip_wrappers
from keras_approx.measure.batches import Batches, batch_length, model_batches
from keras_approx.progress import Progress
from keras_approx.skipping.significance import RELATIVE_FLOOR, OperandStatistics

_PIXELS = "they look like pixels from 0 to 255 that were not scaled: "


def calibrate(
    model: Any,
    data: Any,
    *,
    loss: Any = None,
    batch_size: int = 64,
    steps: int | None = None,
    verbose: bool = True,
) -> None:
    """Measures the inputs of every layer, sets the activation ranges, and switches quantization on.

    One pass over the data; memory does not depend on its length. Nothing is changed if it fails. Calling it
    again measures everything again, then on the quantized and masked model.

    Args:
        model: A wrapped model.
        data: Inputs as an array (n, *input shape), a batched tf.data.Dataset, or an iterable of batches;
            batches may be tuples that start with the inputs, such as (inputs, labels). For a model of several inputs
            they are tuples of arrays, or dictionaries by the inputs' names.
        loss: If given, gradients are measured too, as significance "taylor" needs them: a Keras loss, its name,
            or a function of labels and outputs. Batches must then be (inputs, labels).
        batch_size: Samples at a time, for arrays.
        steps: Batches to use at most; None for all there are.
        verbose: Whether to show progress.

    Raises:
        NotWrappedError: If the model is not wrapped.
        UnsupportedLayerError: If it was given new layers that are not wrapped.
        CalibrationError: If there is no data, it has another shape, contains NaN or infinity or values
            outside the input range that the model was wrapped with, or if activations are not finite;
            with a loss also if there are no labels.
    """
    Calibrator(model, loss).run(data, batch_size=batch_size, steps=steps, verbose=verbose)


@dataclass
class _Totals:
    """What was measured so far: sums in float64 of what each batch gives in float32, and ranges."""

    samples: int = 0
    sums: list[dict[str, Any]] = field(default_factory=list)
    ranges: list[tuple[Any, Any]] = field(default_factory=list)

    def add(self, samples: int, sums: list[dict[str, np.ndarray]], ranges: list[tuple[Any, Any]]) -> None:
        if not self.samples:
            self.sums = [dict.fromkeys(layer, 0.0) for layer in sums]
            self.ranges = ranges
        self.samples += samples
        for totals, new in zip(self.sums, sums, strict=True):
            for name, values in new.items():
                totals[name] = totals[name] + values.astype(np.float64)
        self.ranges = [
            (np.minimum(low, new_low), np.maximum(high, new_high))
            for (low, high), (new_low, new_high) in zip(self.ranges, ranges, strict=True)
        ]


class Calibrator:
    """Calibrates one model as often as wanted; preparing to is what takes long on small data.

    Args:
        model: A wrapped model.
        loss: Of which to measure gradients; None to measure none.

    Raises:
        NotWrappedError: If the model is not wrapped.
        UnsupportedLayerError: If it was given new layers that are not wrapped.
    """

    def __init__(self, model: Any, loss: Any = None) -> None:
        skip_wrappers(model)
        check_all_wrapped(model)
        found = calls(model)
        self.model = model
        self._is_input = {call.key: not call.inputs for call in found}
        self._wrappers = [call for call in found if isinstance(call.layer, SkipWrapper)]
        self._quantizers = [call for call in found if isinstance(call.layer, QuantizeActivation)]
        self._loss = None if loss is None else keras.losses.get(loss)
        taps = [call.input_tensors[0] for call in (*self._wrappers, *self._quantizers)]
        if self._loss is not None:
            if len(model.outputs) > 1:
                raise CalibrationError(
                    f"a loss needs a model of one output, model {model.name!r} has {len(model.outputs)}: leave it out"
                )
            taps += [*(call.output for call in self._wrappers), model.output]
        self._tapped = keras.Model(model.inputs, taps)
        inputs = input_specs(model)
        self._measure = tf.function(self._measure_batch, input_signature=[inputs])
        # Labels can be of any shape and type.
        measure = partial(self._measure_gradients, self._loss)
        self._measure_loss = tf.function(measure, reduce_retracing=True)

    def run(self, data: Any, *, batch_size: int = 64, steps: int | None = None, verbose: bool = True) -> None:
        """Calibrates; see `calibrate`."""
        totals = _Totals()
        batches = model_batches(self.model, data, batch_size, steps)
        progress = Progress("calibrating", batches.count, "batch", verbose)
        for number, (size, measured) in enumerate(self._measured(batches), start=1):
            totals.add(size, *tf.nest.map_structure(np.asarray, measured))
            progress.update(number)
        if not totals.samples:
            raise CalibrationError(
                "there is no calibration data: expected at least one batch of inputs, got none"
            )
        progress.finish(number)
        self._store(totals)

    def _measured(self, batches: Batches) -> Iterator[tuple[int, Any]]:
        if self._loss is None:
            return ((batch_length(inputs), self._measure(_tensors(inputs))) for inputs in batches)
        return (
            (batch_length(inputs), self._measure_loss(_tensors(inputs), tf.constant(labels)))
            for inputs, labels in batches.with_labels()
        )

    def _measure_batch(self, inputs: Any) -> Any:
        return self._reduce(tf.nest.flatten(self._tapped(inputs, training=False)))

    def _reduce(self, tapped: list[Any]) -> Any:
        count = len(self._wrappers)
        sums = [_operand_sums(call.layer, x) for call, x in zip(self._wrappers, tapped[:count], strict=True)]
        return sums, [(tf.reduce_min(x), tf.reduce_max(x)) for x in tapped[count:]]

    def _measure_gradients(self, loss: Any, inputs: Any, labels: Any) -> Any:
        """What `_measure_batch` gives, and the magnitude of each weight's gradient times the samples."""
        count = len(self._wrappers)
        with tf.GradientTape() as tape:
            tape.watch(inputs)  # so that layers that do not train are recorded too
            *tapped, prediction = tf.nest.flatten(self._tapped(inputs, training=False))
            value = tf.reduce_mean(loss(labels, prediction))
        outputs = tapped[-count:]
        sums, ranges = self._reduce(tapped[:-count])
        samples = tf.cast(tf.shape(tf.nest.flatten(inputs)[0])[0], tf.float32)
        for call, x, gradient, layer in zip(
            self._wrappers, tapped, tape.gradient(value, outputs), sums, strict=False
        ):
            layer["gradient"] = samples * tf.abs(_adjoint(call.layer, x, gradient))
        return sums, ranges

    def _store(self, totals: _Totals) -> None:
        ranges = self._ranges(totals)
        statistics = [
            (layer, _statistics(layer.name, sums, totals.samples, places))
            for layer, sums, places in self._sums(totals)
        ]
        for layer, measured in statistics:
            layer.set_statistics(measured)
        for layer, (low, high) in ranges:
            layer.set_range(low, high)
        for layer in self.model.layers:
            if isinstance(layer, QuantizedWrapper):
                layer.calibrated.assign(1)

    def _sums(self, totals: _Totals) -> list[tuple[SkipWrapper, dict[str, Any], int]]:
        """Each layer with its sums and its output positions, over all calls of one that is shared."""
        found: dict[int, tuple[SkipWrapper, dict[str, Any], int]] = {}
        for call, sums in zip(self._wrappers, totals.sums, strict=True):
            layer, before, places = found.get(id(call.layer), (call.layer, dict.fromkeys(sums, 0.0), 0))
            added = {name: before[name] + values for name, values in sums.items()}
            found[id(call.layer)] = (layer, added, places + positions(call.shape))
        return list(found.values())

    def _ranges(self, totals: _Totals) -> list[tuple[QuantizeActivation, tuple[float, float]]]:
        """A layer called on several tensors gets a range that holds them all."""
        found: dict[int, tuple[QuantizeActivation, tuple[float, float]]] = {}
        for call, ends in zip(self._quantizers, totals.ranges, strict=True):
            low, high = float(ends[0]), float(ends[1])
            if not (np.isfinite(low) and np.isfinite(high)):
                raise CalibrationError(
                    f"activations at {call.layer.name!r} reach from {low} to {high}: expected finite "
                    "values; check the model's weights and the scale of the inputs"
                )
            fixed = call.layer.fixed_range
            if self._is_input[call.inputs[0]] and fixed and not fixed[0] <= low <= high <= fixed[1]:
                pixels = _PIXELS if low >= 0 and 127 < high <= 255 else ""
                raise CalibrationError(
                    f"calibration data reaches from {low} to {high}, outside the input_range {fixed} that "
                    f"the model was wrapped with; {pixels}scale the data as for training, or wrap with another range"
                )
            _, (other_low, other_high) = found.get(id(call.layer), (None, (low, high)))
            found[id(call.layer)] = (call.layer, (min(low, other_low), max(high, other_high)))
        return list(found.values())


def input_specs(model: Any) -> Any:
    """The signature of a function of a batch: a TensorSpec, or a tuple of one for each of several inputs."""
    specs = tuple(tf.TensorSpec((None, *tensor.shape[1:]), tf.float32) for tensor in model.inputs)
    return specs if len(specs) > 1 else specs[0]


def _tensors(batch: Any) -> Any:
    return tf.nest.map_structure(tf.constant, batch)


def _statistics(name: str, sums: dict[str, np.ndarray], samples: int, places: int) -> OperandStatistics:
    """Means over samples and output positions; a gradient is a sum over positions already."""
    means = {
        key: (total / (samples if key == "gradient" else samples * places)).astype(np.float32)
        for key, total in sums.items()
    }
    for key, values in means.items():
        if not np.all(np.isfinite(values)):
            raise CalibrationError(
                f"the {key} of the inputs of layer {name!r} is not finite: expected activations whose "
                "square a float32 holds, and a finite loss; check the model's weights and the scale of the "
                "inputs"
            )
    return OperandStatistics(**means)


def _operand_sums(layer: SkipWrapper, inputs: Any) -> dict[str, Any]:
    """Sums over samples and positions, of each operand's input.

    The sum of a_k r over positions, for any r given at each, is the gradient of sum(r * sum_k(w_k a_k)) with
    respect to w_k; so every statistic is a gradient of the layer's own products, right at borders and for any
    stride.
    """
    kernel = tf.convert_to_tensor(layer.kernel)
    terms = layer.products(tf.abs(inputs), tf.abs(kernel))
    total = tf.abs(layer.products(inputs, kernel))
    inverse = tf.math.reciprocal_no_nan(tf.maximum(total, RELATIVE_FLOOR * terms))
    return {
        "mean": _input_sums(layer, inputs, total),
        "mean_square": _input_sums(layer, tf.square(inputs), total),
        "relative": _adjoint(layer, tf.abs(inputs), inverse),
    }


def _input_sums(layer: SkipWrapper, inputs: Any, outputs: Any) -> Any:
    """Sums of each operand's input: of the kernel's shape, without output channels where all have the same inputs."""
    if layer.groups > 1:
        return _adjoint(layer, inputs, tf.ones_like(outputs))
    return _adjoint(layer, inputs, tf.ones_like(outputs[..., :1]))[..., 0]


def _adjoint(layer: SkipWrapper, inputs: Any, factors: Any) -> Any:
    kernel = tf.zeros((*layer.kernel.shape[:-1], factors.shape[-1]))
    with tf.GradientTape() as tape:
        tape.watch(kernel)
        outputs = layer.products(inputs, kernel)
    return tape.gradient(outputs, kernel, output_gradients=factors)
