"""What kernels that all channels share take: loops, and those of weights in bytes; the same for all weights."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, fields, replace
from functools import lru_cache
from itertools import groupby
from typing import Any, TypeAlias, TypeVar

import numpy as np

from export.costing.counting.plans import Count, count_plan
from export.kernels.direct.byte_weights import plan_bytes
from export.kernels.direct.plan import ConvProblem, plan_loop, shared_mode
from export.kernels.elementwise.addition import ADDITION_WORDS
from export.kernels.language.steps import WORD
from export.kernels.linear import Linear
from export.kernels.plan import Plan, on_word_boundaries
from export.kernels.requantize import Requantization
from export.targets import Timing

_Kind = TypeVar("_Kind", bound=tuple[Any, ...])
_Kinds: TypeAlias = tuple[tuple[_Kind, int], ...]
"""What neighboring channels have in common, and how many there are."""


@dataclass(frozen=True)
class Unnumbered:
    """The part of a problem that the kernels of all channels depend on: all but its numbers.

    Attributes:
        layer: The other fields of the problem, by name.
        shape: Of the weights.
        mode: How outputs are rounded: see `direct.plan.shared_mode`.
        clamps: Bounds of outputs.
        linear: Where one multiplication is enough: whether a shift follows, and the bounds.
    """

    layer: tuple[tuple[str, Any], ...]
    shape: tuple[int, ...]
    mode: str
    clamps: _Kinds[tuple[int | None, int | None]]
    linear: _Kinds[tuple[int, int | None, int | None]]

    @staticmethod
    def of(problem: ConvProblem) -> Unnumbered:
        """That of a problem whose channels can share a kernel."""
        mode = shared_mode(problem.finish)
        assert mode is not None
        return Unnumbered(
            tuple((name, getattr(problem, name)) for name in _LAYER),
            problem.weights.shape,
            mode,
            _kinds((r.low, r.high) for r in problem.requantization),
            _kinds((min(1, r.shift), r.low, r.high) for r in problem.finish if isinstance(r, Linear)),
        )

    @property
    def problem(self) -> ConvProblem:
        """A problem with these kernels, all its numbers 0."""
        blank = tuple(
            Requantization(0, 0, 0, 1, self.mode, *clamp) for clamp, n in self.clamps for _ in range(n)
        )
        linear = tuple(Linear(1, 0, 1, *entry) for entry, n in self.linear for _ in range(n))
        return ConvProblem(
            weights=np.zeros(self.shape, np.int32),
            bias=np.zeros(self.shape[0], np.int64),
            requantization=blank,
            source=0,
            target=0,
            solved=lambda: linear or None,
            **dict(self.layer),
        )


def _kinds(entries: Iterable[_Kind]) -> _Kinds[_Kind]:
    return tuple((entry, len(list(alike))) for entry, alike in groupby(entries))


def count_loop(layer: Unnumbered, unrolled: int, rows: bool, timing: Timing) -> Count:
    """The cost of the plan that `direct.plan.plan_loop` makes, on word boundaries; it does not depend on the weights.

    Args:
        layer: The problem without its numbers.
        unrolled: As for `direct.plan.plan_loop`.
        rows: Likewise.
        timing: The core's pipeline.
    """
    return _count_shared(plan_loop, layer, (("unrolled", unrolled), ("rows", rows)), timing)


def count_bytes(layer: Unnumbered, unrolled: int, timing: Timing) -> Count:
    """The cost of the plan that `direct.byte_weights.plan_bytes` makes, likewise.

    Args:
        layer: The problem without its numbers.
        unrolled: As for `direct.byte_weights.plan_bytes`.
        timing: The core's pipeline.
    """
    return _count_shared(plan_bytes, layer, (("unrolled", unrolled),), timing)


_NUMBERS = ("weights", "bias", "requantization", "solved", "source", "target", "addition", "scaling")
_LAYER = tuple(field.name for field in fields(ConvProblem) if field.name not in _NUMBERS)
"""The part of a problem that its kernels depend on, without its numbers."""


@lru_cache(maxsize=1 << 9)
def _count_shared(
    planned: Callable[..., Plan],
    layer: Unnumbered,
    options: tuple[tuple[str, int | bool], ...],
    timing: Timing,
) -> Count:
    problem = layer.problem
    count = count_plan(on_word_boundaries(planned(problem, **dict(options)), timing), timing)
    added = 0 if problem.sum is None else ADDITION_WORDS
    return replace(count, kernel_bytes=count.kernel_bytes + WORD * added)
