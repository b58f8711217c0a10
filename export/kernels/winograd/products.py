"""Kernels of the products: at each point, the sums over input channels for four output channels at each tile."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from export.kernels.language.instructions import aligned
from export.kernels.language.steps import NEAR, WORD, Step, label, load, loads, move, step
from export.kernels.language.straight_line import StraightLine
from export.kernels.plan import Kernel
from export.kernels.winograd.tiles import (
    CHANNELS,
    PAIR_BYTES,
    SUM_BYTES,
    TILES,
    Group,
    Tiling,
    is_modified_immediate,
)
from export.targets import Timing

_END, _BACK, _COUNT, _TURN, _STREAM = range(5)  # stack slots
FRAME = 5
_SLOTS, _BLOCKS, _TURNS = range(1, 4)  # labels
SUMS = tuple((f"a{2 * channel}", f"a{2 * channel + 1}") for channel in range(CHANNELS))
SINGLE_SUMS = ("r6", "r7", "r8", "r9")
_SINGLE_WEIGHTS = ("r2", "r3", "r5", "r10")
_HELD_WEIGHTS = tuple(f"r{i}" for i in range(2, 10))
_ALL = (*(f"r{i}" for i in range(13)), "lr")

Turn = Callable[[int, bool], list[Step]]
"""The products of so many pairs; of the first turn, they begin the sums."""

PAIRED, SINGLE = "blocks", "slots"
"""Names of the counts that a call gives: blocks of two tiles, and points."""


def header(tiling: Tiling, group: Group, blocks: int) -> list[int]:
    """What r3 points to: bytes of the blocks, those from their end back to the next point, and how many points."""
    span = blocks * tiling.block_bytes
    return [span, max(0, span - group.slot_bytes), len(group.points)]


def paired_kernel(tiling: Tiling, group: Group, most: int, timing: Timing) -> Kernel:
    """For blocks of two tiles: r0 the first block at the first point, r1 the constants, r3 a `header`.

    Args:
        tiling: Of the layer.
        group: Any of the depth that the kernel is for.
        most: Pairs of input channels that a turn of the innermost loop may hold.
        timing: The core's pipeline.
    """
    body = _body(group, most, _turn)
    return Kernel(aligned(paired_steps(tiling, group, group.panel_words, body, 0), timing), FRAME)


def paired_steps(tiling: Tiling, group: Group, panel: int, body: Sequence[Step], reach: int) -> list[Step]:
    """A kernel for blocks of two tiles, around what is done at each.

    Args:
        tiling: Of the layer.
        group: Any of the depth that the kernel is for.
        panel: Constants that the body reads.
        body: Leaves the sums in the accumulators.
        reach: Bytes from where it leaves r0 to the sums.
    """
    steps = [step("LDRC", "r4", "r3", 0), step("ADVANCE", "r4", "r0", "r4"), step("SAVE", "r4", _END)]
    steps += [step("LDRC", "r4", "r3", WORD), step("SAVE", "r4", _BACK)]
    steps += [step("LDRC", "r4", "r3", 2 * WORD), step("SAVE", "r4", _COUNT)]
    steps += [label(_SLOTS), label(_BLOCKS), *body]
    steps += [step("FETCH", "r2", _END), *(_stride(reach) if reach else []), step("STORE_SUMS", "r0")]
    steps += [*_stride(tiling.block_bytes - group.slot_bytes), *move("wt", -WORD * panel)]
    steps += [step("UNTIL", "r0", "r2", _BLOCKS, turns=((True, PAIRED), (False, 1)))]
    steps += [step("FETCH", "r3", _BACK), *move("wt", WORD * panel), step("RETREAT", "r0", "r0", "r3")]
    steps += [*move("r2", group.slot_bytes), step("SAVE", "r2", _END)]
    return [*steps, step("AGAIN", _COUNT, _SLOTS, turns=((True, SINGLE), (False, 1)))]


def holds_weights(group: Group) -> bool:
    """Whether the constants of a point stay in registers while all tiles go by."""
    return group.panel_words <= len(_HELD_WEIGHTS)


def held_kernel(tiling: Tiling, group: Group, timing: Timing) -> Kernel:
    """Like `paired_kernel`, with all constants of a point in registers; sums are computed tile by tile.

    Args:
        tiling: Of the layer.
        group: Any of the depth that the kernel is for.
        timing: The core's pipeline.
    """
    weights = _HELD_WEIGHTS[: group.panel_words]
    steps = [step("LDRC", "r4", "r3", 0), step("ADVANCE", "r4", "r0", "r4"), step("SAVE", "r4", _END)]
    steps += [step("LDRC", "r4", "r3", WORD), step("SAVE", "r4", _BACK)]
    steps += [step("LDRC", "r4", "r3", 2 * WORD), step("SAVE", "r4", _COUNT), label(_SLOTS)]
    steps += [*loads(weights), step("SAVE", "r1", _STREAM), label(_BLOCKS)]
    code = StraightLine()
    for tile in range(TILES):
        inputs = [code.value("LDR", "r0", PAIR_BYTES * pair + WORD * tile) for pair in range(group.depth)]
        for channel in range(CHANNELS):
            total = code.value("DOT", inputs[0], weights[channel])
            for pair, value in enumerate(inputs[1:], 1):
                total = code.value("MAC", total, value, weights[CHANNELS * pair + channel])
            code.effect("STR", total, "r0", PAIR_BYTES * (group.depth + channel) + WORD * tile)
    steps += code.steps([name for name in _ALL if name not in ("r0", *weights)], timing)
    steps += [step("FETCH", "r1", _END), *_stride(tiling.block_bytes)]
    steps += [step("UNTIL", "r0", "r1", _BLOCKS, turns=((True, PAIRED), (False, 1)))]
    steps += [step("FETCH", "r10", _BACK), *move("r1", group.slot_bytes), step("SAVE", "r1", _END)]
    steps += [step("RETREAT", "r0", "r0", "r10"), step("FETCH", "r1", _STREAM)]
    steps.append(step("AGAIN", _COUNT, _SLOTS, turns=((True, SINGLE), (False, 1))))
    return Kernel(aligned(steps, timing), FRAME)


def _stride(distance: int) -> list[Step]:
    """Moves r0 on, by as few instructions as it takes."""
    if is_modified_immediate(distance):
        return [step("STRIDE", "r0", distance)]
    low = distance & NEAR
    return [step("STRIDE", "r0", distance - low)] * (distance > low) + [step("ADD", "r0", low)]


def _body(group: Group, most: int, turn: Turn) -> list[Step]:
    """All pairs of a group: the first turn begins the sums, the others are a loop."""
    unrolled = unrolled_pairs(group.depth, most)
    turns = group.depth // unrolled
    body = turn(unrolled, True)
    if turns > 1:
        again = step("AGAIN", _TURN, _TURNS, turns=((True, turns - 2), (False, 1)))
        body += [step("SET", turns - 1, _TURN), label(_TURNS), *turn(unrolled, False), again]
    return body


def _turn(pairs: int, first: bool) -> list[Step]:
    steps = []
    for pair in range(pairs):
        steps.append(step("LDM2", "r0", "x0", "x1"))
        for half in range(2):
            # Two narrow instructions, then a wide one: so products stay on word boundaries, as the M4 wants them.
            steps.append(step("LOAD2_WIDE" if half else "LOAD2", "w0", "w1"))
            for weight, sums in zip(("w0", "w1"), SUMS[2 * half : 2 * half + 2], strict=True):
                for register, x in zip(sums, ("x0", "x1"), strict=True):
                    if first and pair == 0:
                        steps.append(step("DOT", register, x, weight))
                    else:
                        steps.append(step("MAC", register, x, weight))
    return steps


def single_kernel(group: Group, most: int, timing: Timing) -> Kernel:
    """Like `paired_kernel`, for a block of one tile; the header's bytes do not matter."""
    body = _body(group, most, _single_turn)
    return Kernel(aligned(single_steps(body, 0), timing), FRAME)


