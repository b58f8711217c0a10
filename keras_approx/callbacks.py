"""Keras callbacks that move masks while a wrapped model trains, and report on them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fnmatch import fnmatchcase
from typing import Any

import numpy as np

from keras_approx.calibration import Calibrator
from keras_approx.compat import keras
from keras_approx.errors import NotCalibratedError, OptionError
from keras_approx.granularity import Granularity, get_granularity
from keras_approx.masks import SCOPES, fraction_masks, kept_fraction, threshold_mask
from keras_approx.schedules import Constant, Schedule
from keras_approx.significance import Metric, get_metric, significance
from keras_approx.skip_wrapper import SkipWrapper, get_masks, set_masks, skip_wrappers
from keras_approx.summaries import format_table, mask_positions, summarize

SELECTIONS = ("fraction", "threshold")


class UpdateSkipMasks(keras.callbacks.Callback):
    """Recomputes significance and masks while `fit` runs, and publishes `kept` into the epoch logs.

    The step is the optimizer's, so training that continues from a saved model continues the schedule. Masks
    are recomputed before the batches at which the step is a multiple of `frequency`, and last at the end of
    the schedule.

    Args:
        schedule: The fraction of products to keep (of layers that are not exempt) or the threshold, for each
            step; a number stands for a constant.
        select: What the schedule gives: "fraction" or "threshold".
        significance: Name of a metric, or a function; see keras_approx.significance.
        granularity: "operand", "pair", "block" or a Granularity; see keras_approx.masks.
        scope: "global": one ranking of all layers. "layer": the fraction of each layer. Not for thresholds.
        cost_exponent: How much the cost of a weight counts against it in a global ranking; see
            masks.fraction_masks.
        frequency: Steps between updates.
        exempt: Names of layers, or patterns such as "conv2d*", that keep all their products.
        data: If given, the model is calibrated with it again before each update, as keras_approx.calibrate
            takes it: an array or a dataset, which can be read many times.

    Raises:
        OptionError: If an option has another value than those above.
        NotWrappedError: When training starts, if the model is not wrapped.
        NotCalibratedError: When training starts, if the model was not calibrated.
    """

    _supports_tf_logs = True

    def __init__(
        self,
        schedule: Schedule | float,
        *,
        select: str = "fraction",
        significance: str | Metric = "energy",
        granularity: str | Granularity = "pair",
        scope: str = "global",
        cost_exponent: float = 0.5,
        frequency: int = 50,
        exempt: Sequence[str] = (),
        data: Any = None,
    ) -> None:
        super().__init__()
        _check_choice("select", select, SELECTIONS)
        _check_choice("scope", scope, SCOPES)
        if frequency < 1:
            raise OptionError(f"frequency must be at least 1 step, got {frequency}")
        if isinstance(exempt, str):
            raise OptionError(
                f"exempt must be a sequence of layer names or patterns, got the string {exempt!r}"
            )
        self.schedule = Constant(float(schedule)) if isinstance(schedule, (int, float)) else schedule
        self.select = select
        self.metric = get_metric(significance)
        self.granularity = get_granularity(granularity)
        self.scope = scope
        self.cost_exponent = cost_exponent
        self.frequency = frequency
        self.exempt = tuple(exempt)
        self.data = data
        self._updated_at: int | None = None
        self._calibrator: Calibrator | None = None

    def on_train_begin(self, logs: Any = None) -> None:
        wrappers = skip_wrappers(self.model)
        for pattern in self.exempt:
            if not any(fnmatchcase(layer.name, pattern) for layer in wrappers):
                raise OptionError(
                    f"exempt pattern {pattern!r} matches no layer; layers that skip: "
                    f"{', '.join(layer.name for layer in wrappers)}"
                )
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
            self.update(self.schedule(step))
            self._updated_at = due

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        if logs is not None:
            logs["kept"] = kept_fraction(get_masks(self.model), mask_positions(self.model))

    def update(self, value: float) -> None:
        """Recomputes all masks now.

        Args:
            value: The fraction of products to keep or the threshold, as `select` says.
        """
        if self.data is not None:
            if self._calibrator is None or self._calibrator.model is not self.model:
                self._calibrator = Calibrator(self.model)
            self._calibrator.run(self.data, verbose=False)
        set_masks(self.model, self._masks(value))

    def _masks(self, value: float) -> dict[str, np.ndarray]:
        found = {
            layer.name: significance(self.metric, layer.kernel.numpy(), layer.get_statistics())
            for layer in skip_wrappers(self.model)
            if not self._is_exempt(layer)
        }
        if self.select == "threshold":
            return {name: threshold_mask(values, value, self.granularity) for name, values in found.items()}
        positions = mask_positions(self.model)
        return fraction_masks(
            found,
            positions,
            value,
            granularity=self.granularity,
            scope=self.scope,
            cost_exponent=self.cost_exponent,
        )

    def _is_exempt(self, layer: SkipWrapper) -> bool:
        return any(fnmatchcase(layer.name, pattern) for pattern in self.exempt)

    def _step(self) -> int:
        return int(self.model.optimizer.iterations.numpy())

    def _update_step(self, step: int) -> int:
        """The last step up to `step` at which masks are due."""
        if step >= self.schedule.end_step:
            return self.schedule.end_step
        return step // self.frequency * self.frequency

    def _check_start(self, step: int) -> None:
        end = self.schedule.end_step
        nothing_skipped = all(mask.all() for mask in get_masks(self.model).values())
        if step > end and nothing_skipped and self.select == "fraction" and self.schedule(end) < 1:
            raise OptionError(
                f"the schedule ended at step {end}, but the optimizer is at step {step} and nothing is "
                f"skipped: compile the model again, or let the schedule begin at step {step}"
            )


class SkipSummaries(keras.callbacks.Callback):
    """Publishes what each layer keeps into the epoch logs, and prints the table when training ends.

    The logs get `kept/<layer>` for every layer that carries a mask; TensorBoard and CSVLogger take them from
    there.

    Args:
        print_fn: Takes the table when training ends; None prints nothing.
    """

    _supports_tf_logs = True

    def __init__(self, print_fn: Callable[[str], Any] | None = print) -> None:
        super().__init__()
        self.print_fn = print_fn

    def on_train_begin(self, logs: Any = None) -> None:
        skip_wrappers(self.model)

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        if logs is not None:
            for name, mask in get_masks(self.model).items():
                logs[f"kept/{name}"] = float(mask.mean())

    def on_train_end(self, logs: Any = None) -> None:
        if self.print_fn is not None:
            self.print_fn(format_table(summarize(self.model)))


def _check_choice(name: str, value: str, choices: Sequence[str]) -> None:
    if value not in choices:
        raise OptionError(f"{name} must be one of {', '.join(choices)}, got {value!r}")
