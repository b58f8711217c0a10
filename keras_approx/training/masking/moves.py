"""The base of callbacks that move masks along a schedule while a model trains, and publish the kept share."""

from __future__ import annotations

import warnings
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any

from keras_approx.compat import keras
from keras_approx.layers.skip_wrapper import get_masks, skip_wrappers
from keras_approx.measure.summaries import mask_positions
from keras_approx.skipping.masks import kept_fraction
from keras_approx.skipping.schedules import AnySchedule, Schedule, get_schedule
from keras_approx.skipping.selection import Selection


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
                f"{first + total} steps: the schedule will not reach its end, {self._goal}; train longer, or give a "
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
        return f"{value:.1%}" if self.selection.select == "fraction" else f"{value:g}"

    def _step(self) -> int:
        return int(self.model.optimizer.iterations.numpy())
