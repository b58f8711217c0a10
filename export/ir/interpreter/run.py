"""Walks the operators of a graph over a batch of inputs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from export.errors import InputError
from export.ir import ops
from export.ir.graph import Graph

from . import conv, dense, elementwise, pool, shape

Activations = NDArray[np.int8]
Kernel = Callable[..., Activations]

KERNELS: dict[type[ops.Op], Kernel] = {
    ops.Conv2D: conv.conv_2d,
    ops.DepthwiseConv2D: conv.depthwise_conv_2d,
    ops.FullyConnected: dense.fully_connected,
    ops.Add: elementwise.add,
    ops.Concatenation: shape.concatenation,
    ops.MaxPool2D: pool.max_pool_2d,
    ops.AveragePool2D: pool.average_pool_2d,
    ops.Mean: pool.mean,
    ops.Pad: shape.pad,
    ops.Reshape: shape.reshape,
    ops.Softmax: elementwise.softmax,
    ops.Relu: elementwise.lookup,
    ops.Logistic: elementwise.lookup,
    ops.Requantize: elementwise.lookup,
    ops.Lookup: elementwise.lookup,
}
_CHUNK = 32  # images at a time: what a convolution unrolls must fit in memory


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
    for start in range(0, len(inputs), _CHUNK):
        chunk = inputs[start : start + _CHUNK]
        out[start : start + _CHUNK] = dict(trace(graph, chunk))[graph.output]
    return out


def trace(graph: Graph, inputs: NDArray[Any]) -> Iterator[tuple[int, Activations]]:
    """Yields (tensor index, int8 values [n, ...]) of the input and then of each operator's output, in order.

    Raises:
        InputError: `inputs` has another type or shape than `run` wants.
    """
    _check(graph, inputs)
    values: dict[int, Activations] = {graph.input: inputs}
    yield graph.input, inputs
    for op in graph.ops:
        values[op.output] = KERNELS[type(op)](graph, op, *(values[i] for i in op.inputs))
        yield op.output, values[op.output]


def _check(graph: Graph, inputs: NDArray[Any]) -> None:
    expected = graph.tensors[graph.input].shape[1:]
    if not isinstance(inputs, np.ndarray) or inputs.dtype != np.int8 or inputs.shape[1:] != expected:
        got = f"{inputs.dtype} {inputs.shape}" if isinstance(inputs, np.ndarray) else type(inputs).__name__
        raise InputError(
            f"expected int8 inputs of shape (n, {', '.join(map(str, expected))}), got {got}; "
            "quantize real inputs with the scale and zero point of the network's input"
        )
