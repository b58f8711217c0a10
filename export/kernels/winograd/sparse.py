"""Products of masks that keep or drop whole kernels: a straight-line body for a block of output channels.

Such a mask is the same at all points, so one body, which takes the kept kernels alone, serves all of them with other
constants each time: it is short, and stays in a cache.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from export.kernels.language.instructions import aligned
from export.kernels.language.steps import WORD, Step, step
from export.kernels.plan import Kernel
from export.kernels.winograd.products import FRAME, SINGLE_SUMS, SUMS, paired_steps, single_steps
from export.kernels.winograd.tiles import CHANNELS, PAIR_BYTES, TILES, Group, Tiling
from export.targets import Timing

Pattern = tuple[int, ...]
"""For each pair of input channels, a bit for each of a block's output channels whose kernel is kept."""

_LDRD_REACH = 1020  # largest offset of LDRD
_SINGLES = tuple((register,) for register in SINGLE_SUMS)


def kept_kernels(pattern: Pattern) -> int:
    """How many kernels a pattern keeps."""
    return sum(mask.bit_count() for mask in pattern)


class Entry(NamedTuple):
    """What a body does for one pair of input channels; what it costs depends on nothing else.

    Attributes:
        mask: Channels that take it.
        begun: Channels that have sums already.
        held: Whether the first constant has been loaded with the ones before.
        last: Whether the body ends with it.
        tiles: Of a block, 1 or 2.
        near: Whether one instruction loads both tiles' words.
    """

    mask: int
    begun: int
    held: bool
    last: bool
    tiles: int
    near: bool

    @property
    def leaves_one(self) -> bool:
        """Whether a constant of the next entry is loaded with its own."""
        return not self.last and (self.mask.bit_count() - self.held) % 2 == 1

    def steps(self, offset: int) -> list[Step]:
        """Its steps, for words at a distance from r0."""
        if self.tiles == 1:
            found = [step("LDR", "x0", "r0", offset)]
        elif self.near:
            found = [step("LDRD", "x0", "x1", "r0", offset)]
        else:
            found = [step("LDR", "x0", "r0", offset), step("LDR", "x1", "r0", offset + WORD)]
        channels = [channel for channel in range(CHANNELS) if self.mask >> channel & 1]
        loaded = ["w1"] if self.held else []
        for place, channel in enumerate(channels):
            if not loaded:
                alone = self.last and place == len(channels) - 1
                found.append(step("LOAD1", "w0") if alone else step("LOAD2_WIDE", "w0", "w1"))
                loaded = ["w0"] if alone else ["w0", "w1"]
            weight = loaded.pop(0)
            name = "MAC" if self.begun >> channel & 1 else "DOT"
            sums = SUMS[channel] if self.tiles == TILES else _SINGLES[channel]
            found += [step(name, total, x, weight) for total, x in zip(sums, ("x0", "x1"), strict=False)]
        return found


def entries(pattern: Pattern, components: int, tiles: int) -> Iterator[tuple[Entry, int]]:
    """What a body does, and how far each pair's words are from r0."""
    whole = pattern * components
    kept = [place for place, mask in enumerate(whole) if mask]
    begun, held = 0, False
    for place in kept:
        offset = PAIR_BYTES * place
        entry = Entry(whole[place], begun, held, place == kept[-1], tiles, offset <= _LDRD_REACH)
        yield entry, offset
        begun, held = begun | entry.mask, entry.leaves_one


def zeros(pattern: Pattern, tiles: int) -> list[Step]:
    """Clears the sums of channels that take nothing."""
    taken = 0
    for mask in pattern:
        taken |= mask
    sums = SUMS if tiles == TILES else _SINGLES
    return [step("ZERO", total) for c in range(CHANNELS) if not taken >> c & 1 for total in sums[c]]


def body(pattern: Pattern, components: int, tiles: int) -> list[Step]:
    """All of it."""
    found = zeros(pattern, tiles)
    for entry, offset in entries(pattern, components, tiles):
        found += entry.steps(offset)
    return found


def frame(
    tiling: Tiling, group: Group, kept: int, tiles: int, inner: list[Step], timing: Timing
) -> tuple[Step, ...]:
    """The kernel around a body that takes so many kept kernels, or around what stands for one."""
    reach = group.depth * PAIR_BYTES
    panel = group.components * kept
    steps = paired_steps(tiling, group, panel, inner, reach) if tiles == TILES else single_steps(inner, reach)
    return aligned(steps, timing)


def sparse_kernel(tiling: Tiling, group: Group, pattern: Pattern, tiles: int, timing: Timing) -> Kernel:
    """The kernel of a block of output channels; arguments as for `products.paired_kernel`.

    Args:
        tiling: Of the layer.
        group: Any of the depth that the kernel is for.
        pattern: Kernels that the block keeps.
        tiles: Of a block of tiles.
        timing: The core's pipeline.
    """
    inner = body(pattern, group.components, tiles)
    return Kernel(frame(tiling, group, kept_kernels(pattern), tiles, inner, timing), FRAME)
