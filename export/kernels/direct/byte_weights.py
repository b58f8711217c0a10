"""Plans a layer at single positions whose constants hold weights as they are, a byte each: half the flash of a loop.

The kernel loops over groups of four inputs, of which a word holds the weights. SXTB16 makes the first two of them out
of it, SXTB16 of the rotated word the others. Weights that are not scaled leave that to the accumulators, which are
multiplied at the end. Two sets of registers take turns, so that nothing waits for a load.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from export.kernels.direct.channel_blocks import consecutive_blocks
from export.kernels.direct.loops import COUNT, accumulator, write_program
from export.kernels.direct.plan import (
    ConvProblem,
    call_of,
    epilogue_of,
    output_offsets_of,
    requantization_words,
    shared_mode,
)
from export.kernels.elementwise.addition import with_addition
from export.kernels.language.steps import (
    ACCUMULATORS,
    POSITIONS,
    WEIGHTS,
    WORD,
    Step,
    load,
    move,
    repeat,
    step,
)
from export.kernels.plan import Call, Kernel, Plan

INPUTS = 4
"""Inputs of a group, whose weights fill a word."""

_BLOCK = 6  # channels of a block: two accumulators are left for weights
_BANKS: tuple[tuple[str, ...], ...] = (WEIGHTS, ACCUMULATORS[_BLOCK:])
_ORDER = (0, 2, 1, 3)  # of a group's weights in the bytes of a word


def takes_bytes(problem: ConvProblem) -> bool:
    """Whether the kernel can compute a layer: one of single positions and inputs, whose channels round alike."""
    single = problem.geometry.positions == 1 and not problem.geometry.pooled
    return single and problem.weights.shape[1:3] == (1, 1) and shared_mode(problem.finish) is not None


def whole_groups(problem: ConvProblem) -> int:
    """Groups of inputs whose words can be read: all but one of the last one or two inputs."""
    return (problem.weights.shape[3] + problem.channels_of_word - 1) // INPUTS


def plan_bytes(problem: ConvProblem, unrolled: int) -> Plan:
    """Plans the kernel; there is one for each number of channels in a block.

    Args:
        problem: A layer that `takes_bytes`.
        unrolled: Groups of inputs that a turn of the loop takes.
    """
    words = _packed(problem)
    kernels: list[Kernel] = []
    shared: dict[tuple[int, ...], int] = {}
    calls: list[Call] = []
    stream: list[int] = []
    for channels in consecutive_blocks(len(words), _BLOCK):
        key = output_offsets_of(problem, channels)
        if key not in shared:
            shared[key] = len(kernels)
            kernels.append(Kernel(tuple(_steps(problem, channels, unrolled))))
        calls.append(call_of(problem, shared[key], len(stream), channels))
        stream += _stream(problem, channels, words[list(channels)])
    return with_addition(Plan("bytes", tuple(kernels), tuple(calls), tuple(stream)), problem.addition)


def _packed(problem: ConvProblem) -> NDArray[np.uint32]:
    """Weights, four in a word [channel, group]; zeros fill the last one."""
    weights = problem.weights.reshape(len(problem.weights), -1)
    weights = np.pad(weights, ((0, 0), (0, -weights.shape[1] % INPUTS)))
    ordered = weights.reshape(len(weights), -1, INPUTS)[..., _ORDER]
    return np.ascontiguousarray(ordered.astype("<i1")).view("<u4")[..., 0].astype(np.uint32)


def _stream(problem: ConvProblem, channels: Sequence[int], words: NDArray[np.uint32]) -> list[int]:
    """A block's constants: biases, weights group by group, what scales each channel, and its requantization."""
    entries = [problem.finish[channel] for channel in channels]
    result = [int(problem.bias[channel]) & 0xFFFFFFFF for channel in channels]
    result += words.T.ravel().tolist()
    for entry in entries:
        result += [entry.factor & 0xFFFFFFFF, entry.offset & 0xFFFFFFFF]
    for entry in entries:
        result += requantization_words(entry, streamed=True)
    return result


