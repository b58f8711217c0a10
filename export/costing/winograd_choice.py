"""Candidates of Winograd's algorithm: which shapes of a layer are worth being counted."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache, partial

import numpy as np

from export.costing.candidate import NEAR_TIE, Candidate, Wanted
from export.costing.counting.winograd import count_winograd, least_cycles, least_sparse
from export.costing.flash_waits import price_count
from export.costing.kernel_cost import known
from export.costing.search import Way
from export.kernels.direct.plan import ConvProblem, kept_pairs
from export.kernels.language.scheduler import OutOfRegistersError
from export.kernels.winograd.algorithm import Algorithm
from export.kernels.winograd.plan import layer_constants, least_form, plan_winograd
from export.kernels.winograd.requantization import Constants, Form
from export.kernels.winograd.shape import Shape, algorithms_of, oriented, packed_shape, shape_of, sparse_shape
from export.kernels.winograd.tiles import strip_heights
from export.targets import Target, Timing

_MOST_UNROLLED = 32  # pairs of input channels in a turn of Winograd's products


def winograd_ways(problem: ConvProblem, target: Target, timing: Timing, wanted: Wanted) -> Iterator[Way]:
    """The algorithms that can compute a layer, none of them written yet.

    Args:
        problem: The layer.
        target: Core and board.
        timing: The pipeline that kernels are chosen for.
        wanted: Which candidates.
    """
    problem = oriented(problem)
    kept = int(np.count_nonzero(kept_pairs(problem).any(axis=(1, 2))))
    for algorithm in algorithms_of(problem):
        layer = _Layer(problem, algorithm, target, timing, wanted)
        heights = list(strip_heights(layer.tallest.strip_rows))
        yield Way(least_cycles(layer.tallest, kept, timing), partial(layer.strips, heights, math.inf))


@dataclass(frozen=True)
class _Layer:
    """A layer that an algorithm computes."""

    problem: ConvProblem
    algorithm: Algorithm
    target: Target
    timing: Timing
    wanted: Wanted

    @cached_property
    def tallest(self) -> Shape:
        """The shape that is not cut into strips."""
        rows = -(-self.problem.geometry.rows // self.algorithm.down.outputs)
        return shape_of(self.problem, self.algorithm, rows, _MOST_UNROLLED)

    @cached_property
    def constants(self) -> Constants | None:
        """Its requantization; None where sums may leave 32 bits."""
        return layer_constants(self.problem, self.algorithm)

    def strips(self, heights: list[int], best: float) -> Iterator[Way]:
        """The shapes of the first height, and the way to those of the others.

        Their bound is what they take if the requantization is the cheapest that there is. Lower strips take more
        cycles, as a rule, and as much flash: unless scratch memory is short, none are looked at below those that take
        clearly more. Masks of whole kernels are then not computed in strips either.

        Args:
            heights: Rows of tiles in a strip, the tallest first.
            best: The fewest cycles of taller strips.
        """
        shape, form = replace(self.tallest, strip_rows=heights[0]), least_form(self.problem)
        priced = _priced(shape, form, self.target, self.timing)
        if priced is None:
            if heights[1:]:
                yield from self.strips(heights[1:], best)
            return
        cycles = priced.price.copied_cycles
        best = min(best, cycles)
        yield self._way(cycles, shape)
        less_memory = self.wanted is Wanted.LESS_MEMORY
        if shape == self.tallest or less_memory:
            sparse = sparse_shape(self.problem, shape)
            if sparse is not None:
                yield self._way(least_sparse(sparse, form, self.timing), sparse)
        packed = packed_shape(shape)
        if packed is not None:
            transformed = (priced.cost.cycles or 0) + shape.weights_before[-1]  # at the least: each is stored
            yield Way(transformed, partial(self._packed, packed))
        if heights[1:] and (less_memory or cycles <= NEAR_TIE * best):
            yield Way(cycles, partial(self.strips, heights[1:], best))

    def _packed(self, shape: Shape) -> Iterator[Way]:
        priced = _priced(shape, least_form(self.problem), self.target, self.timing)
        if priced is not None:
            yield self._way(priced.price.copied_cycles, shape)

    def _way(self, least: float, shape: Shape) -> Way:
        return Way(least, partial(self._candidate, shape))

    def _candidate(self, shape: Shape) -> Iterator[Candidate]:
        constants = self.constants
        if constants is None:
            return
        priced = _priced(shape, constants.form.alike, self.target, self.timing)
        if priced is not None:
            yield replace(priced, plan=partial(plan_winograd, self.problem, shape, constants, self.timing))


def _priced(shape: Shape, form: Form, target: Target, timing: Timing) -> Candidate | None:
    """A candidate without its plan, or None where no kernel can; of what does not depend on masks there are few."""
    if not shape.within_reach:
        return None
    try:
        return (_priced_once if shape.patterns is None else _price)(shape, form, target, timing)
    except OutOfRegistersError:
        return None  # direct kernels always fit


def _price(shape: Shape, form: Form, target: Target, timing: Timing) -> Candidate:
    count, scratch_bytes = count_winograd(shape, form, timing)
    return Candidate(shape.name, price_count(count, target), known(count.cost, target), scratch_bytes, None)


_priced_once = lru_cache(maxsize=1 << 10)(_price)
