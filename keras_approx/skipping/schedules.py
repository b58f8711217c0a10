"""How a kept fraction, a threshold or a budget moves with the training step."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Protocol

from keras_approx.errors import OptionError


class Schedule(Protocol):
    """A value for each training step; it no longer changes from `end_step` on."""

    @property
    def end_step(self) -> int: ...

    def __call__(self, step: int) -> float: ...


@dataclass(frozen=True)
class Constant:
    """The same value from the first step on.

    Attributes:
        value: The value.
        end_step: Last step at which masks are recomputed; 0 computes them once.
    """

    value: float
    end_step: int = 0

    def __call__(self, step: int) -> float:
        return self.value


@dataclass(frozen=True)
class Cosine:
    """From `initial` to `final` along half a wave of a cosine: slow at first, fast in the middle, slow at last.

    Attributes:
        initial: Value up to begin_step.
        final: Value from end_step on.
        end_step: Step, in optimizer updates.
        begin_step: Step, in optimizer updates.
    """

    initial: float
    final: float
    end_step: int
    begin_step: int = 0

    def __post_init__(self) -> None:
        _check_steps(self.begin_step, self.end_step)

    def __call__(self, step: int) -> float:
        left = (1 + math.cos(math.pi * _done(step, self.begin_step, self.end_step))) / 2
        return self.final + (self.initial - self.final) * left


@dataclass(frozen=True)
class Polynomial:
    """From `initial` to `final`, fast at first and ever slower: final + (initial - final) (1 - t)^power.

    With power 3 this is the gradual pruning schedule of Zhu and Gupta (2017).

    Attributes:
        initial: Value up to begin_step.
        final: Value from end_step on.
        end_step: Step, in optimizer updates.
        begin_step: Step, in optimizer updates.
        power: Exponent; 1 is a straight line.
    """

    initial: float
    final: float
    end_step: int
    begin_step: int = 0
    power: float = 3.0

    def __post_init__(self) -> None:
        _check_steps(self.begin_step, self.end_step)

    def __call__(self, step: int) -> float:
        left = 1 - _done(step, self.begin_step, self.end_step)
        return self.final + (self.initial - self.final) * left**self.power


def get_schedule(schedule: Schedule | float) -> Schedule:
    """A schedule as it is; a number as a constant."""
    return Constant(float(schedule)) if isinstance(schedule, (int, float)) else schedule


def _check_steps(begin_step: int, end_step: int) -> None:
    if not 0 <= begin_step < end_step:
        raise OptionError(f"a schedule must have 0 <= begin_step < end_step, got {begin_step} and {end_step}")


def _done(step: int, begin_step: int, end_step: int) -> float:
    return min(max((step - begin_step) / (end_step - begin_step), 0.0), 1.0)
