"""Plans a Conv2D or FullyConnected layer: blocks of channels, kernels, and the constants they read.

Two variants. `unpacked`: each block of channels has a kernel of its own, straight-line over all its kept products.
`loop`: blocks share one kernel that loops over kernel rows and groups of input channels and computes every product;
its code is small, so it wins where nearly all products are kept and the unpacked body would not fit the instruction
cache.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from export.kernels.direct.body import Operand, schedule_body
from export.kernels.direct.channel_blocks import consecutive_blocks, shared_blocks
from export.kernels.direct.loops import (
    COUNT,
    OUTER,
    Epilogue,
    Geometry,
    Sum,
    accumulator,
    begin_sums,
    write_program,
)
from export.kernels.elementwise.addition import Addition, with_addition
from export.kernels.language.steps import NEAR, WORD, Step, move, repeat, step
from export.kernels.linear import Linear
from export.kernels.plan import Call, Kernel, Plan, Pointer
from export.kernels.requantize import Requantization, Scaling


@dataclass(frozen=True)
class ConvProblem:
    """A convolution as the planner sees it; a fully connected layer is a 1 x 1 one at a single position.

    Attributes:
        geometry: The positions that kernels visit.
        weights: int32 [out, kernel y, kernel x, in], unscaled.
        bias: int64 [out], with the input's zero point folded in.
        requantization: One a channel.
        tap_y: Bytes from one kernel row's inputs to the next one's.
        tap_x: Bytes from one kernel column's inputs to the next one's.
        source: Byte offset of the first position's first input in its buffer.
        target: Byte offset of the first position's outputs in their buffer.
        output_offsets: Byte offset of each output channel from there.
        output_step: Bytes between output channels that are neighbors in memory; in planes, not those of an output.
        widened: Whether inputs are int8, four shuffled channels a word, and not int16.
        sum: The Add fused behind it, as its code needs it, or None.
        addition: Its numbers.
        scaling: What accumulators become, where convolutions round twice; None for a dense layer.
        solved: Finds `linear`, which takes time, when it is first asked for.
    """

    geometry: Geometry
    weights: NDArray[np.int32]
    bias: NDArray[np.int64]
    requantization: tuple[Requantization, ...]
    tap_y: int
    tap_x: int
    source: int
    target: int
    output_offsets: tuple[int, ...]
    output_step: int
    widened: bool
    sum: Sum | None = None
    addition: Addition | None = None
    scaling: Scaling | None = None
    solved: Callable[[], tuple[Linear | None, ...] | None] = lambda: None

    @cached_property
    def linear(self) -> tuple[Linear | None, ...] | None:
        """Requantization by a single multiplication, where channels have such constants."""
        return self.solved()

    @cached_property
    def finish(self) -> tuple[Requantization | Linear, ...]:
        """The requantization of kernels that channels share: of one kind for all of them."""
        found = self.each
        return found if all(isinstance(entry, Linear) for entry in found) else self.requantization

    @cached_property
    def each(self) -> tuple[Requantization | Linear, ...]:
        """The fastest requantization of each channel by itself."""
        if self.linear is None:
            return self.requantization
        return tuple(one or other for one, other in zip(self.linear, self.requantization, strict=True))

    @property
    def channels_of_word(self) -> int:
        """Input channels that a load of a word brings."""
        return 4 if self.widened else 2

    def pair_at(self, pair: int) -> tuple[int, int | None]:
        """Byte offset of the word that holds a pair of input channels, and which half of it the pair is."""
        return (pair // 2 * 4, pair % 2) if self.widened else (pair * 4, None)


def block_channels(geometry: Geometry) -> int:
    """Channels of a block: the most for which its positions leave accumulators."""
    return 8 // geometry.positions


def scaled_weights(
    problem: ConvProblem, entries: Sequence[Requantization | Linear] | None = None
) -> NDArray[np.int32]:
    """Weights times the factor of their channel, by the entries that are given or all of one kind; they fit 16 bits."""
    scale = np.array([r.factor for r in entries or problem.finish], np.int32)
    return problem.weights * scale[:, None, None, None]


def packed_pairs(problem: ConvProblem) -> NDArray[np.uint32]:
    """Scaled weights in pairs, uint32 [out, kernel y, kernel x, pair]; zeros fill the last word of inputs."""
    scaled = scaled_weights(problem)
    missing = -scaled.shape[3] % problem.channels_of_word
    scaled = np.pad(scaled, ((0, 0), (0, 0), (0, 0), (0, missing)))
    halves = (scaled & 0xFFFF).astype(np.uint32)
    return halves[..., 0::2] | halves[..., 1::2] << np.uint32(16)


DENSE = 0.95  # of what a mask may skip: with more of it kept, skipping saves nothing


def kept_pairs(problem: ConvProblem) -> NDArray[np.bool_]:
    """Which of `packed_pairs` are not zero."""
    kept = problem.weights != 0
    missing = -kept.shape[3] % problem.channels_of_word
    if missing:
        kept = np.pad(kept, ((0, 0), (0, 0), (0, 0), (0, missing)))
    return kept[..., 0::2] | kept[..., 1::2]


def unpacked_blocks(problem: ConvProblem, kept: NDArray[np.bool_], size: int) -> list[tuple[int, ...]]:
    """Channels that share an unpacked kernel, given `kept_pairs`."""
    if max(problem.output_offsets) <= NEAR:
        return shared_blocks(kept.reshape(len(kept), -1), size)
    return consecutive_blocks(len(kept), size)  # a block's outputs must be within reach of a store


def plan_unpacked(problem: ConvProblem, size: int) -> Plan:
    """Plans straight-line kernels of the kept products, one for each block of at most `size` channels."""
    pairs = packed_pairs(problem)
    kernels: list[Kernel] = []
    calls: list[Call] = []
    stream: list[int] = []
    for number, channels in enumerate(unpacked_blocks(problem, pairs != 0, size)):
        geometry = problem.geometry
        operands = _operands(pairs[list(channels)], problem)
        body = schedule_body(operands, position_offsets(geometry), _products(geometry))
        finish = [epilogue_of(problem, c, channels, streamed=False) for c in channels]
        begun, biases = begin_sums(body.steps, geometry, len(channels))
        steps = write_program(geometry, begun, body.moved, len(body.words), finish, biases)
        kernels.append(Kernel(tuple(steps)))
        calls.append(call_of(problem, number, len(stream), channels))
        stream += block_stream(problem, channels, body.words, streamed=False)
    plan = Plan("unpacked", tuple(kernels), tuple(calls), tuple(stream))
    return with_addition(plan, problem.addition)


def loop_unrollings(problem: ConvProblem) -> list[int]:
    """Input pairs that a turn of the shared kernel may take, ascending.

    None where channels cannot share a kernel, since no rounding mode is right for all of them.
    """
    if shared_mode(problem.finish) is None:
        return []
    words = -(-problem.weights.shape[3] // problem.channels_of_word)
    per_word = problem.channels_of_word // 2
    divisors = [count * per_word for count in range(1, words + 1) if words % count == 0]
    return [count for count in divisors if _loop_reach(problem, count) <= NEAR]


def plan_loop(problem: ConvProblem, unrolled: int, *, rows: bool = False) -> Plan:
    """Plans the shared kernel.

    Args:
        problem: The layer.
        unrolled: Input pairs that a turn of the loop takes, one of `loop_unrollings`.
        rows: Whether kernel rows are unrolled too; only where a turn takes all pairs.
    """
    pairs = packed_pairs(problem)
    kernels: list[Kernel] = []
    shared: dict[tuple[int, tuple[int, ...]], int] = {}
    calls: list[Call] = []
    stream: list[int] = []
    parts = _even_parts(problem, unrolled)
    for channels in consecutive_blocks(len(pairs), block_channels(problem.geometry)):
        for number, part in enumerate(parts):
            key = number, output_offsets_of(part, channels)
            if key not in shared:
                shared[key] = len(kernels)
                kernels.append(Kernel(tuple(_loop_steps(part, channels, pairs.shape[3], unrolled, rows))))
            calls.append(call_of(part, shared[key], len(stream), channels))
        words = pairs[list(channels)].transpose(1, 3, 2, 0).ravel().tolist()  # as `_loop_order` takes them
        stream += block_stream(problem, channels, words, streamed=True)
    plan = Plan("loop", tuple(kernels), tuple(calls), tuple(stream))
    return with_addition(plan, problem.addition)


def _even_parts(problem: ConvProblem, unrolled: int) -> list[ConvProblem]:
    """Splits off the last of an odd number of columns, whose blocks then span two rows, so that few overlap."""
    geometry = problem.geometry
    if geometry.pooled or geometry.positions != 2 or geometry.columns % 2 == 0 or geometry.rows < 2:
        return [problem]
    last = geometry.columns - 1
    column = replace(
        problem,
        geometry=replace(
            geometry,
            rows=1,
            columns=geometry.rows,
            in_x=geometry.in_y,
            out_x=geometry.out_y,
        ),
        source=problem.source + last * geometry.in_x,
        target=problem.target + last * geometry.out_x,
    )
    if column.geometry.positions != 2 or _loop_reach(column, unrolled) > NEAR:
        return [problem]
    return [replace(problem, geometry=replace(geometry, columns=last)), column]


def output_offsets_of(problem: ConvProblem, channels: Sequence[int]) -> tuple[int, ...]:
    """Byte offsets of a block's outputs from the first of them in memory."""
    offsets = [problem.output_offsets[channel] for channel in channels]
    return tuple(offset - min(offsets) for offset in offsets)


