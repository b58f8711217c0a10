"""SOFTMAX."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from string import Template

import numpy as np
from numpy.typing import NDArray

from export.csource.loops import counting_loops
from export.csource.source import Context, at, ctype, fill_border, function, open_input, open_output
from export.csource.text import table
from export.csource.work import Work, loop_work
from export.errors import QuantizationError, UnsupportedModelError
from export.ir.fixed_point import doubling_high_multiply, rounding_shift_right
from export.ir.graph import Graph
from export.ir.ops import LogSoftmax, Op, Softmax
from export.ir.softmax import ACCUMULATION_BITS, exp_table, reciprocal
from export.kernels.layout import Layout
from export.kernels.plan import Plan
from export.kernels.softmax import plan_softmax
from export.operators.operator import Mask, Operator, Order
from export.operators.reductions.reciprocal_c import reciprocal_function
from export.reading.activation import define_probability
from export.reading.flatbuffer import RawOperator
from export.reading.lowering import Lowering

# From 512 classes on, outputs that are nearly equal all round to 0, and the reference kernel aborts.
_MOST_PLANNED = 511
MAX_CLASSES = 4095
"""More could overflow the sum."""


def _read(state: Lowering, op: RawOperator) -> Op:
    state.arity(op, 1)
    source = state.activation(op)
    shape = state.tensors[source].shape
    if shape[-1] > MAX_CLASSES:
        raise UnsupportedModelError(f"{op}: at most {MAX_CLASSES} classes are supported, got {shape[-1]}")
    beta = state.option(op, "SoftmaxOptions", "Beta")
    if not (math.isfinite(beta) and beta * state.tensors[source].quant.scale * (1 << 26) > 1):
        raise QuantizationError(
            f"{op}: beta {beta} times the input scale {state.tensors[source].quant.scale:.3g} is no positive number of "
            "useful size: its inputs, the logits, are almost constant; was the network trained?"
        )
    return Softmax((source,), define_probability(state, op, state.shape(source)), beta)


def _compute(graph: Graph, op: Softmax, x: NDArray[np.int8]) -> NDArray[np.int8]:
    table = np.array(exp_table(graph, op), np.int64)
    exp = table[x.max(axis=-1, keepdims=True).astype(np.int64) - x]
    total = rounding_shift_right(exp, ACCUMULATION_BITS).sum(axis=-1, keepdims=True)
    scale, exponent = reciprocal(total)
    out = rounding_shift_right(doubling_high_multiply(scale, exp), exponent) - 128
    return np.minimum(out, 127).astype(np.int8)


def reads_rows(graph: Graph, op: Softmax | LogSoftmax, read: Mask) -> list[Mask]:
    """All classes, if any output is read: each output depends on its whole row."""
    shape = graph.tensors[op.inputs[0]].shape[1:]
    return [np.broadcast_to(np.full(shape[-1], read.any()), shape)]


def _plan(graph: Graph, op: Softmax, sources: Sequence[Layout], target: Layout) -> Plan | None:
    if sources[0].channels > _MOST_PLANNED:
        return None
    return plan_softmax(sources[0], target, exp_table(graph, op))


def _emit(context: Context) -> str:
    """Three loops over each row: its maximum, the sum of exponentials, the shares."""
    op, source, target, symbol = context.op, context.source, context.target, context.symbol
    assert isinstance(op, Softmax)
    tables = table("int32_t", f"{symbol}_exp", exp_table(context.graph, op))
    body = fill_border(target, context.zero_point(op.output)) + open_input(source) + open_output(target)
    value = f"x0[{at(source, 'y', 'x', 'c')}]"
    channels = [("c", source.channels)]
    exponential = f"{symbol}_exp[most - {value}]"
    share = f"{symbol}_share({exponential}, scale, shift)"
    inner = "int32_t most = -128;\n" + counting_loops(channels, f"if ({value} > most)\n    most = {value};\n")
    inner += "int32_t sum = 0, shift;\n"
    inner += counting_loops(channels, f"sum += ka_shift_right({exponential}, {ACCUMULATION_BITS});\n")
    inner += f"int32_t scale = {symbol}_scale(sum, &shift);\n"
    inner += counting_loops(channels, f"y0[{at(target, 'y', 'x', 'c')}] = ({ctype(target)}){share};\n")
    body += counting_loops([("y", source.height), ("x", source.width)], inner)
    helpers = reciprocal_function(symbol) + _HELPERS.substitute(symbol=symbol, BITS=ACCUMULATION_BITS)
    return tables + helpers + function(context, body)


def _work(context: Context) -> Work:
    source = context.source
    rows, loops = source.height * source.width, ("max tap", "softmax sum", "softmax share")
    found = loop_work((source.height, source.width), "softmax row") + Counter(bytes=1024)
    return sum((loop_work((source.channels,), unit, rows, (source,)) for unit in loops), found)


_HELPERS = Template(
    """
/* 1 / sum of a sum in Q12.19, as a Q0.31 fraction and the shift of a product with it. */
static int32_t ${symbol}_scale(int32_t sum, int32_t *shift)
{
    int32_t headroom = 0;
    while (!((uint32_t)sum << headroom >> 31))
        headroom++;
    *shift = ${BITS} - headroom + 23;
    return ${symbol}_reciprocal((int32_t)((uint32_t)sum << headroom >> 1));
}

static int32_t ${symbol}_share(int32_t exponential, int32_t scale, int32_t shift)
{
    int32_t product = ka_high_multiply(scale, exponential);
    int32_t q = (shift > 31 ? 0 : ka_shift_right(product, shift)) - 128;
    return q > 127 ? 127 : q;
}

"""
)


SOFTMAX = Operator(
    op=Softmax,
    kind="softmax",
    compute=_compute,
    readers={"SOFTMAX": _read},
    emit=_emit,
    work=_work,
    plan=_plan,
    reads=reads_rows,
    order=Order.ANY,
    limits=f"over the last dimension, up to {MAX_CLASSES} classes",
)
