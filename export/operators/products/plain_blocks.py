"""Convolutions and dense layers as C loops for cores without the DSP extension.

Four channels at a time share what they load, their weights lie next to each other, and every loop walks a pointer: what
compilers for small cores make short code of. Zero points are folded into what sums start from.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from export.csource.source import Context, at, ctype, fill_border, function, loops, open_input, open_output
from export.csource.text import indent, table
from export.ir.fixed_point import conv_multipliers
from export.ir.ops import Conv2D, DepthwiseConv2D, FullyConnected
from export.kernels.layout import Layout

_BLOCK = 4  # channels
_WRITTEN_OUT = 9  # taps of a depthwise kernel that need no loops


def in_blocks(source: Layout) -> bool:
    """Whether a layer's inputs lie as these loops read them."""
    return source.element == "int8" and not source.shuffled


def emit_blocks(context: Context) -> str:
    """The C text of a layer."""
    op = context.op
    assert isinstance(op, Conv2D | DepthwiseConv2D | FullyConnected)
    target, symbol = context.target, context.symbol
    weights = _weights(context, op)  # [channels, taps y, taps x, inputs]
    multipliers = conv_multipliers(context.graph, op)
    starts = _starts(context, op, weights)
    if isinstance(op, DepthwiseConv2D):
        stored, position = weights, _depthwise(context, op, weights)
    else:
        stored, position = _interleaved(weights), _block(context, op, weights)
    tables = table("int8_t", f"{symbol}_weights", stored.ravel().tolist())
    tables += table("int32_t", f"{symbol}_start", starts)
    tables += table("int32_t", f"{symbol}_mult", [mult for mult, _ in multipliers])
    tables += table("int8_t", f"{symbol}_shift", [shift for _, shift in multipliers])
    body = fill_border(target, context.zero_point(op.output)) + open_input(context.source)
    body += open_output(target)
    body += loops([("y", target.height), ("x", target.width)], position)
    return tables + "\n" + function(context, body)


def _weights(context: Context, op: Conv2D | DepthwiseConv2D | FullyConnected) -> NDArray[np.int8]:
    weights = np.asarray(context.graph.tensors[op.weights].data, np.int8)
    if isinstance(op, DepthwiseConv2D):
        return weights.transpose(3, 1, 2, 0)
    return weights.reshape(len(weights), 1, 1, -1) if isinstance(op, FullyConnected) else weights


def _starts(
    context: Context, op: Conv2D | DepthwiseConv2D | FullyConnected, weights: NDArray[np.int8]
) -> list[int]:
    """What sums start from: the bias, less what the input's zero point adds to every sum, modulo 2^32."""
    bias = np.zeros(len(weights), np.int64)
    if op.bias is not None:
        bias = np.asarray(context.graph.tensors[op.bias].data, np.int64)
    folded = bias - context.zero_point(op.inputs[0]) * weights.sum(axis=(1, 2, 3), dtype=np.int64)
    return folded.astype(np.int32).tolist()


