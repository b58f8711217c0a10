"""Planned convolutions: kernels in the kernel language, their constants, and the calls."""

from __future__ import annotations

from ...ir.ops import Conv2D, FullyConnected
from ...schedule.machine import lines
from ..source import Context, fill_border, function
from ..text import indent, table


def emit_conv(context: Context) -> str:
    op, plan = context.stage.op, context.stage.plan
    assert isinstance(op, Conv2D | FullyConnected)
    assert plan is not None
    symbol = context.symbol
    text = table("uint32_t", f"{symbol}_constants", plan.stream, hexadecimal=True) + "\n"
    for number, kernel in enumerate(plan.kernels):
        name = f"{symbol}_{number}"
        text += f"K_DECLARE({name})\nK_BEGIN({name})\n{indent(chr(10).join(lines(kernel.steps)))}\nK_END({name})\n\n"
    target = context.target
    body = fill_border(target, context.zero_point(context.stage.writes.tensor))
    padding = op.padding if isinstance(op, Conv2D) else None
    origin = context.source.offset(-padding.top, -padding.left) if padding is not None else 0
    body += f"const int16_t *from = (const int16_t *)in0 + {origin};\n"
    body += f"{target.element}_t *to = ({target.element}_t *)out + {target.offset(0, 0)};\n"
    for call in plan.calls:
        body += f"{symbol}_{call.kernel}(from, {symbol}_constants + {call.stream}, to + {call.channel});\n"
    return text + function(context, body)
