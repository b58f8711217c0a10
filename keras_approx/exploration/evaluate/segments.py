"""A wrapped model cut before each layer that carries a mask, so that what lies before a change is computed once.

Each segment is one TensorFlow function, traced once. It takes the tensors that are alive at its cut (several where
branches are open) and the kernel and bias of its layer as they are used: masked, quantized, compensated. Changing a
mask hands it other numbers and retraces nothing. The operations are those of the model, so the outputs are those
that `model.predict` gives.
"""

from __future__ import annotations

import inspect
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, partial
from typing import Any, cast

import numpy as np

from keras_approx.compat import keras, tf
from keras_approx.graph.topology import Call, calls, check_simple
from keras_approx.layers.quantized_layers import QuantizeActivation
from keras_approx.layers.skip_wrapper import SkipWrapper, skip_wrappers
from keras_approx.measure.batch_norm import is_adaptive, normalize_batch
from keras_approx.training.eliminate import Refit, refit_layer

Tensors = tuple[Any, ...]


@dataclass(frozen=True)
class _Step:
    """A call, and what is done to its inputs; a layer with a mask does that with given weights."""

    call: Call
    operation: Callable[[Any], Any]


@dataclass(frozen=True)
class Weights:
    """Kernel and bias of a layer as inference uses them; a bias of size 0 if it has none."""

    kernel: Any
    bias: Any


NO_WEIGHTS = Weights(np.zeros(0, np.float32), np.zeros(0, np.float32))


@dataclass(frozen=True)
class Segment:
    """What is computed between two cuts.

    Attributes:
        layer: Name of the layer that carries a mask and comes first; empty for what comes before all of them.
        run: Gives the tensors alive at the next cut, from those alive at this one and the layer's kernel and bias
            (NO_WEIGHTS if it has none). The first segment takes the inputs, the last one gives the model's output.
        adapt: The same with batch normalization by the statistics of the batch, and these: means and variances.
        norms: Its batch normalizations that are not frozen, in the order of what `adapt` gives; `run` reads their
            moving statistics.
    """

    layer: str
    run: Callable[[Tensors, Any, Any], Tensors]
    adapt: Callable[[Tensors, Any, Any], tuple[Tensors, Sequence[tuple[Any, Any]]]]
    norms: tuple[Any, ...]


def cut_model(model: Any) -> tuple[Segment, ...]:
    """Cuts a wrapped model. Its ranges, and all weights but those of masked layers, are those it has now.

    Returns:
        The segments in the order of computation.

    Raises:
        NotWrappedError: If the model is not wrapped.
        UnsupportedModelError: If it has several outputs, or a masked layer is called more than once.
    """
    skip_wrappers(model)
    check_simple(model, "exploration")
    found = calls(model)
    steps = _pool_first([_Step(call, _operation(call.layer)) for call in found])
    levels = _levels(found)
    count = max(levels.values())
    inputs = tuple(call.key for call in found[: len(model.inputs)])
    cuts = [inputs, *(_alive(found, levels, level) for level in range(1, count + 1))]
    cuts.append((found[-1].key,))
    shapes = {call.key: tf.TensorSpec((None, *call.shape), tf.float32) for call in found}
    return tuple(
        _segment(
            [step for step in steps[len(inputs) :] if levels[step.call.key] == level],
            {key: shapes[key] for key in cuts[level]},
            cuts[level + 1],
        )
        for level in range(count + 1)
    )


def masked_weights(layer: SkipWrapper, mask: np.ndarray, refit: Refit | None = None) -> Weights:
    """The layer's kernel and bias with this mask, computed by the layer itself, which keeps the mask.

    Args:
        layer: The layer.
        mask: bool, the kernel's shape.
        refit: How weights make up for what is skipped; the layer has its own again afterwards. None to leave them.

    Raises:
        MaskError: If the mask does not fit.
    """
    if refit is None:
        return _weights(layer, mask)
    own = layer.layer.get_weights()
    layer.set_mask(np.ones_like(mask))
    refit_layer(layer, mask, refit)
    found = _weights(layer, mask)
    layer.layer.set_weights(own)
    return found


def _weights(layer: SkipWrapper, mask: np.ndarray) -> Weights:
    layer.set_mask(mask)
    kernel = layer.effective_kernel()
    if layer.calibrated.numpy():
        kernel = layer.kernel_quantizer(kernel, None, {})
    bias = layer.bias
    return Weights(kernel, NO_WEIGHTS.bias if bias is None else tf.convert_to_tensor(bias))


