"""Elementwise operators on int8 as tables of 256 values."""

from __future__ import annotations

import numpy as np

from export.ir.fixed_point import multiply_two_roundings, requantize_multiplier
from export.ir.graph import Graph
from export.ir.ops import Logistic, Lookup, Relu, Requantize

_ALL = np.arange(-128, 128, dtype=np.int64)


def lookup_table(graph: Graph, op: Relu | Logistic | Requantize | Lookup) -> tuple[int, ...]:
    """The outputs for the inputs -128 .. 127: output = table[input + 128]."""
    if isinstance(op, Lookup):
        return op.table
    source, target = graph.tensors[op.inputs[0]].quant, graph.tensors[op.output].quant
    if isinstance(op, Logistic):
        # Single precision, as the kernel fills its own table; exp is the correctly rounded one of double
        # precision.
        x = np.float32(source.scale) * (_ALL - source.zero_point).astype(np.float32)
        exp = np.exp(-x.astype(np.float64))
        with np.errstate(over="ignore"):
            sigmoid = np.float32(1) / (np.float32(1) + exp.astype(np.float32))
        scaled = np.floor(sigmoid * (np.float32(1) / np.float32(target.scale)) + np.float32(0.5))
        return tuple(np.clip(scaled.astype(np.int64) + target.zero_point, -128, 127).tolist())
    scaled = multiply_two_roundings(_ALL - source.zero_point, *requantize_multiplier(graph, op))
    low, high = op.clamp if isinstance(op, Relu) else (-128, 127)
    return tuple(np.clip(scaled + target.zero_point, low, high).tolist())