def _steps(problem: ConvProblem, channels: Sequence[int], unrolled: int) -> list[Step]:
    count, whole = len(channels), whole_groups(problem)
    turns, rest = divmod(whole, unrolled)
    moved = unrolled * _group_bytes(problem)
    body: list[Step] = []
    if turns > 1:
        body += repeat("count", turns, COUNT, [*_products(problem, count, unrolled), *move("in", moved)])
        moved *= turns
    else:
        rest, moved = whole, 0
    body += _products(problem, count, rest)
    if whole * INPUTS < problem.weights.shape[3]:
        body += _last(count, rest * _group_bytes(problem))
    body += _scaled(count)
    words = count * (-(-problem.weights.shape[3] // INPUTS) + 2)
    mode = shared_mode(problem.finish)
    finish = [epilogue_of(problem, c, channels, streamed=True, mode=mode) for c in channels]
    return write_program(problem.geometry, body, moved, words, finish)


def _group_bytes(problem: ConvProblem) -> int:
    return INPUTS * (1 if problem.widened else 2)


@dataclass(frozen=True)
class _Unit:
    """The products of a group of inputs and one or two channels.

    Attributes:
        group: Its number.
        channels: Numbers within the block.
        bank: Registers that its words are loaded into.
        other: Registers that take the first two weights of each.
    """

    group: int
    channels: tuple[int, ...]
    bank: tuple[str, ...]
    other: tuple[str, ...]


def _units(count: int, groups: int) -> Iterator[_Unit]:
    banks = _BANKS
    for group in range(groups):
        for channels in consecutive_blocks(count, len(WEIGHTS)):
            yield _Unit(group, channels, banks[0][: len(channels)], banks[1][: len(channels)])
            banks = banks[1], banks[0]


def _products(problem: ConvProblem, count: int, groups: int) -> list[Step]:
    """The products of some groups; words and inputs are loaded as soon as registers are free."""
    units = list(_units(count, groups))
    size = _group_bytes(problem)
    if not units:
        return []
    steps = [_input(problem, 0, 0), _input(problem, 1, 0), *_widened(problem), load(units[0].bank)]
    for unit, following in zip(units, [*units[1:], None], strict=True):
        steps += [step("WIDEN_EVEN", to, word) for to, word in zip(unit.other, unit.bank, strict=True)]
        steps += [step("ODD", word) for word in unit.bank]
        steps += _multiplied(unit.channels, POSITIONS[0], unit.other)
        moves_on = following is not None and following.group != unit.group
        if moves_on:
            steps.append(_input(problem, 0, (unit.group + 1) * size))
        if following is not None:
            steps.append(load(following.bank))
        steps += _multiplied(unit.channels, POSITIONS[1], unit.bank)
        if moves_on:
            steps += [_input(problem, 1, (unit.group + 1) * size), *_widened(problem)]
    return steps


def _input(problem: ConvProblem, half: int, at: int) -> Step:
    """Loads two inputs of the group at an offset, or all four, of which two are to be taken."""
    return step("X", POSITIONS[half], at + (0 if problem.widened else WORD * half))


def _widened(problem: ConvProblem) -> list[Step]:
    return [step("EVEN", POSITIONS[0]), step("ODD", POSITIONS[1])] if problem.widened else []


def _multiplied(channels: Sequence[int], inputs: str, weights: Sequence[str]) -> list[Step]:
    return [
        step("MAC", accumulator(channel, 0, 1), inputs, weight)
        for channel, weight in zip(channels, weights, strict=True)
    ]


def _last(count: int, at: int) -> list[Step]:
    """The products of the last one or two inputs, which lie in one word."""
    steps = [step("X", POSITIONS[0], at)]
    for channels in consecutive_blocks(count, len(WEIGHTS)):
        words = WEIGHTS[: len(channels)]
        steps += [load(words), *(step("EVEN", word) for word in words)]
        steps += _multiplied(channels, POSITIONS[0], words)
    return steps


def _scaled(count: int) -> list[Step]:
    """Multiplies the accumulators, and adds what requantization wants."""
    steps: list[Step] = []
    for channel in range(count):
        register = accumulator(channel, 0, 1)
        steps += [load(WEIGHTS), step("PRODUCT_PLUS", register, register, *WEIGHTS)]
    return steps
