"""The recommended recipe in one call: wrap, calibrate, skip, learn from the exact model, return the best state."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Mapping, Sequence
from numbers import Real
from typing import Any

from keras_approx.checks import check_whole
from keras_approx.compat import keras
from keras_approx.errors import OptionError
from keras_approx.keras3 import check_callbacks, converted
from keras_approx.layers.skip_wrapper import get_masks
from keras_approx.measure.calibration import calibrate
from keras_approx.measure.summaries import mask_positions, summarize
from keras_approx.skipping.masks import kept_fraction
from keras_approx.skipping.schedules import AnySchedule, Constant, Ramp
from keras_approx.skipping.selection import Selection
from keras_approx.skipping.significance import taylor
from keras_approx.training.callbacks import AfterSkipping, EliminateInRounds, UpdateSkipMasks
from keras_approx.training.data import TrainingData, check_class_weight, training_data
from keras_approx.training.distillation import distill
from keras_approx.training.eliminate import wrapped_student
from keras_approx.training.guard import Guard, Score
from keras_approx.training.masking.moves import MoveMasks, compares_epochs
from keras_approx.training.options import Distillation, Eliminate, Rank
from keras_approx.training.rates import WarmCosine, default_rate
from keras_approx.training.tasks import Task, tasks_of, weights_of
from keras_approx.wrapping import strip

_SETS_RATE = (keras.callbacks.LearningRateScheduler, keras.callbacks.ReduceLROnPlateau)
FIRST_ROUND = 1.6
"""What the first round of elimination keeps, over what the last one does."""
ELIMINATION_SHARE = 0.4
"""Share of the steps over which rounds of elimination are spread."""


def fine_tune(
    model: Any,
    data: Any,
    *,
    kept: float | None = None,
    skipping: Eliminate | Rank | None = None,
    epochs: int = 14,
    batch_size: int = 128,
    steps_per_epoch: int | None = None,
    sample_weight: Any = None,
    class_weight: Mapping[int, float] | None = None,
    validation_data: Any = None,
    validation_split: float | None = None,
    loss: Any = None,
    loss_weights: Mapping[str, float] | Sequence[float] | None = None,
    metrics: Any = None,
    optimizer: Any = None,
    learning_rate: float | None = None,
    distillation: Distillation | float = Distillation(),
    input_range: tuple[float, float] | None = None,
    callbacks: Any = (),
    verbose: int | str = "auto",
) -> tuple[Any, Any]:
    """Fine-tunes a model so that it works with only some of its products, quantized as the exported code will be.

    The model is wrapped with compensation and calibrated. Elimination skips products before the first step, or a
    metric ranks them while training, see `Eliminate` and `Rank`. The loss is half that of the labels, half the distance
    from the model as it was given, which depends on the task: see `distill`. Adam's learning rate follows from the size
    of the weights, rises over the first steps and falls along a cosine.

    What comes back is the best state that has the final masks, elimination's own among them, by the first metric (or
    the loss, as with several outputs) on the validation data. Where there are none, a tenth of the arrays is set apart
    for this; of a dataset the first batches are looked at, which it trains on too. Training that diverges goes on from
    the last good state with a lower learning rate.

    Args:
        model: A trained model; see `wrap` for what it may be. A wrapped one keeps its options, and trains in
            place; if masks were set, that begins at what they keep.
        data: Inputs and labels, and perhaps weights of the samples: a tuple of arrays, a batched tf.data.Dataset, or a
            Sequence of tf_keras or PyDataset of Keras 3. Several inputs, and labels of several outputs, are
            dictionaries by name, or tuples in their order; weights may be.
        kept: The fraction of products in the end, of those that can be skipped: short for skipping=Eliminate(kept).
        skipping: How products are skipped; None for Eliminate().
        epochs: Passes over the data.
        batch_size: Samples in a step, for arrays.
        steps_per_epoch: Needed for datasets that do not know their length.
        sample_weight: Weights of the samples, for arrays; for all outputs, or by output.
        class_weight: As for `fit`: for models of one output.
        validation_data: As for `fit`.
        validation_split: Share of arrays to set apart by chance in place of validation data; 0 for none.
        loss: As for `compile`; None for the one that the model was compiled with. Of several outputs each has its own.
        loss_weights: Of several outputs, as for `compile`; None for those that the model was compiled with, or 1.
        metrics: As for `compile`, one or several; None for the accuracy, or the mean absolute error of values.
        optimizer: A tf_keras optimizer in place of Adam, a new one, with a learning rate of its own.
        learning_rate: Adam's at its peak; None for one that suits the model's weights, see rates.default_rate.
        distillation: How to learn from the model as given, or another; a number is the weight of the teacher, 0 for
            none.
        input_range: Range of the inputs; see `wrap`. Not for wrapped models.
        callbacks: One more Keras callback, or several; they come after those that move masks and keep the best state.
            None may set the learning rate, unless there is an optimizer=. EarlyStopping, and ModelCheckpoint with
            save_best_only, only see epochs after the schedule has ended, because earlier epochs skip less and would
            look better.
        verbose: As for `fit`; with 0 what was reached is not printed either.

    Returns:
        The wrapped model, compiled, and the History of `fit`.

    Raises:
        OptionError: If there is no loss, data and labels do not fit the model and the loss, there are fewer than two
            steps, or an option has a value it cannot have.
        UnsupportedModelError: If the model cannot be wrapped, or not be taught.
        UnsupportedLayerError: Likewise for a layer.
        CalibrationError: If the data does not fit the model.

    Warns:
        UserWarning: If no epoch was better than what training began with.

    Example:
        model, history = keras_approx.fine_tune(network, (images, labels), kept=0.2, epochs=20)
        export.to_c(model, "out/")
    """
    skipping, teaching = _skipping(kept, skipping), _teaching(distillation)
    further = _listed(callbacks)
    _check(epochs, optimizer, learning_rate, further)
    student = wrapped_student(model, input_range)
    teacher = (strip(model) if student is model else model) if teaching.teacher is None else teaching.teacher
    tasks, weights = _weighted_tasks(model, student, loss, loss_weights)
    check_class_weight(class_weight, tasks)
    learnt = training_data(
        data,
        student,
        tasks,
        batch_size=batch_size,
        steps_per_epoch=steps_per_epoch,
        sample_weight=sample_weight,
        validation_data=validation_data,
        validation_split=validation_split,
        first=skipping.batches,
    )
    steps = epochs * learnt.steps
    if steps < 2:
        raise OptionError(f"expected at least two steps to skip products in, got {steps}: train longer")
    rate = None if optimizer is not None else WarmCosine(learning_rate or default_rate(student), steps)
    trained = _compiled(student, teacher, teaching, optimizer, _losses_and_metrics(tasks, weights, metrics))
    given = Score.of(learnt.judge(trained))
    updates = _updates(skipping, student, learnt, steps, tasks)
    guard = Guard(
        updates,
        learnt.judge,
        validated=learnt.validation is not None,
        rate=rate,
        constant_loss=None if class_weight or learnt.weighted else _constant_loss(tasks, weights, learnt),
        say=print if verbose else warnings.warn,
    )
    history = trained.fit(
        **learnt.fit_arguments,
        epochs=epochs,
        steps_per_epoch=steps_per_epoch,
        validation_data=learnt.validation,
        class_weight=None if class_weight is None else dict(class_weight),
        callbacks=[updates, guard, *(_after_skipping(updates, callback) for callback in further)],
        verbose=verbose,
    )
    _tell(student, skipping, learnt, given, guard, verbose)
    return student, history


def _skipping(kept: float | None, skipping: Eliminate | Rank | None) -> Eliminate | Rank:
    if skipping is not None and kept is not None:
        raise OptionError("give kept= or skipping=, which has a kept= of its own, not both")
    if skipping is None:
        return Eliminate() if kept is None else Eliminate(kept)
    if not isinstance(skipping, (Eliminate, Rank)):
        raise OptionError(
            f"skipping must be Eliminate(kept, ...) or Rank(significance, kept, ...) of keras_approx, got {skipping!r}"
        )
    return skipping


def _teaching(distillation: Distillation | float) -> Distillation:
    if isinstance(distillation, Real) and not isinstance(distillation, bool):
        return Distillation(float(distillation))
    if not isinstance(distillation, Distillation):
        raise OptionError(
            f"distillation must be keras_approx.Distillation(weight, ...) or the teacher's weight, got {distillation!r}"
        )
    return distillation


def _compiled(
    student: Any, teacher: Any, teaching: Distillation, optimizer: Any, losses: Mapping[str, Any]
) -> Any:
    """What is trained: the student, or a model that teaches it; both compiled."""
    options = {
        "optimizer": keras.optimizers.Adam() if optimizer is None else converted("optimizer", optimizer),
        **losses,
        "weighted_metrics": [],  # metrics count samples, whatever their weights
    }
    student.compile(**options)
    if not teaching.weight:
        return student
    taught = distill(student, teacher, temperature=teaching.temperature, weight=teaching.weight)
    taught.compile(**options)
    return taught


def _check(epochs: int, optimizer: Any, learning_rate: float | None, callbacks: Sequence[Any]) -> None:
    """Checks what needs no model."""
    check_whole("epochs", epochs)
    if learning_rate is not None:
        if optimizer is not None:
            raise OptionError(
                "the learning rate is the optimizer's own: give optimizer= or learning_rate=, not both"
            )
        WarmCosine(learning_rate, 1)
    if isinstance(optimizer, keras.optimizers.legacy.Optimizer):
        name = type(optimizer).__name__
        wanted = name if hasattr(keras.optimizers, name) else "Optimizer, or a class derived from it"
        raise OptionError(
            f"the optimizer is a legacy {name}, whose state cannot be set back where training diverges: give "
            f"tf_keras.optimizers.{wanted}"
        )
    if isinstance(optimizer, keras.optimizers.Optimizer) and optimizer.iterations.numpy():
        raise OptionError(
            f"the optimizer has taken {optimizer.iterations.numpy()} steps already, with other weights: give a new "
            "one, such as type(optimizer).from_config(optimizer.get_config())"
        )
    check_callbacks(callbacks)
    for callback in callbacks if optimizer is None else ():
        if isinstance(callback, _SETS_RATE):
            raise OptionError(
                f"callback {type(callback).__name__} sets the learning rate, as fine_tune does at every step: "
                "leave it out and give learning_rate=, the highest, or give optimizer=, whose rate callbacks can set"
            )


def _listed(given: Any) -> list[Any]:
    """What is given alone, such as the name of a metric, or as several."""
    alone = isinstance(given, str) or not isinstance(given, Iterable)
    return [given] if alone else list(given)


def _losses_and_metrics(tasks: Sequence[Task], weights: Sequence[float], metrics: Any) -> dict[str, Any]:
    """What `compile` takes of them: by name of several outputs."""
    several = len(tasks) > 1
    if metrics is None:
        metrics = {task.output: [task.metric] for task in tasks} if several else [tasks[0].metric]
    return {
        "loss": {task.output: task.loss for task in tasks} if several else tasks[0].loss,
        "loss_weights": {task.output: weight for task, weight in zip(tasks, weights, strict=True)}
        if several
        else None,
        "metrics": converted("metric", metrics if isinstance(metrics, Mapping) else _listed(metrics)),
    }


def _weighted_tasks(
    model: Any, student: Any, loss: Any, loss_weights: Any
) -> tuple[tuple[Task, ...], tuple[float, ...]]:
    """What the outputs learn, and the weights of their losses; those that the model was compiled with by default."""
    if loss is None:
        loss = getattr(model, "loss", None)
        if loss_weights is None and loss is not None:
            loss_weights = (model.get_compile_config() or {}).get("loss_weights")
    tasks = tasks_of(student, loss)
    return tasks, weights_of(tasks, loss_weights)


def _constant_loss(tasks: Sequence[Task], weights: Sequence[float], learnt: TrainingData) -> float:
    """The loss of the best outputs that do not depend on the inputs."""
    losses = (task.constant_loss(learnt.labels(task)) for task in tasks)
    return sum(weight * loss for weight, loss in zip(weights, losses, strict=True))


def _updates(
    skipping: Eliminate | Rank, student: Any, learnt: TrainingData, steps: int, tasks: Sequence[Task]
) -> MoveMasks:
    """What moves the masks while training."""
    now = _kept_now(student, skipping)
    if isinstance(skipping, Eliminate):
        if skipping.kept == 1 and skipping.select == "fraction" and not skipping.layers:
            calibrate(student, learnt.inputs(skipping.batches), verbose=False)
            return UpdateSkipMasks(1.0)
        return EliminateInRounds(
            elimination_schedule(skipping.kept, now) if skipping.rounds > 1 else skipping.kept,
            learnt.inputs(skipping.batches),
            steps=_round_steps(steps, skipping.rounds),
            selection=skipping,
            prices=skipping.prices,
            in_sequence=skipping.in_sequence,
        )
    calibrate(
        student,
        learnt.dataset(skipping.batches),
        loss=_gradient_loss(tasks) if skipping.significance in ("taylor", taylor) else None,
        verbose=False,
    )
    return UpdateSkipMasks(
        _ramp(float(skipping.kept), now) if isinstance(skipping.kept, Real) else skipping.kept,
        select=skipping.select,
        significance=skipping.significance,
        granularity=skipping.granularity,
        scope=skipping.scope,
        cost_exponent=skipping.cost_exponent,
        frequency=skipping.frequency,
        exempt=skipping.exempt,
        layers=skipping.layers,
        prices=skipping.prices,
        data=skipping.data,
        loss=skipping.loss,
    )


def _gradient_loss(tasks: Sequence[Task]) -> Any:
    if len(tasks) > 1:
        raise OptionError(
            "significance 'taylor' takes the gradients of one output's loss, and the model has "
            f"{len(tasks)}: rank by 'energy', or eliminate"
        )
    return tasks[0].loss


def _after_skipping(updates: MoveMasks, callback: Any) -> Any:
    """A callback that keeps the best epoch sees only those that ended with the final masks."""
    stops = isinstance(callback, keras.callbacks.EarlyStopping)
    return AfterSkipping(updates, callback) if stops or compares_epochs(callback) else callback


def elimination_schedule(kept: float, now: float = 1.0) -> AnySchedule:
    """The fraction to keep in each round of elimination: 1.6 times the last one first, then ever smaller steps.

    Args:
        kept: In the end, 0 to 1.
        now: What is kept already.
    """
    first = min(now, FIRST_ROUND * kept)
    return Ramp(first, kept, ELIMINATION_SHARE, power=2) if kept < first else Constant(kept)


def _round_steps(steps: int, rounds: int) -> list[int]:
    """The steps at which rounds are due: the first before training, the last at the end of the schedule."""
    end = round(ELIMINATION_SHARE * steps)
    return [end * done // max(1, rounds - 1) for done in range(rounds)]


def _ramp(kept: float, now: float) -> AnySchedule:
    """From the share that the ranked layers keep now to the one asked for."""
    return Ramp(now, kept) if kept < now else Constant(kept)


def _kept_now(student: Any, selection: Selection) -> float:
    """The share that the ranked layers keep."""
    found = get_masks(student)
    settings = selection.settings(list(found)).items()
    ranked = {
        name: found[name] for name, setting in settings if setting is not None and setting.value is None
    }
    return kept_fraction(ranked, mask_positions(student)) if ranked else 1.0


def _tell(
    student: Any,
    skipping: Eliminate | Rank,
    learnt: TrainingData,
    given: Score,
    guard: Guard,
    verbose: int | str,
) -> None:
    """Reports the scores before and after training, and warns if it gained nothing."""
    where = (
        "the validation data" if learnt.validation is not None else "the first batches of the training data"
    )
    found = [f"{given} as given"]
    if guard.first is not None:
        found.append(f"{guard.first.value:.4g} before training")
    if guard.best is not None and guard.best_epoch:
        found.append(f"{guard.best.value:.4g} after epoch {guard.best_epoch}, which is what comes back")
    if verbose:
        print(f"fine_tune: {summarize(student).phrase(skipping.exempt)}; on {where}, {', '.join(found)}")
    if guard.best is None:
        warnings.warn(
            "no epoch ended with the final masks, so what comes back is the last state, and nothing compared it with "
            "others: train longer, or let the schedule of masks end earlier",
            stacklevel=3,
        )
    elif not guard.best_epoch:
        warnings.warn(
            f"no epoch was better than what training began with ({guard.best} on {where}), which is what comes back: "
            "keras_approx.eliminate gives the same in less time; train longer, or give another learning_rate=",
            stacklevel=3,
        )
