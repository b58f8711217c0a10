"""BATCH_MATMUL of two activations, or of an activation and a constant."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from export.csource.nest import Operand, write_nest
from export.csource.source import Context, ctype, fill_border, function, is_right, multiplied
from export.csource.work import ROUNDED, Work, nest_work
from export.errors import ModelFormatError, QuantizationError
from export.ir.fixed_point import INT32_MAX, Multiplier, multiply_two_roundings, quantize_multiplier
from export.ir.graph import Graph
from export.ir.ops import Op
from export.kernels.elementwise.nest import Access, Nest, merged, nest
from export.operators.operator import Operator
from export.reading.flatbuffer import RawOperator
from export.reading.lowering import Lowering

_OPTIONS = "BatchMatMulOptions"


@dataclass(frozen=True)
class MatMul(Op):
    """Products of matrices in the last two dimensions.

    Attributes:
        shapes: Of the operands, as stored.
        transposed: Whether an operand's matrices are.
    """

    shapes: tuple[tuple[int, ...], tuple[int, ...]]
    transposed: tuple[bool, bool]


def _read(state: Lowering, op: RawOperator) -> Op:
    state.arity(op, 2)
    operands = state.operand(op, 0), state.operand(op, 1)
    transposed = (bool(state.option(op, _OPTIONS, "AdjX")), bool(state.option(op, _OPTIONS, "AdjY")))
    given = [state.shape(x) for x in operands]
    if min(map(len, given)) < 2:
        raise ModelFormatError(f"{op}: expected two matrices, got shapes {given}; the file is damaged")
    shapes = [_matrix(shape, flip) for shape, flip in zip(given, transposed, strict=True)]
    if shapes[0][-1] != shapes[1][-2]:
        raise ModelFormatError(
            f"{op}: shapes {shapes[0]} and {shapes[1]} do not go together; the file is damaged"
        )
    try:
        batch = np.broadcast_shapes(shapes[0][:-2], shapes[1][:-2])
    except ValueError:
        raise ModelFormatError(
            f"{op}: batches of {shapes[0]} and {shapes[1]} do not go together; the file is damaged"
        ) from None
    output = state.define(op, (*batch, shapes[0][-2], shapes[1][-1]))
    shift = _multiplier(*(state.tensors[tensor].quant.scale for tensor in (*operands, output)))[1]
    if (shapes[0][-1] * 255 * 255) << max(0, shift) > INT32_MAX:
        raise QuantizationError(f"{op}: sums of products can overflow 32 bits; quantize the model again")
    stored = (state.shape(operands[0]), state.shape(operands[1]))
    return MatMul(operands, output, stored, transposed)


def _matrix(shape: tuple[int, ...], flip: bool) -> tuple[int, ...]:
    return (*shape[:-2], shape[-1], shape[-2]) if flip else shape


def _multiplier(first: float, second: float, out: float) -> Multiplier:
    """In single precision, as the kernel computes it."""
    product = np.float32(first) * np.float32(second)
    return quantize_multiplier(float(product) / out)


def _numbers(graph: Graph, op: MatMul) -> Multiplier:
    return _multiplier(*(graph.tensors[tensor].quant.scale for tensor in (*op.inputs, op.output)))


def _compute(graph: Graph, op: MatMul, *values: NDArray[np.int8]) -> NDArray[np.int8]:
    target = graph.tensors[op.output]
    rank = max(map(len, op.shapes))
    centered = []
    for value, tensor, shape, flip in zip(values, op.inputs, op.shapes, op.transposed, strict=True):
        matrix = value.astype(np.int64) - graph.tensors[tensor].quant.zero_point
        matrix = matrix.reshape(len(value), *[1] * (rank - len(shape)), *shape)
        centered.append(np.swapaxes(matrix, -1, -2) if flip else matrix)
    out = multiply_two_roundings(centered[0] @ centered[1], *_numbers(graph, op)) + target.quant.zero_point
    return np.clip(out, -128, 127).astype(np.int8).reshape(len(values[0]), *target.shape[1:])


def _nests(context: Context) -> tuple[Nest, Nest]:
    """Over the outputs and the first factors of each, and over its factors from the first on."""
    graph, op = context.graph, context.op
    assert isinstance(op, MatMul)
    shapes = [_matrix(shape, flip) for shape, flip in zip(op.shapes, op.transposed, strict=True)]
    shape = (*np.broadcast_shapes(shapes[0][:-2], shapes[1][:-2]), shapes[0][-2], shapes[1][-1])
    everything = np.arange(graph.tensors[op.output].size).reshape(shape)
    starts, lines = [], []
    for number, (stored, flip) in enumerate(zip(op.shapes, op.transposed, strict=True)):
        index = np.arange(math.prod(stored)).reshape(stored)
        index = np.swapaxes(index, -1, -2) if flip else index
        line = index.reshape(-1, *index.shape[-2:])[0]
        lines.append(line[0, :] if number == 0 else line[:, 0])
        start = index[..., :, :1] if number == 0 else index[..., :1, :]
        starts.append(np.broadcast_to(start, shape))
    inner = nest(context.sources, lines)
    accesses = tuple(Access(0, access.offsets) for access in inner.accesses)
    return nest((*context.sources, context.target), (*starts, everything)), merged(
        Nest(inner.extents, accesses)
    )


def _work(context: Context) -> Work:
    assert isinstance(context.op, MatMul)
    outer, inner = _nests(context)
    products = nest_work(inner, "product of two", context.sources, math.prod(outer.extents))
    rounded = math.prod(outer.extents) * is_right(_numbers(context.graph, context.op), _most(inner))
    found = nest_work(outer, "requantize", (*context.sources, context.target), short=False)
    return found + products + Counter({ROUNDED: rounded})


def _most(inner: Nest) -> int:
    """What sums do not exceed."""
    return 255 * 255 * math.prod(inner.extents)


def _emit(context: Context) -> str:
    graph, op, target = context.graph, context.op, context.target
    assert isinstance(op, MatMul)
    outer, inner = _nests(context)
    types = [f"const {ctype(source)}" for source in context.sources]
    factors = [Operand(element, name, f"first_{name}") for element, name in zip(types, "ab", strict=True)]
    zero_points = [context.zero_point(tensor) for tensor in op.inputs]

    def product(places: Sequence[str]) -> str:
        terms = (f"({place} - ({zero}))" for place, zero in zip(places, zero_points, strict=True))
        return f"sum += {' * '.join(terms)};\n"

    products = write_nest(inner, f"{context.symbol}_j", factors, product)
    scaled = multiplied("sum", _numbers(graph, op), _most(inner), "mult")

    def output(places: Sequence[str]) -> str:
        text = f"{types[0]} *first_a = &{places[0]};\n{types[1]} *first_b = &{places[1]};\nint32_t sum = 0;\n"
        text += f"{products.text}int32_t q = {scaled} + ({context.zero_point(op.output)});\n"
        return text + f"{places[2]} = ({ctype(target)})ka_clamp8(q, -128, 127);\n"

    operands = [
        Operand(element, f"x{number}_", f"({element} *)in{number}") for number, element in enumerate(types)
    ]
    operands.append(Operand(ctype(target), "to", f"({ctype(target)} *)out"))
    outputs = write_nest(outer, f"{context.symbol}_i", operands, output, short=False)
    body = fill_border(target, context.zero_point(op.output))
    body += f"int32_t mult = ka_hidden({_numbers(graph, op)[0]});\n{outputs.text}"
    return outputs.tables + products.tables + function(context, body)


MATMUL = Operator(
    op=MatMul,
    kind="batch_matmul",
    compute=_compute,
    emit=_emit,
    work=_work,
    readers={"BATCH_MATMUL": _read},
    limits="two tensors, or one and a constant",
)
