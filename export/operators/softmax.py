"""SOFTMAX."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from export.errors import QuantizationError, UnsupportedModelError
from export.ir.fixed_point import doubling_high_multiply, rounding_shift_right
from export.ir.graph import Graph
from export.ir.ops import Op, Softmax
from export.ir.softmax import ACCUMULATION_BITS, exp_table, reciprocal
from export.kernels.layout import Layout
from export.kernels.plan import Plan
from export.kernels.softmax import plan_softmax
from export.operators.operator import Mask, Operator, Order
from export.reading.activation import define_probability
from export.reading.flatbuffer import RawOperator
from export.reading.lowering import Lowering

# From 512 on the reference kernel stops the process when the classes are about equally likely.
_MAX_CLASSES = 511


def _read(state: Lowering, op: RawOperator) -> Op:
    state.arity(op, 1)
    source = state.activation(op)
    shape = state.tensors[source].shape
    if not 2 <= len(shape) <= 4:
        raise UnsupportedModelError(f"{op}: expected 2 to 4 dimensions, got shape {shape}")
    if shape[-1] > _MAX_CLASSES:
        raise UnsupportedModelError(f"{op}: at most {_MAX_CLASSES} classes are supported, got {shape[-1]}")
    beta = state.option(op, "SoftmaxOptions", "Beta")
    if not (math.isfinite(beta) and beta * state.tensors[source].quant.scale * (1 << 26) > 1):
        raise QuantizationError(
            f"{op}: beta {beta} times the input scale is no positive number of useful size"
        )
    return Softmax((source,), define_probability(state, op, shape), beta)


def _compute(graph: Graph, op: Softmax, x: NDArray[np.int8]) -> NDArray[np.int8]:
    table = np.array(exp_table(graph, op), np.int64)
    exp = table[x.max(axis=-1, keepdims=True).astype(np.int64) - x]
    total = rounding_shift_right(exp, ACCUMULATION_BITS).sum(axis=-1, keepdims=True)
    scale, exponent = reciprocal(total)
    out = rounding_shift_right(doubling_high_multiply(scale, exp), exponent) - 128
    return np.minimum(out, 127).astype(np.int8)


def _reads(graph: Graph, op: Softmax, read: Mask) -> list[Mask]:
    shape = graph.tensors[op.inputs[0]].shape[1:]
    return [np.broadcast_to(np.full(shape[-1], read.any()), shape)]


def _plan(graph: Graph, op: Softmax, sources: Sequence[Layout], target: Layout) -> Plan | None:
    return plan_softmax(sources[0], target, exp_table(graph, op))


SOFTMAX = Operator(
    op=Softmax,
    kind="softmax",
    compute=_compute,
    readers={"SOFTMAX": _read},
    plan=_plan,
    reads=_reads,
    order=Order.ANY,
    limits="over the last dimension, up to 511 classes",
)
