"""Planned layers: functions of the kernel language, their constants, and the calls."""

from __future__ import annotations

from export.csource.source import Context, function
from export.csource.text import indent, table
from export.kernels.language.steps import lines
from export.kernels.plan import Call, Plan, Pointer


def emit_planned(context: Context, plan: Plan) -> str:
    symbol = context.symbol
    text = ""
    if plan.constants:
        text += table("uint32_t K_ALIGNED", f"{symbol}_constants", plan.constants, hexadecimal=True) + "\n"
    for number, kernel in enumerate(plan.kernels):
        name = f"{symbol}_{number}"
        steps = indent("\n".join(lines(kernel.steps)) + "\n")
        begin = "K_BEGIN_COPIED" if kernel.copied else "K_BEGIN"
        text += (
            f"K_DECLARE({name})\n{begin}({name}, {kernel.frame})\n{steps}K_END({name}, {kernel.frame})\n\n"
        )
    body = ""
    for item in plan.calls:
        if isinstance(item, Call):
            body += _call(symbol, item, looped=False)
        else:
            calls = "".join(_call(symbol, call, looped=True) for call in item.calls)
            body += f"for (int i = 0; i < {item.times}; i++) {{\n{indent(calls)}}}\n"
    return text + function(context, body)


def _call(symbol: str, call: Call, *, looped: bool) -> str:
    arguments = ", ".join(_argument(symbol, pointer, looped=looped) for pointer in call.pointers)
    return f"{symbol}_{call.kernel}({arguments});\n"


def _argument(symbol: str, pointer: Pointer | None, *, looped: bool) -> str:
    if pointer is None:
        return "0"
    if pointer.base == "constants":
        text = f"(const uint8_t *){symbol}_constants + {pointer.offset}"
    else:
        constness = "" if pointer.base in ("out", "scratch") else "const "
        text = f"({constness}uint8_t *){pointer.base} + {pointer.offset}"
    return text + (f" + {pointer.stride} * i" if looped and pointer.stride else "")
