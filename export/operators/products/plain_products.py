"""Convolutions and dense layers as plain C loops: layers that do not fit the kernels, and those of cores without any.

Four channels at a time share what they load, and those left over do likewise; their weights lie next to each other, and
every loop walks a pointer: what compilers for small cores make short code of. Zero points are folded into what sums
start from. Padding is read from the border like any pixel, so there are no branches.

Layers of one form have the same text whatever their extents are, and those are hidden from the compiler, so that cycles
follow from counts.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from export.csource.loops import moved, repeated
from export.csource.source import SAFE, Context, ctype, fill_border, function, open_output, pointer
from export.csource.text import indent, table
from export.csource.work import Work
from export.ir.fixed_point import conv_multipliers
from export.ir.ops import Conv2D, DepthwiseConv2D, FullyConnected

_Products = Conv2D | DepthwiseConv2D | FullyConnected
_BLOCK = 4  # channels
_WRITTEN_OUT = 9  # taps of a depthwise kernel that need no loops
_SHORT = 3  # inputs of a run that need none


def emit_products(context: Context) -> str:
    """The C text of a layer."""
    op, target, symbol = context.op, context.target, context.symbol
    assert isinstance(op, _Products)
    weights = _weights(context, op)
    scaling = _scaling(context, op, weights)
    order = sorted(range(len(weights)), key=target.channel_offset)
    if isinstance(op, DepthwiseConv2D):
        stored = weights.ravel().tolist()
        numbers = [value for channel in scaling.channels for value in channel]
        position, written = _depthwise(context, op, weights, scaling), 0
    else:
        blocks = _blocks(order)
        stored = [value for block in blocks for value in _interleaved(weights[block])]
        numbers = [
            value for block in blocks for value in _block_numbers([scaling.channels[c] for c in block])
        ]
        position, written = _channels(context, op, weights, scaling), target.channel_offset(order[-1]) + 1
    tables = table("int8_t", f"{symbol}_weights", stored)
    before = f"const int8_t *w = {symbol}_weights;\nKA_FORGET(w);\n"
    if len(weights) > 1:
        tables += table("int32_t", f"{symbol}_channels", numbers)
        before += f"const int32_t *k = {symbol}_channels;\nKA_FORGET(k);\n"
    body = fill_border(target, context.zero_point(op.output)) + _positions(
        context, op, before + position, written
    )
    return tables + "\n" + function(context, body)


def work_of_products(context: Context) -> Work:
    """Counts of `emit_products`."""
    op, target = context.op, context.target
    assert isinstance(op, _Products)
    weights = _weights(context, op)
    channels, rows, columns, inputs = weights.shape
    positions = target.height * target.width
    found = Counter({"position": positions, "row": target.height, "bytes": weights.size + 12 * channels})
    lone = " alone" if channels == 1 else ""
    found.update({f"{unit}{lone}": positions * channels for unit in _scaling(context, op, weights).units})
    if isinstance(op, DepthwiseConv2D):
        outputs, inputs = positions * channels, positions * channels // op.multiplier
        places = (context.source.shuffled + context.target.shuffled) * (channels > 1)
        found["channel place"] = outputs * (1 if places == 2 and op.multiplier == 1 else places)
        found["repeated input"] = inputs * (op.multiplier > 1)
        if rows * columns <= _WRITTEN_OUT:
            more = {f"products of {rows * columns}{lone}": outputs, "written row": outputs * (rows - 1)}
            return found + Counter(more)
        return found + Counter({"product row": outputs * rows, "product": outputs * rows * columns})
    runs = _runs(context, op, weights)
    for block in _blocks(range(channels)):
        of = f"of {len(block)}{lone}"
        found[f"block {of}"] += positions
        found[f"{'written ' * runs.short}turn {of}"] += positions * runs.rows * runs.columns * runs.inputs
        found[f"run in {runs.loops} loops"] += positions * runs.rows * runs.columns
        found["row of runs"] += positions * runs.rows * (runs.loops == 2)
    return found


@dataclass(frozen=True)
class _Runs:
    """Rows, columns and length of runs of inputs that follow each other without a gap, and elements between them."""

    rows: int
    columns: int
    inputs: int
    row: int
    column: int

    @property
    def loops(self) -> int:
        """How many loops are around the runs."""
        return 2 if self.columns > 1 else int(self.rows > 1)

    @property
    def short(self) -> bool:
        """Whether they are written out."""
        return self.inputs <= _SHORT


def _runs(context: Context, op: Conv2D | FullyConnected, weights: NDArray[np.int8]) -> _Runs:
    _, rows, columns, inputs = weights.shape
    if isinstance(op, FullyConnected):
        return _Runs(1, 1, inputs, 0, 0)
    row, column = op.dilation[0] * context.source.row, op.dilation[1] * context.source.pixel
    if columns > 1 and column == inputs:
        return _Runs(rows, 1, columns * inputs, row, 0)
    return _Runs(rows, columns, inputs, row, column)


def _weights(context: Context, op: _Products) -> NDArray[np.int8]:
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


@dataclass(frozen=True)
class _Scaling:
    """How sums of all channels become outputs.

    Attributes:
        function: That requantizes.
        units: What it is called in counts.
        channels: For each channel what its sums start from, and the other arguments of the function.
    """

    function: str
    units: tuple[str, ...]
    channels: tuple[tuple[int, int, int], ...]


def _scaling(context: Context, op: _Products, weights: NDArray[np.int8]) -> _Scaling:
    """Sums start from the bias, less what the input's zero point adds to every sum, modulo 2^32."""
    bias = np.zeros(len(weights), np.int64)
    if op.bias is not None:
        bias = np.asarray(context.graph.tensors[op.bias].data, np.int64)
    folded = bias - context.zero_point(op.inputs[0]) * weights.sum(axis=(1, 2, 3), dtype=np.int64)
    starts = folded.astype(np.int32).tolist()
    sums = np.abs(folded) + 128 * np.abs(weights.astype(np.int64)).sum(axis=(1, 2, 3))
    multipliers = conv_multipliers(context.graph, op)
    most = max(shift for _, shift in multipliers)
    once = isinstance(op, FullyConnected) or (isinstance(op, Conv2D) and op.once)
    right = most < -1 if once else most < 0 and int(sums.max()) < SAFE
    function = "ka_multiply_once" if once else "ka_multiply"
    units = ["requantize", *(["second rounding"] if not once else [])]
    if not right:
        channels = [(start, *both) for start, both in zip(starts, multipliers, strict=True)]
        return _Scaling(function, (*units, "once either way" if once else "either way"), tuple(channels))
    less = int(once)
    channels = [
        (start, mult, -shift - less) for start, (mult, shift) in zip(starts, multipliers, strict=True)
    ]
    return _Scaling(f"{function}_right", tuple(units), tuple(channels))


