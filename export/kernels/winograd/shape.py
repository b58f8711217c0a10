"""The shape of a layer that Winograd's algorithm computes: all that its code depends on, apart from its weights."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from itertools import accumulate

import numpy as np

from export.kernels.direct.loops import Geometry, Sum
from export.kernels.direct.plan import DENSE, ConvProblem, kept_pairs
from export.kernels.language.steps import NEAR, WORD
from export.kernels.winograd.algorithm import FOUR, Algorithm, algorithms
from export.kernels.winograd.outputs import Target
from export.kernels.winograd.sparse import Pattern, kept_kernels
from export.kernels.winograd.tiles import CHANNELS, PAIR_BYTES, Tiling
from export.kernels.winograd.weight_transform import KERNEL_WORDS

_REACH = 1 << 20  # bytes: eight bits of pages


@dataclass(frozen=True)
class ChannelBlock:
    """Output channels that lie at equal distances in memory and are computed together.

    Attributes:
        channels: Their numbers in the order of memory; None for one that only fills a gap.
        offset: Bytes from the first position's outputs to the first one.
    """

    channels: tuple[int | None, ...]
    offset: int


@dataclass(frozen=True)
class Shape:
    """All that the code of a layer depends on, apart from its weights.

    Attributes:
        algorithm: Which one.
        geometry: Where outputs lie, and inputs.
        taps: Bytes from one row of the kernel to the next, and from one column to the next.
        source: Byte offset of the first input.
        target: Byte offset of the first outputs.
        widened: Whether inputs are int8.
        pairs: Of input channels.
        blocks: Of output channels.
        channel: Bytes from one channel of a block to the next.
        sum: The Add fused behind, or None.
        strip_rows: Rows of tiles in a strip.
        unrolled: Most pairs of input channels in a turn of the products' loop.
        patterns: The kernels that each block keeps; None where all are computed.
        packed: Whether weights lie in flash as int8, and are transformed at run time.
    """

    algorithm: Algorithm
    geometry: Geometry
    taps: tuple[int, int]
    source: int
    target: int
    widened: bool
    pairs: int
    blocks: tuple[ChannelBlock, ...]
    channel: int
    sum: Sum | None
    strip_rows: int
    unrolled: int
    patterns: tuple[Pattern, ...] | None = None
    packed: bool = False

    @property
    def name(self) -> str:
        """As plans call it."""
        return self.algorithm.name + " sparse" * (self.patterns is not None) + " packed" * self.packed

    @cached_property
    def dense(self) -> Shape:
        """The same shape with all kernels computed."""
        return self if self.patterns is None else replace(self, patterns=None)

    @cached_property
    def tiling(self) -> Tiling:
        """How the image is cut."""
        return _tiling(self.algorithm, self.geometry.rows, self.geometry.columns, self.pairs, self.strip_rows)

    @property
    def outputs(self) -> Target:
        """How outputs lie."""
        geometry = self.geometry
        return Target(
            pixel=geometry.out_x,
            row=geometry.out_y,
            channel=self.channel,
            element=geometry.out_bytes,
            pooled=geometry.pooled,
            sum=self.sum,
        )

    @cached_property
    def within_reach(self) -> bool:
        """Whether one addition reaches any place of a tile's inputs, of its outputs and of its scratch memory."""
        algorithm = self.algorithm
        inputs = algorithm.down.inputs_of(algorithm.down.outputs) * self.taps[0]
        outputs = algorithm.down.outputs * self.geometry.out_y
        return max(self.tiling.block_bytes, inputs, outputs) < _REACH

    @property
    def block_step(self) -> int:
        """Bytes from a block's outputs to the next one's."""
        offsets = [block.offset for block in self.blocks[:2]]
        return offsets[-1] - offsets[0]

    def kept(self, number: int) -> int:
        """Constants of a block of output channels at one component of one point."""
        return CHANNELS * self.pairs if self.patterns is None else self._kept[number]

    @cached_property
    def _kept(self) -> tuple[int, ...]:
        return tuple(map(kept_kernels, self.patterns or ()))

    @cached_property
    def weights_before(self) -> tuple[int, ...]:
        """Constants of the blocks before each block, and in the end of all."""
        return tuple(accumulate(map(self.block_words, range(len(self.blocks))), initial=0))

    def block_words(self, number: int) -> int:
        """Constants of the weights of a block of output channels."""
        if self.packed:
            return CHANNELS * self.pairs * KERNEL_WORDS
        return self.tiling.components * self.kept(number)

    @property
    def output_steps(self) -> tuple[int, int]:
        """Bytes from the outputs of a tile to those of the tile below it, and of the next one in its row."""
        algorithm, outputs = self.algorithm, self.outputs
        pooled = 2 if outputs.pooled else 1
        return (
            algorithm.down.outputs // pooled * outputs.row,
            algorithm.across.outputs // pooled * outputs.pixel,
        )


