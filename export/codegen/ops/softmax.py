"""SOFTMAX over the last dimension in integers: a table of exponentials, a sum, one reciprocal."""

from __future__ import annotations

from ...ir.ops import Softmax
from ...ir.softmax import ACCUMULATION_BITS, exp_table
from ..source import Context, at, ctype, fill_border, function, loops, open_input, open_output
from ..text import table


def emit_softmax(context: Context) -> str:
    op = context.stage.op
    assert isinstance(op, Softmax)
    source, target = context.source, context.target
    name = f"{context.symbol}_exp"
    body = fill_border(target, context.zero_point(op.output)) + open_input(source) + open_output(target)
    value = f"x0[{at(source, 'y', 'x', 'c')}]"
    channels = [("c", source.channels)]
    row = "int32_t most = -128;\n"
    row += loops(channels, f"if ({value} > most)\n    most = {value};\n")
    row += "int32_t total = 0;\n"
    row += loops(channels, f"total += ka_shift_right({name}[most - {value}], {ACCUMULATION_BITS});\n")
    row += "int exponent;\nint32_t scale = ka_reciprocal(total, &exponent);\n"
    finish = f"int32_t q = ka_shift_right(ka_high_multiply(scale, {name}[most - {value}]), exponent) - 128;\n"
    finish += f"y0[{at(target, 'y', 'x', 'c')}] = ({ctype(target)})(q > 127 ? 127 : q);\n"
    row += loops(channels, finish)
    body += loops([("y", source.height), ("x", source.width)], row)
    return table("int32_t", name, exp_table(context.graph, op)) + "\n" + function(context, body)
