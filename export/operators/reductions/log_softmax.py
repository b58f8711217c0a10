"""LOG_SOFTMAX."""

from __future__ import annotations

from collections import Counter
from string import Template

import numpy as np
from numpy.typing import NDArray

from export.csource.loops import counting_loops
from export.csource.source import Context, at, ctype, fill_border, function, open_input, open_output
from export.csource.text import table
from export.csource.work import Work, loop_work
from export.errors import QuantizationError, UnsupportedModelError
from export.ir import log_softmax as numbers
from export.ir.fixed_point import rounding_shift_right
from export.ir.graph import Graph
from export.ir.ops import LogSoftmax, Op
from export.ir.softmax import (
    ACCUMULATION_BITS,
    exponentials,
    scaled_differences,
)
from export.operators.operator import Operator, Order
from export.operators.reductions.reciprocal_c import reciprocal_function
from export.operators.reductions.softmax import MAX_CLASSES, reads_rows
from export.reading.activation import check_scale
from export.reading.flatbuffer import RawOperator
from export.reading.lowering import Lowering

_SMALLEST = 2.0**-25  # input scale: with it, a step is two units of Q5.26


def _read(state: Lowering, op: RawOperator) -> Op:
    state.arity(op, 1)
    source = state.activation(op)
    scale, classes = state.tensors[source].quant.scale, state.tensors[source].shape[-1]
    if classes > MAX_CLASSES:
        raise UnsupportedModelError(f"{op}: at most {MAX_CLASSES} classes are supported, got {classes}")
    if scale <= _SMALLEST:
        raise QuantizationError(
            f"{op}: the input scale {scale:.3g} is too small: its inputs, the logits, are almost constant; was the "
            "network trained?"
        )
    output = state.define(op, state.shape(source))
    check_scale(op, state.tensors[output].quant, 1 / 16, 127)
    return LogSoftmax((source,), output)


def _compute(graph: Graph, op: LogSoftmax, x: NDArray[np.int8]) -> NDArray[np.int8]:
    scale = graph.tensors[op.inputs[0]].quant.scale
    below = x.max(axis=-1, keepdims=True).astype(np.int64) - x
    exponential = np.array(exponentials(scale, 1.0), np.int64)[below]
    log = numbers.logarithm(rounding_shift_right(exponential, ACCUMULATION_BITS).sum(axis=-1, keepdims=True))
    scaled = scaled_differences(scale, 1.0)
    difference = scaled[np.minimum(below, len(scaled) - 1)] - log
    out = np.clip(rounding_shift_right(difference, numbers.OUTPUT_SHIFT) + 127, -128, 127)
    return np.where(below < numbers.reach(log, scale), out, -128).astype(np.int8)


def _emit(context: Context) -> str:
    """Three loops over each row: its maximum, the sum of exponentials, differences less the log of that sum."""
    op, source, target, symbol = context.op, context.source, context.target, context.symbol
    assert isinstance(op, LogSoftmax)
    scale = context.graph.tensors[op.inputs[0]].quant.scale
    scaled = scaled_differences(scale, 1.0).tolist()
    summed = rounding_shift_right(np.array(exponentials(scale, 1.0), np.int64), ACCUMULATION_BITS)
    mult, shift = numbers.reverse_multiplier(scale)
    tables = table("int32_t", f"{symbol}_exp", summed.tolist()) + table("int32_t", f"{symbol}_scaled", scaled)
    body = fill_border(target, context.zero_point(op.output)) + open_input(source) + open_output(target)
    value = f"x0[{at(source, 'y', 'x', 'c')}]"
    channels = [("c", source.channels)]
    inner = "int32_t most = -128;\n" + counting_loops(channels, f"if ({value} > most)\n    most = {value};\n")
    inner += "int32_t sum = 0;\n" + counting_loops(channels, f"sum += {symbol}_exp[most - {value}];\n")
    inner += f"int32_t log = {symbol}_log(sum);\n"
    inner += f"int32_t reach = -ka_multiply(-2147483647 - 1 + log, {mult}, {shift});\n"
    inner += f"reach = reach < {len(scaled)} ? reach : {len(scaled)};\n"
    each = f"int32_t below = most - {value}, q = -128;\nif (below < reach)\n"
    each += f"    q = ka_shift_right({symbol}_scaled[below] - log, {numbers.OUTPUT_SHIFT}) + 127;\n"
    each += f"y0[{at(target, 'y', 'x', 'c')}] = ({ctype(target)})ka_clamp8(q, -128, 127);\n"
    inner += counting_loops(channels, each)
    body += counting_loops([("y", source.height), ("x", source.width)], inner)
    constants = {name: getattr(numbers, name) for name in _CONSTANTS}
    logarithm = reciprocal_function(symbol) + _LOGARITHM.substitute(constants, symbol=symbol)
    return tables + logarithm + function(context, body)


