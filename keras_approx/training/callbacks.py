"""Keras callbacks that move masks while a wrapped model trains, and report on them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from keras_approx.compat import keras
from keras_approx.errors import NotCalibratedError, OptionError
from keras_approx.layers.skip_wrapper import get_masks, set_masks, skip_wrappers
from keras_approx.measure.calibration import Calibrator
from keras_approx.measure.summaries import format_table, mask_positions, summarize
from keras_approx.skipping.granularity import Granularity
from keras_approx.skipping.masks import kept_fraction
from keras_approx.skipping.schedules import Schedule, get_schedule
from keras_approx.skipping.selection import LayerSetting, Selection
from keras_approx.skipping.significance import Metric, get_metric, significance
from keras_approx.training.eliminate import eliminate

Cycles = Callable[[Any], float | Mapping[str, float]]
Prices = Mapping[str, float] | Callable[[Any], Mapping[str, float]]


class PublishKept(keras.callbacks.Callback):
    """Publishes `kept`, the share of all products that are not skipped, into the epoch logs."""

    _supports_tf_logs = True

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        if logs is not None:
            logs["kept"] = kept_fraction(get_masks(self.model), mask_positions(self.model))


class UpdateSkipMasks(PublishKept):
    """Recomputes significance and masks while `fit` runs, and publishes `kept` into the epoch logs.

    The step is the optimizer's, so training that continues from a saved model continues the schedule. Masks
    are recomputed before the batches at which the step is a multiple of `frequency`, and last at the end of
    the schedule.

    Args:
        schedule: What `select` says, for each step; a number stands for a constant.
        select: What the schedule gives: the "fraction" of products to keep (of layers that are not exempt),
            the "threshold", or the "budget" in cycles of all kept pairs.
        significance: Name of a metric, or a function; see keras_approx.significance.
        granularity: "operand", "pair", "block" or a Granularity; see keras_approx.masks.
        scope: "global": one ranking of all layers. "layer": the fraction of each layer. For fractions only.
        cost_exponent: How much the cost of a weight counts against it in a global ranking; see
            masks.fraction_masks and masks.budget_masks. Thresholds do not rank.
        frequency: Steps between updates.
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
        schedule: Schedule | float,
        *,
        select: str = "fraction",
        significance: str | Metric = "energy",
        granularity: str | Granularity = "pair",
        scope: str = "global",
        cost_exponent: float = 1.0,
        frequency: int = 50,
        exempt: Sequence[str] = (),
        layers: Mapping[str, LayerSetting] | None = None,
        prices: Prices | None = None,
        data: Any = None,
        loss: Any = None,
    ) -> None:
        super().__init__()
        if frequency < 1:
            raise OptionError(f"frequency must be at least 1 step, got {frequency}")
        if (prices is not None) != (select == "budget"):
            raise OptionError(f"prices are for a budget, and a budget needs them; select is {select!r}")
        if loss is not None and data is None:
            raise OptionError("loss is for calibrating with data while training: give data= too")
        self.selection = Selection(select, granularity, scope, cost_exponent, exempt, dict(layers or {}))
        self.schedule = get_schedule(schedule)
        self.metric = get_metric(significance)
        self.frequency = frequency
        self.prices = prices
        self.data = data
        self.loss = loss
        self._pair_prices = None if callable(prices) else prices
        self._updated_at: int | None = None
        self._calibrator: Calibrator | None = None

    def on_train_begin(self, logs: Any = None) -> None:
        wrappers = skip_wrappers(self.model)
        self.selection.settings([layer.name for layer in wrappers])
        if self.data is None and not all(layer.calibrated.numpy() for layer in wrappers):
            raise NotCalibratedError(
                "significance needs activation statistics: call keras_approx.calibrate(model, data) before "
                "model.fit, or give UpdateSkipMasks(data=...)"
            )
        step = self._step()
        self._check_start(step)
        self._updated_at = self._update_step(step - 1) if step else None
        self._update_if_due(step)

    def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:
        self._update_if_due(self._step())

    def _update_if_due(self, step: int) -> None:
        due = self._update_step(step)
        if due != self._updated_at:
            self.update(step)
            self._updated_at = due

    def update(self, step: int) -> None:
        """Recomputes all masks now, with what the schedule gives for a step."""
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
            found, mask_positions(self.model), self.schedule(step), step=step, prices=self._pair_prices
        )
        set_masks(self.model, masks)

    def _step(self) -> int:
        return int(self.model.optimizer.iterations.numpy())

    def _update_step(self, step: int) -> int:
        """The last step up to `step` at which masks are due."""
        if step >= self._end_step:
            return self._end_step
        return step // self.frequency * self.frequency

    @property
    def _end_step(self) -> int:
        return max(self.schedule.end_step, self.selection.end_step)

    def _check_start(self, step: int) -> None:
        end = self._end_step
        nothing_skipped = all(mask.all() for mask in get_masks(self.model).values())
        if step > end and nothing_skipped and self.selection.select == "fraction" and self.schedule(end) < 1:
            raise OptionError(
                f"the schedule ended at step {end}, but the optimizer is at step {step} and nothing is "
                f"skipped: compile the model again, or let the schedule begin at step {step}"
            )