def call_of(problem: ConvProblem, kernel: int, start: int, channels: Sequence[int]) -> Call:
    """The call of a kernel for a block of channels, whose constants start at a word."""
    target = problem.target + min(problem.output_offsets[channel] for channel in channels)
    return Call(
        kernel, Pointer("in0", problem.source), Pointer("out", target), Pointer("constants", WORD * start)
    )


def _products(geometry: Geometry) -> Callable[[int, int, str, str], list[Step]]:
    """A dual multiply-accumulate for a channel at a position."""

    def products(channel: int, position: int, x: str, weight: str) -> list[Step]:
        return [step("MAC", accumulator(channel, position, geometry.positions), x, weight)]

    return products


def position_offsets(geometry: Geometry) -> list[int]:
    """Bytes from the inputs of a block's first position to those of each of its positions."""
    return [position * geometry.in_x for position in range(geometry.positions)]


def _operands(pairs: NDArray[np.uint32], problem: ConvProblem) -> list[Operand]:
    """Kept operands of a block: by kernel row, pair, kernel column, channel."""
    by_order = pairs.transpose(1, 3, 2, 0)  # ky, pair, kx, channel
    result = []
    for ky, pair, kx, channel in np.argwhere(by_order).tolist():
        row = ky * problem.tap_y
        offset, half = problem.pair_at(pair)
        address = row + kx * problem.tap_x + offset
        result.append(Operand(address, row, channel, int(by_order[ky, pair, kx, channel]), half))
    return result


