"""Prices plans of Winograd's algorithm from their shape and from the pattern of kept kernels, exactly as if written."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache

from export.costing.counts import Count, Run
from export.costing.kernel_cycles import BODY, Frame, Profile, kernel_profile
from export.kernels.conv_loops import WORD
from export.kernels.instructions import instructions, kernel_bytes
from export.kernels.language import Step
from export.kernels.plan import repeated_calls
from export.kernels.winograd.products import SINGLE
from export.kernels.winograd.requantization import Form
from export.kernels.winograd.shape import Shape
from export.kernels.winograd.skeleton import Recipe, Skeleton, skeleton
from export.kernels.winograd.sparse import Entry, Pattern, entries, frame, kept_kernels, sparse_kernel, zeros
from export.kernels.winograd.tiles import Group, Tiling
from export.targets import State, Timing
from export.targets.pipeline import continue_cycles

_Counts = tuple[tuple[str, int], ...]


def count_winograd(shape: Shape, form: Form, timing: Timing) -> tuple[Count, Skeleton]:
    """What a plan takes, whatever its weights, and the plan without them.

    Args:
        shape: of the layer.
        form: of its requantization.
        timing: the core's pipeline.
    """
    return _count_dense(shape, form, timing) if shape.patterns is None else _count(shape, form, timing)


@lru_cache(maxsize=1 << 8)
def _count_dense(shape: Shape, form: Form, timing: Timing) -> tuple[Count, Skeleton]:
    return _count(shape, form, timing)


def _count(shape: Shape, form: Form, timing: Timing) -> tuple[Count, Skeleton]:
    made = skeleton(shape, form, timing)
    runs = []
    sizes: dict[int, int] = {}
    for call, times in repeated_calls(made):
        recipe = made.recipes[call.kernel]
        profile, size = _profile(recipe, tuple(sorted(call.counts.items())), timing)
        if call.stream is not None and call.stream.base == "scratch":
            profile = replace(profile, words=0, window=0)  # what it reads does not lie in flash
        sizes[call.kernel] = size
        runs.append(Run(profile, size, times, call.kernel))
    return Count(tuple(runs), sum(sizes.values()) + WORD * made.words), made


def _profile(recipe: Recipe, counts: _Counts, timing: Timing) -> tuple[Profile, int]:
    """One call of a kernel, and the bytes of its code."""
    if recipe.make is sparse_kernel:
        tiling, group, pattern, tiles, _ = recipe.args
        return _sparse_profile(tiling, group, pattern, tiles, counts, timing)
    return _whole_profile(recipe, counts, timing)


@lru_cache(maxsize=1 << 10)
def _whole_profile(recipe: Recipe, counts: _Counts, timing: Timing) -> tuple[Profile, int]:
    kernel = recipe.kernel
    return kernel_profile(kernel.steps, timing, dict(counts)), kernel_bytes(kernel)


def _sparse_profile(
    tiling: Tiling, group: Group, pattern: Pattern, tiles: int, counts: _Counts, timing: Timing
) -> tuple[Profile, int]:
    kept = kept_kernels(pattern)
    panel = group.components * kept
    around = _frame(tiling, group, kept, tiles, counts, timing)
    state, cycles, bits = around.entry, 0, 0
    for item in zeros(pattern, tiles):
        spent, width, state = _continued((item,), state, timing)
        cycles, bits = cycles + spent, bits + width
    for entry, _ in entries(pattern, group.components, tiles):
        spent, width, state = _entry(entry, state, timing)
        cycles, bits = cycles + spent, bits + width
    words = panel * dict(counts)[SINGLE]
    profile = Profile(around.cycles(cycles, state), words, panel, around.blocks)
    return profile, -(-(around.bits + bits) // 32) * WORD


@lru_cache(maxsize=1 << 14)
def _entry(entry: Entry, before: State, timing: Timing) -> tuple[int, int, State]:
    """Cycles and bits of an entry, and what the pipeline remembers behind it."""
    return _continued(tuple(entry.steps(0)), before, timing)


def _continued(steps: tuple[Step, ...], before: State, timing: Timing) -> tuple[int, int, State]:
    code = [instruction for item in steps for instruction in instructions(item)]
    cycles, after = continue_cycles(code, timing, before)
    return cycles, sum(instruction.width for instruction in code), after


@lru_cache(maxsize=1 << 12)
def _frame(tiling: Tiling, group: Group, kept: int, tiles: int, counts: _Counts, timing: Timing) -> Frame:
    return Frame(frame(tiling, group, kept, tiles, [BODY], timing), timing, dict(counts))
