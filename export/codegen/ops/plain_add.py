"""ADD: both inputs brought to a common scale in 20 more bits, added, requantized."""

from __future__ import annotations

from export.codegen.source import Context, at, fill_border, function, loops, open_input, open_output
from export.ir.fixed_point import add_parameters
from export.ir.ops import Add


def emit_add(context: Context) -> str:
    op = context.stage.op
    assert isinstance(op, Add)
    parameters = add_parameters(context.graph, op)
    target = context.target
    body = fill_border(target, context.zero_point(op.output))
    terms = []
    for number, (buffer, (mult, shift)) in enumerate(
        zip(context.stage.reads, (parameters.input1, parameters.input2), strict=True)
    ):
        body += open_input(buffer.layout, number)
        value = f"x{number}[{at(buffer.layout, 'y', 'x', 'c')}] - ({context.zero_point(buffer.tensor)})"
        terms.append(f"ka_multiply(({value}) * {1 << parameters.left_shift}, {mult}, {shift})")
    body += open_output(target)
    mult, shift = parameters.output
    inner = f"int32_t sum = {terms[0]}\n    + {terms[1]};\n"
    inner += f"int32_t q = ka_multiply(sum, {mult}, {shift}) + ({context.zero_point(op.output)});\n"
    inner += f"y0[{at(target, 'y', 'x', 'c')}] = (int8_t)ka_clamp(q, {op.clamp[0]}, {op.clamp[1]});\n"
    body += loops([("y", target.height), ("x", target.width), ("c", target.channels)], inner)
    return function(context, body)
