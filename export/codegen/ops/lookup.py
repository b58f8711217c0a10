"""Elementwise operators as a table of 256 values."""

from __future__ import annotations

from ...ir.ops import Lookup
from ..source import Context, at, fill_border, function, loops, open_input, open_output
from ..text import table


def emit_lookup(context: Context) -> str:
    op = context.stage.op
    assert isinstance(op, Lookup)
    source, target = context.source, context.target
    name = f"{context.symbol}_table"
    body = fill_border(target, context.zero_point(op.output)) + open_input(source) + open_output(target)
    inner = f"y0[{at(target, 'y', 'x', 'c')}] = {name}[x0[{at(source, 'y', 'x', 'c')}] + 128];\n"
    body += loops([("y", target.height), ("x", target.width), ("c", target.channels)], inner)
    return table("int8_t", name, op.table) + "\n" + function(context, body)
