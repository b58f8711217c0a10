"""Keras callbacks of wrapped models: those that move masks, and those that report on them or wait for them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from keras_approx.compat import keras
from keras_approx.layers.skip_wrapper import get_masks, skip_wrappers
from keras_approx.measure.summaries import format_table, summarize
from keras_approx.training.masking.moves import MoveMasks, PublishKept
from keras_approx.training.masking.rounds import EliminateInRounds
from keras_approx.training.masking.updates import UpdateSkipMasks

__all__ = ["AfterSkipping", "EliminateInRounds", "PublishKept", "SkipSummaries", "UpdateSkipMasks"]

Cycles = Callable[[Any], float | Mapping[str, float]]


class AfterSkipping(keras.callbacks.Callback):
    """Lets another callback see only epochs that ended with the masks of the schedule's end.

    Callbacks that keep the best epoch, such as EarlyStopping(restore_best_weights=True) and
    ModelCheckpoint(save_best_only=True), would otherwise bring back an early one, which is better because less was
    skipped then. `fine_tune` wraps those two itself.

    Args:
        updates: The callback that moves the masks, which must come before this one: UpdateSkipMasks or
            EliminateInRounds.
        callback: The other.

    Example:
        updates = keras_approx.callbacks.UpdateSkipMasks(keras_approx.schedules.Ramp(1.0, 0.25))
        stop = tf_keras.callbacks.EarlyStopping(patience=5, restore_best_weights=True)
        model.fit(data, epochs=50, callbacks=[updates, keras_approx.callbacks.AfterSkipping(updates, stop)])
    """

    def __init__(self, updates: MoveMasks, callback: Any) -> None:
        super().__init__()
        self.updates = updates
        self.callback = callback

    def set_params(self, params: Any) -> None:
        super().set_params(params)
        self.callback.set_params(params)

    def set_model(self, model: Any) -> None:
        super().set_model(model)
        self.callback.set_model(model)

    def on_train_begin(self, logs: Any = None) -> None:
        self.callback.on_train_begin(logs)

    def on_train_end(self, logs: Any = None) -> None:
        self.callback.on_train_end(logs)

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        self.callback.on_epoch_begin(epoch, logs)

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        if self.updates.done:
            self.callback.on_epoch_end(epoch, logs)

    def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:
        self.callback.on_train_batch_begin(batch, logs)

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        if self.updates.done:
            self.callback.on_train_batch_end(batch, logs)


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
