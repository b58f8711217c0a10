"""Runs a graph in NumPy, bit for bit as TFLite's reference kernels do.

All arithmetic is on integers (convolutions use double precision matrix products, whose sums stay below 2^53 and are
therefore exact); each operator's is in its file in `operators`.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from export.errors import InputError
from export.ir import ops
from export.ir.graph import Graph
from export.operators.table import operator_of

Activations = NDArray[np.int8]
_MAX_UNROLLED = 1 << 23  # elements
_MAX_IMAGES = 64


def run(graph: Graph, inputs: NDArray[Any]) -> Activations:
    """Outputs of the network.

    Args:
        graph: the network.
        inputs: int8 [n, *input shape without the batch dimension].

    Returns:
        int8 [n, *output shape without the batch dimension].

    Raises:
        InputError: `inputs` has another type or shape.
    """
    _check(graph, inputs)
    out = np.empty((len(inputs), *graph.tensors[graph.output].shape[1:]), np.int8)
    step = _images_at_a_time(graph)
    for start in range(0, len(inputs), step):
        out[start : start + step] = dict(trace(graph, inputs[start : start + step]))[graph.output]
    return out


def _images_at_a_time(graph: Graph) -> int:
    """So many that what a convolution unrolls, one row of inputs for each output position, stays small."""
    largest = 1
    for op in graph.ops:
        if isinstance(op, ops.Conv2D | ops.DepthwiseConv2D):
            positions = math.prod(graph.tensors[op.output].shape[1:3])
            kernel = graph.tensors[op.weights].shape[1:3]
            largest = max(largest, positions * math.prod(kernel) * graph.tensors[op.inputs[0]].shape[3])
    return max(1, min(_MAX_IMAGES, _MAX_UNROLLED // largest))


def trace(graph: Graph, inputs: NDArray[Any]) -> Iterator[tuple[int, Activations]]:
    """Yields (tensor index, int8 values [n, ...]) of the input and then of each operator's output, in order.

    Raises:
        InputError: `inputs` has another type or shape than `run` wants.
    """
    _check(graph, inputs)
    values: dict[int, Activations] = {graph.input: inputs}
    yield graph.input, inputs
    for op in graph.ops:
        values[op.output] = operator_of(op).compute(graph, op, *(values[i] for i in op.inputs))
        yield op.output, values[op.output]


def _check(graph: Graph, inputs: NDArray[Any]) -> None:
    expected = graph.tensors[graph.input].shape[1:]
    if not isinstance(inputs, np.ndarray) or inputs.dtype != np.int8 or inputs.shape[1:] != expected:
        got = f"{inputs.dtype} {inputs.shape}" if isinstance(inputs, np.ndarray) else type(inputs).__name__
        raise InputError(
            f"expected int8 inputs of shape (n, {', '.join(map(str, expected))}), got {got}; "
            "quantize real inputs with the scale and zero point of the network's input"
        )