def _levels(found: Sequence[Call]) -> dict[int, int]:
    """By key of a call, the number of the last masked layer that its output depends on; 0 for none."""
    levels: dict[int, int] = {}
    masked = 0
    for call in found:
        levels[call.key] = max((levels[key] for key in call.inputs), default=0)
        if isinstance(call.layer, SkipWrapper):
            masked += 1
            levels[call.key] = masked
    return levels


def _alive(found: Sequence[Call], levels: dict[int, int], level: int) -> tuple[int, ...]:
    """Keys of the calls before the cut of a level whose outputs are used after it."""
    after = [call for call in found if levels[call.key] >= level]
    return tuple(sorted({key for call in after for key in call.inputs if levels[key] < level}))


def _segment(part: Sequence[_Step], begin: Mapping[int, Any], end: Sequence[int]) -> Segment:
    """Defines a segment that takes the tensors of these keys and shapes and gives those of other keys."""
    masked = [step.call.layer for step in part if isinstance(step.call.layer, SkipWrapper)]
    norms = [step.call.layer for step in part if is_adaptive(step.call)]
    kernel, bias = (masked[0].kernel.shape, masked[0].bias) if masked else ((0,), None)
    signature = [
        tuple(begin.values()),
        tf.TensorSpec(kernel, tf.float32),
        tf.TensorSpec((0,) if bias is None else kernel[-1:], tf.float32),
    ]

    def run(tensors: Tensors, kernel: Any, bias: Any) -> Tensors:
        return _run(part, end, dict(zip(begin, tensors, strict=True)), Weights(kernel, bias), None)

    def adapt(tensors: Tensors, kernel: Any, bias: Any) -> Any:
        moments: list[tuple[Any, Any]] = []
        return _run(
            part, end, dict(zip(begin, tensors, strict=True)), Weights(kernel, bias), moments
        ), moments

    traced = cache(tf.function(adapt, input_signature=signature).get_concrete_function)

    def adapted(tensors: Tensors, kernel: Any, bias: Any) -> Any:
        return traced()(tensors, kernel, bias)  # traced if it is needed at all

    return Segment(
        masked[0].name if masked else "",
        tf.function(run, input_signature=signature).get_concrete_function(),
        adapted,
        tuple(norms),
    )


def _run(
    part: Sequence[_Step],
    end: Sequence[int],
    tensors: dict[int, Any],
    weights: Weights,
    moments: list[tuple[Any, Any]] | None,
) -> Tensors:
    """Computes a segment; with a list of moments by those of the batch, which are added to it."""
    for step in part:
        layer, inputs = step.call.layer, [tensors[key] for key in step.call.inputs]
        if isinstance(layer, SkipWrapper):
            outputs = layer.products(inputs[0], weights.kernel)
            if weights.bias.shape[0]:
                outputs = tf.nn.bias_add(outputs, weights.bias)
        elif moments is not None and is_adaptive(step.call):
            outputs, measured = normalize_batch(layer, inputs[0])
            moments.append(measured)
        else:
            outputs = step.operation(inputs if len(inputs) > 1 else inputs[0])
        tensors[step.call.key] = outputs
    return tuple(tensors[key] for key in end)


def _pool_first(steps: Sequence[_Step]) -> list[_Step]:
    """Takes maxima before ReLU and quantization, which then have less to do.

    Both are monotonic, so they commute with a maximum, to the last bit. The steps of such a chain, of which nothing
    else sees the tensors between them, trade what they do.
    """
    used = Counter(key for step in steps for key in step.call.inputs)
    changed = {step.call.key: step for step in steps}
    for step in steps:
        if type(step.call.layer).__name__ != "MaxPooling2D":
            continue
        chain = [step.call.key]
        while True:
            before = changed[chain[0]].call.inputs[0]
            if used[before] > 1 or not _monotonic(changed[before].call.layer):
                break
            chain.insert(0, before)
        operations = [step.operation, *(changed[key].operation for key in chain[:-1])]
        for key, operation in zip(chain, operations, strict=True):
            changed[key] = _Step(changed[key].call, operation)
    return list(changed.values())


def _monotonic(layer: Any) -> bool:
    relu = isinstance(layer, keras.layers.Activation) and layer.activation is keras.activations.relu
    return relu or isinstance(layer, (QuantizeActivation, keras.layers.ReLU))


def _operation(layer: Any) -> Callable[[Any], Any]:
    """What a layer without a mask does at inference; ranges are constants, which saves asking for them."""
    if isinstance(layer, QuantizeActivation):
        ends = layer.get_range()
        if ends is None:
            return tf.identity
        return partial(tf.quantization.fake_quant_with_min_max_vars, min=ends[0], max=ends[1])
    if "training" in inspect.signature(layer.call).parameters:
        return partial(layer, training=False)
    return cast(Callable[[Any], Any], layer)