class Eliminate(PublishKept):
    """Skips products by elimination, in rounds, while `fit` runs, and publishes `kept` into the epoch logs.

    In between the rest trains, so that what the next round measures is a network that has recovered. The step is the
    optimizer's; rounds before the one that training continues at are taken to be done. The inputs are read in each
    round, also in the middle of an epoch, and had better be the same each time.

    Args:
        schedule: The fraction of products to keep, for each step; a number stands for a constant.
        data: Inputs, as keras_approx.eliminate takes them, which can be read many times.
        steps: At which a round is due, before the batch of this number.
        batch_size: Samples at a time, for arrays.
        **selection: Other options of keras_approx.eliminate; schedules of single layers are read in each round.

    Raises:
        OptionError: If there are no steps, or an option has a value it cannot have; some of these when training starts.
        NotWrappedError: When training starts, if the model is not wrapped.
        CalibrationError: When training starts, if the data does not fit the model.
    """

    def __init__(
        self,
        schedule: Schedule | float,
        data: Any,
        *,
        steps: Sequence[int] = (0,),
        batch_size: int = 64,
        **selection: Any,
    ) -> None:
        super().__init__()
        if not steps or min(steps) < 0:
            raise OptionError(f"expected at least one step for elimination, none below 0, got {list(steps)}")
        Selection(**{name: value for name, value in selection.items() if name != "prices"})
        self.schedule = get_schedule(schedule)
        self.data = data
        self.steps = tuple(sorted(set(steps)))
        self.batch_size = batch_size
        self.selection = selection
        self._due: list[int] = []

    def on_train_begin(self, logs: Any = None) -> None:
        skip_wrappers(self.model)
        step = int(self.model.optimizer.iterations.numpy())
        self._due = [due for due in self.steps if due >= step]
        self._run_if_due(step)

    def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:
        if self._due:
            self._run_if_due(int(self.model.optimizer.iterations.numpy()))

    def _run_if_due(self, step: int) -> None:
        passed = [due for due in self._due if due <= step]
        if passed:
            self._due = self._due[len(passed) :]
            self.run(passed[-1])

    def run(self, step: int) -> None:
        """Eliminates now, down to what the schedule gives for a step."""
        layers = {
            name: setting
            if setting.value is None
            else replace(setting, value=get_schedule(setting.value)(step))
            for name, setting in (self.selection.get("layers") or {}).items()
        }
        eliminate(
            self.model,
            self.data,
            kept=self.schedule(step),
            batch_size=self.batch_size,
            verbose=False,
            **{**self.selection, "layers": layers},
        )


class SkipSummaries(PublishKept):
    """Publishes what each layer keeps into the epoch logs, and prints the table when training ends.

    The logs get `kept`, and `kept/<layer>`, the share of its products, for every layer that carries a mask, and
    `estimated_cycles`. Callbacks that use them, such as ModelCheckpoint, CSVLogger and TensorBoard, must
    follow this one in the list that `fit` is given.

    Args:
        print_fn: Takes the table when training ends; None prints nothing.
        cycles: Gives the cycles of one inference of the model as it is: a number, or numbers by layer, which
            are published as `estimated_cycles/<layer>` too, and their sum. With the export package, and a
            calibrated model: `export.Pricer(model).cycles`, or its `layer_cycles`. It is called once an epoch.
    """

    def __init__(
        self, print_fn: Callable[[str], Any] | None = print, *, cycles: Cycles | None = None
    ) -> None:
        super().__init__()
        self.print_fn = print_fn
        self.cycles = cycles

    def on_train_begin(self, logs: Any = None) -> None:
        skip_wrappers(self.model)

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        super().on_epoch_end(epoch, logs)
        if logs is not None:
            for name, mask in get_masks(self.model).items():
                logs[f"kept/{name}"] = float(mask.mean())
            if self.cycles is not None:
                found = self.cycles(self.model)
                if isinstance(found, Mapping):
                    logs |= {f"estimated_cycles/{name}": float(number) for name, number in found.items()}
                    found = sum(found.values())
                logs["estimated_cycles"] = float(found)

    def on_train_end(self, logs: Any = None) -> None:
        if self.print_fn is not None:
            self.print_fn(format_table(summarize(self.model)))
