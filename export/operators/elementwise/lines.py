"""Arithmetic with a constant for each channel: on int8 values it is a line for each channel.

MUL, ADD and SUB of a constant scale and round several times, but for the 256 int8 values one product, one sum and
one shift nearly always give the same. `passes.straighten` finds the numbers, and compares all values.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from export.csource.loops import counting_loops
from export.csource.source import Context, at, ctype, fill_border, function, open_input, open_output
from export.csource.text import table
from export.csource.work import Work, loop_work
from export.ir.graph import Graph
from export.ir.ops import Op
from export.kernels.elementwise.lines import ChannelLine, plan_lines
from export.kernels.layout import Layout
from export.kernels.plan import Plan
from export.operators.operator import Operator, Range
from export.operators.rules import once_a_pixel, reads_elements


@dataclass(frozen=True)
class Lines(Op):
    """Each channel through its line, and through that of the next one; their constants fit registers together."""

    lines: tuple[ChannelLine, ...]


def line_values(line: ChannelLine, sums: NDArray[np.int64]) -> NDArray[np.int64]:
    """The outputs for sums q * slope + offset."""
    if line.rounding is not None:
        rounded = ((sums * line.rounding.mult + (1 << 31)) >> 32) + line.rounding.addend
        sums = rounded + (sums >> 31 if line.rounding.signed else 0)
    return np.clip(sums >> line.shift, *line.clamp)


def _compute(graph: Graph, op: Lines, x: NDArray[np.int8]) -> NDArray[np.int8]:
    values = x.astype(np.int64)
    for line in op.lines:
        values = line_values(line, values * np.array(line.slopes) + np.array(line.offsets))
    return values.astype(np.int8)


def _ranges(graph: Graph, op: Lines, sources: Sequence[Range]) -> Range:
    """Lines rise or fall, so their ends are where those of the input are."""
    ends = np.stack([_compute(graph, op, end[None])[0] for end in sources[0]])
    return np.stack([ends.min(axis=0), ends.max(axis=0)])


def _plan(graph: Graph, op: Lines, sources: Sequence[Layout], target: Layout) -> Plan | None:
    return plan_lines(sources[0], target, op.lines)


def _work(context: Context) -> Work:
    op, target = context.op, context.target
    assert isinstance(op, Lines)
    found = loop_work(
        (target.height, target.width, target.channels), "line" if len(op.lines) == 1 else "lines"
    )
    elements = target.height * target.width * target.channels
    found["another line"] = elements * (len(op.lines) - 1)
    found["line rounding"] = elements * sum(line.rounding is not None for line in op.lines)
    found["bytes"] = 8 * target.channels * len(op.lines)
    return found


def _emit(context: Context) -> str:
    op, source, target = context.op, context.source, context.target
    assert isinstance(op, Lines)
    tables, inner = "", f"int32_t q = x0[{at(source, 'y', 'x', 'c')}];\n"
    for number, line in enumerate(op.lines):
        name = f"{context.symbol}_line{number}"
        rows = zip(line.slopes, line.offsets, strict=True)
        tables += table("int32_t", name, [value for row in rows for value in row])
        inner += f"q = q * {name}[2 * c] + {name}[2 * c + 1];\n"
        if line.rounding is not None:
            sign = " + (q >> 31)" if line.rounding.signed else ""
            high = f"(int32_t)(((int64_t)q * {line.rounding.mult} + 0x80000000) >> 32)"
            inner += f"q = {high} + ({line.rounding.addend}){sign};\n"
        inner += f"q = ka_clamp8(q >> {line.shift}, {line.clamp[0]}, {line.clamp[1]});\n"
    inner += f"y0[{at(target, 'y', 'x', 'c')}] = ({ctype(target)})q;\n"
    body = fill_border(target, context.zero_point(op.output)) + open_input(source) + open_output(target)
    body += counting_loops([("y", target.height), ("x", target.width), ("c", target.channels)], inner)
    return tables + "\n" + function(context, body)


LINES = Operator(
    op=Lines,
    kind="lines",
    compute=_compute,
    emit=_emit,
    work=_work,
    plan=_plan,
    ranges=once_a_pixel(_ranges),
    reads=reads_elements,
)
