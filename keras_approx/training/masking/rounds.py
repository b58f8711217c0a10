"""Elimination in rounds while a model trains."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from keras_approx.checks import check_readable_again
from keras_approx.errors import OptionError
from keras_approx.skipping.schedules import AnySchedule, get_schedule
from keras_approx.skipping.selection import LayerSetting, Selection
from keras_approx.training.eliminate import skip_by_elimination
from keras_approx.training.masking.moves import MoveMasks


class EliminateInRounds(MoveMasks):
    """Skips products by elimination, in rounds, while `fit` runs, and publishes `kept` into the epoch logs.

    In between the rest trains, so that each round measures a network that has recovered from the one before. The step
    is the optimizer's; rounds before the one that training continues at are taken to be done. The inputs are read in
    each round, also in the middle of an epoch: pass the same inputs every round.

    Args:
        schedule: The fraction of products to keep, for each step: a schedule in steps, or in shares of the training
            such as schedules.Ramp; a number stands for a constant.
        data: Inputs, as keras_approx.eliminate takes them, which can be read many times.
        steps: At which a round is due, before the batch of this number.
        batch_size: Samples at a time, for arrays.
        selection: Which products are kept, such as options of Eliminate; schedules of single layers are read in each
            round.
        prices: For budgets; see keras_approx.measure_prices.
        in_sequence: See keras_approx.eliminate.

    Raises:
        OptionError: If there are no steps, or an option has a value it cannot have; some of these when training starts.
        NotWrappedError: When training starts, if the model is not wrapped.
        CalibrationError: When training starts, if the data does not fit the model.
    """

    def __init__(
        self,
        schedule: AnySchedule,
        data: Any,
        *,
        steps: Sequence[int] = (0,),
        batch_size: int = 64,
        selection: Selection = Selection(),
        prices: Mapping[str, float] | None = None,
        in_sequence: bool = True,
    ) -> None:
        super().__init__(schedule, selection)
        check_readable_again(data)
        if not steps or min(steps) < 0:
            raise OptionError(f"expected at least one step for elimination, none below 0, got {list(steps)}")
        self.data = data
        self.steps = tuple(sorted(set(steps)))
        self.batch_size = batch_size
        self.prices = prices
        self.in_sequence = in_sequence
        self._due: list[int] = []

    @property
    def done(self) -> bool:
        return self.schedule is not None and not self._due

    @property
    def end_step(self) -> int:
        return self.steps[-1]

    def _begin(self, step: int) -> None:
        self._due = [due for due in self.steps if due >= step]
        self._move_if_due(step)

    def _move_if_due(self, step: int) -> None:
        passed = [due for due in self._due if due <= step]
        if passed:
            self._due = self._due[len(passed) :]
            self.run(passed[-1])

    def run(self, step: int) -> None:
        """Eliminates now, down to what the schedule gives for a step."""
        chosen = self.selection
        layers = {
            name: setting
            if setting.value is None
            else LayerSetting(get_schedule(setting.value)(step), setting.least, setting.most)
            for name, setting in chosen.layers.items()
        }
        schedule = self.schedule or get_schedule(self._given[0])
        skip_by_elimination(
            self.model,
            self.data,
            replace(chosen, layers=layers),
            schedule(step),
            prices=self.prices,
            in_sequence=self.in_sequence,
            batch_size=self.batch_size,
            verbose=False,
        )
        self._moved()