def _blocks(order: Sequence[int]) -> list[list[int]]:
    """Channels that are computed together; those left over by blocks of four are the last one."""
    return [list(order[start : start + _BLOCK]) for start in range(0, len(order), _BLOCK)]


def _interleaved(weights: NDArray[np.int8]) -> list[int]:
    """Those of a block's channels, next to each other for every tap."""
    found: list[int] = np.moveaxis(weights, 0, -1).ravel().tolist()
    return found


def _block_numbers(numbers: Sequence[tuple[int, int, int]]) -> list[int]:
    """What a block reads: before the products, and behind them."""
    return [start for start, _, _ in numbers] + [value for _, *scale in numbers for value in scale]


def _positions(context: Context, op: _Products, position: str, written: int) -> str:
    """The loops over all positions, each of which writes so many elements from `y0` on and moves it behind them."""
    source, target = context.source, context.target
    (down, across), first = (1, 1), source.offset(0, 0)
    if not isinstance(op, FullyConnected):
        down, across = op.stride
        first = source.offset(-op.padding.top, -op.padding.left)
    body = position + moved("window", across * source.pixel) + moved("y0", target.pixel - written)
    body = f"const {ctype(source)} *window = line;\n" + repeated("x", target.width, body)
    body += moved("line", down * source.row) + moved("y0", target.row - target.width * target.pixel)
    opened = pointer(f"const {ctype(source)}", "line", "in0", first) + open_output(target)
    return opened + repeated("y", target.height, body)


def _output(context: Context, op: _Products, scaling: _Scaling, total: str, first: int = 0) -> str:
    """Requantizes a sum to `q`, with the numbers behind `first` ones of the channel, or with those of a lone one."""
    scale = f"k[{first}], k[{first + 1}]"
    if len(scaling.channels) == 1:
        scale = f"{scaling.channels[0][1]}, {scaling.channels[0][2]}"
    low, high = op.clamp
    text = f"int32_t q = {scaling.function}((int32_t){total}, {scale});\n"
    return text + f"q = ka_clamp8(q + ({context.zero_point(op.output)}), {low}, {high});\n"


def _start(scaling: _Scaling, place: int) -> str:
    """What a sum starts from."""
    return f"k[{place}]" if len(scaling.channels) > 1 else f"({scaling.channels[0][0]})"


def _channels(
    context: Context, op: Conv2D | FullyConnected, weights: NDArray[np.int8], scaling: _Scaling
) -> str:
    """All channels of a position of a convolution."""
    runs = _runs(context, op, weights)
    full, rest = divmod(len(weights), _BLOCK)
    text = repeated("b", full, _block(context, op, runs, scaling, _BLOCK)) if full else ""
    return text + (f"{{\n{indent(_block(context, op, runs, scaling, rest))}}}\n" if rest else "")


