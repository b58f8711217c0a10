"""What the calls of a plan take, by following its kernels."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache
from typing import TypeAlias

from export.costing.counting.kernel_cycles import Profile, kernel_profile
from export.costing.kernel_cost import KernelCost
from export.kernels.language.steps import WORD
from export.kernels.plan import Call, HasCalls, Plan, repeated_calls
from export.kernels.size import kernel_bytes
from export.targets import Timing


@dataclass(frozen=True)
class Run:
    """What one call in a plan takes.

    Attributes:
        profile: Cycles, words of the stream, and how often it is read.
        code_bytes: Of the kernel, aligned to a word.
        times: How often the call runs.
        kernel: Index of the kernel in its plan.
        after: Bytes of code of the call before, if that read the same part of the stream; else None.
    """

    profile: Profile
    code_bytes: int
    times: int = 1
    kernel: int = 0
    after: int | None = None


@dataclass(frozen=True)
class Count:
    """What a plan takes.

    Attributes:
        runs: Every call.
        kernel_bytes: Code of all kernels and constants of all streams.
    """

    runs: tuple[Run, ...]
    kernel_bytes: int

    @property
    def cost(self) -> KernelCost:
        """Their sum."""
        cycles = sum(run.times * run.profile.cycles for run in self.runs)
        return KernelCost(cycles, sum(run.times for run in self.runs), len(self.runs), self.kernel_bytes)


def _reads_again(call: Call, before: Call) -> bool:
    """Whether a call reads the part of the stream that the call before it has read."""
    return call.stream is not None and call.stream == before.stream


LoopCounts: TypeAlias = tuple[tuple[str, int], ...]
"""The numbers that a call gives its kernel's loops, by name, in order."""


def count_plan(plan: Plan, timing: Timing) -> Count:
    """Counts a plan by following its kernels."""
    sizes = [kernel_bytes(kernel) for kernel in plan.kernels]

    def follow(kernel: int, counts: LoopCounts) -> tuple[Profile, int]:
        return kernel_profile(plan.kernels[kernel].steps, timing, dict(counts)), sizes[kernel]

    return Count(count_calls(plan, follow), sum(sizes) + WORD * len(plan.constants))


def count_calls(plan: HasCalls, follow: Callable[[int, LoopCounts], tuple[Profile, int]]) -> tuple[Run, ...]:
    """What every call of a plan takes.

    Args:
        plan: The calls.
        follow: Gives the profile of a call and the bytes of its kernel's code, from the kernel's index and the numbers
            of its loops. It is asked once for each pair of these.
    """
    runs: list[Run] = []
    followed = cache(follow)
    before: Call | None = None
    for call, times in repeated_calls(plan):
        profile, size = followed(call.kernel, tuple(sorted(call.counts.items())))
        if call.stream is not None and call.stream.base == "scratch":
            profile = replace(profile, words=0, window=0)  # what it reads does not lie in flash
        after = runs[-1].code_bytes if before is not None and _reads_again(call, before) else None
        runs.append(Run(profile, size, times, call.kernel, after))
        before = call
    return tuple(runs)
