"""How a kept fraction, a threshold or a budget moves with the training step."""

from __future__ import annotations

import math
from dataclasses import dataclass
from numbers import Real
from typing import Protocol, runtime_checkable

import numpy as np

from keras_approx.errors import OptionError


class Schedule(Protocol):
    """A value for each training step; it no longer changes from `end_step` on."""

    @property
    def end_step(self) -> int: ...

    def __call__(self, step: int) -> float: ...


@runtime_checkable
class RelativeSchedule(Protocol):
    """A schedule in shares of the training, which becomes one in steps when the training's length is known."""

    def over(self, steps: int, first: int = 0) -> Schedule:
        """The schedule of a training.

        Args:
            steps: Steps of the whole training.
            first: Its first step, as the optimizer counts.
        """
        ...


AnySchedule = Schedule | RelativeSchedule | float
"""What a schedule can be given as; a number stands for a constant."""


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


@dataclass(frozen=True)
class Ramp:
    """A polynomial schedule between two shares of the training, whatever its length.

    Attributes:
        initial: Value up to `begin`.
        final: Value from `end` on.
        end: Share of the steps, above `begin` and at most 1.
        begin: Share of the steps, at least 0.
        power: Exponent; see Polynomial.

    Raises:
        OptionError: If the shares are none of the above.
    """

    initial: float
    final: float
    end: float = 0.5
    begin: float = 0.0
    power: float = 3.0

    def __post_init__(self) -> None:
        if not 0 <= self.begin < self.end <= 1:
            raise OptionError(f"a ramp must have 0 <= begin < end <= 1, got {self.begin} and {self.end}")

    def over(self, steps: int, first: int = 0) -> Polynomial:
        """See RelativeSchedule."""
        begin, end = round(self.begin * steps), round(self.end * steps)
        return Polynomial(self.initial, self.final, first + max(end, begin + 1), first + begin, self.power)


def get_schedule(schedule: AnySchedule, *, steps: int | None = None, first: int = 0) -> Schedule:
    """A schedule in steps.

    Args:
        schedule: A schedule, a relative one, or a number, which stands for a constant.
        steps: Steps of the training, for relative schedules.
        first: Its first step, as the optimizer counts.

    Raises:
        OptionError: If it is no schedule, or a relative one, and the length of the training is not known.
    """
    if isinstance(schedule, Real):
        return Constant(float(schedule))
    if not isinstance(schedule, RelativeSchedule):
        if not callable(schedule) or not hasattr(schedule, "end_step"):
            raise OptionError(
                "a schedule must be a number, one of keras_approx.schedules, or an object that gives a value for each "
                f"step when called and has an end_step, the last step at which it moves; got {schedule!r}"
            )
        return schedule
    if steps is None:
        raise OptionError(
            f"{schedule} is in shares of the training, whose length is not known: give steps_per_epoch=, or a schedule "
            "in steps such as Polynomial"
        )
    return schedule.over(steps, first)


def _check_steps(begin_step: int, end_step: int) -> None:
    for name, value in (("begin_step", begin_step), ("end_step", end_step)):
        if not isinstance(value, (int, np.integer)):
            raise OptionError(
                f"{name} must be a whole number of optimizer updates, got {value!r}; Ramp takes shares of the training"
            )
    if not 0 <= begin_step < end_step:
        raise OptionError(f"a schedule must have 0 <= begin_step < end_step, got {begin_step} and {end_step}")


def _done(step: int, begin_step: int, end_step: int) -> float:
    return min(max((step - begin_step) / (end_step - begin_step), 0.0), 1.0)
