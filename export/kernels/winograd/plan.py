"""Plans a convolution by Winograd's algorithm: kernels, calls strip by strip, and constants.

Kernels, calls and the size of everything follow from the layer's shape alone, so they are made once for a shape; the
weights only fill in the constants.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from export.kernels.conv import ConvProblem
from export.kernels.conv_loops import Geometry, Sum
from export.kernels.language import NEAR
from export.kernels.plan import Call, Kernel, Plan, Pointer, Repeat
from export.kernels.tables import TABLE_MIDDLE, TABLE_SIZE
from export.kernels.winograd.algorithm import FOUR, Algorithm, algorithms
from export.kernels.winograd.input_transform import Source, buffer_bytes, input_kernel
from export.kernels.winograd.output_transform import header_words, output_kernel
from export.kernels.winograd.outputs import Target
from export.kernels.winograd.products import (
    header,
    held_kernel,
    holds_weights,
    paired_kernel,
    single_kernel,
)
from export.kernels.winograd.requantization import Constants, Form, constants
from export.kernels.winograd.tiles import (
    CHANNELS,
    PAIR_BYTES,
    TILES,
    WORD,
    Group,
    Kind,
    Strip,
    Tiling,
)
from export.targets import Timing


@dataclass(frozen=True)
class ChannelBlock:
    """Output channels that lie next to each other in memory and are computed together.

    Attributes:
        channels: their numbers in the order of memory; None for one that only fills a gap.
        offset: bytes from the first position's outputs to the first one.
    """

    channels: tuple[int | None, ...]
    offset: int


@dataclass(frozen=True)
class Shape:
    """What the code of a layer depends on, whatever its weights.

    Attributes:
        algorithm: which one.
        geometry: where outputs lie, and inputs.
        taps: bytes from one row of the kernel to the next, and from one column to the next.
        source: byte offset of the first input.
        target: byte offset of the first outputs.
        widened: whether inputs are int8.
        pairs: of input channels.
        blocks: of output channels.
        sum: the Add fused behind, or None.
        strip_rows: rows of tiles in a strip.
        unrolled: most pairs of input channels in a turn of the products' loop.
    """

    algorithm: Algorithm
    geometry: Geometry
    taps: tuple[int, int]
    source: int
    target: int
    widened: bool
    pairs: int
    blocks: tuple[ChannelBlock, ...]
    sum: Sum | None
    strip_rows: int
    unrolled: int

    @property
    def tiling(self) -> Tiling:
        """How the image is cut."""
        return Tiling(self.algorithm, self.geometry.rows, self.geometry.columns, self.pairs, self.strip_rows)

    @property
    def outputs(self) -> Target:
        """How outputs lie."""
        geometry = self.geometry
        return Target(geometry.out_x, geometry.out_y, geometry.out_channel, geometry.pooled, self.sum)

    @property
    def output_steps(self) -> tuple[int, int]:
        """Bytes from the outputs of a tile to those of the tile below it, and of the next one in its row."""
        algorithm, outputs = self.algorithm, self.outputs
        pooled = 2 if outputs.pooled else 1
        return (
            algorithm.down.outputs // pooled * outputs.row,
            algorithm.across.outputs // pooled * outputs.pixel,
        )


@dataclass(frozen=True)
class Skeleton:
    """A plan without its weights.

    Attributes:
        kernels: the functions.
        calls: in order.
        tables: the first constants: what does not depend on weights.
        words: of all constants.
        scratch_bytes: memory the layer needs while it runs.
    """

    kernels: tuple[Kernel, ...]
    calls: tuple[Call | Repeat, ...]
    tables: tuple[int, ...]
    words: int
    scratch_bytes: int


def oriented(problem: ConvProblem) -> ConvProblem:
    """The same layer with rows and columns exchanged where its kernel has three rows and one column."""
    if problem.weights.shape[1:3] != (FOUR.taps, 1) or problem.geometry.pooled:
        return problem
    was = problem.geometry
    return replace(
        problem,
        geometry=Geometry(
            rows=was.columns,
            columns=was.rows,
            in_x=was.in_y,
            in_y=was.in_x,
            out_x=was.out_y,
            out_y=was.out_x,
            out_channel=was.out_channel,
            pooled=False,
        ),
        weights=problem.weights.transpose(0, 2, 1, 3),
        tap_y=problem.tap_x,
        tap_x=problem.tap_y,
    )


def algorithms_of(problem: ConvProblem) -> list[Algorithm]:
    """The algorithms that compute a layer: of a kernel as dense as its taps, within reach of the kernels' pointers."""
    geometry = problem.geometry
    if problem.scaling is None or not problem.tap_y or not problem.tap_x:
        return []
    strides = geometry.in_y / problem.tap_y, geometry.in_x / problem.tap_x
    if not all(stride.is_integer() for stride in strides):
        return []
    rows, columns = problem.weights.shape[1:3]
    return [
        algorithm
        for algorithm in algorithms((rows, columns), (int(strides[0]), int(strides[1])))
        if algorithm.across.outputs * geometry.in_x <= NEAR
        and algorithm.across.outputs * geometry.out_x <= NEAR
        and not (geometry.pooled and algorithm.down.outputs % 2)
        and not (geometry.rows == 1 and algorithm.down.outputs > 1 and rows == 1)
    ]


