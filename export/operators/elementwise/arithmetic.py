"""ADD, SUB, MUL, MAXIMUM and MINIMUM of tensors and constants, with broadcasting, and PRELU.

Two tensors of one shape that are added are the operator in `add`, which has kernels of its own. What a constant or the
other operand makes a function of one tensor becomes a table, see `passes.tabulate`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from export.csource.loops import counting_loops
from export.csource.nest import write_nest
from export.csource.source import Context, ctype, fill_border, function
from export.csource.work import Work, nest_work
from export.errors import ModelFormatError, QuantizationError
from export.ir.fixed_point import (
    ADD_LEFT_SHIFT,
    INT32_MAX,
    Ints,
    Multiplier,
    multiply_two_roundings,
    quantize_multiplier,
    sum_parameters,
)
from export.ir.graph import Graph
from export.ir.ops import Add, Op
from export.ir.tensor import Quantization
from export.kernels.elementwise.addition import sum_numbers
from export.kernels.elementwise.nest import Nest, nest
from export.kernels.elementwise.nested_plan import plan_maximum, plan_product, plan_sum
from export.kernels.layout import Layout
from export.kernels.plan import Plan
from export.kernels.requantize import Requantization, plan_requantization
from export.operators.operator import Mask, Operator
from export.reading.activation import fused_clamp
from export.reading.flatbuffer import RawOperator
from export.reading.lowering import Lowering

Function = Literal["add", "sub", "mul", "maximum", "minimum", "prelu"]
_LARGEST_PRODUCT = 255 * 255
_FAR = "input and output scales are too far apart; quantize the model again"


@dataclass(frozen=True)
class Arithmetic(Op):
    """`function` of two operands, elements of which are repeated along dimensions where they have one."""

    function: Function
    clamp: tuple[int, int]


def _read(function: Function) -> Callable[[Lowering, RawOperator], Op]:
    def read(state: Lowering, op: RawOperator) -> Op:
        state.arity(op, 2)
        x, y = state.operand(op, 0), state.operand(op, 1)
        shapes = [state.shape(operand) for operand in (x, y)]
        try:
            output = state.define(op, np.broadcast_shapes(*shapes))
        except ValueError:
            raise ModelFormatError(
                f"{op}: shapes {shapes[0]} and {shapes[1]} do not go together; the file is damaged"
            ) from None
        clamp = (-128, 127)
        if function in ("add", "sub", "mul"):
            clamp = fused_clamp(state, op, f"{function.capitalize()}Options", output)
        elif function != "prelu":
            state.same_quantization(op, x, y, output)
        made = Arithmetic((x, y), output, function, clamp)
        _check(op, made, *(state.tensors[tensor].quant for tensor in (x, y, output)))
        both = not any(state.tensors[operand].data is not None for operand in (x, y))
        if function == "add" and both and shapes[0] == shapes[1]:
            return Add((x, y), output, clamp)
        return made

    return read


def _check(op: RawOperator, made: Arithmetic, x: Quantization, y: Quantization, out: Quantization) -> None:
    """Demands that no shift to the left can overflow 32 bits."""
    if made.function in ("add", "sub"):
        if 2 * max(x.scale, y.scale) >= (1 << ADD_LEFT_SHIFT) * out.scale:
            raise QuantizationError(f"{op}: {_FAR}")
    elif made.function in ("mul", "prelu"):
        shifts = [
            product_multiplier(x, y, out)[1],
            *([_ratio(x, out)[1]] if made.function == "prelu" else []),
        ]
        if _LARGEST_PRODUCT << max(0, *shifts) > INT32_MAX:
            raise QuantizationError(f"{op}: {_FAR}")


def product_multiplier(x: Quantization, y: Quantization, out: Quantization) -> Multiplier:
    """In single precision, as the kernels compute it."""
    product = np.float32(x.scale) * np.float32(y.scale)
    return quantize_multiplier(float(product / np.float32(out.scale)))


def _ratio(x: Quantization, out: Quantization) -> Multiplier:
    return quantize_multiplier(float(np.float32(x.scale) / np.float32(out.scale)))


def _compute(graph: Graph, op: Arithmetic, *values: NDArray[np.int8]) -> NDArray[np.int8]:
    shape = graph.tensors[op.output].shape[1:]
    operands = [_aligned(value, len(shape)).astype(np.int64) for value in values]
    out = _applied(graph, op, operands[0], operands[1])
    clipped = np.clip(out, *op.clamp).astype(np.int8)
    return np.broadcast_to(clipped, (max(map(len, values)), *shape))


def _aligned(value: NDArray[np.int8], rank: int) -> NDArray[np.int8]:
    """[n, ...] with dimensions of 1 behind the batch, so that the last ones of all operands meet."""
    return value.reshape(len(value), *[1] * (rank + 1 - value.ndim), *value.shape[1:])


def _applied(graph: Graph, op: Arithmetic, a: Ints, b: Ints) -> Ints:
    """The function of int8 values, not clamped."""
    first, second, out = (graph.tensors[tensor].quant for tensor in (*op.inputs, op.output))
    if op.function == "maximum":
        return np.maximum(a, b)
    if op.function == "minimum":
        return np.minimum(a, b)
    x, y = a - first.zero_point, b - second.zero_point
    if op.function == "mul":
        return multiply_two_roundings(x * y, *product_multiplier(first, second, out)) + out.zero_point
    if op.function == "prelu":
        positive = multiply_two_roundings(x, *_ratio(first, out))
        negative = multiply_two_roundings(x * y, *product_multiplier(first, second, out))
        return np.where(x >= 0, positive, negative) + out.zero_point
    numbers = sum_parameters(first, second, out)
    x = multiply_two_roundings(x << numbers.left_shift, *numbers.input1)
    y = multiply_two_roundings(y << numbers.left_shift, *numbers.input2)
    total = x + y if op.function == "add" else x - y
    return multiply_two_roundings(total, *numbers.output) + out.zero_point


def broadcast_indices(graph: Graph, tensor: int, output: int) -> Ints:
    """Which element of an operand each one of the output is computed from: int [output shape]."""
    shape, wanted = graph.tensors[tensor].shape, graph.tensors[output].shape
    index = np.arange(graph.tensors[tensor].size).reshape(shape)
    return np.broadcast_to(index.reshape(*[1] * (len(wanted) - len(shape)), *shape), wanted)


def _reads(graph: Graph, op: Arithmetic, read: Mask) -> list[Mask]:
    found = []
    for tensor in op.inputs:
        shape = graph.tensors[tensor].shape[1:]
        mask = np.zeros(graph.tensors[tensor].size, np.bool_)
        mask[broadcast_indices(graph, tensor, op.output).ravel()[read.ravel()]] = True
        found.append(mask.reshape(shape))
    return found


def _nest(graph: Graph, op: Arithmetic, sources: Sequence[Layout], target: Layout) -> Nest:
    everything = np.arange(graph.tensors[op.output].size).reshape(graph.tensors[op.output].shape)
    indices = [broadcast_indices(graph, tensor, op.output) for tensor in op.inputs]
    return nest((*sources, target), (*indices, everything))


def _work(context: Context) -> Work:
    assert isinstance(context.op, Arithmetic)
    unit = "extreme" if context.op.function in ("maximum", "minimum") else context.op.function
    loops = _nest(context.graph, context.op, context.sources, context.target)
    return nest_work(loops, "add" if unit == "sub" else unit)


def _plan(graph: Graph, op: Arithmetic, sources: Sequence[Layout], target: Layout) -> Plan | None:
    first, second, out = (graph.tensors[tensor].quant for tensor in (*op.inputs, op.output))
    layouts, loops = (sources[0], sources[1], target), _nest(graph, op, sources, target)
    if op.function == "maximum":
        return plan_maximum(loops, layouts)
    if op.function in ("add", "sub"):
        sign = 1 if op.function == "add" else -1
        choices = (sum_numbers(first, second, out, op.clamp, linear=linear, sign=sign) for linear in (0, 1))
        numbers = next(filter(None, choices), None)
        return None if numbers is None else plan_sum(loops, layouts, numbers)
    if op.function != "mul":
        return None
    finish = product_requantization(first, second, out, op.clamp)
    zero_points = (first.zero_point, second.zero_point)
    return None if finish is None else plan_product(loops, layouts, zero_points, finish)


def product_requantization(
    x: Quantization, y: Quantization, out: Quantization, clamp: tuple[int, int]
) -> Requantization | None:
    """How kernels requantize the product of two int8 values less their zero points, if they can."""
    ends = [np.array([-128, 127]) - operand.zero_point for operand in (x, y)]
    products = np.multiply.outer(*ends)
    bounds = (int(products.min()), int(products.max()))
    multiplier = product_multiplier(x, y, out)
    return plan_requantization(multiplier, out.zero_point, clamp, bounds, 1, once=False)


def _emit(context: Context) -> str:
    graph, op, target = context.graph, context.op, context.target
    assert isinstance(op, Arithmetic)
    written = write_nest(_nest(graph, op, context.sources, target), context.symbol)
    body = fill_border(target, context.zero_point(op.output))
    for number, source in enumerate(context.sources):
        body += f"const {ctype(source)} *x{number} = in{number};\n"
    body += f"{ctype(target)} *y0 = out;\n"
    inner = "".join(
        f"int32_t {name} = x{number}[{place}];\n"
        for number, (name, place) in enumerate(zip("ab", written.indices[:2], strict=True))
    )
    inner += _statements(graph, op)
    inner += f"y0[{written.indices[2]}] = ({ctype(target)})ka_clamp(q, {op.clamp[0]}, {op.clamp[1]});\n"
    return written.tables + function(context, body + counting_loops(written.loops, inner))


def _statements(graph: Graph, op: Arithmetic) -> str:
    """C that makes q of a and b."""
    first, second, out = (graph.tensors[tensor].quant for tensor in (*op.inputs, op.output))
    if op.function in ("maximum", "minimum"):
        return f"int32_t q = a {'>' if op.function == 'maximum' else '<'} b ? a : b;\n"
    text = f"a -= {first.zero_point};\nb -= {second.zero_point};\n".replace("- -", "+ ").replace(
        "-= -", "+= "
    )
    if op.function in ("add", "sub"):
        numbers = sum_parameters(first, second, out)
        terms = [
            f"ka_multiply({name} * {1 << numbers.left_shift}, {mult}, {shift})"
            for name, (mult, shift) in (("a", numbers.input1), ("b", numbers.input2))
        ]
        mult, shift = numbers.output
        sign = "+" if op.function == "add" else "-"
        text += f"int32_t total = {terms[0]}\n    {sign} {terms[1]};\n"
        return text + f"int32_t q = ka_multiply(total, {mult}, {shift}) + ({out.zero_point});\n"
    mult, shift = product_multiplier(first, second, out)
    product = f"ka_multiply(a * b, {mult}, {shift})"
    if op.function == "prelu":
        mult, shift = _ratio(first, out)
        product = f"(a >= 0 ? ka_multiply(a, {mult}, {shift}) : {product})"
    return text + f"int32_t q = {product} + ({out.zero_point});\n"


ARITHMETIC = Operator(
    op=Arithmetic,
    kind="arithmetic",
    compute=_compute,
    emit=_emit,
    work=_work,
    plan=_plan,
    readers={
        "ADD": _read("add"),
        "SUB": _read("sub"),
        "MUL": _read("mul"),
        "MAXIMUM": _read("maximum"),
        "MINIMUM": _read("minimum"),
        "PRELU": _read("prelu"),
    },
    reads=_reads,
    clamps=True,
    limits="tensors and constants, with broadcasting",
)
