"""CONCATENATION, PAD and RESHAPE: operators that only move values."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from export.ir.graph import Graph
from export.ir.ops import Concatenation, Pad, Reshape


def concatenation(graph: Graph, op: Concatenation, *values: NDArray[np.int8]) -> NDArray[np.int8]:
    return np.concatenate(values, axis=op.axis)


def pad(graph: Graph, op: Pad, x: NDArray[np.int8]) -> NDArray[np.int8]:
    amounts = ((0, 0), (op.padding.top, op.padding.bottom), (op.padding.left, op.padding.right), (0, 0))
    return np.pad(x, amounts, constant_values=graph.tensors[op.output].quant.zero_point)


def reshape(graph: Graph, op: Reshape, x: NDArray[np.int8]) -> NDArray[np.int8]:
    return x.reshape(len(x), *graph.tensors[op.output].shape[1:])
