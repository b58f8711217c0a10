"""CONCATENATION: copies each input to its place."""

from __future__ import annotations

from ...ir.ops import Concatenation
from ..source import Context, at, fill_border, function, loops, open_input, open_output


def emit_concatenation(context: Context) -> str:
    op = context.stage.op
    assert isinstance(op, Concatenation)
    target = context.target
    rank = len(context.graph.tensors[op.output].shape)
    along = "yxc"[op.axis - rank]  # the last axis is the channels, whatever the rank
    body = fill_border(target, context.zero_point(op.output)) + open_output(target)
    start = 0
    for number, buffer in enumerate(context.stage.reads):
        layout = buffer.layout
        body += open_input(layout, number)
        index = {name: f"{name} + {start}" if name == along else name for name in "yxc"}
        move = f"y0[{at(target, index['y'], index['x'], index['c'])}] = x{number}[{at(layout, 'y', 'x', 'c')}];\n"
        body += loops([("y", layout.height), ("x", layout.width), ("c", layout.channels)], move)
        start += {"y": layout.height, "x": layout.width, "c": layout.channels}[along]
    return function(context, body)
