"""Copies between layouts: the caller's arrays and the arena, and reshapes of what is not contiguous."""

from __future__ import annotations

from ..source import Context, at, fill_border, function, loops, open_input, open_output


def emit_copy(context: Context) -> str:
    source, target = context.source, context.target
    body = fill_border(target, context.zero_point(context.stage.writes.tensor))
    body += open_input(source) + open_output(target)
    if (source.height, source.width, source.channels) == (target.height, target.width, target.channels):
        move = f"y0[{at(target, 'y', 'x', 'c')}] = x0[{at(source, 'y', 'x', 'c')}];\n"
        body += loops([("y", source.height), ("x", source.width), ("c", source.channels)], move)
        return function(context, body)
    body += "int row = 0, column = 0, channel = 0;\n"
    move = f"y0[{at(target, 'row', 'column', 'channel')}] = x0[{at(source, 'y', 'x', 'c')}];\n"
    move += f"if (++channel == {target.channels}) {{\n    channel = 0;\n"
    move += f"    if (++column == {target.width}) {{\n        column = 0;\n        row++;\n    }}\n}}\n"
    body += loops([("y", source.height), ("x", source.width), ("c", source.channels)], move)
    return function(context, body)
