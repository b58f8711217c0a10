"""Runs a graph in NumPy, bit for bit as TFLite's reference kernels do.

All arithmetic is on integers (convolutions use double precision matrix products, whose sums stay below 2^53 and are
therefore exact); each operator's is in its file in `operators`.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from export.errors import InputError
from export.ir import ops
from export.ir.graph import Graph
from export.operators.table import operator_of
from keras_approx.text import plural

Values = NDArray[Any]
_MAX_UNROLLED = 1 << 23  # elements
_MAX_IMAGES = 64


def run(graph: Graph, inputs: Values | Sequence[Values]) -> Any:
    """Outputs of the network. One with states runs the inputs one after the other, from its initial states.

    Args:
        graph: The network.
        inputs: int8 [n, *input shape without the batch dimension], or such an array for each input.

    Returns:
        int8 [n, *output shape without the batch dimension]; a tuple of arrays where there are several outputs.

    Raises:
        InputError: `inputs` has another type or shape.
    """
    given = checked_inputs(graph, inputs)
    count = len(given[0]) if given else 1
    out = [_empty(graph, tensor, count) for tensor in graph.outputs]
    states = {state.read: state.initial for state in graph.states}
    step = 1 if states else _images_at_a_time(graph)
    for start in range(0, count, step):
        batch = [values[start : start + step] for values in given]
        found = dict(_trace(graph, batch, states))
        for values, tensor in zip(out, graph.outputs, strict=True):
            values[start : start + step] = found[tensor]
        states = {s.read: found[s.read if s.written is None else s.written] for s in graph.states}
    return out[0] if len(out) == 1 else tuple(out)


def _empty(graph: Graph, tensor: int, count: int) -> Values:
    return np.empty((count, *graph.tensors[tensor].shape[1:]), graph.tensors[tensor].dtype)


def _images_at_a_time(graph: Graph) -> int:
    """As many as keep small what a convolution unrolls: one row of inputs for each output position."""
    largest = 1
    for op in graph.ops:
        if isinstance(op, ops.Conv2D | ops.DepthwiseConv2D):
            positions = math.prod(graph.tensors[op.output].shape[1:3])
            kernel = graph.tensors[op.weights].shape[1:3]
            largest = max(largest, positions * math.prod(kernel) * graph.tensors[op.inputs[0]].shape[3])
    return max(1, min(_MAX_IMAGES, _MAX_UNROLLED // largest))


def trace(graph: Graph, inputs: Values | Sequence[Values]) -> Iterator[tuple[int, Values]]:
    """Yields (tensor index, values [n, ...]) of the inputs, of the states and of each operator's output, in order.

    Raises:
        InputError: `inputs` has another type or shape than `run` wants.
    """
    yield from _trace(
        graph, checked_inputs(graph, inputs), {state.read: state.initial for state in graph.states}
    )


def _trace(graph: Graph, inputs: Sequence[Values], states: dict[int, Values]) -> Iterator[tuple[int, Values]]:
    count = len(inputs[0]) if inputs else 1
    values = dict(zip(graph.inputs, inputs, strict=True))
    values |= {tensor: np.repeat(state, count, axis=0) for tensor, state in states.items()}
    yield from list(values.items())
    for op in graph.ops:
        given = [values[i] if i in values else _repeated(graph, i, count) for i in op.inputs]
        computed = operator_of(op).compute(graph, op, *given)
        if op.updates:
            computed, *updated = computed
            values |= dict(zip(op.updates, updated, strict=True))
        values[op.output] = computed
        yield op.output, values[op.output]
    in_place = {state.read for state in graph.states if state.written is None}
    yield from ((tensor, values[tensor]) for tensor in in_place)


def _repeated(graph: Graph, constant: int, count: int) -> Values:
    data = graph.constant(constant)
    return np.broadcast_to(data, (count, *data.shape[1:]))


def checked_inputs(graph: Graph, inputs: Values | Sequence[Values]) -> list[Values]:
    """The inputs as one array each.

    Args:
        graph: The network.
        inputs: As for `run`.

    Raises:
        InputError: Another number of them, or type, or shape, or not as many inferences of each.
    """
    several = isinstance(inputs, Sequence) and all(isinstance(values, np.ndarray) for values in inputs)
    given: list[Any] = list(inputs) if several else [inputs]
    if len(given) != len(graph.inputs):
        raise InputError(f"expected {plural(len(graph.inputs), 'input')}, got {len(given)}")
    for values, tensor in zip(given, graph.inputs, strict=True):
        expected = graph.tensors[tensor].shape[1:]
        if not isinstance(values, np.ndarray) or values.dtype != np.int8 or values.shape[1:] != expected:
            got = (
                f"{values.dtype} {values.shape}" if isinstance(values, np.ndarray) else type(values).__name__
            )
            raise InputError(
                f"expected int8 inputs of shape (n, {', '.join(map(str, expected))}), got {got}; "
                "quantize real inputs with the scale and zero point of the network's input"
            )
    if len({len(values) for values in given}) > 1:
        raise InputError(f"expected as many of each input, got {[len(values) for values in given]}")
    return given
