"""MEAN and SUM over any axes, REDUCE_MAX, REDUCE_MIN, and ARG_MAX and ARG_MIN at an output."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from tflite import TensorType

from export.csource.nest import Operand, write_nest
from export.csource.source import Context, ctype, fill_border, function, is_right, multiplied
from export.csource.work import ROUNDED, Work, nest_work
from export.errors import ModelFormatError, QuantizationError, UnsupportedModelError
from export.ir.fixed_point import (
    INT32_MAX,
    MeanParameters,
    multiply_two_roundings,
    quantize_multiplier,
    reduction_parameters,
)
from export.ir.graph import Graph
from export.ir.ops import Mean, Op
from export.ir.tensor import Quantization
from export.kernels.elementwise.nest import Access, Nest, merged, nest
from export.operators.movement.movements import axis_of
from export.operators.operator import Operator
from export.operators.rules import growing
from export.reading.flatbuffer import RawOperator
from export.reading.lowering import Lowering

Function = Literal["mean", "sum", "max", "min"]
_SPATIAL = (1, 2)
_INDEX_TYPES = (TensorType.INT32, TensorType.INT64)


@dataclass(frozen=True)
class Reduce(Op):
    """A reduction over some axes of the input, kept in the output or not; MEAN and SUM requantize."""

    function: Function
    axes: tuple[int, ...]


@dataclass(frozen=True)
class ArgMax(Op):
    """The index of the first largest (or smallest) element along an axis, int32."""

    axis: int
    smallest: bool


def _read(function: Function) -> Callable[[Lowering, RawOperator], Op]:
    def read(state: Lowering, op: RawOperator) -> Op:
        state.arity(op, 2)
        source = state.activation(op)
        shape = state.shape(source)
        wanted = state.integers(op, 1).reshape(-1).tolist()
        axes = tuple(sorted({axis_of(op, axis, len(shape)) for axis in wanted}))
        keep = bool(state.option(op, "ReducerOptions", "KeepDims"))
        kept = tuple(n for axis, n in enumerate(shape) if axis not in axes)
        left = tuple(1 if axis in axes else n for axis, n in enumerate(shape))
        output = state.define(op, left if keep else kept)
        if function in ("max", "min"):
            state.same_quantization(op, source, output)
        else:
            _check(op, function, math.prod(shape[axis] for axis in axes), state, source, output)
        image = len(shape) == 4 and shape[0] == 1
        if function == "mean" and image and axes == _SPATIAL:
            return Mean((source,), output)
        added = len(state.tensors[source].shape) - len(shape)
        return Reduce((source,), output, function, tuple(axis + added for axis in axes))

    return read


def _check(
    op: RawOperator, function: Function, count: int, state: Lowering, source: int, output: int
) -> None:
    """Demands that no shift to the left can overflow 32 bits."""
    x, out = state.tensors[source].quant, state.tensors[output].quant
    shift = _parameters(function, count, x, out).multiplier[1]
    if (count * 255) << max(0, shift) > INT32_MAX:
        raise QuantizationError(f"{op}: input and output scales are too far apart; quantize the model again")


def _parameters(function: Function, count: int, x: Quantization, out: Quantization) -> MeanParameters:
    if function == "mean":
        return reduction_parameters(count, x, out)
    return MeanParameters(count, quantize_multiplier(x.scale / out.scale))


def _numbers(graph: Graph, op: Reduce) -> MeanParameters:
    x = graph.tensors[op.inputs[0]]
    count = math.prod(x.shape[axis] for axis in op.axes)
    return _parameters(op.function, count, x.quant, graph.tensors[op.output].quant)


def _compute(graph: Graph, op: Reduce, x: NDArray[np.int8]) -> NDArray[np.int8]:
    target = graph.tensors[op.output]
    x, axes = _with_batch(graph, op, x), tuple(axis + 1 for axis in op.axes)
    if op.function in ("max", "min"):
        found = x.max(axis=axes) if op.function == "max" else x.min(axis=axes)
        return found.reshape(len(x), *target.shape[1:])
    numbers = _numbers(graph, op)
    total = x.sum(axis=axes, dtype=np.int64)
    total = total - numbers.count * graph.tensors[op.inputs[0]].quant.zero_point
    out = multiply_two_roundings(total, *numbers.multiplier) + target.quant.zero_point
    return np.clip(out, -128, 127).astype(np.int8).reshape(len(x), *target.shape[1:])


def _with_batch(graph: Graph, op: Reduce | ArgMax, x: NDArray[np.int8]) -> NDArray[np.int8]:
    """[n, *shape], the shape with its own first dimension of 1, which may be one of the axes."""
    return x.reshape(len(x), *graph.tensors[op.inputs[0]].shape)


def _split(shape: Sequence[int], axes: Sequence[int]) -> tuple[list[int], list[int]]:
    """The dimensions that are kept, and those that are reduced."""
    return [axis for axis in range(len(shape)) if axis not in axes], list(axes)


def _nests(context: Context, axes: Sequence[int]) -> tuple[Nest, Nest]:
    """Over the outputs and the first input of each, and over its inputs from the first on."""
    graph, op, source = context.graph, context.op, context.source
    assert op is not None
    shape = graph.tensors[op.inputs[0]].shape
    kept, reduced = _split(shape, axes)
    index = np.arange(math.prod(shape)).reshape(shape).transpose([*kept, *reduced])
    outputs = np.arange(graph.tensors[op.output].size).reshape([shape[axis] for axis in kept])
    starts = index.reshape(*outputs.shape, -1)[..., 0]
    outer = nest((source, context.target), (starts, outputs))
    inner = nest((source,), (index[tuple([0] * len(kept))],))
    return outer, merged(Nest(inner.extents, (Access(0, inner.accesses[0].offsets),)))


def _layer(context: Context, axes: Sequence[int], before: str, each: str, after: str, head: str = "") -> str:
    """A layer that does something before, for and after the elements of each output.

    Args:
        context: The layer.
        axes: Of its input.
        before: The statements before.
        each: Those for an element, `value`.
        after: Those behind, which set an `output` to what is to be stored.
        head: Those at the start.
    """
    outer, inner = _nests(context, axes)
    source, target = f"const {ctype(context.source)}", ctype(context.target)
    first = Operand(source, "at", "first")
    taps = write_nest(
        inner, f"{context.symbol}_j", [first], lambda places: f"int32_t value = {places[0]};\n{each}"
    )

    def output(places: Sequence[str]) -> str:
        return f"{source} *first = &{places[0]};\n{before}{taps.text}{after}{places[1]} = ({target})output;\n"

    operands = Operand(source, "from", f"({source} *)in0"), Operand(target, "to", f"({target} *)out")
    outputs = write_nest(outer, f"{context.symbol}_i", operands, output, short=False)
    border = "" if target == "int32_t" else fill_border(context.target, context.zero_point(context.output))
    return outputs.tables + taps.tables + function(context, border + head + outputs.text)


def reduction_work(context: Context, axes: Sequence[int], unit: str, tap: str) -> Work:
    """Counts of a reduction over axes.

    Args:
        context: The layer.
        axes: Of its input.
        unit: What is done for each output.
        tap: What is done with each element.
    """
    outer, inner = _nests(context, axes)
    taps = nest_work(inner, tap, (context.source,), math.prod(outer.extents))
    return nest_work(outer, unit, (context.source, context.target), short=False) + taps


def _work(context: Context) -> Work:
    op = context.op
    assert isinstance(op, Reduce)
    if op.function in ("max", "min"):
        return reduction_work(context, op.axes, "reduced", "max tap")
    return sum_work(context, op.axes, _numbers(context.graph, op))


def _work_arg(context: Context) -> Work:
    assert isinstance(context.op, ArgMax)
    return reduction_work(context, (context.op.axis,), "reduced", "arg max tap")


def _emit(context: Context) -> str:
    op = context.op
    assert isinstance(op, Reduce)
    if op.function in ("mean", "sum"):
        return emit_sum(context, op.axes, _numbers(context.graph, op))
    before = f"int32_t output = {-128 if op.function == 'max' else 127};\n"
    sign = ">" if op.function == "max" else "<"
    return _layer(context, op.axes, before, f"output = value {sign} output ? value : output;\n", "")


def emit_sum(context: Context, axes: Sequence[int], numbers: MeanParameters) -> str:
    """A layer of requantized sums over axes of the input."""
    op = context.op
    assert op is not None
    # Hidden, as compilers would multiply by a power of two in another way.
    head = f"int32_t mult = ka_hidden({numbers.multiplier[0]});\n"
    before = f"int32_t output = {-numbers.count * context.zero_point(op.inputs[0])};\n"
    product = multiplied("output", numbers.multiplier, _most(numbers), "mult")
    after = f"output = ka_clamp8({product} + ({context.zero_point(op.output)}), -128, 127);\n"
    return _layer(context, axes, before, "output += value;\n", after, head)


def sum_work(context: Context, axes: Sequence[int], numbers: MeanParameters) -> Work:
    """Counts of `emit_sum`."""
    rounded = context.target.height * context.target.width * context.target.channels
    found = Counter(reduction_work(context, axes, "requantize", "sum tap"))
    return found + Counter({ROUNDED: rounded * is_right(numbers.multiplier, _most(numbers))})


def _most(numbers: MeanParameters) -> int:
    """What sums do not exceed."""
    return 255 * numbers.count


def _read_arg(smallest: bool) -> Callable[[Lowering, RawOperator], Op]:
    def read(state: Lowering, op: RawOperator) -> Op:
        state.arity(op, 2)
        source = state.activation(op)
        shape = state.shape(source)
        kind = "ArgMinOptions" if smallest else "ArgMaxOptions"
        if state.option(op, kind, "OutputType") not in _INDEX_TYPES:
            raise ModelFormatError(f"{op}: expected indices of int32 or int64; the file is damaged")
        if any(op.outputs[0] in reader.inputs for reader in state.raw.operators):
            raise UnsupportedModelError(f"{op}: its indices can only be an output of the model")
        axis = axis_of(op, state.integer(op, 1), len(shape))
        output = state.add_indices(op, (*shape[:axis], *shape[axis + 1 :]))
        added = len(state.tensors[source].shape) - len(shape)
        return ArgMax((source,), output, axis + added, smallest)

    return read


def _compute_arg(graph: Graph, op: ArgMax, x: NDArray[np.int8]) -> NDArray[np.int32]:
    x = _with_batch(graph, op, x)
    found = x.argmin(axis=op.axis + 1) if op.smallest else x.argmax(axis=op.axis + 1)
    return found.astype(np.int32).reshape(len(x), *graph.tensors[op.output].shape[1:])


def _emit_arg(context: Context) -> str:
    op = context.op
    assert isinstance(op, ArgMax)
    before = f"int32_t best = {128 if op.smallest else -129}, output = 0, turn = 0;\n"
    better = f"value {'<' if op.smallest else '>'} best"
    each = f"output = {better} ? turn : output;\nbest = {better} ? value : best;\nturn++;\n"
    return _layer(context, (op.axis,), before, each, "")


REDUCE = Operator(
    op=Reduce,
    kind="reduce",
    compute=_compute,
    emit=_emit,
    work=_work,
    readers={
        "MEAN": _read("mean"),
        "REDUCE_MAX": _read("max"),
        "REDUCE_MIN": _read("min"),
        "SUM": _read("sum"),
    },
    ranges=growing(_compute),
    limits="any axes",
)
ARG_MAX = Operator(
    op=ArgMax,
    kind="arg_max",
    compute=_compute_arg,
    emit=_emit_arg,
    work=_work_arg,
    readers={"ARG_MAX": _read_arg(False), "ARG_MIN": _read_arg(True)},
    limits="at an output of the model, any axis; indices are int32",
)