def _interleaved(weights: NDArray[np.int8]) -> NDArray[np.int8]:
    """Blocks of channels, next to each other for every tap; zeros fill the last one."""
    channels = len(weights)
    padded = np.zeros((-(-channels // _BLOCK) * _BLOCK, *weights.shape[1:]), np.int8)
    padded[:channels] = weights
    blocks = padded.reshape(-1, _BLOCK, *weights.shape[1:])
    return np.ascontiguousarray(np.moveaxis(blocks, 1, -1))


def _window(context: Context, op: Conv2D | DepthwiseConv2D | FullyConnected) -> str:
    """Declares `window`, which points to the first input of a position."""
    source = context.source
    if isinstance(op, FullyConnected):
        return f"const {ctype(source)} *window = x0;\n"
    row = f"(y * {op.stride[0]} - {op.padding.top}) * {source.row}"
    column = f"(x * {op.stride[1]} - {op.padding.left}) * {source.pixel}"
    return f"const {ctype(source)} *window = x0 + {row} + {column};\n"


def _stored(context: Context, op: Conv2D | DepthwiseConv2D | FullyConnected, total: str) -> str:
    """Requantizes and stores the sum of channel c."""
    once = isinstance(op, FullyConnected) or (isinstance(op, Conv2D) and op.once)
    multiply = "ka_multiply_once" if once else "ka_multiply"
    symbol, target = context.symbol, context.target
    low, high = op.clamp
    text = f"int32_t q = {multiply}((int32_t){total}, {symbol}_mult[c], {symbol}_shift[c]);\n"
    clamped = f"ka_clamp(q + ({context.zero_point(op.output)}), {low}, {high})"
    return text + f"y0[{at(target, 'y', 'x', 'c')}] = ({ctype(target)}){clamped};\n"


def _block(context: Context, op: Conv2D | FullyConnected, weights: NDArray[np.int8]) -> str:
    """All channels of a position of a convolution, four at a time."""
    source, symbol = context.source, context.symbol
    channels, rows, columns, inputs = weights.shape
    names = [f"s{i}" for i in range(_BLOCK)]
    row = column = 0
    if isinstance(op, Conv2D):
        row, column = op.dilation[0] * source.row, op.dilation[1] * source.pixel
    if columns > 1 and column == inputs:  # neighbours follow each other without a gap
        columns, inputs = 1, columns * inputs
    turn = "int32_t value = *in++;\n" + "".join(
        f"{name} += (uint32_t)(value * w[{i}]);\n" for i, name in enumerate(names)
    )
    turn += f"w += {_BLOCK};\n"
    run = f"const {ctype(source)} *in = window{_times('v', rows, row)}{_times('u', columns, column)};\n"
    run += f"const {ctype(source)} *end = in + {inputs};\n"
    run += f"do {{\n{indent(turn)}}} while (in != end);\n"
    taps = loops([(name, count) for name, count in (("v", rows), ("u", columns)) if count > 1], run)
    if rows == columns == 1:
        taps = f"{{\n{indent(run)}}}\n"
    body = "uint32_t sums[4];\n"
    body += "".join(
        f"uint32_t {name} = (uint32_t){symbol}_start[{_last('b', i, channels)}];\n"
        for i, name in enumerate(names)
    )
    body += taps + "".join(f"sums[{i}] = {name};\n" for i, name in enumerate(names))
    finish = _stored(context, op, "sums[c - b]")
    end = (
        f"b + {_BLOCK}"
        if channels % _BLOCK == 0
        else f"(b + {_BLOCK} < {channels} ? b + {_BLOCK} : {channels})"
    )
    body += f"for (int c = b; c < {end}; c++) {{\n{indent(finish)}}}\n"
    text = _window(context, op) + f"const int8_t *w = {symbol}_weights;\n"
    return text + f"for (int b = 0; b < {channels}; b += {_BLOCK}) {{\n{indent(body)}}}\n"


def _last(first: str, more: int, channels: int) -> str:
    """A channel of a block, or the last one there is."""
    if more == 0:
        return first
    if channels % _BLOCK == 0:
        return f"{first} + {more}"
    return f"{first} + {more} < {channels} ? {first} + {more} : {channels - 1}"


def _times(name: str, count: int, distance: int) -> str:
    return f" + {name} * {distance}" if count > 1 and distance else ""


def _depthwise(context: Context, op: DepthwiseConv2D, weights: NDArray[np.int8]) -> str:
    """All channels of a position of a depthwise convolution, one at a time."""
    source, symbol = context.source, context.symbol
    channels, rows, columns, _ = weights.shape
    row, column = op.dilation[0] * source.row, op.dilation[1] * source.pixel
    if rows * columns <= _WRITTEN_OUT:
        taps = _written_out(rows, columns, row, column)
    else:
        product = f"sum += (uint32_t)(in[v * {row} + u * {column}] * *w++);\n"
        taps = loops([("v", rows), ("u", columns)], product)
    channel = f"c / {op.multiplier}" if op.multiplier > 1 else "c"
    body = f"const int8_t *in = window + {channel};\n"
    body += f"uint32_t sum = (uint32_t){symbol}_start[c];\n{taps}{_stored(context, op, 'sum')}"
    text = _window(context, op) + f"const int8_t *w = {symbol}_weights;\n"
    return text + loops([("c", channels)], body)


def _written_out(rows: int, columns: int, row: int, column: int) -> str:
    """Products of all taps, one after the other; a pointer moves from row to row."""
    places: Sequence[tuple[int, int]] = [(v, u) for v in range(rows) for u in range(columns)]
    lines = []
    for number, (v, u) in enumerate(places):
        if v and u == 0:
            lines.append(f"in += {row};")
        lines.append(f"sum += (uint32_t)(in[{u * column}] * w[{number}]);")
    return "\n".join([*lines, f"w += {len(places)};"]) + "\n"