def _block(context: Context, op: Conv2D | FullyConnected, runs: _Runs, scaling: _Scaling, count: int) -> str:
    """Some channels of a position, whose sums share the inputs."""
    source, target = context.source, context.target
    body = "".join(f"uint32_t s{i} = (uint32_t){_start(scaling, i)};\n" for i in range(count))
    body += f"const {ctype(source)} *in = window;\n{_all_runs(runs, count)}"
    if count == 1:
        body += _output(context, op, scaling, "s0", 1) + f"*y0 = ({ctype(target)})q;\n" + moved("y0", 1)
        return body + (moved("k", 3) if len(scaling.channels) > 1 else "")
    sums = ", ".join(f"s{i}" for i in range(count))
    body += f"{moved('k', count)}uint32_t sums[{count}] = {{{sums}}};\nconst uint32_t *sum = sums;\n"
    # Of two channels left over the second one lies behind a gap where the middle two of every four trade places.
    step = 2 if target.shuffled and count == 2 else 1
    output = _output(context, op, scaling, "*sum") + f"*y0 = ({ctype(target)})q;\n"
    output += moved("sum", 1) + moved("k", 2) + moved("y0", step)
    return body + repeated("c", count, output) + moved("y0", 1 - step)


def _all_runs(runs: _Runs, count: int) -> str:
    """Adds the products of so many channels to their sums."""
    walked = 0 if runs.short else runs.inputs
    if runs.short:
        taps = "".join(_turn(count, i) for i in range(runs.inputs)) + moved("w", runs.inputs * count)
    else:
        after = "".join(f"KA_AFTER(w, s{i});\n" for i in range(count)) if count > 1 else ""
        moves = moved("in", 1) + after + moved("w", count) + "KA_AFTER(i, w);\n"
        taps = repeated("i", runs.inputs, _turn(count, 0) + moves)
    if runs.loops == 2:
        taps = repeated("u", runs.columns, taps + moved("in", runs.column - walked))
        walked = runs.columns * runs.column
    return repeated("v", runs.rows, taps + moved("in", runs.row - walked)) if runs.loops else taps


def _turn(count: int, number: int) -> str:
    """The products of an input."""
    weights = [f"w{i}" for i in range(count)]
    text = f"int32_t value = in[{number}];\n"
    text += "".join(f"int32_t {name} = w[{number * count + i}];\n" for i, name in enumerate(weights))
    text += f"KA_TOGETHER_{count}({', '.join(weights)});\n" if count > 1 else ""
    text += "".join(f"s{i} += (uint32_t)(value * {name});\n" for i, name in enumerate(weights))
    return f"{{\n{indent(text)}}}\n"


def _depthwise(context: Context, op: DepthwiseConv2D, weights: NDArray[np.int8], scaling: _Scaling) -> str:
    """All channels of a position of a depthwise convolution, one at a time."""
    source, target = context.source, context.target
    lone = len(weights) == 1
    repeats = op.multiplier > 1
    of_input, of_output = "input" if repeats else "channel", "channel"
    first = f"ka_place({of_input})" if source.shuffled else of_input
    to = f"ka_place({of_output})" if target.shuffled else of_output
    output = ""
    if first == to != of_output:
        output, first, to = f"int place = {to};\n", "place", "place"
    if lone:
        output, first, to = "", "0", "0"
    output += (
        f"const {ctype(source)} *in = window + {first};\nuint32_t sum = (uint32_t){_start(scaling, 0)};\n"
    )
    output += _taps(context, op, weights) + _output(context, op, scaling, "sum", 1)
    output += f"y0[{to}] = ({ctype(target)})q;\n"
    if lone:
        return output
    output += moved("k", 3) + moved(of_output, 1)
    if repeats:
        output = repeated("m", op.multiplier, output) + moved(of_input, 1)
    counters = "int channel = 0;\n" + ("int input = 0;\n" if repeats else "")
    return counters + repeated("c", len(weights) // op.multiplier, output)


def _taps(context: Context, op: DepthwiseConv2D, weights: NDArray[np.int8]) -> str:
    """All products of an output of a depthwise convolution."""
    _, rows, columns, _ = weights.shape
    row, column = op.dilation[0] * context.source.row, op.dilation[1] * context.source.pixel
    if rows * columns <= _WRITTEN_OUT:
        return _written_out(rows, columns, row, column)
    product = f"sum += (uint32_t)(*in * *w);\n{moved('in', column)}{moved('w', 1)}"
    return repeated("v", rows, repeated("u", columns, product) + moved("in", row - columns * column))


def _written_out(rows: int, columns: int, row: int, column: int) -> str:
    """Products of all taps, one after the other; a pointer moves from row to row."""
    lines = []
    for v in range(rows):
        lines += [moved("in", row).rstrip()] if v else []
        lines += [f"sum += (uint32_t)(in[{u * column}] * w[{v * columns + u}]);" for u in range(columns)]
    return "\n".join(lines) + "\n" + moved("w", rows * columns)
