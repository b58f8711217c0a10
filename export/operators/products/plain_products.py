"""Convolutions and dense layers as plain C loops: layers that do not fit the kernels, and those of cores without any.

Four channels at a time share what they load, their weights lie next to each other, and every loop walks a pointer: what
compilers for small cores make short code of. Zero points are folded into what sums start from. Padding is read from the
border like any pixel, so there are no branches.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from export.csource.loops import counting_loops
from export.csource.source import Context, at, ctype, fill_border, function, open_input, open_output
from export.csource.text import indent, table
from export.csource.work import Work, loop_work
from export.ir.fixed_point import conv_multipliers
from export.ir.ops import Conv2D, DepthwiseConv2D, FullyConnected

_BLOCK = 4  # channels
_PLACED = 2  # channels up to which compilers compute where each lies
_WRITTEN_OUT = 9  # taps of a depthwise kernel that need no loops


def emit_products(context: Context) -> str:
    """The C text of a layer."""
    op = context.op
    assert isinstance(op, Conv2D | DepthwiseConv2D | FullyConnected)
    target, symbol = context.target, context.symbol
    weights = _weights(context, op)
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
    body += counting_loops([("y", target.height), ("x", target.width)], position)
    return tables + "\n" + function(context, body)


def work_of_products(context: Context) -> Work:
    """Counts of `emit_products`."""
    op, target = context.op, context.target
    assert isinstance(op, Conv2D | DepthwiseConv2D | FullyConnected)
    weights = _weights(context, op)
    channels, rows, columns, inputs = weights.shape
    positions = target.height * target.width
    outputs = positions * channels
    requantize = "requantize by channel" if channels > 1 else "requantize"
    found = Counter({"position": positions, requantize: outputs})
    places = target.shuffled + (context.source.shuffled and isinstance(op, DepthwiseConv2D))
    found["channel place"] = outputs * places if channels > _PLACED else 0
    if isinstance(op, DepthwiseConv2D):
        found["bytes"] = weights.size + 9 * channels
        if rows * columns <= _WRITTEN_OUT:
            return found + Counter({"written product": outputs * rows * columns})
        return found + loop_work((rows, columns), "depthwise product", outputs, short=True)
    blocks = -(-channels // _BLOCK)
    rows, columns, inputs = _runs(context, op, weights)
    found["bytes"] = blocks * _BLOCK * weights[0].size + 9 * channels
    sums = positions * blocks
    turns = sums * rows * columns * inputs
    units = {
        "block": sums,
        "ragged block": sums * (channels % _BLOCK > 0),
        "tap loop": sums * ((rows > 1) + rows * (columns > 1)),
        "run": sums * rows * columns,
    }
    if channels > _BLOCK:
        units["turn"] = turns
    elif channels > 1:  # compilers leave out the sums of channels that are not there
        units |= {"lone turn": turns, "lone product": turns * channels}
    else:
        units["single product"] = turns
    return found + Counter(units)


def _runs(context: Context, op: Conv2D | FullyConnected, weights: NDArray[np.int8]) -> tuple[int, int, int]:
    """Rows, columns and length of runs of inputs that follow each other without a gap."""
    _, rows, columns, inputs = weights.shape
    if isinstance(op, Conv2D) and columns > 1 and op.dilation[1] * context.source.pixel == inputs:
        return rows, 1, columns * inputs
    return rows, columns, inputs


def _weights(context: Context, op: Conv2D | DepthwiseConv2D | FullyConnected) -> NDArray[np.int8]:
    """[channels, taps y, taps x, inputs], those in the order in which they lie in memory."""
    weights = np.asarray(context.graph.tensors[op.weights].data, np.int8)
    if isinstance(op, DepthwiseConv2D):
        return weights.transpose(3, 1, 2, 0)
    if isinstance(op, FullyConnected):
        weights = weights.reshape(len(weights), 1, 1, -1)
    places = [context.source.channel_offset(channel) for channel in range(weights.shape[-1])]
    stored = np.zeros((*weights.shape[:-1], max(places) + 1), np.int8)
    stored[..., places] = weights
    return stored


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
    channels = len(weights)
    rows, columns, inputs = _runs(context, op, weights)
    names = [f"s{i}" for i in range(_BLOCK)]
    row = column = 0
    if isinstance(op, Conv2D):
        row, column = op.dilation[0] * source.row, op.dilation[1] * source.pixel
    turn = "int32_t value = *in++;\n" + "".join(
        f"{name} += (uint32_t)(value * w[{i}]);\n" for i, name in enumerate(names)
    )
    turn += f"w += {_BLOCK};\n"
    run = f"const {ctype(source)} *in = window{_times('v', rows, row)}{_times('u', columns, column)};\n"
    run += f"const {ctype(source)} *end = in + {inputs};\n"
    run += f"do {{\n{indent(turn)}}} while (in != end);\n"
    taps = counting_loops([(name, count) for name, count in (("v", rows), ("u", columns)) if count > 1], run)
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
        taps = counting_loops([("v", rows), ("u", columns)], product, short=True)
    channel = f"c / {op.multiplier}" if op.multiplier > 1 else "c"
    channel = f"ka_place({channel})" if source.shuffled else channel
    body = f"const {ctype(source)} *in = window + {channel};\n"
    body += f"uint32_t sum = (uint32_t){symbol}_start[c];\n{taps}{_stored(context, op, 'sum')}"
    text = _window(context, op) + f"const int8_t *w = {symbol}_weights;\n"
    return text + counting_loops([("c", channels)], body)


def _written_out(rows: int, columns: int, row: int, column: int) -> str:
    """Products of all taps, one after the other; a pointer moves from row to row."""
    places: Sequence[tuple[int, int]] = [(v, u) for v in range(rows) for u in range(columns)]
    lines = []
    for number, (v, u) in enumerate(places):
        if v and u == 0:
            lines.append(f"in += {row};")
        lines.append(f"sum += (uint32_t)(in[{u * column}] * w[{number}]);")
    return "\n".join([*lines, f"w += {len(places)};"]) + "\n"
