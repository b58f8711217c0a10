"""Functions of single int8 values, which are tables of 256: RELU and its kind, LOGISTIC, TANH, QUANTIZE and others."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from export.errors import ModelFormatError, QuantizationError
from export.ir.fixed_point import multiply_two_roundings, relu_multiplier
from export.ir.graph import Graph
from export.ir.ops import Lookup, Op, Relu
from export.ir.real import PROBABILITY
from export.ir.tensor import Quantization
from export.kernels.elementwise.plan import plan_lookup
from export.kernels.layout import Layout
from export.kernels.plan import Plan
from export.operators.elementwise import tables
from export.operators.elementwise.tables import Table
from export.operators.operator import Alias, Operator, Order, Range, Reader
from export.operators.rules import once_a_pixel, reads_elements, same_channels
from export.reading.activation import check_scale, clamp_bounds
from export.reading.flatbuffer import RawOperator
from export.reading.lowering import Lowering

_ALL = np.arange(-128, 128, dtype=np.int64)
_IDENTITY = tuple(range(-128, 128))
_FAR = "input and output scales are too far apart; quantize the model again"


def _read_relu(state: Lowering, op: RawOperator) -> Op:
    source, output = _ends(state, op)
    _check_ratio(state, op, source, output)
    return Relu((source,), output, clamp_bounds(state.tensors[output].quant, op.name))


def read_quantize(state: Lowering, op: RawOperator) -> Op:
    """QUANTIZE from int8 to int8."""
    source, output = _ends(state, op)
    _check_ratio(state, op, source, output)
    return _lookup(state, source, output, tables.requantized)


def _read_leaky_relu(state: Lowering, op: RawOperator) -> Op:
    source, output = _ends(state, op)
    alpha = state.option(op, "LeakyReluOptions", "Alpha")
    if not math.isfinite(alpha):
        raise ModelFormatError(f"{op}: expected a finite slope, got {alpha}; the file is damaged")
    _check_ratio(state, op, source, output, max(1.0, abs(alpha)))
    return _lookup(state, source, output, tables.leaky_relu(alpha))


def _read_hard_swish(state: Lowering, op: RawOperator) -> Op:
    source, output = _ends(state, op)
    if not tables.hard_swish_fits(state.tensors[source].quant, state.tensors[output].quant):
        raise QuantizationError(f"{op}: {_FAR}")
    return _lookup(state, source, output, tables.hard_swish)


def _reader(
    table: Callable[[Quantization, Quantization], Table], fixed: tuple[float, int] | None = None
) -> Reader:
    """Reads a function; the kernels of some demand one scale and zero point of the output."""

    def read(state: Lowering, op: RawOperator) -> Op:
        source, output = _ends(state, op)
        if fixed is not None:
            check_scale(op, state.tensors[output].quant, *fixed)
        return _lookup(state, source, output, table)

    return read


def _ends(state: Lowering, op: RawOperator) -> tuple[int, int]:
    state.arity(op, 1)
    source = state.activation(op)
    return source, state.define(op, state.shape(source))


def _check_ratio(state: Lowering, op: RawOperator, source: int, output: int, slope: float = 1.0) -> None:
    if tables.far_apart(slope * state.tensors[source].quant.scale / state.tensors[output].quant.scale):
        raise QuantizationError(f"{op}: {_FAR}")


def _lookup(
    state: Lowering, source: int, output: int, table: Callable[[Quantization, Quantization], Table]
) -> Op:
    return Lookup((source,), output, table(state.tensors[source].quant, state.tensors[output].quant))


def _relu_table(graph: Graph, op: Relu) -> Table:
    source, target = graph.tensors[op.inputs[0]].quant, graph.tensors[op.output].quant
    scaled = multiply_two_roundings(_ALL - source.zero_point, *relu_multiplier(graph, op))
    return tuple(np.clip(scaled + target.zero_point, *op.clamp).tolist())


def _plan(graph: Graph, op: Lookup, sources: Sequence[Layout], target: Layout) -> Plan | None:
    return plan_lookup(sources[0], target, op.table)


def _looked_up(table: NDArray[Any], source: Range) -> Range:
    ends, places = np.unique(source.reshape(2, -1), axis=1, return_inverse=True)
    found = [
        (table[low + 128 : high + 129].min(), table[low + 128 : high + 129].max())
        for low, high in ends.T.astype(int)
    ]
    return np.array(found, np.int8).T[:, places.ravel()].reshape(source.shape)


def _elementwise(op: type[Op], kind: str, table: Callable[[Graph, Any], Table], **fields: Any) -> Operator:
    """The record of a function of single values, given its table."""

    def compute(graph: Graph, op: Any, x: NDArray[np.int8]) -> NDArray[np.int8]:
        return np.array(table(graph, op), np.int8)[x.astype(np.int64) + 128]

    def ranges(graph: Graph, op: Any, sources: Sequence[Range]) -> Range:
        return _looked_up(np.array(table(graph, op)), sources[0])

    return Operator(
        op=op,
        kind=kind,
        compute=compute,
        table=table,
        ranges=once_a_pixel(ranges),
        reads=reads_elements,
        channels=same_channels,
        order=Order.ANY,
        **fields,
    )


LOOKUP = _elementwise(
    Lookup,
    "lookup",
    lambda graph, op: op.table,
    readers={
        "ELU": _reader(tables.elu),
        "EXP": _reader(tables.exp),
        "HARD_SWISH": _read_hard_swish,
        "LEAKY_RELU": _read_leaky_relu,
        "LOGISTIC": _reader(tables.logistic, PROBABILITY),
        "TANH": _reader(tables.tanh, (1 / 128, 0)),
    },
    plan=_plan,
    identity=lambda graph, op: op.table == _IDENTITY,
    limits="any scales; LOGISTIC's output has scale 1/256 and zero point -128, TANH's 1/128 and 0",
)
RELU = _elementwise(
    Relu,
    "relu",
    _relu_table,
    readers=dict.fromkeys(("RELU", "RELU6", "RELU_N1_TO_1", "RELU_0_TO_1"), _read_relu),
    limits="any scales",
)
QUANTIZE = Alias(
    {"QUANTIZE": read_quantize},
    "between int8 and uint8; QUANTIZE of a float32 input and DEQUANTIZE to a float32 output are left to the caller",
)
