"""Keras callbacks that move masks along a schedule while a wrapped model trains."""

from __future__ import annotations

import warnings
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from keras_approx.compat import keras
from keras_approx.errors import NotCalibratedError, OptionError
from keras_approx.layers.skip_wrapper import get_masks, set_masks, skip_wrappers
from keras_approx.measure.batches import check_readable_again
from keras_approx.measure.calibration import Calibrator
from keras_approx.measure.summaries import mask_positions
from keras_approx.skipping.granularity import Granularities
from keras_approx.skipping.masks import Scope, kept_fraction
from keras_approx.skipping.schedules import AnySchedule, Schedule, get_schedule
from keras_approx.skipping.selection import LayerSetting, Select, Selection
from keras_approx.skipping.significance import Metric, get_metric, significance
from keras_approx.training.eliminate import skip_by_elimination
from keras_approx.training.options import Prices

MOST_STEPS_BETWEEN_UPDATES = 50
UPDATES_IN_A_RAMP = 10


class PublishKept(keras.callbacks.Callback):
    """Publishes `kept`, the share of all products that are not skipped, into the epoch logs."""

    _supports_tf_logs = True

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        if logs is not None:
            logs["kept"] = kept_now(self.model)


def kept_now(model: Any) -> float:
    """The share of a wrapped model's products that its masks keep, of the layers that carry masks."""
    return kept_fraction(get_masks(model), mask_positions(model))


def compares_epochs(callback: Any) -> bool:
    """Whether a callback keeps the best of several epochs: a Keras one that restores or saves it."""
    if isinstance(callback, keras.callbacks.EarlyStopping):
        return bool(callback.restore_best_weights)
    return isinstance(callback, keras.callbacks.ModelCheckpoint) and bool(callback.save_best_only)


class MoveMasks(PublishKept, ABC):
    """Base of callbacks that move masks along a schedule; it says when training and schedule do not fit together.

    The step is the optimizer's, so training that continues from a saved model continues the schedule. Schedules in
    shares of the training become schedules in steps at the first epoch, when the length of the training is known.

    Args:
        schedule: What masks follow.
        selection: How they are chosen.

    Attributes:
        schedule: The schedule in steps, from the first epoch on.
        selection: The selection with layers' own schedules in steps, from the first epoch on.
        moves: How many times masks were chosen.
    """

    def __init__(self, schedule: AnySchedule, selection: Selection) -> None:
        super().__init__()
        self._given = schedule, selection
        self.schedule: Schedule | None = None
        self.selection = selection
        self.moves = 0
        self._moved_to: float | None = None
        self._others: Sequence[Any] = ()

    def set_others(self, callbacks: Sequence[Any]) -> None:
        """Takes the callbacks that train with this one; `fit` of a wrapped model calls it."""
        self._others = callbacks

    @property
    @abstractmethod
    def done(self) -> bool:
        """Whether the masks are those of the schedule's end."""

    @property
    @abstractmethod
    def end_step(self) -> int:
        """The step of the last move."""

    def on_train_begin(self, logs: Any = None) -> None:
        self.selection.settings([layer.name for layer in skip_wrappers(self.model)])
        self.schedule = self._moved_to = None

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        if self.schedule is not None:
            return
        step, epochs, steps = self._step(), self.params.get("epochs"), self.params.get("steps")
        total = epochs * steps if epochs and steps else None
        first = step - epoch * steps if steps else step
        schedule, selection = self._given
        self.schedule = get_schedule(schedule, steps=total, first=first)
        self.selection = selection.over(total, first)
        if total is not None and first + total <= self.end_step and self.end_step > first:
            warnings.warn(
                f"the last move of masks is due before step {self.end_step}, but this training ends after "
                f"{first + total} steps: the model will not come to keep {self._goal}; train longer, or give a "
                "schedule in shares of the training, such as schedules.Ramp",
                stacklevel=2,
            )
        self._begin(step)
        comparing = [type(other).__name__ for other in self._others if compares_epochs(other)]
        if comparing and not self.done:
            warnings.warn(
                f"{', '.join(comparing)} will compare epochs that keep different shares of the products, and may bring "
                "an early one back, which keeps more: give it as callbacks.AfterSkipping(this callback, the other)",
                stacklevel=2,
            )

    @abstractmethod
    def _begin(self, step: int) -> None:
        """Moves the masks that are due before the first batch."""

    def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:
        self._move_if_due(self._step())

    @abstractmethod
    def _move_if_due(self, step: int) -> None:
        """Moves the masks before a batch if that is when they are due."""

    def _moved(self) -> None:
        self.moves += 1
        self._moved_to = kept_now(self.model)

    def on_train_end(self, logs: Any = None) -> None:
        if self.schedule is None:
            return
        kept, step = kept_now(self.model), self._step()
        if not self.done:
            warnings.warn(
                f"training ended after {step} steps, but the last move of masks was due before step {self.end_step}: "
                f"the model keeps {kept:.1%} of the products, not {self._goal}",
                stacklevel=2,
            )
        elif self._moved_to is not None and kept != self._moved_to:
            warnings.warn(
                f"another callback brought masks of an earlier epoch back: the model keeps {kept:.1%} of the products, "
                f"not {self._moved_to:.1%}; give callbacks that compare epochs as callbacks.AfterSkipping(this "
                "callback, the other)",
                stacklevel=2,
            )

    @property
    def _goal(self) -> str:
        assert self.schedule is not None
        value = self.schedule(self.end_step)
        return f"{value:.1%} of them" if self.selection.select == "fraction" else f"{value:g}"

    def _step(self) -> int:
        return int(self.model.optimizer.iterations.numpy())


