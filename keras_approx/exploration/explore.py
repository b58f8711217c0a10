"""explore: from a wrapped model to the saved Pareto front."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from keras_approx.errors import OptionError
from keras_approx.exploration.description import describe, further_settings, search_options
from keras_approx.exploration.design import Design
from keras_approx.exploration.evaluate.design_prices import Price, Pricing, without_waste
from keras_approx.exploration.evaluate.images import ValidationSet, validation_set, warn_of_shared
from keras_approx.exploration.evaluate.workers import Problem, Runner
from keras_approx.exploration.exploration import Exploration
from keras_approx.exploration.front.file import save_front
from keras_approx.exploration.front.pareto_front import ParetoFront
from keras_approx.exploration.quality import ACCURACY
from keras_approx.exploration.search.budget import Budget
from keras_approx.exploration.search.protocol import Search
from keras_approx.exploration.search.space import Choices, Values, make_space
from keras_approx.exploration.store import Store
from keras_approx.exploration.strict_json import json_of
from keras_approx.exploration.subject import (
    Subject,
    calibration_images,
    chosen_significance,
    granularities_that_may_pay,
    measure_subject,
    recalibration_batches,
)
from keras_approx.measure.batches import chosen_samples
from keras_approx.measure.summaries import masked_layers
from keras_approx.skipping.granularity import DEFAULT
from keras_approx.skipping.selection import Select
from keras_approx.skipping.significance import Metric


def explore(
    model: Any,
    *,
    validation: tuple[Any, Any],
    metric: Any = ACCURACY,
    calibration: Any = None,
    price: Price | None = None,
    objectives: Sequence[str] | None = None,
    search: Search = Budget(),
    out: str | Path = "runs/explore",
    select: Select = "fraction",
    values: Values | None = None,
    granularity: Choices | None = None,
    exempt: Sequence[str] = (),
    significance: str | Metric | None = None,
    recalibrate: bool = False,
    confidence: float | None = 0.999,
    executor: Executor | None = None,
    chunk: int = 50,
    seed: int = 0,
    verbose: bool = True,
) -> ParetoFront:
    """Searches the designs that no other beats in accuracy, or any other metric, and cost.

    A design gives every layer a share of products to keep, or a threshold of significance. Its score is the metric of
    the masked, quantized model on the validation images, without any training; `fine_tune_designs` says what
    becomes of chosen ones.

    Every evaluated design is kept in `out`/evaluations.jsonl. Calling again with the same arguments continues where
    an exploration was interrupted, by Ctrl-C or in any other way, and gives the same front as if it had not been.
    The front is saved as `out`/front.json.

    Args:
        model: A wrapped model, best with compensation. It is calibrated here if it was not before, and otherwise left
            as it is; masks that it has are not looked at.
        validation: Inputs (n, *input shape) and labels, which nothing was trained or calibrated on: split them from
            the training images. Several inputs are a tuple in their order, or a dictionary by name. Labels are class
            numbers (n,), or numbers of the outputs' shape.
        metric: The score of a design: "accuracy", of class numbers, or of labels of the outputs' shape that are 0 or 1;
            "auc", the area under the ROC curve, of either; "mae", "mse" or any other name in tf_keras.metrics, which
            gets probabilities where it takes them; a tf_keras metric, which gets what the model gives; or a `Quality`,
            a function of labels and outputs with the direction that is better.
        calibration: What the model was calibrated with, or is to be: see keras_approx.calibrate. A calibrated model is
            not measured again; the images are compared with the validation images. None if it is calibrated and the
            images are not at hand.
        price: Gives the costs of masks: from bool arrays by layer name to at least {"cycles": ...}, as
            export.Pricer(model, ...) does. It is called in this process. None for {"products": kept products}. With
            elimination a price that has a method `with_weights(masks, kernels)`, as a Pricer has, is asked with the
            weights that were fitted: what it says then holds for the exported design.
        objectives: Names of the costs that the front is about, the most important first; None for "cycles" with a
            price, "products" without.
        search: What proposes designs: `Budget`, `Grid` (every combination of `values`, as in Armeniakos et al., 2024),
            `Evolve`, `Alone` (each layer by itself, for ParetoFront.sensitivity), or an object of your own that follows
            the protocol `Search`. Its attributes are recorded as its options, but those that begin with an underscore.
        out: Folder for what is evaluated.
        select: What a value is, the "fraction" of a layer's products to keep or the "threshold" of significance.
        values: That layers may have: a sequence for all, such as numpy.arange(0, 0.011, 0.001), or sequences by layer
            name or pattern, the first that matches counts; a single value fixes a layer. None for the fractions from 1
            to 0.05 in steps of 0.05.
        granularity: "operand", "pair", "block", "kernel", "kernel block" or a Granularity; or several, each of which is
            tried for all layers; or by layer name or pattern those that a layer may choose from whatever the others
            choose, such as {"conv1": "pair", "conv*": ("pair", "kernel")}. None for what pays: with a price, fractions
            and the search `Budget` each layer whose kernel has several taps chooses from "pair", "kernel" and "kernel
            block", and what saves no more than a choice that skips less is left out; otherwise "pair".
        exempt: Names or patterns of layers that keep all their products.
        significance: Name of a metric, or a function; see keras_approx.significance. "elimination" refits the other
            weights of each layer for every design, as keras_approx.eliminate does: far more can go then. It
            takes calibration data (a few thousand images, which can be read twice), fractions, one granularity, and
            batch normalization is always recalibrated. None for "elimination" with the search `Budget` if these are
            given, else for "energy", which evaluates many designs faster.
        recalibrate: Whether to re-estimate the statistics of batch normalization for every design that skips
            something, on the first 8 batches of the calibration data, as keras_approx.recalibrate_batch_norm does. It
            costs nothing at run time, and where much is skipped it tells better what fine-tuning will make of a
            design (Li et al., "EagleEye", 2020); where little is, what so few images say is worse than what
            training left. Give the calibration data to apply_design then.
        confidence: With which a design must be unable to reach the accuracy of another that costs no more, to be
            dropped after a part of the images; see exploration.evaluate.confidence. None to look at all images for
            every design, as is done in any case for metrics that do not count right images.
        executor: Whose processes evaluate the designs, such as a concurrent.futures.ProcessPoolExecutor with start
            method "spawn", or the get_executor() of a Dask client. None for this process. The front is the same.
        chunk: Designs in one task for the executor.
        seed: Of the order of images, and of searches that leave something to chance.
        verbose: Whether to show progress.

    Returns:
        The front.

    Raises:
        NotWrappedError: If the model is not wrapped.
        NotCalibratedError: If it is not calibrated and there are no calibration data.
        UnsupportedModelError: If it has several outputs, or calls a layer with a mask more than once.
        CalibrationError: If calibration data do not fit the model.
        OptionError: If an option has a value that it cannot have, the metric does not fit the labels and the outputs,
            or a price is not finite.
        StoreError: If `out` holds evaluations of another problem.
        ExplorationError: If the executor broke; what was evaluated is kept.

    Warns:
        UserWarning: If validation images are calibration images too.

    Example:
        model = keras_approx.wrap(network, compensate=True)
        keras_approx.calibrate(model, images)
        front = keras_approx.explore(
            model, calibration=images, validation=(others, labels), price=export.Pricer(model)
        )
        keras_approx.apply_design(front, front.best(max_drop=0.01), model, calibration=images)
    """
    search_options(search)
    if confidence is not None and not 0 < confidence < 1:
        raise OptionError(f"confidence must be between 0 and 1, or None, got {confidence}")
    data = validation_set(model, validation, metric)
    space = make_space(masked_layers(model), select, granularity or DEFAULT, values, exempt)
    choose = granularity is None and price is not None and select == "fraction" and isinstance(search, Budget)
    if choose:
        space = replace(space, choices=granularities_that_may_pay(model, space))
    significance = chosen_significance(significance, search, space, calibration)
    images = calibration_images(model, calibration, verbose)
    recalibration = recalibration_batches(model, images, significance, wanted=recalibrate)
    shared = warn_of_shared(data.watched, images)
    subject = measure_subject(
        model, data, space, significance, calibration, images, recalibration, verbose=verbose
    )
    pricing = Pricing(subject.layers, price, objectives, subject.fitted)
    if choose:
        space = without_waste(space, pricing)
    description = describe(subject, data, space, pricing, search, confidence=confidence, seed=seed)
    runner = Runner(_problem(subject, data, description, confidence, seed), executor, chunk)
    exact = Design(select)
    with Store(Path(out) / "evaluations.jsonl", description) as store:
        exploration = Exploration(runner, store, pricing, data, droppable=confidence is not None)
        exploration.run(search, space, exact, seed, verbose=verbose)
    front = ParetoFront(
        exploration.records[exact.id],
        list(exploration.records.values()),
        objectives=pricing.objectives,
        settings=description | further_settings(subject, data, space, shared),
        significance=subject.histograms(),
    )
    save_front(front, Path(out) / "front.json")
    return front


def _problem(
    subject: Subject,
    data: ValidationSet,
    description: Mapping[str, Any],
    confidence: float | None,
    seed: int,
) -> Problem:
    """What evaluating takes: the images come in an order that does not depend on how they were given."""
    order = np.random.default_rng(seed).permutation(len(data))
    return Problem(
        hashlib.sha256(json_of(description).encode()).hexdigest(),
        subject.packed,
        chosen_samples(data.images, order),
        data.labels[order],
        data.scorer,
        confidence or 0.0,
        subject.recalibration,
        subject.refits,
    )
