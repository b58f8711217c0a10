"""Prices plans of Winograd's algorithm from their shape and from the pattern of kept kernels, exactly as if written."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache, lru_cache
from typing import NamedTuple

from export.costing.counting.kernel_cycles import BODY, Frame, Profile, kernel_profile
from export.costing.counting.plans import Count, LoopCounts, count_calls
from export.kernels.language.instructions import instructions
from export.kernels.language.steps import WORD, Step
from export.kernels.plan import repeated_calls
from export.kernels.size import kernel_bytes
from export.kernels.winograd.input_transform import input_kernel
from export.kernels.winograd.output_transform import output_kernel
from export.kernels.winograd.products import SINGLE, holds_weights
from export.kernels.winograd.requantization import Form
from export.kernels.winograd.shape import Shape
from export.kernels.winograd.skeleton import Recipe, skeleton
from export.kernels.winograd.sparse import Entry, Pattern, entries, frame, kept_kernels, sparse_kernel, zeros
from export.kernels.winograd.tiles import CHANNELS, TILES, Group, Tiling
from export.targets import State, Timing
from export.targets.pipeline import continue_cycles
from export.targets.timing import Pairing


def count_winograd(shape: Shape, form: Form, timing: Timing) -> tuple[Count, int]:
    """The part of a plan's cost that does not depend on its weights, and its scratch memory in bytes.

    Args:
        shape: Of the layer.
        form: Of its requantization.
        timing: The core's pipeline.
    """
    made = skeleton(shape, form, timing)
    runs = count_calls(made, lambda kernel, counts: _profile(made.recipes[kernel], counts, timing))
    sizes = {run.kernel: run.code_bytes for run in runs}
    return Count(runs, sum(sizes.values()) + WORD * made.words), made.scratch_bytes


def least_cycles(shape: Shape, kept: int, timing: Timing) -> float:
    """Cycles below which no plan of a shape comes, found without writing any of it.

    A core that issues one instruction a cycle loads and stores a word a cycle at the most. Transformed inputs are
    stored, sums are stored and loaded; at a tile, additions join the sums of all points to fewer outputs, and an output
    is scaled, saturated and stored. Where two instructions issue in a cycle, only the products are certain.

    Args:
        shape: Of the layer, all its kernels computed.
        kept: Kernels of a pair of inputs that have a weight.
        timing: The core's pipeline.
    """
    work = _work(shape.tiling)
    if timing.pairing is Pairing.WIDE:
        return kept * work.products
    held = all(map(holds_weights, shape.tiling.groups))
    geometry, channels = shape.geometry, sum(len(block.channels) for block in shape.blocks)
    outputs = geometry.rows * geometry.columns
    transforms = work.products * shape.pairs
    transforms += channels * (
        work.sums + max(0, work.sums - outputs) + 3 * outputs // (4 if geometry.pooled else 1)
    )
    return transforms + _least_of_products(shape, kept, held)


def least_sparse(shape: Shape, form: Form, timing: Timing) -> float:
    """Cycles below which no plan comes that skips kernels: its transforms, and the least that its products take.

    Args:
        shape: Of the layer, with the patterns of its blocks.
        form: Of its requantization.
        timing: The core's pipeline.
    """
    kept = sum(map(shape.kept, range(len(shape.blocks))))
    transforms = _transforms(shape.dense, form, timing)
    if timing.pairing is Pairing.WIDE:
        return transforms + kept * _work(shape.tiling).products
    return transforms + _least_of_products(shape, kept, held=False)


def _least_of_products(shape: Shape, kept: int, held: bool) -> float:
    """The least cycles of products on a core of one instruction a cycle.

    A product takes a cycle. Two tiles share the load of a constant, unless constants stay in registers, and four
    channels that of an input. A sum is stored.
    """
    work = _work(shape.tiling)
    loads = work.products / CHANNELS + (0 if held else work.constants)
    return kept * (work.products + loads) + CHANNELS * len(shape.blocks) * work.sums


@lru_cache(maxsize=1 << 10)
def _transforms(shape: Shape, form: Form, timing: Timing) -> int:
    """Cycles of all transforms."""
    made = skeleton(shape, form, timing)
    transforms = 0
    for call, times in repeated_calls(made):
        recipe = made.recipes[call.kernel]
        if recipe.make in (input_kernel, output_kernel):
            counts = tuple(sorted(call.counts.items()))
            transforms += times * _whole_profile(recipe, counts, timing)[0].cycles
    return transforms


class _Work(NamedTuple):
    """What a kernel of a pair of inputs, or an output channel, needs in all tiles.

    Attributes:
        products: Dual products of a kernel.
        constants: Times a constant of it is loaded where blocks of two tiles share the load.
        sums: Points of a channel.
    """

    products: int
    constants: int
    sums: int


@lru_cache(maxsize=1 << 10)
def _work(tiling: Tiling) -> _Work:
    products = constants = sums = 0
    for strip in tiling.strips:
        for group in tiling.groups:
            start, end = tiling.range_of(strip, group)
            points = len(group.points)
            products += (end - start) * points * group.components
            constants += (end - start) // TILES * points * group.components
            sums += (end - start) * points
    return _Work(products, constants, sums)


def _profile(recipe: Recipe, counts: LoopCounts, timing: Timing) -> tuple[Profile, int]:
    """One call of a kernel, and the bytes of its code."""
    if recipe.make is sparse_kernel:
        tiling, group, pattern, tiles, _ = recipe.args
        return _sparse_profile(tiling, group, pattern, tiles, counts, timing)
    return _whole_profile(recipe, counts, timing)


@lru_cache(maxsize=1 << 14)
def _whole_profile(recipe: Recipe, counts: LoopCounts, timing: Timing) -> tuple[Profile, int]:
    kernel = recipe.kernel
    return kernel_profile(kernel.steps, timing, dict(counts)), kernel_bytes(kernel)


def _sparse_profile(
    tiling: Tiling, group: Group, pattern: Pattern, tiles: int, counts: LoopCounts, timing: Timing
) -> tuple[Profile, int]:
    kept = kept_kernels(pattern)
    panel = group.components * kept
    around = _frame(tiling, group, kept, tiles, counts, timing)
    cycles, bits, state = _body(pattern, group.components, tiles, around.entry, timing)
    words = panel * dict(counts)[SINGLE]
    profile = Profile(around.cycles(cycles, state), words, panel, around.blocks)
    return profile, -(-(around.bits + bits) // 32) * WORD


@lru_cache(maxsize=1 << 14)
def _body(
    pattern: Pattern, components: int, tiles: int, before: State, timing: Timing
) -> tuple[int, int, State]:
    """Cycles and bits of a body, and what the pipeline remembers behind it."""
    cycles, bits, state = _continued(tuple(zeros(pattern, tiles)), before, timing)
    steps = _known_steps(timing)
    number = steps.number(state)
    for entry, _ in entries(pattern, components, tiles):
        spent, width, number = steps.after(entry, number)
        cycles, bits = cycles + spent, bits + width
    return cycles, bits, steps.states[number]


@dataclass
class _Steps:
    """What entries take, by entry and by what the pipeline remembers before; states are numbered as they are met."""

    timing: Timing
    states: list[State] = field(default_factory=list)
    _numbers: dict[State, int] = field(default_factory=dict)
    _found: dict[tuple[Entry, int], tuple[int, int, int]] = field(default_factory=dict)

    def number(self, state: State) -> int:
        """The number of a state."""
        if state not in self._numbers:
            self._numbers[state] = len(self.states)
            self.states.append(state)
        return self._numbers[state]

    def after(self, entry: Entry, before: int) -> tuple[int, int, int]:
        """Cycles, bits, and the state behind an entry."""
        key = entry, before
        if key not in self._found:
            cycles, bits, state = _continued(tuple(entry.steps(0)), self.states[before], self.timing)
            self._found[key] = cycles, bits, self.number(state)
        return self._found[key]


@cache
def _known_steps(timing: Timing) -> _Steps:
    return _Steps(timing)


def _continued(steps: tuple[Step, ...], before: State, timing: Timing) -> tuple[int, int, State]:
    code = [instruction for item in steps for instruction in instructions(item)]
    if not code:
        return 0, 0, before
    cycles, after = continue_cycles(code, timing, before)
    return cycles, sum(instruction.width for instruction in code), after


@lru_cache(maxsize=1 << 14)
def _frame(tiling: Tiling, group: Group, kept: int, tiles: int, counts: LoopCounts, timing: Timing) -> Frame:
    return Frame(frame(tiling, group, kept, tiles, [BODY], timing), timing, dict(counts))