class UpdateSkipMasks(MoveMasks):
    """Recomputes significance and masks while `fit` runs, and publishes `kept` into the epoch logs.

    The step is the optimizer's, so training that continues from a saved model continues the schedule. Masks
    are recomputed before the batches at which the step is a multiple of `frequency`, and last at the end of
    the schedule. Warnings say when training ends before the schedule does.

    Args:
        schedule: What `select` says, for each step: a schedule in steps, or in shares of the training such as
            schedules.Ramp; a number stands for a constant.
        select: What the schedule gives: the "fraction" of products to keep (of layers that are not exempt),
            the "threshold", or the "budget" in cycles of all kept pairs.
        significance: Name of a metric, or a function; see keras_approx.significance.
        granularity: What is kept or skipped together: "operand", "pair", "block", "kernel", "kernel block" or a
            Granularity, for all layers or by layer name or pattern; see keras_approx.masks.
        scope: "global": one ranking of all layers. "layer": the fraction of each layer. For fractions only.
        cost_exponent: How much the cost of a weight counts against it in a global ranking; see
            masks.fraction_masks and masks.budget_masks. Thresholds do not rank.
        frequency: Steps between updates; None for a tenth of the schedule's length, but at most 50.
        exempt: Names of layers, or patterns such as "conv2d*", that keep all their products.
        layers: Settings of single layers by name or pattern, such as {"dense": LayerSetting(least=0.3)}; a
            layer has the first that matches it.
        prices: For budgets, and then required: cycles that one kept pair takes in an inference, by layer
            name, or a function of the model that gives them, called once; see keras_approx.measure_prices.
        data: If given, the model is calibrated with it again before each update, as keras_approx.calibrate
            takes it: an array or a dataset, which can be read many times.
        loss: For `data` with labels: of which to measure gradients, see keras_approx.calibrate.

    Raises:
        OptionError: If an option has another value than those above.
        NotWrappedError: When training starts, if the model is not wrapped.
        NotCalibratedError: When training starts, if the model was not calibrated.
    """

    def __init__(
        self,
        schedule: AnySchedule,
        *,
        select: Select = "fraction",
        significance: str | Metric = "energy",
        granularity: Granularities = "pair",
        scope: Scope = "global",
        cost_exponent: float = 1.0,
        frequency: int | None = None,
        exempt: Sequence[str] = (),
        layers: Mapping[str, LayerSetting] | None = None,
        prices: Prices | None = None,
        data: Any = None,
        loss: Any = None,
    ) -> None:
        selection = Selection(
            select=select,
            granularity=granularity,
            scope=scope,
            cost_exponent=cost_exponent,
            exempt=exempt,
            layers=dict(layers or {}),
        )
        super().__init__(schedule, selection)
        if frequency is not None and frequency < 1:
            raise OptionError(f"frequency must be at least 1 step, got {frequency}")
        if (prices is not None) != (select == "budget"):
            raise OptionError(f"prices are for a budget, and a budget needs them; select is {select!r}")
        if loss is not None and data is None:
            raise OptionError("loss is for calibrating with data while training: give data= too")
        self.metric = get_metric(significance)
        self.frequency = frequency or MOST_STEPS_BETWEEN_UPDATES
        self._follows_ramp = frequency is None
        self.prices = prices
        self.data = data
        self.loss = loss
        self._pair_prices = None if callable(prices) else prices
        self._updated_at: int | None = None
        self._calibrator: Calibrator | None = None

    @property
    def done(self) -> bool:
        return self._updated_at == self.end_step

    @property
    def end_step(self) -> int:
        assert self.schedule is not None
        return max(self.schedule.end_step, self.selection.end_step)

    def on_train_begin(self, logs: Any = None) -> None:
        super().on_train_begin(logs)
        if self.data is None and not all(layer.calibrated.numpy() for layer in skip_wrappers(self.model)):
            raise NotCalibratedError(
                "significance needs activation statistics: call keras_approx.calibrate(model, data) before "
                "model.fit, or give UpdateSkipMasks(data=...)"
            )

    def _begin(self, step: int) -> None:
        assert self.schedule is not None
        self._check_start(step)
        begin, end = getattr(self.schedule, "begin_step", 0), self.end_step
        if self._follows_ramp:
            ramp = max(end - begin, 1)
            self.frequency = min(MOST_STEPS_BETWEEN_UPDATES, max(ramp // UPDATES_IN_A_RAMP, 1))
        elif (
            self.schedule(begin) != self.schedule(end)
            and (end - 1) // self.frequency * self.frequency <= begin
        ):
            warnings.warn(
                f"no update of masks falls between steps {begin} and {end}, over which the schedule goes from "
                f"{self.schedule(begin):g} to {self.schedule(end):g}: all of it will be skipped at once; give a "
                f"frequency below {end - begin}, or none",
                stacklevel=2,
            )
        self._updated_at = self._update_step(step - 1) if step else None
        self._move_if_due(step)

    def _move_if_due(self, step: int) -> None:
        due = self._update_step(step)
        if due != self._updated_at:
            self.update(step)
            self._updated_at = due

    def update(self, step: int) -> None:
        """Recomputes all masks now, with what the schedule gives for a step."""
        schedule = self.schedule or get_schedule(self._given[0])
        if self.data is not None:
            if self._calibrator is None or self._calibrator.model is not self.model:
                self._calibrator = Calibrator(self.model, self.loss)
            self._calibrator.run(self.data, verbose=False)
        if callable(self.prices) and self._pair_prices is None:
            self._pair_prices = self.prices(self.model)
        found = {
            layer.name: significance(self.metric, layer.kernel.numpy(), layer.get_statistics())
            for layer in skip_wrappers(self.model)
        }
        masks = self.selection.masks(
            found, mask_positions(self.model), schedule(step), step=step, prices=self._pair_prices
        )
        set_masks(self.model, masks)
        self._moved()

    def _update_step(self, step: int) -> int:
        """The last step up to `step` at which masks are due."""
        if step >= self.end_step:
            return self.end_step
        return step // self.frequency * self.frequency

    def _check_start(self, step: int) -> None:
        assert self.schedule is not None
        end = self.end_step
        nothing_skipped = all(mask.all() for mask in get_masks(self.model).values())
        if step > end and nothing_skipped and self.selection.select == "fraction" and self.schedule(end) < 1:
            raise OptionError(
                f"the schedule ended at step {end}, but the optimizer is at step {step} and nothing is "
                f"skipped: compile the model again, or let the schedule begin at step {step}"
            )


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
