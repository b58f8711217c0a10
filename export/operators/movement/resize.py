"""RESIZE_BILINEAR."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from export.csource.loops import counting_loops
from export.csource.source import Context, at, ctype, fill_border, function, open_input, open_output
from export.csource.text import table
from export.csource.work import Work, loop_work
from export.errors import UnsupportedModelError
from export.ir.graph import Graph
from export.ir.ops import Op
from export.operators.movement.movements import resized
from export.operators.operator import Operator, Order
from export.operators.rules import growing, reads_channels, same_channels
from export.reading.flatbuffer import RawOperator
from export.reading.lowering import Lowering

_SHIFT = 20  # of a product of two shares
_ONE, _HALF = 1 << (_SHIFT // 2), 1 << (_SHIFT - 1)
_OPTIONS = "ResizeBilinearOptions"


@dataclass(frozen=True)
class ResizeBilinear(Op):
    """Each output is a sum of four inputs, weighted in 1024ths along both axes.

    Attributes:
        rows: For each output row, the two input rows and the second one's weight.
        columns: Likewise.
    """

    rows: tuple[tuple[int, int, int], ...]
    columns: tuple[tuple[int, int, int], ...]


def _read(state: Lowering, op: RawOperator) -> Op:
    state.arity(op, 2)
    source, x = state.image(op)
    size = resized(state, op)
    corners, centers = (
        bool(state.option(op, _OPTIONS, name)) for name in ("AlignCorners", "HalfPixelCenters")
    )
    if corners and centers:
        raise UnsupportedModelError(f"{op}: align_corners and half_pixel_centers exclude each other")
    output = state.define(op, (1, *size, x.shape[3]))
    state.same_quantization(op, source, output)
    rows, columns = (_interpolated(x.shape[axis], size[axis - 1], corners, centers) for axis in (1, 2))
    return ResizeBilinear((source,), output, rows, columns)


def _interpolated(before: int, after: int, corners: bool, centers: bool) -> tuple[tuple[int, int, int], ...]:
    """Between which elements each new one lies, and how far, as the kernel's integers have it."""
    scale = (_ONE * before + after // 2) // after
    if corners and after > 1:
        scale = (_ONE * (before - 1) + (after - 1) // 2) // (after - 1)
    found = []
    for value in range(after):
        at_value = value * scale + (scale // 2 - _ONE // 2 if centers else 0)
        low = max(_toward_zero(at_value, _ONE), 0)
        high = min(_toward_zero(at_value + _ONE - 1, _ONE), before - 1)
        found.append((low, high, at_value - _ONE * low))
    return tuple(found)


def _toward_zero(a: int, b: int) -> int:
    return a // b if a >= 0 else -(-a // b)


def _compute(graph: Graph, op: ResizeBilinear, x: NDArray[np.int8]) -> NDArray[np.int8]:
    y0, y1, fy = np.array(op.rows, np.int64).T
    x0, x1, fx = np.array(op.columns, np.int64).T
    values = x.astype(np.int64)
    fy, fx = fy[:, None, None], fx[:, None]
    top = values[:, y0][:, :, x0] * (_ONE - fx) + values[:, y0][:, :, x1] * fx
    bottom = values[:, y1][:, :, x0] * (_ONE - fx) + values[:, y1][:, :, x1] * fx
    total = top * (_ONE - fy) + bottom * fy
    rounded = np.where(total > 0, (total + _HALF) >> _SHIFT, -((_HALF - total) >> _SHIFT))
    return rounded.astype(np.int8)


def _work(context: Context) -> Work:
    target = context.target
    extents = (target.height, target.width, target.channels)
    found = loop_work(extents, "bilinear", layouts=(context.source, target))
    return found + Counter(
        {"bilinear window": target.height * target.width, "bytes": 12 * (target.height + target.width)}
    )


def _emit(context: Context) -> str:
    op, source, target, symbol = context.op, context.source, context.target, context.symbol
    assert isinstance(op, ResizeBilinear)
    tables = ""
    for axis, entries in (("row", op.rows), ("column", op.columns)):
        tables += table("int32_t", f"{symbol}_{axis}", [value for entry in entries for value in entry])
    body = fill_border(target, context.zero_point(op.output)) + open_input(source) + open_output(target)
    head = f"const int32_t *r = {symbol}_row + 3 * y, *s = {symbol}_column + 3 * x;\n"
    terms = []
    for name, row, column, share in (
        ("a", "r[0]", "s[0]", f"({_ONE} - r[2]) * ({_ONE} - s[2])"),
        ("b", "r[0]", "s[1]", f"({_ONE} - r[2]) * s[2]"),
        ("c", "r[1]", "s[0]", f"r[2] * ({_ONE} - s[2])"),
        ("d", "r[1]", "s[1]", "r[2] * s[2]"),
    ):
        head += f"const {ctype(source)} *{name} = x0 + {row} * {source.row} + {column} * {source.pixel};\n"
        head += f"int32_t share_{name} = {share};\n"
        terms.append(f"{name}[from] * share_{name}")
    inner = f"int from = {'ka_place(i)' if source.shuffled else 'i'};\n"
    inner += f"int32_t sum = {' + '.join(terms)};\n"
    inner += f"int32_t q = sum > 0 ? (sum + {_HALF}) >> {_SHIFT} : -(({_HALF} - sum) >> {_SHIFT});\n"
    inner += f"y0[{at(target, 'y', 'x', 'i')}] = ({ctype(target)})q;\n"
    inner = head + counting_loops([("i", target.channels)], inner)
    body += counting_loops([("y", target.height), ("x", target.width)], inner)
    return tables + function(context, body)


RESIZE_BILINEAR = Operator(
    op=ResizeBilinear,
    kind="resize_bilinear",
    compute=_compute,
    emit=_emit,
    work=_work,
    readers={"RESIZE_BILINEAR": _read},
    ranges=growing(_compute),  # a weight is negative at edges alone, where both elements are one
    reads=reads_channels,
    channels=same_channels,
    order=Order.ANY,
    limits="any sizes, aligned corners or half-pixel centers",
)
