"""Fine-tunes a model with the values of a design."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from keras_approx.errors import OptionError
from keras_approx.exploration.design import EVERYTHING, Design
from keras_approx.exploration.evaluate.design_prices import Price
from keras_approx.exploration.evaluate.images import checked_validation
from keras_approx.exploration.evaluate.packing import unmasked_copy
from keras_approx.layers.quantized_layers import QuantizedWrapper
from keras_approx.layers.skip_wrapper import get_masks
from keras_approx.skipping.schedules import Constant, Polynomial, Schedule
from keras_approx.skipping.selection import LayerSetting
from keras_approx.skipping.significance import ELIMINATION
from keras_approx.training.fine_tuning import elimination_schedule, fine_tune, training_steps

_GIVEN = ("kept", "select", "granularity", "layers", "scope", "exempt", "prices")


@dataclass(frozen=True)
class Tuned:
    """A design after fine-tuning.

    Attributes:
        model: The wrapped model, compiled.
        history: Of `fit`.
        accuracy: On the validation images.
        costs: Of its masks; None without a price.
    """

    model: Any
    history: Any
    accuracy: float
    costs: dict[str, float] | None


def fine_tune_design(
    design: Design,
    model: Any,
    data: Any,
    validation: tuple[Any, Any],
    price: Price | None,
    options: Mapping[str, Any],
) -> Tuned:
    """Fine-tunes with every layer at the design's value, or on its way there from keeping everything.

    Ranked by a metric, over the first half of the steps, and with elimination in its rounds, as keras_approx.fine_tune
    does with a fraction for all layers; the arguments are those of ParetoFront.fine_tune.

    Raises:
        OptionError: If an option is one that the design gives, or has a value that it cannot have.
    """
    taken = [name for name in _GIVEN if name in options]
    if taken:
        raise OptionError(f"{', '.join(taken)} of fine_tune follow from the design: leave them out")
    wrapped = any(isinstance(layer, QuantizedWrapper) for layer in model.layers)
    student = unmasked_copy(model) if wrapped else model
    if wrapped and "loss" not in options:
        options = {**options, "loss": getattr(model, "loss", None)}
    images, labels = checked_validation(validation, tuple(model.input_shape[1:]), model.output_shape[-1])
    bound = inspect.signature(fine_tune).bind(student, data, **options)
    bound.apply_defaults()
    steps_per_epoch, epochs = (bound.arguments[name] for name in ("steps_per_epoch", "epochs"))
    steps = epochs * training_steps(data, bound.arguments["batch_size"], steps_per_epoch)
    start = EVERYTHING[design.select]
    eliminates = options.get("significance") == ELIMINATION
    in_rounds = eliminates and bound.arguments["elimination_rounds"] > 1

    def schedule(value: float) -> Schedule:
        if in_rounds:
            return elimination_schedule(value, steps)
        return Constant(value) if eliminates else Polynomial(start, value, steps // 2)

    tuned, history = fine_tune(
        student,
        data,
        kept=start if eliminates else Constant(start),
        select=design.select,
        granularity=design.granularity,
        layers={name: LayerSetting(schedule(value)) for name, value in design.values.items()},
        **options,
    )
    right = tuned.predict(images, verbose=0).argmax(axis=1) == labels
    costs = price(get_masks(tuned)) if price is not None else None
    return Tuned(
        tuned,
        history,
        float(np.mean(right)),
        None if costs is None else {name: float(value) for name, value in costs.items()},
    )
