"""Counts the unpacked kernels of a layer from the pattern of zeros, exactly as if they were written."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from export.costing.counting.kernel_cycles import BODY, Frame, Profile
from export.costing.counting.operand_groups import Form, Groups, OperandAddresses, find_groups
from export.costing.counting.pipeline_states import PipelineStates, pipeline_states
from export.costing.counting.plans import Count, Run, count_plan
from export.kernels.direct.loops import Biases, Epilogue, Geometry, write_program
from export.kernels.direct.plan import (
    ConvProblem,
    block_channels,
    epilogue_of,
    kept_pairs,
    plan_unpacked,
    unpacked_blocks,
)
from export.kernels.elementwise.addition import ADDITION_WORDS
from export.kernels.language.instructions import wide
from export.kernels.language.steps import NEAR, WORD
from export.kernels.plan import with_wide_loads
from export.targets import State, Timing
from export.targets.timing import Pairing


def count_unpacked(problem: ConvProblem, size: int, timing: Timing, *, widely: bool = False) -> Count:
    """What `direct.plan.plan_unpacked` makes of a layer takes.

    Args:
        problem: The layer.
        size: Channels of a block.
        timing: The core's pipeline.
        widely: Whether it is that plan `with_wide_loads`.
    """
    addresses = _addresses_of(problem, widely)
    if not addresses.regular:
        plan = plan_unpacked(problem, size)
        return count_plan(with_wide_loads(plan) if widely else plan, timing)
    kept = kept_pairs(problem)
    blocks = unpacked_blocks(problem, kept, size)
    groups = find_groups(_patterns(kept, blocks, addresses.form.channels), addresses)
    finish = _epilogues(problem)
    members = [tuple(finish[channel] for channel in channels) for channels in blocks]
    totals = [
        len(entries) + words + sum(entry.words for entry in entries)
        for entries, words in zip(members, groups.words.tolist(), strict=True)
    ]
    begun: list[bool] = np.asarray(kept.any(axis=(1, 2, 3))).tolist()
    frames = [
        _frame(
            problem.geometry,
            entries,
            tuple(begun[channel] for channel in channels),
            moved,
            _like(words, len(entries), total),
            timing,
            widely,
        )
        for channels, entries, moved, words, total in zip(
            blocks, members, groups.moved.tolist(), groups.words.tolist(), totals, strict=True
        )
    ]
    cycles, bits, left = _bodies(groups, frames, pipeline_states(addresses.form, timing))
    runs = tuple(
        Run(
            Profile(frame.cycles(body, state), total, total, frame.blocks),
            -(-(frame.bits + code) // 32) * 4,
            kernel=number,
        )
        for number, (frame, body, code, state, total) in enumerate(
            zip(frames, cycles, bits, left, totals, strict=True)
        )
    )
    added = 0 if problem.sum is None else ADDITION_WORDS
    return Count(runs, sum(run.code_bytes for run in runs) + WORD * (sum(totals) + added))


def least_direct(problem: ConvProblem, pairs: int, timing: Timing) -> float:
    """Cycles below which no direct kernel of a layer comes, where a core issues one instruction a cycle.

    A pair is multiplied at each position. Its weights are loaded once for a block of positions, or unpacked from their
    bytes; a load of its inputs serves all channels of a block, and at most all of its positions, since kernel columns
    overlap. An output is scaled, saturated and stored.

    Args:
        problem: The layer.
        pairs: Pairs of weights that are multiplied: the kept ones by unpacked kernels, all of them by loops.
        timing: The core's pipeline.
    """
    if timing.pairing is Pairing.WIDE:
        return 0
    geometry = problem.geometry
    of_pair = 1 + (1 + 1 / block_channels(geometry)) / geometry.positions
    outputs = len(problem.weights) / (4 if geometry.pooled else 1)
    return geometry.rows * geometry.columns * (pairs * of_pair + 3 * outputs)


def _patterns(kept: NDArray[np.bool_], blocks: Sequence[Sequence[int]], channels: int) -> NDArray[np.bool_]:
    """Kept pairs [blocks, addresses, channels]; a block of fewer channels keeps nothing of the rest."""
    members = np.full((len(blocks), channels), len(kept))
    for number, block in enumerate(blocks):
        members[number, : len(block)] = block
    # As bodies take them: by kernel row, pair, kernel column.
    flat = kept.transpose(0, 1, 3, 2).reshape(len(kept), -1)
    return np.concatenate([flat, np.zeros_like(flat[:1])])[members].transpose(0, 2, 1)


def _bodies(
    groups: Groups, frames: Sequence[Frame], shapes: PipelineStates
) -> tuple[list[int], list[int], list[State]]:
    """Cycles, bits and what the pipeline remembers at the end of each block's body."""
    count = len(frames)
    lengths = np.bincount(groups.block, minlength=count)
    full = np.flatnonzero(lengths)
    left = [frame.entry for frame in frames]
    starts = (np.cumsum(lengths) - lengths)[full]
    cycles, bits, after = shapes.run(groups.shape, starts, [left[number] for number in full])
    for number, state in zip(full, after, strict=True):
        left[number] = state
    sums = [np.bincount(groups.block, values, count).astype(int).tolist() for values in (cycles, bits)]
    return sums[0], sums[1], left


def _epilogues(problem: ConvProblem) -> list[Epilogue]:
    """An epilogue of the same instructions for each channel: the amounts of shifts and offsets do not change them."""
    found: dict[tuple[Any, ...], Epilogue] = {}
    kinds = [(r.mode, r.shift > 0, r.low, r.high) for r in problem.finish]
    for channel, kind in enumerate(kinds):
        if kind not in found:
            finish = epilogue_of(problem, channel, (channel,), streamed=False)
            found[kind] = replace(finish, shift=min(1, finish.shift or 0), at=0)
    return [found[kind] for kind in kinds]


def _like(words: int, channels: int, total: int) -> int:
    """The least number of body words with which a kernel's pointer moves are as far as with these."""
    far = NEAR // WORD + 1  # words that one instruction no longer goes back
    return max(least for least in (0, far - (total - words), far - channels) if least <= words)


@lru_cache(maxsize=1 << 12)
def _frame(
    geometry: Geometry,
    finish: tuple[Epilogue, ...],
    begun: tuple[bool, ...],
    moved: int,
    words: int,
    timing: Timing,
    widely: bool,
) -> Frame:
    steps = write_program(geometry, [BODY], moved, words, finish, Biases.of(geometry, begun))
    return Frame([wide(item) for item in steps] if widely else steps, timing)


def _addresses_of(problem: ConvProblem, widely: bool) -> OperandAddresses:
    _, rows, columns, channels = problem.weights.shape
    geometry = problem.geometry
    form = Form(geometry.positions, block_channels(geometry), problem.widened, widely)
    words = -(-channels // problem.channels_of_word)
    pairs = words * problem.channels_of_word // 2
    return _operand_addresses(form, (rows, pairs, columns), problem.tap_y, problem.tap_x, geometry.in_x)


@lru_cache(maxsize=1 << 8)
def _operand_addresses(
    form: Form, shape: tuple[int, int, int], tap_y: int, tap_x: int, in_x: int
) -> OperandAddresses:
    ky, pair, kx = np.indices(shape).reshape(3, -1)
    halves = 2 if form.widened else 1
    row = ky * tap_y
    return OperandAddresses(form, row + kx * tap_x + pair // halves * WORD, row, pair % halves, in_x)
