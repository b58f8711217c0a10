"""Moments of the inputs of a layer, and the effect of an error in its outputs on those of the network."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from export.analysis.interpreter import trace
from export.elimination.samples import Values
from export.ir.graph import Graph
from export.ir.ops import Conv2D, FullyConnected, LogSoftmax, Softmax
from export.operators.table import operator_of
from export.training_side import InputMoments

Sum = float | NDArray[np.float64]

ERROR = 0.5
"""Size of the errors that are tried, in standard deviations of a channel: about what skipping leaves."""


def moments(
    has: Iterable[NDArray[np.float32]], wanted: Iterable[NDArray[np.float32]] | None = None
) -> InputMoments:
    """Measures moments in one pass.

    Args:
        has: The inputs of output positions, [places, n] for each batch.
        wanted: Those it would have; None where they are the same.
    """
    count = 0
    sums: Sum = 0.0
    others: Sum = 0.0
    squares: Sum = 0.0
    products: Sum = 0.0
    pairs = ((x, x) for x in has) if wanted is None else zip(has, wanted, strict=True)
    for x, y in pairs:
        count += len(x)
        sums = sums + x.sum(axis=0, dtype=np.float64)
        squares = squares + (x.T @ x).astype(np.float64)
        if wanted is not None:
            others = others + y.sum(axis=0, dtype=np.float64)
            products = products + (x.T @ y).astype(np.float64)
    mean = np.asarray(sums) / count
    covariance = np.asarray(squares) / count - np.outer(mean, mean)
    if wanted is None:
        return InputMoments(mean, mean, covariance)
    other = np.asarray(others) / count
    return InputMoments(mean, other, covariance, np.asarray(products) / count - np.outer(mean, other))


def sensitivities(
    graph: Graph, layers: Iterable[int], inputs: Sequence[Values], seed: int = 0
) -> dict[int, NDArray[np.float64]]:
    """What an error of variance 1 in each output channel does to the network's outputs, in squares.

    Errors of random signs, half a standard deviation of the channel in size, are added at all its positions, and the
    rest of the network is run: with signs independent of each other the outputs' squared changes are, on average, the
    sum over positions. Where an activation function cut the output off, an error changes nothing. A softmax or arg max
    at the end is left out.

    Args:
        graph: The network, without states.
        layers: Indices of operators.
        inputs: int8 [n, *shape], one for each input; a few dozen samples are enough.
        seed: Of the signs.

    Returns:
        By operator, float64 [output channels].
    """
    values = dict(trace(graph, inputs))
    ends = [_before_choice(graph, tensor) for tensor in graph.outputs]
    rng = np.random.default_rng(seed)
    return {index: _sensitivity(graph, index, values, ends, rng) for index in layers}


def _before_choice(graph: Graph, tensor: int) -> int:
    """The values that a softmax or arg max at an output is of."""
    producer = graph.producer(tensor)
    if producer is not None and (
        isinstance(producer, Softmax | LogSoftmax) or graph.tensors[tensor].dtype == "int32"
    ):
        return _before_choice(graph, producer.inputs[0])
    return tensor


def _sensitivity(
    graph: Graph, index: int, values: Mapping[int, Values], ends: Sequence[int], rng: np.random.Generator
) -> NDArray[np.float64]:
    op = graph.ops[index]
    assert isinstance(op, Conv2D | FullyConnected)
    outputs = values[op.output]
    low, high = op.clamp
    scale = graph.tensors[op.output].quant.scale
    found = np.zeros(outputs.shape[-1])
    for channel in range(outputs.shape[-1]):
        before = outputs[..., channel].astype(np.int16)
        inside = (before > low) & (before < high)
        if not inside.any():
            continue
        size = max(1, round(ERROR * float(before[inside].std())))
        signs = rng.choice((-size, size), before.shape) * inside
        changed = outputs.copy()
        changed[..., channel] = np.clip(before + signs, low, high)
        after = _following(graph, index, values, {op.output: changed})
        squares = sum(
            float(
                np.square(
                    graph.tensors[end].quant.scale * (after[end].astype(np.float64) - values[end])
                ).sum()
            )
            for end in ends
            if end in after
        )
        found[channel] = squares / len(outputs) / (size * scale) ** 2
    return found


def _following(
    graph: Graph, index: int, values: Mapping[int, Values], changed: dict[int, Values]
) -> dict[int, Values]:
    """The changed values and all that follow from them, behind an operator."""
    count = len(next(iter(changed.values())))

    def value(tensor: int) -> Values:
        for known in (changed, values):
            if tensor in known:
                return known[tensor]
        data = graph.constant(tensor)
        return np.broadcast_to(data, (count, *data.shape[1:]))

    for op in graph.ops[index + 1 :]:
        if any(tensor in changed for tensor in op.inputs):
            changed[op.output] = operator_of(op).compute(graph, op, *map(value, op.inputs))
    return changed
