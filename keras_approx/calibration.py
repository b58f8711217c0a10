"""Runs data through a wrapped model once, and stores operand statistics and activation ranges."""

from __future__ import annotations

from typing import Any

import numpy as np

from keras_approx.batches import input_batches
from keras_approx.compat import keras, tf
from keras_approx.errors import CalibrationError
from keras_approx.quantized_layers import QuantizeActivation, QuantizedWrapper
from keras_approx.registry import positions
from keras_approx.significance import OperandStatistics
from keras_approx.skip_wrapper import SkipWrapper, skip_wrappers
from keras_approx.topology import calls

# A sum that cancels to less than this share of its terms' magnitudes is taken to be this large: below one
# step of an int8 output, |w a| / |sum w a| says nothing but how near to zero the sum came.
RELATIVE_FLOOR = 2.0**-8


def calibrate(
    model: Any,
    data: Any,
    *,
    batch_size: int = 64,
    steps: int | None = None,
    input_range: tuple[float, float] | None = None,
    verbose: bool = True,
) -> None:
    """Measures the inputs of every layer, sets the activation ranges, and switches quantization on.

    One pass over the data; memory does not depend on its length. Nothing is changed if it fails. Calling it
    again measures anew, then on the quantized and masked model.

    Args:
        model: A wrapped model.
        data: Inputs as an array (n, *input shape), a batched tf.data.Dataset, or an iterable of batches;
            batches may be tuples that start with the inputs, such as (inputs, labels).
        batch_size: Samples at a time, for arrays.
        steps: Batches to use at most; None for all there are.
        input_range: Smallest and largest value that inputs can have, if known; measured otherwise. With
            (-1, 127 / 128), for example, int8 pixels have scale 1 / 128 and zero point 0.
        verbose: Whether to show progress.

    Raises:
        NotWrappedError: If the model is not wrapped.
        CalibrationError: If there is no data, it has another shape, contains NaN or infinity or values
            outside the input range, or if activations are not finite.
    """
    skip_wrappers(model)
    probe = _Probe(model)
    batches = input_batches(data, tuple(model.input_shape[1:]), batch_size, steps)
    progress = keras.utils.Progbar(batches.count, verbose=int(verbose), unit_name="batch")
    for batch in batches:
        probe.measure(batch)
        progress.add(1)
    if not probe.samples:
        raise CalibrationError(
            "there is no calibration data: expected at least one batch of inputs, got none"
        )
    if batches.count is None:
        progress.update(progress._seen_so_far, finalize=True)
    probe.store(input_range)


class _Probe:
    """Accumulates in float64 what each batch gives in float32."""

    def __init__(self, model: Any) -> None:
        found = calls(model)
        self.model = model
        self.wrappers = [call for call in found if isinstance(call.layer, SkipWrapper)]
        self.quantizers = [call for call in found if isinstance(call.layer, QuantizeActivation)]
        self.samples = 0
        self.sums: list[dict[str, np.ndarray]] = []
        self.ranges = [(np.inf, -np.inf)] * len(self.quantizers)
        taps = [call.input_tensors[0] for call in (*self.wrappers, *self.quantizers)]
        self._tapped = keras.Model(model.inputs, taps)
        signature = tf.TensorSpec((None, *model.input_shape[1:]), tf.float32)
        self._step = tf.function(self._measure_batch, input_signature=[signature])

    def _measure_batch(self, inputs: Any) -> Any:
        tapped = tf.nest.flatten(self._tapped(inputs, training=False))
        count = len(self.wrappers)
        sums = [_operand_sums(call.layer, x) for call, x in zip(self.wrappers, tapped[:count], strict=True)]
        return sums, [(tf.reduce_min(x), tf.reduce_max(x)) for x in tapped[count:]]

    def measure(self, batch: np.ndarray) -> None:
        sums, ranges = self._step(tf.constant(batch))
        found = [{name: value.numpy().astype(np.float64) for name, value in layer.items()} for layer in sums]
        self.samples += len(batch)
        self.sums = _added(self.sums, found) if self.sums else found
        self.ranges = [
            (min(low, float(new_low)), max(high, float(new_high)))
            for (low, high), (new_low, new_high) in zip(self.ranges, ranges, strict=True)
        ]

    def store(self, input_range: tuple[float, float] | None) -> None:
        if input_range is not None:
            self._set_input_range(*input_range)
        ranges = self._range_by_layer()
        statistics = [
            _statistics(call.layer.name, sums, self.samples * positions(call.shape))
            for call, sums in zip(self.wrappers, self.sums, strict=True)
        ]
        for call, measured in zip(self.wrappers, statistics, strict=True):
            call.layer.set_statistics(measured)
        for layer, (low, high) in ranges:
            layer.set_range(low, high)
        for layer in self.model.layers:
            if isinstance(layer, QuantizedWrapper):
                layer.calibrated.assign(1)

    def _set_input_range(self, low: float, high: float) -> None:
        index = next(number for number, call in enumerate(self.quantizers) if call.inputs == (0,))
        measured_low, measured_high = self.ranges[index]
        if not low <= measured_low <= measured_high <= high:
            raise CalibrationError(
                f"calibration data reaches from {measured_low} to {measured_high}, outside the given input_range "
                f"({low}, {high})"
            )
        self.ranges[index] = (low, high)

    def _range_by_layer(self) -> list[tuple[QuantizeActivation, tuple[float, float]]]:
        """A layer called on several tensors gets a range that holds them all."""
        found: dict[int, tuple[QuantizeActivation, tuple[float, float]]] = {}
        for call, (low, high) in zip(self.quantizers, self.ranges, strict=True):
            if not (np.isfinite(low) and np.isfinite(high)):
                raise CalibrationError(
                    f"activations at {call.layer.name!r} reach from {low} to {high}: expected finite "
                    "values; check the model's weights and the scale of the inputs"
                )
            _, (other_low, other_high) = found.get(id(call.layer), (None, (low, high)))
            found[id(call.layer)] = (call.layer, (min(low, other_low), max(high, other_high)))
        return list(found.values())


def _statistics(name: str, sums: dict[str, np.ndarray], count: int) -> OperandStatistics:
    means = {key: (total / count).astype(np.float32) for key, total in sums.items()}
    for key, values in means.items():
        if not np.all(np.isfinite(values)):
            raise CalibrationError(
                f"the {key} of the inputs of layer {name!r} is not finite: expected activations whose square a "
                "float32 holds; check the model's weights and the scale of the inputs"
            )
    return OperandStatistics(**means)


def _added(
    totals: list[dict[str, np.ndarray]], new: list[dict[str, np.ndarray]]
) -> list[dict[str, np.ndarray]]:
    return [{name: old[name] + more[name] for name in old} for old, more in zip(totals, new, strict=True)]


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
    ones = tf.ones_like(total[..., :1])
    return {
        "mean": _adjoint(layer, inputs, ones)[..., 0],
        "mean_square": _adjoint(layer, tf.square(inputs), ones)[..., 0],
        "relative": _adjoint(layer, tf.abs(inputs), inverse),
    }


def _adjoint(layer: SkipWrapper, inputs: Any, factors: Any) -> Any:
    kernel = tf.zeros((*layer.kernel.shape[:-1], factors.shape[-1]))
    with tf.GradientTape() as tape:
        tape.watch(kernel)
        outputs = layer.products(inputs, kernel)
    return tape.gradient(outputs, kernel, output_gradients=factors)
