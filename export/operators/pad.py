"""PAD and PADV2."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from export.errors import ModelFormatError, UnsupportedModelError
from export.ir.graph import Graph
from export.ir.ops import Op, Pad, Padding
from export.kernels.elementwise import plan_border, plan_copy
from export.kernels.layout import Layout
from export.kernels.plan import Plan, joined
from export.operators.operator import Operator, Order
from export.operators.rules import growing, reads_channels, same_channels
from export.reading.flatbuffer import RawOperator
from export.reading.lowering import Lowering

_MAX_PADDING = 1 << 16


def _read(state: Lowering, op: RawOperator) -> Op:
    state.arity(op, 2, 3)
    source, x = state.image(op)
    amounts = state.integers(op, 1)
    if amounts.shape != (4, 2) or not 0 <= amounts.min() <= amounts.max() <= _MAX_PADDING:
        raise ModelFormatError(
            f"{op}: paddings of shape {amounts.shape}, expected 4 pairs >= 0; the file is damaged"
        )
    if amounts[0].any() or amounts[3].any():
        raise UnsupportedModelError(f"{op}: only height and width can be padded, got {amounts.tolist()}")
    (top, bottom), (left, right) = amounts[1:3].tolist()
    output = state.define(op, (1, x.shape[1] + top + bottom, x.shape[2] + left + right, x.shape[3]))
    state.same_quantization(op, source, output)
    if len(op.inputs) == 3:
        stored = state.stored(op, 2)
        value = state.values(stored, str(op)).reshape(-1)
        if stored.dtype != "int8" or value.tolist() != [x.quant.zero_point]:
            raise UnsupportedModelError(
                f"{op}: only padding with the real value 0 (int8 {x.quant.zero_point}) is supported"
            )
    return Pad((source,), output, Padding(top, bottom, left, right))


def _compute(graph: Graph, op: Pad, x: NDArray[np.int8]) -> NDArray[np.int8]:
    amounts = ((0, 0), (op.padding.top, op.padding.bottom), (op.padding.left, op.padding.right), (0, 0))
    return np.pad(x, amounts, constant_values=graph.tensors[op.output].quant.zero_point)


def _plan(graph: Graph, op: Pad, sources: Sequence[Layout], target: Layout) -> Plan | None:
    inside = _inside(target, op.padding)
    fill = plan_border(inside, graph.tensors[op.output].quant.zero_point)
    return joined([*([fill] if fill else []), plan_copy(sources[0], inside)], "direct")


def _inside(layout: Layout, padding: Padding) -> Layout:
    """A padded layout as its unpadded middle with a wider border."""
    border = layout.border
    return replace(
        layout,
        height=layout.height - padding.top - padding.bottom,
        width=layout.width - padding.left - padding.right,
        border=Padding(
            border.top + padding.top,
            border.bottom + padding.bottom,
            border.left + padding.left,
            border.right + padding.right,
        ),
    )


PAD = Operator(
    op=Pad,
    kind="pad",
    compute=_compute,
    readers={"PAD": _read, "PADV2": _read},
    plan=_plan,
    ranges=growing(_compute),
    reads=reads_channels,
    channels=same_channels,
    order=Order.ANY,
    identity=lambda graph, op: op.padding == Padding(),
    limits="height and width, with the real value 0",
)
