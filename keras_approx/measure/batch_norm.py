"""Re-estimates the statistics of batch normalization for the network as it is now."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from keras_approx.compat import keras, tf
from keras_approx.errors import CalibrationError, UnsupportedModelError
from keras_approx.graph.topology import Call, calls
from keras_approx.layers.registry import positions
from keras_approx.measure.batches import batch_length, model_batches
from keras_approx.measure.calibration import input_specs


def recalibrate_batch_norm(
    model: Any,
    data: Any,
    *,
    batch_size: int = 64,
    steps: int | None = None,
    layers: Collection[str] | None = None,
) -> None:
    """Replaces the moving means and variances of a model by the means over the batches of some data.

    Moving averages follow training with a delay, and remember batches that went through other masks and
    weights. Each batch is normalized by its own statistics, as in training, without dropout; population
    variances are means of the batches' variances (the "precise" statistics of Wu and Johnson, "Rethinking 'Batch'
    in BatchNorm", 2021). A short last batch counts by its samples. A layer that is called several times gets the means
    over its calls, each of which counts by its positions.

    Batch normalization that the user froze, by `trainable = False` or by a call with `training=False`, keeps its
    statistics, and normalizes by them here too.

    Args:
        model: A wrapped model, or any functional tf_keras model; changed in place.
        data: Inputs, of the distribution that training sees: an array, a batched tf.data.Dataset, or an iterable
            of batches, as keras_approx.calibrate takes them.
        batch_size: Samples at a time, for arrays; that of training is best.
        steps: Batches to use at most; None for all there are.
        layers: Names of the batch normalizations to re-estimate; None for all that are not frozen.

    Raises:
        CalibrationError: If there is no data, or it does not fit the model.
        UnsupportedModelError: If the model has no batch normalization to re-estimate, or is not functional.
    """
    found = calls(model)
    chosen = [call for call in found if is_adaptive(call) and (layers is None or call.layer.name in layers)]
    if not chosen:
        norms = [call.layer.name for call in found if isinstance(call.layer, keras.layers.BatchNormalization)]
        reason = f": each of {', '.join(norms)} is frozen or was not asked for" if norms else ""
        raise UnsupportedModelError(f"model {model.name!r} has no batch normalization to recalibrate{reason}")
    keys = {call.key for call in chosen}
    measure = tf.function(lambda inputs: _moments(found, keys, inputs), input_signature=[input_specs(model)])
    means = {call.layer: MeanMoments() for call in chosen}
    for batch in model_batches(model, data, batch_size, steps):
        for call, moments in zip(chosen, measure(batch), strict=True):
            means[call.layer].add(batch_length(batch) * positions(call.shape), *moments)
    for layer, total in means.items():
        mean, variance = total.found()
        layer.moving_mean.assign(mean)
        layer.moving_variance.assign(variance)


class MeanMoments:
    """The means of means and variances, each counted by how many values it is of."""

    def __init__(self) -> None:
        self._mean: Any = 0.0
        self._variance: Any = 0.0
        self._weight = 0.0
        self._first = 0

    def add(self, values: int, mean: Any, variance: Any) -> None:
        """Adds the mean and the variance of so many values, float32 [channels] each."""
        self._first = self._first or values
        weight = values / self._first  # 1 where all are of as many: nothing is rounded then
        self._mean += weight * mean
        self._variance += weight * variance
        self._weight += weight

    def found(self) -> tuple[Any, Any]:
        """Mean and variance, float32 [channels] each.

        Raises:
            CalibrationError: If nothing was added.
        """
        if not self._weight:
            raise CalibrationError("there is no data: expected at least one batch of inputs, got none")
        return self._mean / self._weight, self._variance / self._weight


def is_adaptive(call: Call) -> bool:
    """Whether a call is batch normalization whose statistics may change: the user did not freeze it."""
    norm = isinstance(call.layer, keras.layers.BatchNormalization)
    return norm and call.layer.trainable and not call.inference_only


def _moments(found: list[Call], chosen: Collection[int], inputs: Any) -> list[tuple[Any, Any]]:
    """Means and variances, float32 [channels] each, of what goes into each chosen batch normalization."""
    given = iter(tf.nest.flatten(inputs))
    values: dict[int, Any] = {}
    moments = []
    for call in found:
        if not call.inputs:
            values[call.key] = next(given)
            continue
        arguments = [values[key] for key in call.inputs]
        if call.key in chosen:
            values[call.key], measured = normalize_batch(call.layer, arguments[0])
            moments.append(measured)
        else:
            values[call.key] = call.layer(arguments if len(arguments) > 1 else arguments[0])
    return moments


def normalize_batch(layer: Any, inputs: Any) -> tuple[Any, tuple[Any, Any]]:
    """What batch normalization gives in training, and the batch's mean and variance, float32 [channels] each."""
    mean, variance = tf.nn.moments(inputs, list(range(len(inputs.shape) - 1)))
    outputs = tf.nn.batch_normalization(inputs, mean, variance, layer.beta, layer.gamma, layer.epsilon)
    return outputs, (mean, variance)
