"""MAX_POOL_2D and AVERAGE_POOL_2D with any window; windows are cut at the input's edges."""

from __future__ import annotations

from export.codegen.source import Context, at, ctype, fill_border, function, loops, open_input, open_output
from export.codegen.text import indent
from export.ir.ops import AveragePool2D, MaxPool2D


def emit_pool(context: Context) -> str:
    op = context.stage.op
    assert isinstance(op, MaxPool2D | AveragePool2D)
    source, target = context.source, context.target
    body = fill_border(target, context.zero_point(op.output)) + open_input(source) + open_output(target)
    value = f"x0[{at(source, 'v', 'u', 'c')}]"
    if isinstance(op, MaxPool2D):
        start = "int32_t best = -128;\n"
        visit = f"if ({value} > best)\n    best = {value};\n"
        finish = "int32_t q = best;\n"
    else:
        start = "int32_t sum = 0;\n"
        visit = f"sum += {value};\n"
        finish = "int32_t count = (bottom - top) * (right - left);\n"
        finish += "int32_t q = (sum < 0 ? sum - count / 2 : sum + count / 2) / count;\n"
    finish += (
        f"y0[{at(target, 'y', 'x', 'c')}] = ({ctype(target)})ka_clamp(q, {op.clamp[0]}, {op.clamp[1]});\n"
    )
    window = "for (int v = top; v < bottom; v++) {\n"
    window += indent("for (int u = left; u < right; u++) {\n" + indent(visit) + "}\n") + "}\n"
    inner = _edges("top", "bottom", "y", op.kernel[0], op.stride[0], op.padding.top, source.height)
    inner += _edges("left", "right", "x", op.kernel[1], op.stride[1], op.padding.left, source.width)
    channel = loops([("c", target.channels)], start + window + finish)
    body += loops([("y", target.height), ("x", target.width)], inner + channel)
    return function(context, body)


def _edges(low: str, high: str, index: str, kernel: int, stride: int, padding: int, size: int) -> str:
    """First and end coordinate of a window, cut at the input's edges."""
    first = f"{index} * {stride} - {padding}"
    text = f"int {low} = {first} < 0 ? 0 : {first};\n"
    return text + f"int {high} = {first} + {kernel} > {size} ? {size} : {first} + {kernel};\n"