def single_steps(body: Sequence[Step], reach: int) -> list[Step]:
    """A kernel for a block of one tile, around what is done at each point; see `paired_steps`."""
    steps = [step("LDRC", "r4", "r3", 2 * WORD), step("SAVE", "r4", _COUNT), label(_SLOTS), *body]
    steps += _stride(reach) if reach else []
    steps += [step("STR", register, "r0", 2 * WORD * place) for place, register in enumerate(SINGLE_SUMS)]
    steps.append(step("ADD", "r0", SUM_BYTES))
    return [*steps, step("AGAIN", _COUNT, _SLOTS, turns=((True, SINGLE), (False, 1)))]


def _single_turn(pairs: int, first: bool) -> list[Step]:
    steps = []
    for pair in range(pairs):
        steps += [step("LDR_NEXT", "r4", "r0", PAIR_BYTES), load(_SINGLE_WEIGHTS)]
        for register, weight in zip(SINGLE_SUMS, _SINGLE_WEIGHTS, strict=True):
            if first and pair == 0:
                steps.append(step("DOT", register, "r4", weight))
            else:
                steps.append(step("MAC", register, "r4", weight))
    return steps


def unrolled_pairs(pairs: int, most: int) -> int:
    """The most pairs of a turn, at most `most`, that divide all of them."""
    return max(count for count in range(1, min(pairs, most) + 1) if pairs % count == 0)
