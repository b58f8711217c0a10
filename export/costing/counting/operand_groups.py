"""Cost of the bodies that `direct.body.schedule_body` would write for patterns of kept pairs, many blocks at once.

A body is a sequence of groups: two operands whose weights come with one load. How a group is written, but for the
offsets of its loads, follows from the channels of its operands, from which of their inputs are in registers already,
and from whether the input pointer must move first. There are few such shapes, so NumPy can tell the shape of every
group from the pattern, and each shape needs pricing only once.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from export.kernels.direct.loops import accumulator
from export.kernels.language.instructions import wide
from export.kernels.language.steps import NEAR, POSITIONS, WEIGHTS, Step, load, step

Ints = NDArray[np.integer[Any]]
_NONE, _BOTH = 0, 3  # loads: nothing, x0 (1), x1 (2), both
_MOVES = ("", "ADD", "ADD_FAR")
_SHAPES_OF_CHANNELS = (4 * 2 * 3) ** 2  # loads, register and move of either operand


@dataclass(frozen=True)
class Form:
    """What the bodies of a layer have in common.

    Attributes:
        positions: Of a block, 1 or 2.
        channels: Of a block, at most.
        widened: Whether pairs are widened from int8 after they are loaded.
        wide: Whether two constants are loaded by an instruction of 32 bits.
    """

    positions: int
    channels: int
    widened: bool
    wide: bool


@dataclass(frozen=True)
class OperandAddresses:
    """Where the operands of a block lie, in the order in which a body takes them.

    Attributes:
        form: Of the bodies.
        address: Byte offset of the word that holds the input pair, for position 0.
        row: Byte offset of the kernel row.
        half: Which half of the word the pair is; 0 where inputs are int16.
        distance: Bytes from a position's inputs to the next one's.
    """

    form: Form
    address: Ints
    row: Ints
    half: Ints
    distance: int

    @cached_property
    def regular(self) -> bool:
        """Whether the input pointer moves forwards only, as `find_groups` takes for granted."""
        if self.form.positions == 1 and bool((np.diff(self.address) >= 0).all()):
            return True
        reach = self.address + (self.form.positions - 1) * self.distance
        starts = np.flatnonzero(np.diff(self.row, prepend=-1))
        highest = np.maximum.reduceat(reach, starts)
        ascending = bool((highest[:-1] < self.row[starts][1:]).all())
        return ascending and bool((reach - self.row <= NEAR).all())


@dataclass(frozen=True)
class Groups:
    """The groups of the bodies of several blocks.

    Attributes:
        shape: Of each group, see `shape_steps`; those of a block next to each other, in order.
        block: The block each belongs to, ascending.
        words: Weights each block takes from the stream.
        moved: Bytes by which each block's body moves the input pointer.
    """

    shape: Ints
    block: Ints
    words: Ints
    moved: Ints


def find_groups(kept: NDArray[np.bool_], addresses: OperandAddresses) -> Groups:
    """Finds the shapes of all groups.

    Args:
        kept: [blocks, addresses, channels], the pairs that each block keeps.
        addresses: `regular` ones.
    """
    block, operand, channel = np.nonzero(kept)
    words = np.bincount(block, minlength=len(kept))
    index = np.arange(len(block)) - (np.cumsum(words) - words)[block]
    first = np.flatnonzero(index % 2 == 0)
    paired = first + 1 < len(block)
    paired[paired] = index[first[paired] + 1] % 2 == 1
    second = first + paired  # the first again where there is no second
    address, row = addresses.address[operand], addresses.row[operand]
    key = 2 * address + addresses.half[operand]
    before = np.roll(key, 1)
    before[index == 0] = -1 - 4 * NEAR  # nothing is held yet
    find = _one_position if addresses.form.positions == 1 else _two_positions
    loads, register, reach, base = find(key, before, address, row, first, second, addresses)
    moves, moved = _moves(block, reach, base, len(kept))
    shape = channel[first] * (addresses.form.channels + 1) + np.where(
        paired, channel[second], addresses.form.channels
    )
    for values, count in ((loads, 4), (register, 2), (moves, 3)):
        shape = shape * count + values[first]
        shape = shape * count + np.where(paired, values[second], 0)
    return Groups(shape, block[first], words, moved)


def _two_positions(
    key: Ints, before: Ints, address: Ints, row: Ints, first: Ints, second: Ints, addresses: OperandAddresses
) -> tuple[Ints, Ints, Ints, Ints]:
    """Both registers hold the pairs of the operand before, at its two positions."""
    del first, second
    further = 2 * addresses.distance
    same = key == before
    held0, held1 = same | (key == before + further), same | (key + further == before)
    slides = held0 ^ held1
    register = _alternating(slides, ~(held0 | held1), np.zeros_like(key))
    loads = np.where(held0, np.where(held1, _NONE, 2 - register), np.where(held1, 1 + register, _BOTH))
    reach = np.where(held1, np.where(held0, -1, address), address + addresses.distance)
    return loads, register, reach, row


def _one_position(
    key: Ints, before: Ints, address: Ints, row: Ints, first: Ints, second: Ints, addresses: OperandAddresses
) -> tuple[Ints, Ints, Ints, Ints]:
    """The pairs of both operands of a group are loaded together where one pointer reaches them."""
    del addresses
    key0, key1, at0, at1 = key[first], key[second], address[first], address[second]
    held = key0 == before[first]
    other = key0 != key1
    joint = other & (np.abs(at1 - at0) <= NEAR)
    apart = other & ~joint
    # The register that holds the last operand's pair when the group is done, then when it begins.
    last = _alternating(held & joint, ~held | apart, (joint & ~held).astype(np.int64))
    register0 = np.where(held, np.concatenate([[0], last[:-1]]), 0)
    loads, register = np.zeros_like(key), np.zeros_like(key)
    reach, base = np.full_like(key, -1), row.copy()
    register[second] = np.where(joint, 1 - register0, np.where(apart, 0, register0))
    register[first] = register0
    loads[second] = np.where(apart, 1, _NONE)
    loads[first] = np.where(held, np.where(joint, 2 - register0, _NONE), np.where(joint, _BOTH, 1))
    reach[second] = np.where(apart, at1, -1)
    lead = np.where(held, np.where(joint, at1, -1), np.where(joint, np.maximum(at0, at1), at0))
    reach[first] = lead
    base[second] = np.where(at1 - row[second] <= NEAR, row[second], at1)
    lowest = np.where(joint, np.minimum(at0, at1), at0)
    base[first] = np.where(lead - row[first] <= NEAR, row[first], lowest)
    return loads, register, reach, base


def _alternating(flips: NDArray[np.bool_], resets: NDArray[np.bool_], values: Ints) -> Ints:
    """A bit that is set to a value at each reset, and inverted at each flip; element 0 must reset it."""
    count = np.cumsum(flips)
    since = np.maximum.accumulate(np.where(resets, np.arange(len(flips)), 0))
    return (count - count[since] + values[since]) & 1


def _moves(block: Ints, reach: Ints, base: Ints, blocks: int) -> tuple[Ints, Ints]:
    """Where the input pointer moves, near (1) or far (2), and where each block's ends."""
    moves, moved = np.zeros_like(reach), np.zeros(blocks, np.int64)
    beyond = np.flatnonzero(reach > NEAR)
    while len(beyond := beyond[reach[beyond] > moved[block[beyond]] + NEAR]):
        of, at = np.unique(block[beyond], return_index=True)
        there = beyond[at]
        moves[there] = np.where(base[there] - moved[of] > NEAR, 2, 1)
        moved[of] = base[there]
    return moves, moved


