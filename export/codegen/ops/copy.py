"""Reshapes of what is not contiguous, or does not become so."""

from __future__ import annotations

from export.codegen.source import Context, at, ctype, fill_border, function, loops, open_input, open_output


def emit_copy(context: Context) -> str:
    source, target = context.source, context.target
    body = fill_border(target, context.zero_point(context.stage.writes.tensor))
    body += open_input(source) + open_output(target)
    body += "int row = 0, column = 0, channel = 0;\n"
    read = f"({ctype(target)})x0[{at(source, 'y', 'x', 'c')}]"
    move = f"y0[{at(target, 'row', 'column', 'channel')}] = {read};\n"
    move += f"if (++channel == {target.channels}) {{\n    channel = 0;\n"
    move += f"    if (++column == {target.width}) {{\n        column = 0;\n        row++;\n    }}\n}}\n"
    body += loops([("y", source.height), ("x", source.width), ("c", source.channels)], move)
    return function(context, body)
