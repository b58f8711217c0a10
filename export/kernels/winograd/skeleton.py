"""Kernels and calls of a layer that Winograd's algorithm computes, strip by strip, apart from its weights."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from itertools import accumulate, pairwise, takewhile
from typing import Any

from export.kernels.elementwise.tables import TABLE_SIZE
from export.kernels.language.steps import WORD
from export.kernels.plan import Call, Kernel, Pointer, Repeat
from export.kernels.winograd.input_transform import Source, buffer_bytes, input_kernel
from export.kernels.winograd.output_transform import header_words, output_kernel
from export.kernels.winograd.products import (
    PAIRED,
    SINGLE,
    header,
    held_kernel,
    holds_weights,
    paired_kernel,
    single_kernel,
)
from export.kernels.winograd.requantization import Form
from export.kernels.winograd.shape import ChannelBlock, Shape
from export.kernels.winograd.sparse import sparse_kernel
from export.kernels.winograd.tiles import CHANNELS, PAIR_BYTES, TILES, Group, Kind, Strip, Tiling
from export.kernels.winograd.weight_transform import transformed_bytes, weights_kernel
from export.targets import Timing


@dataclass(frozen=True)
class Recipe:
    """A kernel that is made when it is needed.

    Attributes:
        make: Makes it from `args`.
        args: What it depends on.
    """

    make: Callable[..., Kernel]
    args: tuple[Any, ...]

    @property
    def kernel(self) -> Kernel:
        """The kernel."""
        return _made(self)


@lru_cache(maxsize=1 << 10)
def _made(recipe: Recipe) -> Kernel:
    return recipe.make(*recipe.args)


@dataclass(frozen=True)
class Skeleton:
    """A plan without its weights.

    Attributes:
        recipes: Of the kernels.
        calls: In order.
        tables: The first constants: what does not depend on weights.
        words: Of all constants.
        scratch_bytes: Memory the layer needs while it runs.
    """

    recipes: tuple[Recipe, ...]
    calls: tuple[Call | Repeat, ...]
    tables: tuple[int, ...]
    words: int
    scratch_bytes: int


_LINE_WORDS = 8  # weights begin where lines of flash and caches do
_CACHED_WORDS = 768  # of the 8 KiB that an STM32U5 has for constants and code; smaller caches keep none


def scale_words(shape: Shape, form: Form, block: ChannelBlock) -> int:
    """Words of the requantization of a block of output channels."""
    return header_words(shape.outputs) + len(block.channels) * form.words


def scales_start(shape: Shape) -> int:
    """Word at which the requantization constants start."""
    return len(_tables(shape.dense).words) + shape.weights_before[-1]


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
            tiles = tiling.range_of(strip, group)
            if tiles[0] < tiles[1]:
                blocks, _, single = _tiles_of(strip, tiles)
                for part in (*_parts(group, blocks > 0 and single), group):
                    tables.at(header(tiling, part, blocks))
        for kind in strip.kinds:
            tables.at(_tile_table(shape, strip, kind))
    tables.words += [0] * (-len(tables.words) % _LINE_WORDS)
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


def _tiles_of(strip: Strip, tiles: tuple[int, int]) -> tuple[int, int, bool]:
    """Blocks of two tiles that a range takes, the first of them, and whether a block of a single tile follows."""
    first, end = tiles[0] // TILES, tiles[1]
    single = end % TILES == 1 and end == len(strip.order)
    blocks = (end // TILES if single else -(-end // TILES)) - first
    return blocks, first, single


def _parts(group: Group, twice: bool) -> list[Group]:
    """The points of a group, cut so that constants that are read twice are still in a cache the second time.

    Args:
        group: Its points.
        twice: Whether blocks of two tiles and a block of one need them: one kernel follows the other.
    """
    most = max(1, _CACHED_WORDS // group.panel_words) if twice else len(group.points)
    count = -(-len(group.points) // most)
    ends = [len(group.points) * number // count for number in range(count + 1)]
    return [
        replace(
            group,
            points=group.points[start:end],
            offset=group.offset + start * group.slot_bytes,
            before=group.before + start * group.components,
        )
        for start, end in pairwise(ends)
    ]


@lru_cache(maxsize=256)
def skeleton(shape: Shape, form: Form, timing: Timing) -> Skeleton:
    """Kernels and calls of a layer.

    Args:
        shape: Of the layer.
        form: Of its requantization.
        timing: The core's pipeline.
    """
    builder = _Builder(shape, form, timing)
    for strip in shape.tiling.strips:
        builder.add(strip)
    tables = _tables(shape.dense)
    scales = sum(scale_words(shape, form, block) for block in shape.blocks)
    words = scales_start(shape) + scales + (0 if shape.sum is None else TABLE_SIZE)
    scratch = _transformed_at(shape.tiling)
    if shape.packed:
        scratch += transformed_bytes(shape.tiling)
    return Skeleton(tuple(builder.recipes), tuple(builder.calls), tuple(tables.words), words, scratch)


def _transformed_at(tiling: Tiling) -> int:
    """Byte of scratch memory at which weights that are transformed at run time start."""
    return tiling.blocks * tiling.block_bytes + buffer_bytes(tiling)


class _Builder:
    """Collects the calls of a layer, and the kernels they need."""

    def __init__(self, shape: Shape, form: Form, timing: Timing) -> None:
        self.recipes: list[Recipe] = []
        self.calls: list[Call | Repeat] = []
        self._shape, self._form, self._timing = shape, form, timing
        self._tiling = shape.tiling
        self._tables = _tables(shape.dense)
        self._numbers: dict[Recipe, int] = {}
        sizes = [scale_words(shape, form, block) for block in shape.blocks]
        self._scales = tuple(
            accumulate(sizes, initial=scales_start(shape))
        )  # words before those of each block

    def add(self, strip: Strip) -> None:
        """Adds the calls of a strip."""
        self._add_inputs(strip)
        blocks = self._shape.blocks
        alike = blocks if self._shape.patterns is None else ()
        whole = sum(1 for _ in takewhile(lambda block: len(block.channels) == CHANNELS, alike))
        if whole:
            self.calls.append(Repeat(whole, tuple(self._block_calls(strip, 0, CHANNELS))))
        for number in range(whole, len(blocks)):
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
                kernel = self._kernel(input_kernel, tiling, source, rows, pairs, self._timing)
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
        calls = [self._weights_call(number)] if self._shape.packed else []
        for group in self._tiling.groups:
            calls += self._product_calls(strip, number, group)
        return calls + [self._output_call(strip, number, channels, kind) for kind in strip.kinds]

    def _product_calls(self, strip: Strip, number: int, group: Group) -> list[Call]:
        tiling = self._tiling
        tiles = tiling.range_of(strip, group)
        if tiles[0] == tiles[1]:
            return []
        blocks, start, single = _tiles_of(strip, tiles)
        # Packed weights lie in RAM; kernels that skip some are so long that they would push constants out.
        shared = not self._shape.packed and self._shape.patterns is None
        twice = shared and blocks > 0 and single
        return [
            call
            for part in _parts(group, twice)
            for call in self._part_calls(number, part, blocks, start, single)
        ]

    def _part_calls(self, number: int, group: Group, blocks: int, start: int, single: bool) -> list[Call]:
        """The calls of some points of a group: of blocks of two tiles from a first one on, and of a single tile."""
        tiling, shape = self._tiling, self._shape
        inside = WORD * group.before * shape.kept(number)
        if shape.packed:
            stream = Pointer("scratch", _transformed_at(tiling) + inside)
        else:
            stream = Pointer("constants", self._weights_at(number) + inside, WORD * shape.block_words(number))
        table = Pointer("constants", self._tables.at(header(tiling, group, blocks)))
        counts = {PAIRED: blocks, SINGLE: len(group.points)}
        calls = []
        for tiles_of_block, at, wanted in ((TILES, start, blocks > 0), (1, start + blocks, single)):
            if wanted:
                kernel = self._products(number, group.depth, tiles_of_block)
                source = Pointer("scratch", at * tiling.block_bytes + group.offset)
                calls.append(Call(kernel, source, Pointer("scratch", 0), stream, table, counts))
        return calls

    def _weights_at(self, number: int) -> int:
        """Byte at which the weights of a block of output channels start."""
        return WORD * (len(self._tables.words) + self._shape.weights_before[number])

    def _weights_call(self, number: int) -> Call:
        """Transforms the weights of a block of output channels."""
        return Call(
            self._kernel(weights_kernel, self._tiling, self._timing),
            Pointer("scratch", 0),
            Pointer("scratch", _transformed_at(self._tiling)),
            Pointer("constants", self._weights_at(number), WORD * self._shape.block_words(number)),
        )

    def _products(self, number: int, depth: int, tiles: int) -> int:
        """The kernel of the products of a block of output channels, where so many pairs are added."""
        tiling, timing = self._tiling, self._timing
        group = next(group for group in tiling.groups if group.depth == depth)  # any will do
        if self._shape.patterns is not None:
            return self._kernel(sparse_kernel, tiling, group, self._shape.patterns[number], tiles, timing)
        if tiles == 1:
            return self._kernel(single_kernel, group, self._shape.unrolled, timing)
        if holds_weights(group):
            return self._kernel(held_kernel, tiling, group, timing)
        return self._kernel(paired_kernel, tiling, group, self._shape.unrolled, timing)

    def _output_call(self, strip: Strip, number: int, channels: int, kind: Kind) -> Call:
        shape, tiling = self._shape, self._tiling
        outputs = shape.outputs
        kernel = self._kernel(
            output_kernel, tiling, outputs, self._form, kind.rows, kind.columns, self._timing
        )
        start, end = self._scales[number : number + 2]
        target = shape.target + shape.blocks[number].offset + strip.first * shape.output_steps[0]
        return Call(
            kernel,
            Pointer("scratch", 0),
            Pointer("out", target, shape.block_step),
            Pointer("constants", self._tables.at(_tile_table(shape, strip, kind))),
            Pointer("constants", WORD * start, WORD * (end - start)),
            {"tiles": len(kind.tiles), "channels": channels},
        )

    def _kernel(self, make: Callable[..., Kernel], *args: Any) -> int:
        """The number of a kernel."""
        recipe = Recipe(make, args)
        if recipe not in self._numbers:
            self._numbers[recipe] = len(self.recipes)
            self.recipes.append(recipe)
        return self._numbers[recipe]
