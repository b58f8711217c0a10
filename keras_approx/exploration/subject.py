"""The model that is explored: calibrated, without masks, with the statistics from which designs are made."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from keras_approx.checks import check_readable_again, is_used_up
from keras_approx.errors import NotCalibratedError, OptionError, UnsupportedModelError
from keras_approx.exploration.evaluate.design_prices import Fitted
from keras_approx.exploration.evaluate.images import ImageSet, ValidationSet
from keras_approx.exploration.evaluate.packing import PackedModel, pack_model, unmasked_copy
from keras_approx.exploration.search.budget import Budget
from keras_approx.exploration.search.protocol import Search
from keras_approx.exploration.search.space import MAY_PAY, Layers, Space, measure_layers
from keras_approx.graph.topology import calls
from keras_approx.layers.skip_wrapper import skip_wrappers
from keras_approx.measure.batch_norm import is_adaptive
from keras_approx.measure.batches import for_keras, model_batches
from keras_approx.measure.calibration import calibrate
from keras_approx.measure.summaries import masked_layers
from keras_approx.skipping.granularity import DEFAULT, Granularity
from keras_approx.skipping.significance import ELIMINATION, Metric
from keras_approx.training.eliminate import Refit, fitted_kernel, measure_refits


@dataclass(frozen=True)
class Subject:
    """A model without masks, and what was measured of it.

    Attributes:
        name: Of the model.
        packed: The model.
        exact_score: Of the model on the validation images.
        significance: The metric, or "elimination".
        layers: The significance of their operands.
        granularities: By layer name, those that its masks may have.
        refits: By layer name, for elimination: how weights make up for what is skipped.
        fitted: For elimination: the weights that a layer gets with a mask.
        calibration: The images that the model was calibrated with, as far as they are known.
        recalibration: Batches to re-estimate batch normalization on for each design; none to leave it.
    """

    name: str
    packed: PackedModel
    exact_score: float
    significance: str | Metric
    layers: Layers
    granularities: Mapping[str, tuple[str | Granularity, ...]]
    refits: Mapping[str, Refit]
    fitted: Fitted | None
    calibration: ImageSet
    recalibration: tuple[Any, ...]

    def histograms(self) -> dict[str, dict[str, list[float]]]:
        """How many groups of each layer have which significance, by the first granularity that it may have."""
        return self.layers.histograms({name: found[0] for name, found in self.granularities.items()})


def chosen_significance(
    given: str | Metric | None, search: Search, space: Space, calibration: Any
) -> str | Metric:
    """The metric that was given, or the one that suits search, space and calibration data.

    Raises:
        OptionError: If it is "elimination", which these do not allow.
        CalibrationError: Likewise for calibration data that can be read once only.
    """
    if given is None:
        readable = calibration is not None and not is_used_up(calibration)
        suits = isinstance(search, Budget) and _takes_elimination(space) and readable
        return ELIMINATION if suits else "energy"
    if given == ELIMINATION:
        _check_elimination(space, calibration)
    return given


def granularities_that_may_pay(model: Any, space: Space) -> dict[str, tuple[str, ...]]:
    """By layer name, the granularities that may save cycles."""
    taps = {layer.name: int(np.prod(layer.kernel.shape[:-2])) for layer in skip_wrappers(model)}
    return {name: MAY_PAY if taps[name] > 1 else (DEFAULT,) for name in space.values}


def calibration_images(model: Any, calibration: Any, verbose: bool) -> ImageSet:
    """Calibrates the model if it is not calibrated, and returns the images; see `explore`.

    Raises:
        NotCalibratedError: If it is not calibrated and there are no images.
        CalibrationError: If they do not fit the model.
    """
    found = ImageSet()
    measured = all(layer.calibrated.numpy() for layer in skip_wrappers(model))
    if calibration is None:
        if not measured:
            raise NotCalibratedError(
                "the model is not calibrated: give calibration=, images that are not among the validation images"
            )
        return found
    batches = found.watching(iter(model_batches(model, calibration, 64, None)))
    if measured:
        for _ in batches:
            pass
    else:
        calibrate(model, batches, verbose=verbose)
    return found


def recalibration_batches(
    model: Any, images: ImageSet, significance: str | Metric, *, wanted: bool
) -> tuple[Any, ...]:
    """Batches to re-estimate batch normalization on for each design, as elimination does in any case.

    Raises:
        OptionError: If it is wanted, but there is no batch normalization to re-estimate, or no images.
        UnsupportedModelError: If one is called several times.
    """
    adaptive = [call.layer for call in calls(model) if is_adaptive(call)]
    if not wanted and not (significance == ELIMINATION and adaptive):
        return ()
    if not adaptive:
        raise OptionError(
            f"model {model.name!r} has no batch normalization to recalibrate, or all is frozen: leave out recalibrate="
        )
    shared = next((layer.name for layer in adaptive if adaptive.count(layer) > 1), None)
    if shared is not None:
        raise UnsupportedModelError(
            f"exploration re-estimates batch normalization that is called once, {shared!r} is called several times: "
            "set its trainable to False, or explore with significance='energy' and without recalibrate="
        )
    if not images.first:
        raise OptionError("recalibrate=True needs images to measure statistics on: give calibration=")
    return tuple(images.first)


def measure_subject(
    model: Any,
    data: ValidationSet,
    space: Space,
    significance: str | Metric,
    calibration: Any,
    images: ImageSet,
    recalibration: tuple[Any, ...],
    *,
    verbose: bool,
) -> Subject:
    """Measures a calibrated model.

    Args:
        model: The model, left as it is.
        data: What it is scored on.
        space: The designs that are to be explored.
        significance: See Subject.
        calibration: Data to fit weights on, for elimination.
        images: See Subject.calibration.
        recalibration: See Subject.
        verbose: Whether to show progress.
    """
    bare = unmasked_copy(model)
    exact_score = data.scorer.score(
        data.labels, bare.predict(for_keras(data.images), batch_size=256, verbose=0)
    )
    refits = measure_refits(bare, calibration, verbose=verbose) if significance == ELIMINATION else {}
    granularities = {name: space.choices.get(name, space.granularities) for name in masked_layers(model)}
    layers = measure_layers(bare, significance, granularities=granularities, refits=refits)
    return Subject(
        model.name,
        pack_model(bare),
        exact_score,
        significance,
        layers,
        granularities,
        refits,
        _fitted(bare, refits) if refits else None,
        images,
        recalibration,
    )


def _fitted(bare: Any, refits: Mapping[str, Refit]) -> Fitted:
    """How elimination fits the weights of a model that skips nothing."""
    wrappers = {layer.name: layer for layer in skip_wrappers(bare)}
    return lambda name, mask: fitted_kernel(wrappers[name], mask, refits[name])


def _takes_elimination(space: Space) -> bool:
    return space.select == "fraction" and len(space.granularities) == 1


def _check_elimination(space: Space, calibration: Any) -> None:
    if not _takes_elimination(space):
        raise OptionError(
            "significance 'elimination' goes with fractions and one granularity a layer, or choices of layers; got "
            f"select={space.select!r} and granularities {', '.join(map(str, space.granularities))}"
        )
    if calibration is None:
        raise OptionError(
            "significance 'elimination' needs images to fit weights on: give calibration=, which can be read twice"
        )
    check_readable_again(calibration)
