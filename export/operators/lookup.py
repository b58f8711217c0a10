"""Functions of single int8 values, which become tables of 256: RELU and its kind, LOGISTIC, QUANTIZE."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from export.errors import QuantizationError
from export.ir.fixed_point import multiply_two_roundings, quantize_multiplier, requantize_multiplier
from export.ir.graph import Graph
from export.ir.ops import Logistic, Lookup, Op, Relu, Requantize
from export.kernels.elementwise import plan_lookup
from export.kernels.layout import Layout
from export.kernels.plan import Plan
from export.operators.operator import Operator, Order, Range
from export.operators.rules import once_a_pixel, reads_elements, same_channels
from export.reading.activation import clamp_bounds, define_probability
from export.reading.flatbuffer import RawOperator
from export.reading.lowering import Lowering

_MAX_SHIFT = 22  # (q - zero point) needs 9 bits
_ALL = np.arange(-128, 128, dtype=np.int64)
_IDENTITY = tuple(range(-128, 128))
Table = Callable[[Graph, Any], tuple[int, ...]]


def _read_relu(state: Lowering, op: RawOperator) -> Op:
    source, output = _requantized(state, op)
    return Relu((source,), output, clamp_bounds(state.tensors[output].quant, op.name))


def _read_logistic(state: Lowering, op: RawOperator) -> Op:
    state.arity(op, 1)
    source = state.activation(op)
    return Logistic((source,), define_probability(state, op, state.tensors[source].shape))


def read_quantize(state: Lowering, op: RawOperator) -> Op:
    """QUANTIZE from int8 to int8."""
    source, output = _requantized(state, op)
    return Requantize((source,), output)


def _requantized(state: Lowering, op: RawOperator) -> tuple[int, int]:
    state.arity(op, 1)
    source = state.activation(op)
    output = state.define(op, state.tensors[source].shape)
    ratio = state.tensors[source].quant.scale / state.tensors[output].quant.scale
    if quantize_multiplier(ratio)[1] > _MAX_SHIFT:
        raise QuantizationError(f"{op}: input and output scales are too far apart; quantize the model again")
    return source, output


def _logistic_table(graph: Graph, op: Logistic) -> tuple[int, ...]:
    """In single precision, as the kernel fills its own table; exp is the correctly rounded one of double precision."""
    source, target = graph.tensors[op.inputs[0]].quant, graph.tensors[op.output].quant
    x = np.float32(source.scale) * (_ALL - source.zero_point).astype(np.float32)
    exp = np.exp(-x.astype(np.float64))
    with np.errstate(over="ignore"):
        sigmoid = np.float32(1) / (np.float32(1) + exp.astype(np.float32))
    scaled = np.floor(sigmoid * (np.float32(1) / np.float32(target.scale)) + np.float32(0.5))
    return tuple(np.clip(scaled.astype(np.int64) + target.zero_point, -128, 127).tolist())


def _requantized_table(graph: Graph, op: Requantize | Relu) -> tuple[int, ...]:
    source, target = graph.tensors[op.inputs[0]].quant, graph.tensors[op.output].quant
    scaled = multiply_two_roundings(_ALL - source.zero_point, *requantize_multiplier(graph, op))
    low, high = op.clamp if isinstance(op, Relu) else (-128, 127)
    return tuple(np.clip(scaled + target.zero_point, low, high).tolist())


def _plan(graph: Graph, op: Lookup, sources: Sequence[Layout], target: Layout) -> Plan | None:
    return plan_lookup(sources[0], target, op.table)


def _looked_up(table: NDArray[Any], source: Range) -> Range:
    ends, places = np.unique(source.reshape(2, -1), axis=1, return_inverse=True)
    found = [
        (table[low + 128 : high + 129].min(), table[low + 128 : high + 129].max())
        for low, high in ends.T.astype(int)
    ]
    return np.array(found, np.int8).T[:, places.ravel()].reshape(source.shape)


def elementwise(
    op: type[Op],
    kind: str,
    table: Table,
    readers: dict[str, Callable[[Lowering, RawOperator], Op]],
    limits: str = "",
    plan: Callable[..., Plan | None] | None = None,
    identity: Callable[[Graph, Any], bool] = lambda graph, op: False,
) -> Operator:
    """The record of a function of single values, given its table; passes turn all but Lookup into Lookup."""

    def compute(graph: Graph, op: Any, x: NDArray[np.int8]) -> NDArray[np.int8]:
        return np.array(table(graph, op), np.int8)[x.astype(np.int64) + 128]

    def ranges(graph: Graph, op: Any, sources: Sequence[Range]) -> Range:
        return _looked_up(np.array(table(graph, op)), sources[0])

    return Operator(
        op=op,
        kind=kind,
        compute=compute,
        readers=readers,
        plan=plan or (lambda graph, op, sources, target: None),
        table=table,
        ranges=once_a_pixel(ranges),
        reads=reads_elements,
        channels=same_channels,
        order=Order.ANY,
        identity=identity,
        limits=limits,
    )


LOOKUP = elementwise(
    Lookup,
    "lookup",
    lambda graph, op: op.table,
    {},
    plan=_plan,
    identity=lambda graph, op: op.table == _IDENTITY,
)
RELU = elementwise(
    Relu,
    "relu",
    _requantized_table,
    dict.fromkeys(("RELU", "RELU6", "RELU_N1_TO_1"), _read_relu),
    "any scales",
)
LOGISTIC = elementwise(
    Logistic,
    "logistic",
    _logistic_table,
    {"LOGISTIC": _read_logistic},
    "output of scale 1/256 and zero point -128",
)
REQUANTIZE = elementwise(Requantize, "requantize", _requantized_table, {}, "any scales")