def epilogue_of(
    problem: ConvProblem, channel: int, block: Sequence[int], *, streamed: bool, mode: str | None = None
) -> Epilogue:
    """Requantization of a channel of a block, and where its output is stored."""
    entry = problem.finish[channel]
    at = output_offsets_of(problem, block)[list(block).index(channel)]
    shift = None if streamed and not isinstance(entry, Linear) else entry.shift
    return Epilogue(mode or entry.mode, shift, entry.low, entry.high, at, problem.sum)


def block_stream(
    problem: ConvProblem, channels: Sequence[int], words: Sequence[int], *, streamed: bool
) -> list[int]:
    """A block's constants: biases, what its body takes, and each channel's requantization."""
    entries = [problem.finish[c] for c in channels]
    result = [initial_sum(problem, c, r) for c, r in zip(channels, entries, strict=True)]
    result += words
    for r in entries:
        result += requantization_words(r, streamed=streamed)
    return result


def requantization_words(entry: Requantization | Linear, *, streamed: bool) -> list[int]:
    """The constants of a channel's requantization; the shift is one of them where it is `streamed`."""
    if isinstance(entry, Linear):
        return [entry.mult]
    return [entry.mult & 0xFFFFFFFF, entry.addend & 0xFFFFFFFF] + ([entry.shift] if streamed else [])


def initial_sum(problem: ConvProblem, channel: int, entry: Requantization | Linear) -> int:
    """What a channel's accumulators start from, as a word."""
    return (int(problem.bias[channel]) * entry.factor + entry.offset) & 0xFFFFFFFF


def shared_mode(entries: Sequence[Requantization | Linear]) -> str | None:
    """The rounding mode that is right for every channel. "signed" is right where a shift follows."""
    modes = {entry.mode for entry in entries}
    if len(modes) == 1:
        return modes.pop()
    if "floor" not in modes and all(entry.shift > 0 for entry in entries):
        return "signed"
    return None


def _loop_reach(problem: ConvProblem, unrolled: int) -> int:
    last_tap = (problem.weights.shape[2] - 1) * problem.tap_x + problem.pair_at(unrolled)[0]
    return last_tap + (problem.geometry.positions - 1) * problem.geometry.in_x


def _loop_order(pairs: NDArray[np.uint32], problem: ConvProblem) -> Iterator[Operand]:
    """All operands of a block in the order in which the loop takes them, zeros included."""
    channels, rows, columns, count = pairs.shape
    for ky in range(rows):
        for pair in range(count):
            for kx in range(columns):
                for channel in range(channels):
                    offset, half = problem.pair_at(pair)
                    row = ky * problem.tap_y
                    address = row + kx * problem.tap_x + offset
                    yield Operand(address, row, channel, int(pairs[channel, ky, kx, pair]), half)


def _loop_steps(
    problem: ConvProblem, channels: Sequence[int], pairs: int, unrolled: int, whole: bool
) -> list[Step]:
    geometry = problem.geometry
    _, rows, columns, _ = problem.weights.shape
    turns, turn_moved = pairs // unrolled, problem.pair_at(unrolled)[0]
    one_turn = np.zeros((len(channels), rows if whole else 1, columns, unrolled), np.uint32)
    body = schedule_body(_loop_order(one_turn, problem), position_offsets(geometry), _products(geometry))
    steps, biases = list(body.steps), None
    if turns == 1 and (rows == 1 or whole):
        steps, biases = begin_sums(steps, geometry, len(channels))
    if turns > 1:
        steps = repeat("count", turns, COUNT, [*steps, *move("in", turn_moved)])
    row_moved = turn_moved * turns if turns > 1 else 0
    moved = row_moved + body.moved
    if rows > 1 and not whole:
        steps = repeat("outer", rows, OUTER, [*steps, *move("in", problem.tap_y - row_moved)])
        moved = rows * problem.tap_y
    mode = shared_mode(problem.finish)
    finish = [epilogue_of(problem, c, channels, streamed=True, mode=mode) for c in channels]
    return write_program(geometry, steps, moved, len(channels) * rows * columns * pairs, finish, biases)
