"""Cycles and bytes of sequences of groups: each shape is priced once for whatever can stand before it."""

from __future__ import annotations

from functools import cache

import numpy as np

from ..targets import READY, Kind, State, Timing, continue_cycles
from .groups import Form, Ints, shape_count, shape_steps, without_channels
from .instructions import instructions

_UNKNOWN = -1


class Shapes:
    """The shapes of groups as an automaton over what the pipeline remembers; entries are made when first needed.

    Args:
        form: of the groups.
        timing: the core's pipeline.
    """

    def __init__(self, form: Form, timing: Timing) -> None:
        self._form, self._timing = form, timing
        self._states: list[State] = []
        self._numbers: dict[State, int] = {}
        count = shape_count(form)
        self._after = np.full((4, count), _UNKNOWN)  # grows with the number of states
        self._cycles = np.zeros_like(self._after)
        self._bits = np.zeros(count, int)

    def state(self, number: int) -> State:
        """The state of a number."""
        return self._states[number]

    def number(self, state: State) -> int:
        """The number of a state."""
        if state not in self._numbers:
            self._numbers[state] = len(self._states)
            self._states.append(state)
            if len(self._states) > len(self._after):
                self._after = np.concatenate([self._after, np.full_like(self._after, _UNKNOWN)])
                self._cycles = np.concatenate([self._cycles, np.zeros_like(self._cycles)])
        return self._numbers[state]

    def run(self, shape: Ints, starts: Ints, entries: Ints) -> tuple[Ints, Ints, Ints]:
        """Runs bodies, one beside the other.

        Args:
            shape: of every group, those of a body next to each other.
            starts: index of each body's first group.
            entries: number of the state in which each body starts.

        Returns:
            Of every group: its cycles, its bits, and the number of the state after it.
        """
        shape = self._alike(shape, starts)
        before = np.full_like(shape, self.number(READY))
        before[starts] = entries
        while True:  # most shapes leave one state whatever they find: all are right after a turn or two
            after = self._step(before, shape)
            then = np.roll(after, 1)
            then[starts] = entries
            if np.array_equal(then, before):
                return self._cycles[before, shape], self._bits[shape], after
            before = then

    def _alike(self, shape: Ints, starts: Ints) -> Ints:
        """Forgets which accumulators the groups inside a body add to, where a sum is ready for the next product.

        Then it matters to nothing but what stands before and behind the body.
        """
        timing = self._timing
        if timing.accumulate_latency.get(Kind.MAC, timing.latency.get(Kind.MAC, 1)) > 1:
            return shape
        inner = np.ones(len(shape), np.bool_)
        inner[starts] = inner[starts - 1] = (
            False  # the last group of one body lies before the first of the next
        )
        return np.where(inner, without_channels(shape), shape)

    def _step(self, before: Ints, shape: Ints) -> Ints:
        after = self._after[before, shape]
        missing = np.flatnonzero(after == _UNKNOWN)
        if not len(missing):
            return after
        for state, number in set(zip(before[missing].tolist(), shape[missing].tolist(), strict=True)):
            self._add(state, number)
        return self._after[before, shape]

    def _add(self, state: int, shape: int) -> None:
        code = [item for macro in shape_steps(shape, self._form) for item in instructions(macro)]
        cycles, after = continue_cycles(code, self._timing, self._states[state])
        number = self.number(after)
        self._after[state, shape] = number
        self._cycles[state, shape] = cycles
        self._bits[shape] = sum(instruction.width for instruction in code)


@cache
def shapes_of(form: Form, timing: Timing) -> Shapes:
    """The shapes of a form, shared by all who ask."""
    return Shapes(form, timing)
