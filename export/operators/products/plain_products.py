"""Convolutions as plain C loops: layers whose numbers do not fit the kernels, and those of cores without any.

Reads padding from the border like every kernel, so there are no branches.
"""

from __future__ import annotations

from collections import Counter

import numpy as np

from export.csource.source import Context, at, ctype, fill_border, function, loops, open_input, open_output
from export.csource.text import table
from export.csource.work import Work, loop_work
from export.ir.fixed_point import conv_multipliers
from export.ir.ops import Conv2D, DepthwiseConv2D, FullyConnected
from export.operators.products.plain_blocks import emit_blocks, in_blocks


def emit_products(context: Context) -> str:
    if in_blocks(context.source):
        return emit_blocks(context)
    op = context.op
    assert isinstance(op, Conv2D | DepthwiseConv2D | FullyConnected)
    graph, source, target, symbol = context.graph, context.source, context.target, context.symbol
    weights = np.asarray(graph.tensors[op.weights].data, np.int8)
    multipliers = conv_multipliers(graph, op)
    bias = [0] * target.channels if op.bias is None else np.asarray(graph.tensors[op.bias].data).tolist()
    tables = table("int8_t", f"{symbol}_weights", weights.ravel().tolist())
    tables += table("int32_t", f"{symbol}_bias", bias)
    tables += table("int32_t", f"{symbol}_mult", [mult for mult, _ in multipliers])
    tables += table("int8_t", f"{symbol}_shift", [shift for _, shift in multipliers])

    if isinstance(op, FullyConnected):
        rows = columns = 1
        inputs = weights.shape[1]
        read, weight = f"x0[{at(source, '0', '0', 'i')}]", f"{symbol}_weights[c * {inputs} + i]"
    elif isinstance(op, DepthwiseConv2D):
        _, rows, columns, channels = weights.shape
        inputs = 1
        read = f"x0[{_tap(context, f'c / {op.multiplier}' if op.multiplier > 1 else 'c')}]"
        weight = f"{symbol}_weights[(v * {columns} + u) * {channels} + c]"
    else:
        _, rows, columns, inputs = weights.shape
        read = f"x0[{_tap(context, 'i')}]"
        weight = f"{symbol}_weights[((c * {rows} + v) * {columns} + u) * {inputs} + i]"

    once = isinstance(op, FullyConnected) or (isinstance(op, Conv2D) and op.once)
    multiply = "ka_multiply_once" if once else "ka_multiply"
    product = f"sum += (uint32_t)(({read} - ({context.zero_point(op.inputs[0])})) * {weight});\n"
    inner = f"uint32_t sum = (uint32_t){symbol}_bias[c];\n"
    inner += loops([("v", rows), ("u", columns), ("i", inputs)], product)
    inner += f"int32_t q = {multiply}((int32_t)sum, {symbol}_mult[c], {symbol}_shift[c]);\n"
    low, high = op.clamp
    clamped = f"ka_clamp(q + ({context.zero_point(op.output)}), {low}, {high})"
    inner += f"y0[{at(target, 'y', 'x', 'c')}] = ({ctype(target)}){clamped};\n"
    body = fill_border(target, context.zero_point(op.output)) + open_input(source) + open_output(target)
    body += loops([("y", target.height), ("x", target.width), ("c", target.channels)], inner)
    return tables + "\n" + function(context, body)


def _tap(context: Context, channel: str) -> str:
    """Index of the input a kernel position reads; negative coordinates lie in the border."""
    op = context.op
    assert isinstance(op, Conv2D | DepthwiseConv2D)
    row = f"y * {op.stride[0]} + v * {op.dilation[0]} - {op.padding.top}"
    column = f"x * {op.stride[1]} + u * {op.dilation[1]} - {op.padding.left}"
    return at(context.source, row, column, channel)


def work_of_products(context: Context) -> Work:
    """Counts of `emit_products`."""
    op, target = context.op, context.target
    assert isinstance(op, Conv2D | DepthwiseConv2D | FullyConnected)
    weights = np.asarray(context.graph.tensors[op.weights].data)
    if isinstance(op, FullyConnected):
        kernel = (1, 1, weights.shape[1])
    else:
        kernel = (*weights.shape[1:3], 1 if isinstance(op, DepthwiseConv2D) else weights.shape[3])
    found = loop_work((target.height, target.width, target.channels), "requantize by channel")
    outputs = target.height * target.width * target.channels
    unit = "product" if kernel[2] > 1 else "depthwise product"
    return (
        found
        + loop_work(kernel, unit, outputs, (context.source,))
        + Counter(bytes=weights.size + 9 * target.channels)
    )