def shape_of(problem: ConvProblem, algorithm: Algorithm, strip_rows: int, unrolled: int) -> Shape:
    """The shape of a layer."""
    return Shape(
        algorithm=algorithm,
        geometry=problem.geometry,
        taps=(problem.tap_y, problem.tap_x),
        source=problem.source,
        target=problem.target,
        widened=problem.widened,
        pairs=-(-problem.weights.shape[3] // 2),
        blocks=_blocks(problem.output_offsets, problem.geometry.out_channel),
        sum=problem.sum,
        strip_rows=strip_rows,
        unrolled=unrolled,
    )


def layer_constants(problem: ConvProblem, algorithm: Algorithm) -> Constants | None:
    """The requantization of a layer, or None where its sums may leave 32 bits."""
    assert problem.scaling is not None
    return constants(algorithm, problem.scaling, problem.bias, problem.requantization)


def plan_winograd(problem: ConvProblem, shape: Shape, requantization: Constants, timing: Timing) -> Plan:
    """Plans a layer.

    Args:
        problem: the layer.
        shape: its shape.
        requantization: its constants.
        timing: the core's pipeline, for which straight-line code is ordered.
    """
    made = skeleton(shape, requantization.form, timing)
    words = [*made.tables, *_weights(problem, shape), *_scales(problem, shape, requantization)]
    if problem.addition is not None:
        words += [value & 0xFFFFFFFF for value in problem.addition.table]
    assert len(words) == made.words
    return Plan(shape.algorithm.name, made.kernels, made.calls, tuple(words), made.scratch_bytes)


def _blocks(offsets: Sequence[int], element: int) -> tuple[ChannelBlock, ...]:
    """Fours of channels as they lie in memory; gaps between them, which nobody reads, are computed too."""
    at = {offset // element: channel for channel, offset in enumerate(offsets)}
    found = []
    for start in range(0, max(at) + 1, CHANNELS):
        inside = [at.get(place) for place in range(start, start + CHANNELS)]
        while inside and inside[-1] is None:
            inside.pop()
        if inside:
            found.append(ChannelBlock(tuple(inside), start * element))
    return tuple(found)


def _weights(problem: ConvProblem, shape: Shape) -> list[int]:
    """Transformed weights: by block of channels, point, component, pair of input channels, channel."""
    transformed = shape.algorithm.transformed(problem.weights)
    points = [point for group in shape.tiling.groups for point in group.points]
    panels = np.concatenate([transformed[point] for point in points], axis=1)  # [channel, component, in]
    assert np.array_equal(panels, panels.astype(np.int16))
    panels = np.pad(panels, ((0, 1), (0, 0), (0, panels.shape[2] % 2)))  # a channel of zeros for gaps
    halves = (panels & 0xFFFF).astype(np.uint32)
    words = halves[..., 0::2] | halves[..., 1::2] << np.uint32(16)
    members = np.array([_padded(block) for block in shape.blocks])
    members[members < 0] = len(words) - 1
    found: NDArray[np.uint32] = words[members].transpose(0, 2, 3, 1)
    return [int(word) for word in found.ravel()]


def _padded(block: ChannelBlock) -> list[int]:
    channels = [-1 if channel is None else channel for channel in block.channels]
    return channels + [-1] * (CHANNELS - len(channels))


def _scales(problem: ConvProblem, shape: Shape, requantization: Constants) -> list[int]:
    """Headers and requantization constants, by block of channels."""
    words: list[int] = []
    table = _scales_start(shape) + sum(_scale_words(shape, requantization.form, b) for b in shape.blocks)
    for block in shape.blocks:
        own = _scales_start(shape) + len(words)
        values = [len(block.channels) * requantization.form.words * WORD]
        if problem.addition is not None:
            finish = problem.addition.finish
            values += [(table - own + TABLE_MIDDLE) * WORD, finish.mult, finish.addend]
        for channel in block.channels:
            blank = [0] * requantization.form.words
            values += blank if channel is None else requantization.words[channel].tolist()
        words += [value & 0xFFFFFFFF for value in values]
    return words


def _scale_words(shape: Shape, form: Form, block: ChannelBlock) -> int:
    return header_words(shape.outputs) + len(block.channels) * form.words


def _scales_start(shape: Shape) -> int:
    """Word at which the requantization constants start."""
    return len(_tables(shape).words) + len(shape.blocks) * shape.tiling.weights


@dataclass
class _Tables:
    """Constants that do not depend on weights; equal ones are kept once."""

    words: list[int] = field(default_factory=list)
    _known: dict[tuple[int, ...], int] = field(default_factory=dict)

    def at(self, values: Sequence[int]) -> int:
        """Byte offset of some words, which are added if they are new."""
        key = tuple(values)
        if key not in self._known:
            self._known[key] = WORD * len(self.words)
            self.words += values
        return self._known[key]


@lru_cache(maxsize=256)
def _tables(shape: Shape) -> _Tables:
    """All tables of a layer."""
    tiling, tables = shape.tiling, _Tables()
    for strip in tiling.strips:
        tables.at(_input_offsets(tiling, strip))
        for group in tiling.groups:
            blocks, _, _ = _tiles_of(tiling, strip, tiling.range_of(strip, group))
            tables.at(header(tiling, group, blocks))
        for kind in strip.kinds:
            tables.at(_tile_table(shape, strip, kind))
    return tables


def _input_offsets(tiling: Tiling, strip: Strip) -> list[int]:
    """Where each tile of a strip lies in scratch memory, row by row."""
    place = {tile: tiling.place(number) for number, tile in enumerate(strip.order)}
    return [place[y, x] for y in range(strip.first, strip.first + strip.rows) for x in range(tiling.across)]


def _tile_table(shape: Shape, strip: Strip, kind: Kind) -> list[int]:
    """The number of tiles of a kind, and offsets of their sums and outputs from those of the strip."""
    tiling = shape.tiling
    down, across = shape.output_steps
    words = [len(kind.tiles)]
    for tile in kind.tiles:
        y, x = tile[0] - strip.first, tile[1]
        words += [tiling.place(strip.order.index(tile)), y * down + x * across]
    return words


def _tiles_of(tiling: Tiling, strip: Strip, tiles: tuple[int, int]) -> tuple[int, int, bool]:
    """Blocks of two tiles that a range takes, the first of them, and whether a block of a single tile follows."""
    first, end = tiles[0] // TILES, tiles[1]
    single = end % TILES == 1 and end == len(strip.order)
    blocks = (end // TILES if single else -(-end // TILES)) - first
    return blocks, first, single


@lru_cache(maxsize=256)
def skeleton(shape: Shape, form: Form, timing: Timing) -> Skeleton:
    """Kernels and calls of a layer.

    Args:
        shape: of the layer.
        form: of its requantization.
        timing: the core's pipeline.
    """
    builder = _Builder(shape, form, timing)
    for strip in shape.tiling.strips:
        builder.add(strip)
    tables = _tables(shape)
    scales = sum(_scale_words(shape, form, block) for block in shape.blocks)
    words = _scales_start(shape) + scales + (0 if shape.sum is None else TABLE_SIZE)
    scratch = shape.tiling.blocks * shape.tiling.block_bytes + buffer_bytes(shape.tiling)
    return Skeleton(tuple(builder.kernels), tuple(builder.calls), tuple(tables.words), words, scratch)


class _Builder:
    """Collects the calls of a layer, and the kernels they need."""

    def __init__(self, shape: Shape, form: Form, timing: Timing) -> None:
        self.kernels: list[Kernel] = []
        self.calls: list[Call | Repeat] = []
        self._shape, self._form, self._timing = shape, form, timing
        self._tiling = shape.tiling
        self._tables = _tables(shape)
        self._numbers: dict[tuple[object, ...], int] = {}

    def add(self, strip: Strip) -> None:
        """Adds the calls of a strip."""
        self._add_inputs(strip)
        blocks = self._shape.blocks
        whole = [block for block in blocks if len(block.channels) == CHANNELS]
        if whole:
            self.calls.append(Repeat(len(whole), tuple(self._block_calls(strip, 0, CHANNELS))))
        for number in range(len(whole), len(blocks)):
            self.calls += self._block_calls(strip, number, len(blocks[number].channels))

    def _add_inputs(self, strip: Strip) -> None:
        """Transforms the inputs of a strip, those of rows of tiles of one shape in a loop."""
        shape, tiling = self._shape, self._tiling
        table = self._tables.at(_input_offsets(tiling, strip))
        step = shape.algorithm.down.outputs * shape.geometry.in_y
        buffer = tiling.blocks * tiling.block_bytes
        row = strip.first
        while row < strip.first + strip.rows:
            rows = tiling.tile_rows(row)
            same = sum(tiling.tile_rows(other) == rows for other in range(row, strip.first + strip.rows))
            calls = []
            for half in (0, 1) if shape.widened else (None,):
                pairs = shape.pairs if half is None else (shape.pairs + 1 - half) // 2
                if pairs == 0:
                    continue
                source = Source(shape.taps[1], shape.taps[0], half)
                kernel = self._kernel(
                    ("input", rows, half), input_kernel, tiling, source, rows, pairs, self._timing
                )
                calls.append(
                    Call(
                        kernel,
                        Pointer("in0", shape.source + row * step, step),
                        Pointer("scratch", PAIR_BYTES * (half or 0)),
                        Pointer(
                            "constants",
                            table + WORD * tiling.across * (row - strip.first),
                            WORD * tiling.across,
                        ),
                        Pointer("scratch", buffer),
                    )
                )
            self.calls += [Repeat(same, tuple(calls))] if same > 1 else calls
            row += same

    def _block_calls(self, strip: Strip, number: int, channels: int) -> list[Call]:
        """The calls of a block of output channels; in a `Repeat`, those of all that follow."""
        calls = [call for group in self._tiling.groups for call in self._product_calls(strip, number, group)]
        return calls + [self._output_call(strip, number, channels, kind) for kind in strip.kinds]

    def _product_calls(self, strip: Strip, number: int, group: Group) -> list[Call]:
        tiling = self._tiling
        tiles = tiling.range_of(strip, group)
        if tiles[0] == tiles[1]:
            return []
        blocks, start, single = _tiles_of(tiling, strip, tiles)
        block_bytes = WORD * tiling.weights
        weights = WORD * (len(self._tables.words) + group.weights) + number * block_bytes
        table = Pointer("constants", self._tables.at(header(tiling, group, blocks)))
        calls = []
        for number_of, at, wanted in (
            (self._paired, start, blocks > 0),
            (self._single, start + blocks, single),
        ):
            if wanted:
                calls.append(
                    Call(
                        number_of(group),
                        Pointer("scratch", at * tiling.block_bytes + group.offset),
                        Pointer("scratch", 0),
                        Pointer("constants", weights, block_bytes),
                        table,
                        {"blocks": blocks, "slots": len(group.points)},
                    )
                )
        return calls

    def _paired(self, group: Group) -> int:
        key = ("paired", group.depth)
        if holds_weights(group):
            return self._kernel(key, held_kernel, self._tiling, group, self._timing)
        return self._kernel(key, paired_kernel, self._tiling, group, self._shape.unrolled, self._timing)

    def _single(self, group: Group) -> int:
        key = ("single", group.depth)
        return self._kernel(key, single_kernel, self._tiling, group, self._shape.unrolled, self._timing)

    def _output_call(self, strip: Strip, number: int, channels: int, kind: Kind) -> Call:
        shape, tiling = self._shape, self._tiling
        outputs = shape.outputs
        kernel = self._kernel(
            ("output", kind.rows, kind.columns),
            output_kernel,
            tiling,
            outputs,
            self._form,
            kind.rows,
            kind.columns,
            self._timing,
        )
        before = sum(_scale_words(shape, self._form, block) for block in shape.blocks[:number])
        stride = _scale_words(shape, self._form, shape.blocks[number])
        target = shape.target + shape.blocks[number].offset + strip.first * shape.output_steps[0]
        return Call(
            kernel,
            Pointer("scratch", 0),
            Pointer("out", target, CHANNELS * outputs.element),
            Pointer("constants", self._tables.at(_tile_table(shape, strip, kind))),
            Pointer("constants", WORD * (_scales_start(shape) + before), WORD * stride),
            {"tiles": len(kind.tiles), "channels": channels},
        )

    def _kernel(self, key: tuple[object, ...], make: object, *args: object) -> int:
        """The number of a kernel, which is made when it is first needed."""
        if key not in self._numbers:
            assert callable(make)
            self._numbers[key] = len(self.kernels)
            self.kernels.append(make(*args))
        return self._numbers[key]
