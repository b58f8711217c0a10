"""explore: puts model, images, price, search and store together."""

from __future__ import annotations

import hashlib
import platform
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from keras_approx.errors import NotCalibratedError, OptionError
from keras_approx.exploration.design import Design, granularity_json
from keras_approx.exploration.evaluate.design_prices import Fitted, Price, Pricing, without_waste
from keras_approx.exploration.evaluate.images import ImageSet, checked_validation, warn_of_shared
from keras_approx.exploration.evaluate.packing import pack_model, unmasked_copy
from keras_approx.exploration.evaluate.scoring import scorer_of
from keras_approx.exploration.evaluate.workers import Problem, Runner
from keras_approx.exploration.exploration import Exploration
from keras_approx.exploration.front import ParetoFront
from keras_approx.exploration.front_file import save_front
from keras_approx.exploration.quality import ACCURACY
from keras_approx.exploration.search.budget import Budget
from keras_approx.exploration.search.protocol import Search
from keras_approx.exploration.search.space import (
    MAY_PAY,
    Choices,
    Space,
    Values,
    make_space,
    measure_layers,
)
from keras_approx.exploration.store import Store
from keras_approx.exploration.text import json_of
from keras_approx.graph.topology import calls, check_simple
from keras_approx.layers.skip_wrapper import skip_wrappers
from keras_approx.measure.batch_norm import is_adaptive
from keras_approx.measure.batches import input_batches
from keras_approx.measure.calibration import calibrate
from keras_approx.measure.summaries import masked_layers
from keras_approx.skipping.granularity import DEFAULT, Granularity
from keras_approx.skipping.selection import Select
from keras_approx.skipping.significance import ELIMINATION, Metric
from keras_approx.training.eliminate import Refit, fitted_kernel, measure_refits

_PACKAGES = ("keras_approx", "numpy", "scipy", "tensorflow", "tf_keras")


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
            the training images. Labels are class numbers (n,), or numbers of the outputs' shape.
        metric: What to keep. "accuracy", of class numbers, or of labels of the outputs' shape that are 0 or 1; "auc",
            the area under the ROC curve, of either; "mae", "mse" or any other name in tf_keras.metrics, which gets
            probabilities where it takes them; a tf_keras metric, which gets what the model gives; or a `Quality`, a
            function of labels and outputs with the direction that is better.
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
        significance: Name of a metric, or a function; see keras_approx.significance. "elimination" fits the other
            weights of each layer anew for every design, as keras_approx.eliminate does: far more can go then. It
            takes calibration data (a few thousand images, which can be read twice), fractions, one granularity, and
            batch normalization is always recalibrated. None for "elimination" with the search `Budget` if these are
            given, else for "energy", which evaluates many designs faster.
        recalibrate: Whether to measure the statistics of batch normalization anew for every design that skips
            something, on the first 8 batches of the calibration data, as keras_approx.recalibrate_batch_norm does. It
            costs nothing at run time, and where much is skipped it tells better what fine-tuning will make of a
            design (Li et al., "EagleEye", 2020); where little is, what so few images say is worse than what
            training left. Give the calibration data to apply_design then.
        confidence: With which a design must be unable to reach the accuracy of another that costs no more, to be given
            up after a part of the images; see exploration.confidence. None to look at all images for every design, as
            is done in any case for metrics that do not count right images.
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
        UnsupportedModelError: If it has several inputs or outputs, or calls a layer with a mask more than once.
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
    options = _options(search)
    if confidence is not None and not 0 < confidence < 1:
        raise OptionError(f"confidence must be between 0 and 1, or None, got {confidence}")
    skip_wrappers(model)
    check_simple(model, "exploration")
    images, labels = checked_validation(validation, tuple(model.input_shape[1:]))
    scorer = scorer_of(metric, model, labels)
    watched = ImageSet()
    watched.add(images)
    space = make_space(masked_layers(model), select, granularity or DEFAULT, values, exempt)
    chooses = (
        granularity is None and price is not None and select == "fraction" and isinstance(search, Budget)
    )
    if chooses:
        space = replace(space, choices=_may_pay(model, space))
    if significance is None:
        suits = isinstance(search, Budget) and _takes_elimination(space) and _readable_twice(calibration)
        significance = ELIMINATION if suits else "energy"
    eliminates = significance == ELIMINATION
    if eliminates:
        _check_elimination(space, calibration)
    calibrated_with = _calibrated(model, calibration, verbose)
    normalized = any(map(is_adaptive, calls(model)))
    recalibrate = recalibrate or (eliminates and normalized)
    if recalibrate:
        _check_recalibration(model, calibrated_with)
    shared = warn_of_shared(watched, calibrated_with)
    bare = unmasked_copy(model)
    exact_score = scorer.score(labels, bare.predict(images, batch_size=256, verbose=0))
    refits = measure_refits(bare, calibration, verbose=verbose) if eliminates else {}
    names = masked_layers(model)
    several = {name: space.choices.get(name, space.granularities) for name in names}
    layers = measure_layers(bare, significance, granularities=several, refits=refits)
    packed = pack_model(bare)
    exact = Design(select)
    pricing = Pricing(layers, price, objectives, _fitted(bare, refits) if eliminates else None)
    if chooses:
        space = without_waste(space, pricing)
    problem = {
        "model": packed.digest,
        "calibration": calibrated_with.digest,
        "validation": hashlib.sha256(watched.digest.encode() + labels.tobytes()).hexdigest(),
        "metric": scorer.name,
        "higher is better": scorer.higher_is_better,
        "exact score": f"{exact_score:.6g}",
        "search": _search_name(search),
        "options": options,
        "select": select,
        "values": {name: list(found) for name, found in space.values.items()},
        "granularity": {
            name: [granularity_json(one) for one in found] for name, found in space.choices.items()
        }
        or [granularity_json(one) for one in space.granularities],
        "significance": significance if isinstance(significance, str) else _name(significance),
        "significance values": _digest(layers.significance, layers.by_granularity if space.choices else {}),
        "objectives": list(pricing.objectives),
        "exact costs": pricing.costs(exact),
        "recalibrate": recalibrate,
        "confidence": confidence,
        "seed": seed,
    }
    order = np.random.default_rng(seed).permutation(len(images))
    fingerprint = hashlib.sha256(json_of(problem).encode()).hexdigest()
    task = Problem(
        fingerprint,
        packed,
        images[order],
        labels[order],
        scorer,
        confidence or 0.0,
        tuple(calibrated_with.first) if recalibrate else (),
        refits,
    )
    runner = Runner(task, executor, chunk)
    folder = Path(out)
    with Store(folder / "evaluations.jsonl", problem) as store:
        exploration = Exploration(
            runner,
            store,
            pricing,
            len(images),
            higher_is_better=scorer.higher_is_better,
            droppable=confidence is not None and scorer.right is not None,
        )
        exploration.run(search, space, exact, seed, metric=scorer.name, verbose=verbose)
    front = ParetoFront(
        exploration.records[exact.id],
        list(exploration.records.values()),
        objectives=pricing.objectives,
        settings={
            **problem,
            "exempt": [name for name in layers.significance if name not in space.values],
            "model_name": model.name,
            "images": {
                "calibration": len(calibrated_with.digests),
                "validation": len(images),
                "shared": shared,
            },
            "versions": {"python": platform.python_version(), **{name: version(name) for name in _PACKAGES}},
        },
        significance=layers.histograms({name: found[0] for name, found in several.items()}),
    )
    save_front(front, folder / "front.json")
    return front


