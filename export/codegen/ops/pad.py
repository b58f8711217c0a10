"""PAD that no convolution could take: zero points around a copy."""

from __future__ import annotations

from ...ir.ops import Pad
from ..source import Context, at, fill_border, function, loops, open_input, open_output


def emit_pad(context: Context) -> str:
    op = context.stage.op
    assert isinstance(op, Pad)
    source, target = context.source, context.target
    zero_point = context.zero_point(op.output)
    body = fill_border(target, zero_point) + open_input(source) + open_output(target)
    extents = [("y", target.height), ("x", target.width), ("c", target.channels)]
    body += loops(extents, f"y0[{at(target, 'y', 'x', 'c')}] = {zero_point};\n")
    inside = at(target, f"y + {op.padding.top}", f"x + {op.padding.left}", "c")
    extents = [("y", source.height), ("x", source.width), ("c", source.channels)]
    body += loops(extents, f"y0[{inside}] = x0[{at(source, 'y', 'x', 'c')}];\n")
    return function(context, body)
