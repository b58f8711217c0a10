"""MEAN over both spatial dimensions; the division is part of the multiplier."""

from __future__ import annotations

from export.codegen.source import Context, at, fill_border, function, loops, open_input, open_output
from export.ir.fixed_point import mean_parameters
from export.ir.ops import Mean


def emit_mean(context: Context) -> str:
    op = context.stage.op
    assert isinstance(op, Mean)
    parameters = mean_parameters(context.graph, op)
    mult, shift = parameters.multiplier
    source, target = context.source, context.target
    body = fill_border(target, context.zero_point(op.output)) + open_input(source) + open_output(target)
    inner = f"int32_t sum = {-parameters.count * context.zero_point(op.inputs[0])};\n"
    inner += loops([("y", source.height), ("x", source.width)], f"sum += x0[{at(source, 'y', 'x', 'c')}];\n")
    inner += f"int32_t q = ka_multiply(sum, {mult}, {shift}) + ({context.zero_point(op.output)});\n"
    inner += f"y0[{at(target, '0', '0', 'c')}] = (int8_t)ka_clamp(q, -128, 127);\n"
    return function(context, body + loops([("c", source.channels)], inner))