def _work(context: Context) -> Work:
    source = context.source
    rows, loops = source.height * source.width, ("max tap", "log softmax sum", "log softmax element")
    op = context.op
    assert isinstance(op, LogSoftmax)
    scale = context.graph.tensors[op.inputs[0]].quant.scale
    words = len(exponentials(scale, 1.0)) + len(scaled_differences(scale, 1.0))
    found = loop_work((source.height, source.width), "log softmax row") + Counter(bytes=4 * words)
    return sum((loop_work((source.channels,), unit, rows, (source,)) for unit in loops), found)


_CONSTANTS = (
    *("LOG_2", "SQRT_HALF", "FOURTH_ROOT_OF_HALF", "CUBIC", "SQUARE", "CONSTANT", "LINEAR"),
    *("POWER_SHIFT", "QUARTER", "ACCUMULATION_BITS"),
)
_LOGARITHM = Template(
    """
/* x * 2^n, at most the largest number; x is not negative. */
static int32_t ${symbol}_raised(int32_t x, int32_t n)
{
    return x > (2147483647 >> n) ? 2147483647 : (int32_t)((uint32_t)x << n);
}

/* The natural logarithm of a sum in Q12.19, in Q5.26. */
static int32_t ${symbol}_log(int32_t sum)
{
    int32_t spare = 0;
    while (!((uint32_t)sum << spare >> 30))
        spare++;
    int32_t r = ${symbol}_raised(ka_high_multiply((int32_t)((uint32_t)sum << spare), ${SQRT_HALF}), 1);
    int32_t k = (${ACCUMULATION_BITS} - 1 - spare) * (1 << ${POWER_SHIFT}) + ${QUARTER};
    int32_t lower = ka_high_multiply(sum, ${SQRT_HALF});
    spare = 0;
    while (!((uint32_t)lower << spare >> 30))
        spare++;
    int32_t other = ${symbol}_raised(sum, spare);
    int32_t power = (${ACCUMULATION_BITS} - spare) * (1 << ${POWER_SHIFT}) - ${QUARTER};
    r = other < r ? other : r;
    k = power > k ? power : k;
    int32_t p = (int32_t)(((uint32_t)r + ${FOURTH_ROOT_OF_HALF}u + 1) >> 1);
    int32_t q = (r - ${FOURTH_ROOT_OF_HALF}) * 2;
    int32_t square = ka_high_multiply(q, q);
    int32_t above = ka_high_multiply(q, r) + ka_high_multiply(ka_high_multiply(q, square), ${CUBIC});
    int32_t below = ka_high_multiply(p, ${CONSTANT} + q + ka_high_multiply(square, ${SQUARE}));
    below += ka_high_multiply(q, ${LINEAR});
    int32_t half = (int32_t)(((uint32_t)below + 2147483648u) >> 1);
    int32_t ratio = ka_high_multiply(ka_shift_right(above, 6), ${symbol}_reciprocal(half));
    return (ka_high_multiply(k, ${LOG_2}) + ratio) * 2;
}

"""
)


LOG_SOFTMAX = Operator(
    op=LogSoftmax,
    kind="log_softmax",
    compute=_compute,
    readers={"LOG_SOFTMAX": _read},
    emit=_emit,
    work=_work,
    reads=reads_rows,
    order=Order.ANY,
    limits=f"over the last dimension, up to {MAX_CLASSES} classes",
)
