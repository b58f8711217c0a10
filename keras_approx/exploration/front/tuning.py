"""Fine-tunes a model with the values of designs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from keras_approx.errors import OptionError
from keras_approx.exploration.design import EVERYTHING, Design
from keras_approx.exploration.evaluate.design_prices import Price, price_of_model
from keras_approx.exploration.evaluate.images import checked_validation
from keras_approx.exploration.evaluate.packing import unmasked_copy
from keras_approx.exploration.evaluate.scoring import Scorer, scorer_of
from keras_approx.exploration.front.pareto_front import ParetoFront
from keras_approx.exploration.quality import Quality
from keras_approx.exploration.records import EvaluatedDesign
from keras_approx.layers.quantized_layers import QuantizedWrapper
from keras_approx.measure.batches import for_keras
from keras_approx.skipping.schedules import Constant, Ramp
from keras_approx.skipping.selection import LayerSetting
from keras_approx.skipping.significance import ELIMINATION
from keras_approx.training.fine_tuning import elimination_schedule, fine_tune
from keras_approx.training.options import Eliminate, Rank


def fine_tune_designs(
    front: ParetoFront,
    designs: EvaluatedDesign | Design | Sequence[EvaluatedDesign | Design],
    model: Any,
    data: Any,
    *,
    validation: tuple[Any, Any],
    metric: Any = None,
    price: Price | None = None,
    skipping: Eliminate | Rank | None = None,
    each: Callable[[EvaluatedDesign, Any, Any], Any] | None = None,
    **options: Any,
) -> list[tuple[Any, Any]]:
    """Fine-tunes designs, each from the given model, and records their scores in the front.

    Each layer goes from keeping everything to its value of the design: at once or in rounds with `Eliminate`; with
    `Rank` over the first half of the steps, while significance is measured again: fractions keep what they cost,
    thresholds need not.

    Args:
        front: Of the exploration; the records of the designs get what was measured.
        designs: One, or several.
        model: A trained model, or the wrapped one that was explored. It is left as it is.
        data: Inputs and labels to train on, as keras_approx.fine_tune takes them.
        validation: The validation images and labels of the exploration.
        metric: That of the exploration, if it had an object or a function for it; a name is known.
        price: As for `explore`: the masks that training ended with are priced.
        skipping: How products are skipped; the design gives its kept=, select=, granularity= and layers=. None for that
            which the exploration did.
        each: Called after each design with its new record, the model and the History, such as to save the model: if a
            later design fails, it is lost otherwise.
        **options: Other arguments of keras_approx.fine_tune, such as epochs=.

    Returns:
        For each design the wrapped model, and the History of `fit`.

    Raises:
        OptionError: If an option is one that the design gives, or has a value that it cannot have.
        TypeError: If fine_tune has no such option.
        KeyError: If a design was not evaluated.

    Example:
        keras_approx.fine_tune_designs(
            front,
            front.designs,
            network,
            (images, labels),
            validation=(others, other_labels),
            each=lambda record, model, history: model.save(f"{record.id}.keras"),
        )
    """
    if "kept" in options:
        raise OptionError("what is kept follows from the design: leave out kept=")
    wrapped = any(isinstance(layer, QuantizedWrapper) for layer in model.layers)
    if wrapped and "loss" not in options:
        options["loss"] = getattr(model, "loss", None)
    images, labels = checked_validation(validation, model)
    scorer = _scorer(front, metric, model, labels)
    skipping = _skipping(front) if skipping is None else skipping
    several = [designs] if isinstance(designs, (Design, EvaluatedDesign)) else designs
    found = []
    for record in [front[design.id] for design in several]:
        tuned, history = fine_tune(
            unmasked_copy(model) if wrapped else model,
            data,
            skipping=_of_design(skipping, record.design),
            **{"validation_data": (images, labels), **options},
        )
        score = scorer.score(labels, tuned.predict(for_keras(images), verbose=0))
        costs = None if price is None else price_of_model(price, tuned)
        annotated = front.annotate(record, fine_tuned_score=score, fine_tuned_costs=costs)
        found.append((tuned, history))
        if each is not None:
            each(annotated, tuned, history)
    return found


def _scorer(front: ParetoFront, metric: Any, model: Any, labels: Any) -> Scorer:
    """The metric of the exploration."""
    if metric is None:
        better = front.exact.higher_is_better
        try:
            return scorer_of(Quality(front.metric, higher_is_better=better), model, labels)
        except OptionError as error:
            raise OptionError(
                f"give metric=, that of the exploration, which was {front.metric!r}: {error}"
            ) from error
    found = scorer_of(metric, model, labels)
    if found.name != front.metric:
        raise OptionError(
            f"the exploration's metric was {front.metric!r}: give it as metric=, got {found.name!r}"
        )
    return found


def _skipping(front: ParetoFront) -> Eliminate | Rank:
    """How the exploration skipped products."""
    significance = front.settings["significance"]
    return Eliminate() if significance == ELIMINATION else Rank(significance)


def _of_design(skipping: Eliminate | Rank, design: Design) -> Eliminate | Rank:
    """The same options, with the values of a design."""
    everything = EVERYTHING[design.select]

    def value(of: float) -> Any:
        if isinstance(skipping, Eliminate):
            return elimination_schedule(of) if skipping.rounds > 1 else of
        return Ramp(everything, of)

    layers = {name: LayerSetting(value(of)) for name, of in design.values.items()}
    given: dict[str, Any] = {"select": design.select, "granularity": design.granularity, "layers": layers}
    if isinstance(skipping, Eliminate):
        return replace(skipping, kept=everything, **given)
    return replace(skipping, kept=Constant(everything), **given)