def _fitted(bare: Any, refits: Mapping[str, Refit]) -> Fitted:
    """How elimination fits the weights of a model that skips nothing."""
    wrappers = {layer.name: layer for layer in skip_wrappers(bare)}
    return lambda name, mask: fitted_kernel(wrappers[name], mask, refits[name])


def _may_pay(model: Any, space: Space) -> dict[str, tuple[str, ...]]:
    """Granularities that each layer may choose from."""
    taps = {layer.name: int(np.prod(layer.kernel.shape[:-2])) for layer in skip_wrappers(model)}
    return {name: MAY_PAY if taps[name] > 1 else (DEFAULT,) for name in space.values}


def _name(metric: Metric) -> str:
    """For people: what a function computes is recorded apart."""
    return getattr(metric, "__qualname__", type(metric).__qualname__)


def _options(search: Any) -> dict[str, Any]:
    """What a search was made with: a resumed exploration must have the same."""
    if isinstance(search, type) or not callable(getattr(search, "proposals", None)):
        raise OptionError(
            "search must be Budget(...), Grid(), Evolve(...) or an object with their method `proposals`, got "
            f"{search!r}"
        )
    attributes = getattr(search, "__dict__", {})
    found = {name: value for name, value in attributes.items() if not name.startswith("_")}
    try:
        json_of(found)
    except (TypeError, ValueError) as error:
        raise OptionError(
            f"a search's attributes are kept to resume by, so JSON must hold them, but of {type(search).__name__}: "
            f"{error}"
        ) from error
    return found


def _search_name(search: Search) -> str:
    """What is recorded of a search beside its attributes."""
    kind = type(search)
    ours = kind.__module__.startswith("keras_approx.")
    return kind.__name__.lower() if ours else kind.__qualname__


def _calibrated(model: Any, calibration: Any, verbose: bool) -> ImageSet:
    """Calibrates the model if it is not, and says with what."""
    found = ImageSet()
    measured = all(layer.calibrated.numpy() for layer in skip_wrappers(model))
    if calibration is None:
        if not measured:
            raise NotCalibratedError(
                "the model is not calibrated: give calibration=, images that are not among the validation images"
            )
        return found
    batches = found.watching(iter(input_batches(calibration, tuple(model.input_shape[1:]), 64, None)))
    if measured:
        for _ in batches:
            pass
    else:
        calibrate(model, batches, verbose=verbose)
    return found


def _takes_elimination(space: Space) -> bool:
    return space.select == "fraction" and len(space.granularities) == 1


def _readable_twice(calibration: Any) -> bool:
    """Whether there are data that are no iterator, which is empty after the first time."""
    return calibration is not None and not isinstance(calibration, Iterator)


def _check_elimination(space: Space, calibration: Any) -> None:
    if not _takes_elimination(space):
        raise OptionError(
            "significance 'elimination' goes with fractions and one granularity a layer, or choices of layers; got "
            f"select={space.select!r} and {len(space.granularities)} granularities"
        )
    if calibration is None:
        raise OptionError(
            "significance 'elimination' needs images to fit weights on: give calibration=, which can be read twice"
        )


def _check_recalibration(model: Any, calibration: ImageSet) -> None:
    if not any(map(is_adaptive, calls(model))):
        raise OptionError(
            f"model {model.name!r} has no batch normalization to recalibrate, or all is frozen: leave out recalibrate="
        )
    if not calibration.first:
        raise OptionError("recalibrate=True needs images to measure statistics on: give calibration=")


def _digest(
    significance: Mapping[str, np.ndarray], by_granularity: Mapping[tuple[str, str | Granularity], np.ndarray]
) -> str:
    found = hashlib.sha256()
    named = {f"{name} by {one}": values for (name, one), values in by_granularity.items()}
    for name, values in {**significance, **named}.items():
        found.update(name.encode() + np.ascontiguousarray(values).tobytes())
    return found.hexdigest()
