"""Planned layers: functions of the kernel language, their constants, and the calls."""

from __future__ import annotations

from export.csource.source import Context, function
from export.csource.text import indent, table
from export.kernels.language import lines
from export.kernels.plan import Plan, Pointer


def emit_planned(context: Context, plan: Plan) -> str:
    symbol = context.symbol
    text = ""
    if plan.constants:
        text += table("uint32_t", f"{symbol}_constants", plan.constants, hexadecimal=True) + "\n"
    for number, kernel in enumerate(plan.kernels):
        name = f"{symbol}_{number}"
        text += f"K_DECLARE({name})\nK_BEGIN({name})\n{indent(chr(10).join(lines(kernel.steps)))}\nK_END({name})\n\n"
    body = ""
    for call in plan.calls:
        pointers = (call.source, call.stream, call.target, call.table)
        arguments = ", ".join(_argument(symbol, pointer) for pointer in pointers)
        body += f"{symbol}_{call.kernel}({arguments});\n"
    return text + function(context, body)


def _argument(symbol: str, pointer: Pointer | None) -> str:
    if pointer is None:
        return "0"
    if pointer.base == "constants":
        return f"(const uint8_t *){symbol}_constants + {pointer.offset}"
    constness = "" if pointer.base == "out" else "const "
    return f"({constness}uint8_t *){pointer.base} + {pointer.offset}"
