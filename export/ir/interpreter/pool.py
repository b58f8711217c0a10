"""MAX_POOL_2D, AVERAGE_POOL_2D and MEAN."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from export.ir.fixed_point import mean_parameters, multiply_two_roundings, rounded_mean
from export.ir.graph import Graph
from export.ir.interpreter.window import windows
from export.ir.ops import AveragePool2D, MaxPool2D, Mean


def max_pool_2d(graph: Graph, op: MaxPool2D, x: NDArray[np.int8]) -> NDArray[np.int8]:
    seen = windows(x.astype(np.int64), op.kernel, op.stride, (1, 1), op.padding, fill=-128)
    return np.clip(seen.max(axis=(3, 4)), *op.clamp).astype(np.int8)


def average_pool_2d(graph: Graph, op: AveragePool2D, x: NDArray[np.int8]) -> NDArray[np.int8]:
    total = windows(x.astype(np.int64), op.kernel, op.stride, (1, 1), op.padding, fill=0).sum(axis=(3, 4))
    inside = np.ones((1, *x.shape[1:3], 1), np.int64)
    count = windows(inside, op.kernel, op.stride, (1, 1), op.padding, fill=0).sum(axis=(3, 4))
    return np.clip(rounded_mean(total, count), *op.clamp).astype(np.int8)


def mean(graph: Graph, op: Mean, x: NDArray[np.int8]) -> NDArray[np.int8]:
    parameters = mean_parameters(graph, op)
    source, target = graph.tensors[op.inputs[0]], graph.tensors[op.output]
    total = x.sum(axis=(1, 2), dtype=np.int64) - parameters.count * source.quant.zero_point
    out = multiply_two_roundings(total, *parameters.multiplier) + target.quant.zero_point
    return np.clip(out, -128, 127).astype(np.int8).reshape(len(x), *target.shape[1:])
