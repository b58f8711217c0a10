"""ADD, SUB, MUL, MAXIMUM and MINIMUM of tensors and constants, with broadcasting, and PRELU.

Two tensors of one shape that are added are the operator in `add`, which has kernels of its own. What a constant or the
other operand makes a function of one tensor becomes a table, see `passes.tabulate`.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from export.csource.nest import Operand, write_nest
from export.csource.source import Context, ctype, fill_border, function, is_right, multiplied
from export.csource.work import ROUNDED, Work, nest_work
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
HALF = (1 << 30, 0)
"""The multiplier of an operand whose scale is not the smaller one."""
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
    graph, op = context.graph, context.op
    assert isinstance(op, Arithmetic)
    layouts = (*context.sources, context.target)
    loops = _nest(graph, op, context.sources, context.target)
    if op.function in ("maximum", "minimum"):
        return nest_work(loops, "extreme", layouts)
    first, second, out = (graph.tensors[tensor].quant for tensor in (*op.inputs, op.output))
    if op.function in ("add", "sub"):
        numbers = sum_parameters(first, second, out)
        scaled = sum(multiplier != HALF for multiplier in (numbers.input1, numbers.input2))
        return nest_work(loops, "add", layouts) + Counter({"scaled term": math.prod(loops.extents) * scaled})
    multipliers = [product_multiplier(first, second, out)] + [_ratio(first, out)] * (op.function == "prelu")
    right = sum(is_right(multiplier, _LARGEST_PRODUCT) for multiplier in multipliers)
    return nest_work(loops, op.function, layouts) + Counter({ROUNDED: math.prod(loops.extents) * right})


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
    types = [f"const {ctype(source)}" for source in context.sources]
    operands = [
        Operand(element, f"x{number}_", f"({element} *)in{number}") for number, element in enumerate(types)
    ]
    operands.append(Operand(ctype(target), "to", f"({ctype(target)} *)out"))
    statements = _statements(graph, op)
    within = op.function in ("maximum", "minimum") and op.clamp == (-128, 127)
    stored = "q" if within else f"ka_clamp8(q, {op.clamp[0]}, {op.clamp[1]})"

    def element(places: Sequence[str]) -> str:
        read = f"int32_t a = {places[0]};\nint32_t b = {places[1]};\n"
        return f"{read}{statements}{places[2]} = ({ctype(target)}){stored};\n"

    written = write_nest(_nest(graph, op, context.sources, target), context.symbol, operands, element)
    border = fill_border(target, context.zero_point(op.output))
    return written.tables + function(context, border + written.text)


def _statements(graph: Graph, op: Arithmetic) -> str:
    """C that makes q of a and b."""
    first, second, out = (graph.tensors[tensor].quant for tensor in (*op.inputs, op.output))
    if op.function in ("maximum", "minimum"):
        return f"int32_t q = a {'>' if op.function == 'maximum' else '<'} b ? a : b;\n"
    text = f"a -= {first.zero_point};\nb -= {second.zero_point};\n".replace("-= -", "+= ")
    if op.function in ("add", "sub"):
        numbers = sum_parameters(first, second, out)
        terms = [
            scaled_term(name, multiplier, numbers.left_shift)
            for name, multiplier in (("a", numbers.input1), ("b", numbers.input2))
        ]
        sign = "+" if op.function == "add" else "-"
        text += f"int32_t total = {terms[0]}\n    {sign} {terms[1]};\n"
        product = multiplied("total", numbers.output, 512 << numbers.left_shift)
        return text + f"int32_t q = {product} + ({out.zero_point});\n"
    product = multiplied("a * b", product_multiplier(first, second, out), _LARGEST_PRODUCT)
    if op.function == "prelu":
        product = f"(a >= 0 ? {multiplied('a', _ratio(first, out), 255)} : {product})"
    return text + f"int32_t q = {product} + ({out.zero_point});\n"


def scaled_term(name: str, multiplier: tuple[int, int], left_shift: int) -> str:
    """C that brings an operand of a sum to the common scale, which is twice the larger operand's."""
    if multiplier == HALF:
        return f"{name} * {1 << (left_shift - 1)}"
    return multiplied(f"{name} * {1 << left_shift}", multiplier, 256 << left_shift)


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
