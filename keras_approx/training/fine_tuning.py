"""The recommended recipe in one call: wrap, calibrate, skip by and by, learn from the exact model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import islice
from typing import Any

import numpy as np

from keras_approx.compat import keras, tf
from keras_approx.errors import OptionError
from keras_approx.keras3 import PyDatasetSequence, check_callbacks, converted, converted_data
from keras_approx.layers.quantized_layers import QuantizedWrapper
from keras_approx.layers.skip_wrapper import get_masks
from keras_approx.measure.calibration import calibrate
from keras_approx.measure.summaries import mask_positions
from keras_approx.skipping.masks import kept_fraction
from keras_approx.skipping.schedules import Constant, Polynomial, Schedule
from keras_approx.skipping.selection import Selection
from keras_approx.skipping.significance import ELIMINATION, Metric, taylor
from keras_approx.training.callbacks import AfterSkipping, Eliminate, UpdateSkipMasks
from keras_approx.training.distillation import distill
from keras_approx.training.mask_updates import MoveMasks, compares_epochs
from keras_approx.wrapping import strip, wrap

FIRST_ROUND = 1.6
"""What the first round of elimination keeps, over what the last one does."""
ELIMINATION_SHARE = 0.4
"""Share of the steps over which rounds of elimination are spread."""


def fine_tune(
    model: Any,
    data: Any,
    *,
    kept: Schedule | float = 0.25,
    epochs: int = 14,
    batch_size: int = 128,
    steps_per_epoch: int | None = None,
    validation_data: Any = None,
    loss: Any = None,
    metrics: Sequence[Any] = ("accuracy",),
    optimizer: Any = None,
    learning_rate: float = 0.1,
    teacher: Any = None,
    temperature: float = 3.0,
    distillation: float = 0.5,
    input_range: tuple[float, float] | None = None,
    calibration_batches: int = 10,
    elimination_batches: int = 40,
    elimination_rounds: int = 1,
    significance: str | Metric | None = None,
    callbacks: Sequence[Any] = (),
    verbose: int | str = "auto",
    **masks: Any,
) -> tuple[Any, Any]:
    """Fine-tunes a model until it does with a part of its products, quantized as the exported code will be.

    The model is wrapped with compensation and calibrated. Elimination skips products before the first step, or, in
    several rounds, over the first 40 % of the steps, see `elimination_schedule`. With another significance the masks
    follow a cubic ramp over the first half of the steps instead. The loss is half that of the labels, half the
    distance from the model as it was given; the learning rate of SGD with Nesterov momentum 0.9 falls along a cosine.

    Args:
        model: A trained model; see `wrap` for what it may be. A wrapped one keeps its options, and trains in
            place; if masks were set, that begins at what they keep.
        data: Inputs and labels: a tuple of two arrays, a batched tf.data.Dataset, or a Sequence of tf_keras or
            PyDataset of Keras 3.
        kept: The fraction of products in the end, or a schedule for it or for what the option `select` says.
            With 1 nothing is skipped: that is the exact model, to compare with.
        epochs: Passes over the data.
        batch_size: Samples in a step, for arrays.
        steps_per_epoch: Needed for datasets that do not know their length.
        validation_data: As for `fit`.
        loss: As for `compile`; None for that which the model was compiled with.
        metrics: As for `compile`.
        optimizer: A tf_keras optimizer in place of SGD, at step 0.
        learning_rate: At the first step, for SGD.
        teacher: What to learn from; None for the model as given, which is not quantized and, unless masks
            were set, skips nothing.
        temperature: Of distillation; see `distill`.
        distillation: Weight of the teacher, 0 to 1; 0 for none.
        input_range: Range of the inputs; see `wrap`. Not for wrapped models.
        calibration_batches: How many of the first batches measure statistics and ranges; for significance
            "taylor" also the gradients of the loss.
        elimination_batches: How many of the first batches elimination looks at; their inputs stay in memory.
        elimination_rounds: In how many rounds products are eliminated; with 1 all before the first step. More
            take longer, and gained nothing beyond chance on our networks.
        significance: "elimination" skips products at once or in rounds, see callbacks.Eliminate; a metric, as
            callbacks.UpdateSkipMasks takes it, ranks them while training. None for elimination if `kept` is a
            fraction and no option of updates is given, else for "energy".
        callbacks: More Keras callbacks; they come after the one that updates masks. EarlyStopping, and
            ModelCheckpoint with save_best_only, see epochs only from the end of the schedule on, as others keep more.
        verbose: As for `fit`.
        **masks: Options of callbacks.UpdateSkipMasks, such as granularity= or exempt=; without frequency=, data=
            and loss= for elimination.

    Returns:
        The wrapped model, compiled, and the History of `fit`.

    Raises:
        OptionError: If there is no loss, fewer than two steps, or an option has a value it cannot have.
        UnsupportedModelError: If the model cannot be wrapped, or not be taught.
        UnsupportedLayerError: Likewise for a layer.
        CalibrationError: If the data does not fit the model.

    Example:
        model, history = keras_approx.fine_tune(network, (images, labels), kept=0.2, epochs=20)
        export.to_c(model, "out/")
    """
    loss = converted("loss", getattr(model, "loss", None) if loss is None else loss)
    metrics, optimizer = converted("metric", list(metrics)), converted("optimizer", optimizer)
    data, validation_data = converted_data(data), converted_data(validation_data)
    check_callbacks(list(callbacks))
    if loss is None:
        raise OptionError("there is no loss: give loss=, or compile the model")
    steps = epochs * training_steps(data, batch_size, steps_per_epoch)
    if steps < 2:
        raise OptionError(f"expected at least two steps to skip products in, got {steps}: train longer")
    if elimination_rounds < 1:
        raise OptionError(f"elimination takes at least one round, got {elimination_rounds}")
    eliminated_to = _share_by_elimination(significance, kept, masks)
    if elimination_rounds > 1 and eliminated_to is None and kept != 1:
        raise OptionError(
            f"elimination_rounds={elimination_rounds} is for elimination, but a metric ranks these products: leave it "
            "out, or give kept= as a fraction and no significance"
        )
    student, exact = _student(model, input_range)
    if eliminated_to is not None:
        schedule = elimination_schedule(eliminated_to, steps, _kept_now(student, masks))
        updates: MoveMasks = Eliminate(
            schedule if elimination_rounds > 1 else eliminated_to,
            _first_inputs(data, batch_size, elimination_batches),
            steps=_round_steps(steps, elimination_rounds),
            **masks,
        )
    else:
        calibrate(
            student,
            _first_batches(data, batch_size, calibration_batches),
            loss=loss if significance in ("taylor", taylor) else None,
            steps=calibration_batches,
            verbose=False,
        )
        ramp = _ramp(kept, _kept_now(student, masks), steps // 2) if isinstance(kept, (int, float)) else kept
        metric = "energy" if significance in (None, ELIMINATION) else significance
        updates = UpdateSkipMasks(ramp, significance=metric, **masks)
    if optimizer is None:
        rate = keras.optimizers.schedules.CosineDecay(learning_rate, steps)
        optimizer = keras.optimizers.SGD(rate, momentum=0.9, nesterov=True)
    student.compile(optimizer, loss, metrics=metrics)
    trained = student
    if distillation:
        taught_by = exact if teacher is None else teacher
        trained = distill(student, taught_by, temperature=temperature, weight=distillation)
        trained.compile(optimizer, loss, metrics=metrics)
    history = trained.fit(
        *(data if isinstance(data, tuple) else (data,)),
        batch_size=batch_size if isinstance(data, tuple) else None,
        epochs=epochs,
        steps_per_epoch=steps_per_epoch,
        validation_data=validation_data,
        callbacks=[updates, *(_after_skipping(updates, callback) for callback in callbacks)],
        verbose=verbose,
        **(data.fit_arguments if isinstance(data, PyDatasetSequence) else {}),
    )
    return student, history


def _after_skipping(updates: MoveMasks, callback: Any) -> Any:
    """A callback that keeps the best epoch sees those alone that ended with the final masks."""
    stops = isinstance(callback, keras.callbacks.EarlyStopping)
    return AfterSkipping(updates, callback) if stops or compares_epochs(callback) else callback


def _share_by_elimination(
    significance: str | Metric | None, kept: Schedule | float, masks: Mapping[str, Any]
) -> float | None:
    """The fraction to keep if products are eliminated; None if a metric ranks them."""
    share = kept if isinstance(kept, (int, float)) else None
    select = masks.get("select", "fraction")
    if share is not None and select != "fraction":
        raise OptionError(f"with select={select!r} give kept= as a schedule of {select}s, not as {kept}")
    moving = [name for name in ("frequency", "data", "loss") if masks.get(name) is not None]
    if significance == ELIMINATION and (share is None or moving):
        given = "kept= is a schedule" if share is None else f"{', '.join(moving)} is given"
        raise OptionError(
            f"elimination has its own schedule, but {given}: give kept= as a fraction and nothing about updates, or "
            "the significance of a metric"
        )
    wanted = significance == ELIMINATION or (significance is None and not moving)
    return share if wanted and (share != 1 or masks.get("layers")) else None


def elimination_schedule(kept: float, steps: int, now: float = 1.0) -> Schedule:
    """The fraction to keep in each round of elimination: 1.6 times the last one first, then ever smaller steps.

    Args:
        kept: In the end, 0 to 1.
        steps: Of the whole training.
        now: What is kept already.
    """
    first = min(now, FIRST_ROUND * kept)
    end = int(ELIMINATION_SHARE * steps)
    return Polynomial(first, kept, end, power=2) if kept < first and end else Constant(kept)


def _round_steps(steps: int, rounds: int) -> list[int]:
    """The steps at which rounds are due: the first before training, the last at the end of the schedule."""
    end = int(ELIMINATION_SHARE * steps)
    return [end * done // max(1, rounds - 1) for done in range(rounds)]


def _ramp(kept: float, now: float, end_step: int) -> Schedule:
    """From the share that the ranked layers keep now to the one asked for."""
    return Polynomial(now, kept, end_step) if kept < now else Constant(kept)


def _kept_now(student: Any, masks: Mapping[str, Any]) -> float:
    """The share that the ranked layers keep."""
    selection = Selection(exempt=masks.get("exempt", ()), layers=dict(masks.get("layers") or {}))
    found = get_masks(student)
    settings = selection.settings(list(found)).items()
    ranked = {
        name: found[name] for name, setting in settings if setting is not None and setting.value is None
    }
    return kept_fraction(ranked, mask_positions(student)) if ranked else 1.0


def _student(model: Any, input_range: tuple[float, float] | None) -> tuple[Any, Any]:
    """The wrapped model and the one it is to be like."""
    if not any(isinstance(layer, QuantizedWrapper) for layer in getattr(model, "layers", ())):
        return wrap(model, compensate=True, input_range=input_range), model
    if input_range is not None:
        raise OptionError("the model is wrapped already: give input_range to keras_approx.wrap")
    return model, strip(model)


def _first_batches(data: Any, batch_size: int, count: int) -> Any:
    """Batches with labels; of arrays only as much as is looked at."""
    if not isinstance(data, tuple):
        return data
    part = tuple(np.asarray(array[: count * batch_size]) for array in data)
    return tf.data.Dataset.from_tensor_slices(part).batch(batch_size)


def _first_inputs(data: Any, batch_size: int, count: int) -> list[np.ndarray]:
    """Inputs of the first batches, as they are before training: each round of elimination sees the same."""
    if count < 1:
        raise OptionError(f"elimination looks at no fewer than one batch, got {count}")
    return [np.asarray(batch[0]) for batch in islice(_first_batches(data, batch_size, count), count)]


def training_steps(data: Any, batch_size: int, steps_per_epoch: int | None) -> int:
    """Steps in an epoch, whatever the data are.

    Raises:
        OptionError: If nobody knows.
    """
    if steps_per_epoch is not None:
        return steps_per_epoch
    if isinstance(data, tuple) and len(data) == 2:
        return -(-len(data[0]) // batch_size)
    if isinstance(data, tf.data.Dataset) and int(data.cardinality()) >= 0:
        return int(data.cardinality())
    if isinstance(data, keras.utils.Sequence):
        return len(data)
    raise OptionError(
        "data must be (inputs, labels), a tf.data.Dataset or a keras.utils.Sequence of known length; give "
        f"steps_per_epoch= for a dataset that does not know its own; got {type(data).__name__}"
    )
