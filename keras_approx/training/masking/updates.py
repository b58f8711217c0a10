"""Masks that are recomputed from significance while a model trains."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from typing import Any

from keras_approx.errors import NotCalibratedError, OptionError
from keras_approx.layers.skip_wrapper import get_masks, set_masks, skip_wrappers
from keras_approx.measure.calibration import Calibrator
from keras_approx.measure.summaries import mask_positions
from keras_approx.skipping.granularity import Granularities
from keras_approx.skipping.masks import Scope
from keras_approx.skipping.schedules import AnySchedule, get_schedule
from keras_approx.skipping.selection import LayerSetting, Select, Selection
from keras_approx.skipping.significance import Metric, get_metric, significance
from keras_approx.training.masking.moves import MoveMasks
from keras_approx.training.options import Prices, check_updates

MOST_STEPS_BETWEEN_UPDATES = 50
UPDATES_IN_A_RAMP = 10


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
            takes it: an array, a dataset or a list of batches, which can be read many times.
        loss: For `data` with labels: of which to measure gradients, see keras_approx.calibrate.

    Raises:
        OptionError: If an option has another value than those above.
        CalibrationError: If `data` cannot be read several times.
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
        check_updates(select, frequency=frequency, prices=prices, data=data, loss=loss)
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
