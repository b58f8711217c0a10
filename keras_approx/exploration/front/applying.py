"""Gives a model the masks of a design, and the weights and statistics that the exploration fitted for it."""

from __future__ import annotations

from typing import Any

import numpy as np

from keras_approx.errors import OptionError
from keras_approx.exploration.design import Design
from keras_approx.exploration.evaluate.images import RECALIBRATION_BATCHES
from keras_approx.exploration.front.pareto_front import ParetoFront
from keras_approx.exploration.records import EvaluatedDesign
from keras_approx.exploration.search.space import measure_layers
from keras_approx.layers.skip_wrapper import set_masks, skip_wrappers
from keras_approx.measure.batch_norm import recalibrate_batch_norm
from keras_approx.measure.summaries import masked_layers
from keras_approx.skipping.significance import ELIMINATION
from keras_approx.training.eliminate import Refit, measure_refits, refit_layer


def apply_design(
    front: ParetoFront,
    design: EvaluatedDesign | Design,
    model: Any,
    *,
    calibration: Any = None,
    significance: Any = None,
) -> None:
    """Sets the masks of a design; refits weights and re-estimates batch normalization if the exploration did.

    Args:
        front: Of the exploration.
        design: One of the front, or any other for these layers.
        model: The wrapped model that was explored, or one calibrated in the same way; it is masked in place. With
            elimination its weights are replaced too, so a copy is needed for another design.
        calibration: The calibration data, if the exploration had recalibrate=True or significance "elimination":
            statistics and weights become what they were there. The design that skips nothing keeps those of the
            model.
        significance: The metric, if the exploration had a function for it: a function has no name to be found
            by.

    Raises:
        OptionError: If the design does not fit the model, the metric is unknown, or calibration data are missing
            or not wanted.
        NotWrappedError: If the model is not wrapped.
        NotCalibratedError: If it was not calibrated.
    """
    if front.needs_calibration != (calibration is not None):
        raise OptionError(
            "the exploration refitted or re-estimated the model for each design: give calibration="
            if front.needs_calibration
            else "the exploration refitted and re-estimated nothing: leave out calibration="
        )
    metric = significance or front.settings["significance"]
    chosen = design.design if isinstance(design, EvaluatedDesign) else design
    layers = {layer.name: layer for layer in skip_wrappers(model)}
    refits: dict[str, Refit] = {}
    if metric == ELIMINATION:
        set_masks(model, {name: np.ones(layer.kernel.shape, np.bool_) for name, layer in layers.items()})
        if not chosen.values:
            return
        refits = measure_refits(model, calibration, verbose=False)
    several = {name: (chosen.granularity_of(name),) for name in masked_layers(model)}
    found = measure_layers(model, metric, granularities=several, refits=refits)
    masks = chosen.masks(found.significance, found.positions)
    for name, refit in refits.items():
        refit_layer(layers[name], masks[name], refit)
    set_masks(model, masks)
    if front.settings.get("recalibrate", False) and chosen.values:
        recalibrate_batch_norm(model, calibration, steps=RECALIBRATION_BATCHES)
