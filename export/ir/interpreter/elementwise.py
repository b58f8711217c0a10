"""ADD, SOFTMAX and everything that is a table of 256 values."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from export.ir.fixed_point import (
    add_parameters,
    doubling_high_multiply,
    multiply_two_roundings,
    rounding_shift_right,
)
from export.ir.graph import Graph
from export.ir.ops import Add, Logistic, Lookup, Relu, Requantize, Softmax
from export.ir.softmax import ACCUMULATION_BITS, exp_table, reciprocal
from export.ir.tables import lookup_table


def add(graph: Graph, op: Add, x: NDArray[np.int8], y: NDArray[np.int8]) -> NDArray[np.int8]:
    parameters = add_parameters(graph, op)
    first, second = (
        multiply_two_roundings(
            (value.astype(np.int64) - graph.tensors[tensor].quant.zero_point) << parameters.left_shift,
            *multiplier,
        )
        for value, tensor, multiplier in zip(
            (x, y), op.inputs, (parameters.input1, parameters.input2), strict=True
        )
    )
    out = (
        multiply_two_roundings(first + second, *parameters.output) + graph.tensors[op.output].quant.zero_point
    )
    return np.clip(out, *op.clamp).astype(np.int8)


def softmax(graph: Graph, op: Softmax, x: NDArray[np.int8]) -> NDArray[np.int8]:
    table = np.array(exp_table(graph, op), np.int64)
    exp = table[x.max(axis=-1, keepdims=True).astype(np.int64) - x]
    total = rounding_shift_right(exp, ACCUMULATION_BITS).sum(axis=-1, keepdims=True)
    scale, exponent = reciprocal(total)
    out = rounding_shift_right(doubling_high_multiply(scale, exp), exponent) - 128
    return np.minimum(out, 127).astype(np.int8)


def lookup(graph: Graph, op: Relu | Logistic | Requantize | Lookup, x: NDArray[np.int8]) -> NDArray[np.int8]:
    return np.array(lookup_table(graph, op), np.int8)[x.astype(np.int64) + 128]
