"""Cycles and bytes of sequences of groups: each shape is priced once for each state of the pipeline before it."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np

from export.costing.counting.operand_groups import Form, Ints, shape_count, shape_steps, without_channels
from export.kernels.language.instructions import instructions
from export.kernels.language.steps import ACCUMULATORS, register_number
from export.targets import READY, Instruction, Kind, State, Timing, continue_cycles, entered

_UNKNOWN = -1
_SUMS = tuple(register_number(name) for name in ACCUMULATORS)


class PipelineStates:
    """The shapes of groups as an automaton over what the pipeline remembers; entries are made when first needed.

    Groups do nothing with accumulators but add to them. Where a sum is ready for the next product at once, which
    accumulators a group adds to matters only to what stands before and behind its body, so inside it is forgotten.

    Args:
        form: Of the groups.
        timing: The core's pipeline.
    """

    def __init__(self, form: Form, timing: Timing) -> None:
        self._form, self._timing = form, timing
        self._forgets = timing.accumulate_latency.get(Kind.MAC, timing.latency.get(Kind.MAC, 1)) == 1
        self._states: list[State] = []
        self._numbers: dict[State, int] = {}
        count = shape_count(form)
        self._after = np.full((1, count), _UNKNOWN, np.int16)  # by state, of which there are few, and shape
        self._cycles = np.zeros_like(self._after)
        self._bits = np.zeros(count, np.int16)
        self._left: dict[tuple[int, int], State] = {}

    def run(self, shape: Ints, starts: Ints, entries: list[State]) -> tuple[Ints, Ints, list[State]]:
        """Runs bodies, one beside the other.

        Args:
            shape: Of every group, those of a body next to each other.
            starts: Index of each body's first group.
            entries: What the pipeline remembers where each body starts.

        Returns:
            Cycles and bits of every group, and what the pipeline remembers where each body ends.
        """
        ends = np.append(starts, len(shape))[1:] - 1
        if self._forgets:
            inner = np.ones(len(shape), np.bool_)
            inner[starts] = inner[ends] = False
            shape = np.where(inner, without_channels(shape), shape)
        before = self._guess(shape, starts, entries)
        before[starts] = [self._number(state) for state in entries]
        follows = np.ones(len(shape) + 1, np.bool_)  # whether a group stands behind another one of its body
        follows[starts] = follows[-1] = False
        now = np.arange(len(shape))
        while len(
            now
        ):  # most shapes leave one state for any state before them: few groups change what follows them
            after, behind = self._step(before[now], shape[now]), now + 1
            after, behind = after[follows[behind]], behind[follows[behind]]
            changed = before[behind] != after
            now = behind[changed]
            before[now] = after[changed]
        last = zip(before[ends].tolist(), shape[ends].tolist(), strict=True)
        return self._cycles[before, shape], self._bits[shape], [self._left[key] for key in last]

    def _guess(self, shape: Ints, starts: Ints, entries: list[State]) -> Ints:
        """The pipeline ready before every group, at word boundaries or off them as the groups' sizes say."""
        if not self._timing.aligns:
            return np.full_like(shape, self._number(READY))
        for number in np.unique(shape).tolist():
            if not self._bits[number]:
                self._bits[number] = sum(instruction.width for instruction in self._code(number))
        halves = np.cumsum(self._bits[shape] // 16)
        ahead = np.concatenate([[0], halves[:-1]])
        lengths = np.diff([*starts.tolist(), len(shape)])
        entered_half = np.array([state.half for state in entries], np.int64)
        half = (ahead - np.repeat(ahead[starts] - entered_half, lengths)) & 1
        return np.array([self._number(entered(0)), self._number(entered(2))])[half]

    def _step(self, before: Ints, shape: Ints) -> Ints:
        after = self._after[before, shape]
        missing = np.flatnonzero(after == _UNKNOWN)
        if not len(missing):
            return after
        for key in set(zip(before[missing].tolist(), shape[missing].tolist(), strict=True)):
            self._add(*key)
        return self._after[before, shape]

    def _add(self, state: int, shape: int) -> None:
        code = self._code(shape)
        cycles, left = continue_cycles(code, self._timing, self._states[state])
        after = self._number(_without_sums(left) if self._forgets else left)
        self._after[state, shape] = after
        self._cycles[state, shape] = cycles
        self._bits[shape] = sum(instruction.width for instruction in code)
        self._left[state, shape] = left

    def _code(self, shape: int) -> list[Instruction]:
        return [item for macro in shape_steps(shape, self._form) for item in instructions(macro)]

    def _number(self, state: State) -> int:
        if state not in self._numbers:
            self._numbers[state] = len(self._states)
            self._states.append(state)
            if len(self._states) > len(self._after):
                self._after = np.concatenate([self._after, np.full_like(self._after, _UNKNOWN)])
                self._cycles = np.concatenate([self._cycles, np.zeros_like(self._cycles)])
        return self._numbers[state]


def _without_sums(state: State) -> State:
    """Forgets which accumulators were added to last."""
    previous = state.previous
    if previous is not None and previous.kind is Kind.MAC:
        previous = replace(previous, writes=_SUMS[:1], accumulators=_SUMS[:1])
    results = tuple(found for found in state.results if found[2] is not Kind.MAC)
    return replace(state, results=results, previous=previous)


@cache
def pipeline_states(form: Form, timing: Timing) -> PipelineStates:
    """The shapes of a form, shared by all who ask."""
    return PipelineStates(form, timing)