@lru_cache(maxsize=1 << 14)
def shape_steps(shape: int, form: Form) -> tuple[Step, ...]:
    """The steps of a group, offsets left at 0.

    Args:
        shape: One of `Groups.shape`.
        form: Of the addresses it was found with.
    """
    shape, move1 = divmod(shape, 3)
    shape, move0 = divmod(shape, 3)
    shape, register1 = divmod(shape, 2)
    shape, register0 = divmod(shape, 2)
    shape, loads1 = divmod(shape, 4)
    shape, loads0 = divmod(shape, 4)
    channel0, channel1 = divmod(shape, form.channels + 1)
    weights = WEIGHTS if channel1 < form.channels else WEIGHTS[:1]
    steps = [*_inputs(loads0, move0, form), load(weights)]
    if form.wide:
        steps[-1] = wide(steps[-1])
    steps += _products(channel0, register0, form, False, WEIGHTS[0])
    if channel1 < form.channels:
        waits = loads1 == 1 + register1  # position 0 waits for its pair, position 1 has it
        steps += [*_inputs(loads1, move1, form), *_products(channel1, register1, form, waits, WEIGHTS[1])]
    return tuple(steps)


def without_channels(shape: Ints) -> Ints:
    """The states of two operands like these, of the first channel."""
    return shape % _SHAPES_OF_CHANNELS


def shape_count(form: Form) -> int:
    """All states are below this number."""
    return form.channels * (form.channels + 1) * _SHAPES_OF_CHANNELS


def _inputs(loads: int, move: int, form: Form) -> list[Step]:
    registers = [register for number, register in enumerate(POSITIONS) if loads >> number & 1]
    steps = [step(_MOVES[move], "in", 0)] if move else []
    steps += [step("X", register, 0) for register in registers]
    return steps + [step("EVEN", register) for register in registers if form.widened]


def _products(channel: int, register: int, form: Form, backwards: bool, weight: str) -> list[Step]:
    order = range(form.positions)[::-1] if backwards else range(form.positions)
    return [
        step("MAC", accumulator(channel, position, form.positions), POSITIONS[register ^ position], weight)
        for position in order
    ]