@lru_cache(maxsize=256)
def _tiling(algorithm: Algorithm, rows: int, columns: int, pairs: int, strip_rows: int) -> Tiling:
    """One tiling for all shapes that have it, since what it remembers takes time to find."""
    return Tiling(algorithm, rows, columns, pairs, strip_rows)


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
            out_bytes=was.out_bytes,
            pooled=False,
        ),
        weights=problem.weights.transpose(0, 2, 1, 3),
        tap_y=problem.tap_x,
        tap_x=problem.tap_y,
    )


def algorithms_of(problem: ConvProblem) -> list[Algorithm]:
    """The algorithms that can compute a layer with pointer steps that fit an immediate."""
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
        and problem.output_step <= NEAR
        and not (geometry.pooled and algorithm.down.outputs % 2)
        and not (geometry.rows == 1 and algorithm.down.outputs > 1 and rows == 1)
    ]


def shape_of(problem: ConvProblem, algorithm: Algorithm, strip_rows: int, unrolled: int) -> Shape:
    """The shape of a layer, all its kernels computed."""
    return Shape(
        algorithm=algorithm,
        geometry=problem.geometry,
        taps=(problem.tap_y, problem.tap_x),
        source=problem.source,
        target=problem.target,
        widened=problem.widened,
        pairs=-(-problem.weights.shape[3] // 2),
        blocks=_blocks(problem.output_offsets, problem.output_step),
        channel=problem.output_step,
        sum=problem.sum,
        strip_rows=strip_rows,
        unrolled=unrolled,
    )


def sparse_shape(problem: ConvProblem, shape: Shape) -> Shape | None:
    """The same shape for what a layer's mask keeps of whole kernels; None where that saves nothing."""
    kept = np.asarray(kept_pairs(problem).any(axis=(1, 2)))[:, : shape.pairs]  # [out, pair]
    reach = max(group.depth for group in shape.tiling.groups) * PAIR_BYTES
    if kept.mean() > DENSE or reach > NEAR - WORD:
        return None
    masks = np.concatenate([kept, np.zeros_like(kept[:1])])
    members = np.array([padded_channels(block) for block in shape.blocks])
    bits = masks[members] << np.arange(CHANNELS)[None, :, None]  # [block, channel, pair]
    return replace(shape, patterns=tuple(map(tuple, bits.sum(axis=1).tolist())))


def packed_shape(shape: Shape) -> Shape | None:
    """The same shape with weights transformed at run time; None where that would happen again for every strip."""
    whole = shape.algorithm.down is FOUR and shape.algorithm.across is FOUR and len(shape.tiling.strips) == 1
    return replace(shape, packed=True) if whole else None


def padded_channels(block: ChannelBlock) -> list[int]:
    """The channels of a block, with -1 for what is missing to `CHANNELS`."""
    channels = [-1 if channel is None else channel for channel in block.channels]
    return channels + [-1] * (CHANNELS - len(channels))


def _blocks(offsets: Sequence[int], step: int) -> tuple[ChannelBlock, ...]:
    """Fours of channels as they lie in memory; gaps between them, which nothing reads, are computed too."""
    at = {offset // step: channel for channel, offset in enumerate(offsets)}
    found = []
    for start in range(0, max(at) + 1, CHANNELS):
        inside = [at.get(place) for place in range(start, start + CHANNELS)]
        while inside and inside[-1] is None:
            inside.pop()
        if inside:
            found.append(ChannelBlock(tuple(inside), start * step))
    return tuple(found)
