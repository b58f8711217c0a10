"""Elimination on a whole model: skips products and refits the other weights to make up for them, without training."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any

import numpy as np

from keras_approx.checks import check_readable_again
from keras_approx.compat import keras, tf
from keras_approx.errors import OptionError
from keras_approx.graph.topology import Call, calls
from keras_approx.layers.quantized_layers import QuantizedWrapper
from keras_approx.layers.skip_wrapper import SkipWrapper, set_masks, skip_wrappers
from keras_approx.measure.batch_norm import is_adaptive, recalibrate_batch_norm
from keras_approx.measure.batches import model_batches
from keras_approx.measure.calibration import calibrate
from keras_approx.measure.moments import measure_input_moments, measure_moments
from keras_approx.measure.summaries import mask_positions, summarize
from keras_approx.progress import Progress
from keras_approx.skipping.elimination import (
    InputMoments,
    LayerMoments,
    elimination_significance,
    expected_outputs,
    fit,
    output_variances,
    warn_of_few_samples,
)
from keras_approx.skipping.granularity import Granularities, Granularity
from keras_approx.skipping.masks import Scope
from keras_approx.skipping.selection import LayerSetting, Select, Selection
from keras_approx.text import plural
from keras_approx.training.options import Eliminate
from keras_approx.wrapping import wrap


@dataclass(frozen=True)
class Refit:
    """What refitting a layer's weights takes.

    Attributes:
        moments: Of its inputs, and what its outputs do.
        normalized: Whether batch normalization takes the means of its outputs away.
    """

    moments: LayerMoments
    normalized: bool

    @property
    def same_inputs(self) -> InputMoments:
        """Moments where the layer has the inputs that were measured."""
        return InputMoments(self.moments.mean, self.moments.mean, self.moments.covariance)

    def significance(self, kernel: np.ndarray, granularity: str | Granularity) -> np.ndarray:
        """What losing each operand of a kernel would do; see elimination.elimination_significance."""
        measured = self.moments
        return elimination_significance(kernel, measured.covariance, measured.sensitivity, granularity)


def eliminate(
    model: Any,
    data: Any,
    *,
    kept: float = 0.25,
    granularity: Granularities = "pair",
    scope: Scope = "global",
    select: Select = "fraction",
    cost_exponent: float = 1.0,
    exempt: Sequence[str] = (),
    layers: Mapping[str, LayerSetting] = MappingProxyType({}),
    prices: Mapping[str, float] | None = None,
    input_range: tuple[float, float] | None = None,
    batch_size: int = 64,
    steps: int | None = None,
    verbose: bool = True,
    in_sequence: bool = True,
) -> Any:
    """Skips the products whose loss the other weights can make up for, and refits those. Nothing is trained.

    Each output channel loses its groups in the order in which that costs least, with the remaining weights at their
    best after each step; all channels of all layers are then ranked by what a group's loss does to the model's
    outputs, to second order, over its cost. See keras_approx.skipping.elimination for the method and its sources.
    In the end activation ranges are measured again, and batch normalization is re-estimated behind layers that skip
    something, unless it is frozen (`trainable = False`, or called with `training=False`).

    Keeping everything (kept=1) changes nothing but the rounding to int8. Weights of layers that do not train are fitted
    too: what skipping takes from their outputs is given back.

    Labels are not looked at. A few thousand samples are wanted. A warning says so where a layer has more weights for
    an output than there are outputs to fit them to.

    Args:
        model: A trained model; see `wrap` for what it may be. A wrapped one keeps its options, and is changed in
            place; products it skips stay skipped unless others matter less.
        data: Inputs, of the distribution that training sees, as keras_approx.calibrate takes them; read several times.
        kept: The fraction of products to keep, of those that can be skipped; or what `select` says: a budget in cycles.
        granularity: What is kept or skipped together; see callbacks.UpdateSkipMasks for this and the next four.
        scope: "global" for one ranking of all layers, "layer" for the fraction of each.
        select: "fraction" or "budget".
        cost_exponent: How much the cost of a weight counts against it.
        exempt: Names or patterns of layers that keep all.
        layers: Settings of single layers by name or pattern.
        prices: For budgets; see keras_approx.measure_prices.
        input_range: Range of the inputs; see `wrap`. Not for wrapped models.
        batch_size: Samples at a time, for arrays.
        steps: Batches to use at most; None for all there are.
        verbose: Whether to show progress, and to say in the end what is kept and how far the outputs moved.
        in_sequence: Fits each layer for the inputs that the layers before it leave, once they skip, in place of those
            of the whole model. It takes another pass over the data for each layer, and gains up to half a point.

    Returns:
        The wrapped model, calibrated. Compile it to evaluate it.

    Raises:
        OptionError: If an option has a value it cannot have, thresholds are asked for, or all layers are to keep all.
        UnsupportedModelError: If the model cannot be wrapped.
        UnsupportedLayerError: Likewise for a layer.
        CalibrationError: If the data does not fit the model, or cannot be read several times.

    Example:
        model = keras_approx.eliminate(network, images[:5000], kept=0.5)
        export.to_c(model, "out/")
    """
    way = Eliminate(
        kept,
        granularity=granularity,
        scope=scope,
        select=select,
        cost_exponent=cost_exponent,
        exempt=exempt,
        layers=layers,
        prices=prices,
    )
    check_readable_again(data)
    student = wrapped_student(model, input_range)
    way.check_skips([layer.name for layer in skip_wrappers(student)])
    seen = next(iter(model_batches(student, data, batch_size, steps)), None)
    before = [] if seen is None else tf.nest.flatten(student.predict_on_batch(seen))
    skip_by_elimination(
        student,
        data,
        way,
        kept,
        prices=prices,
        in_sequence=in_sequence,
        batch_size=batch_size,
        steps=steps,
        verbose=verbose,
    )
    if verbose and seen is not None:
        print(_told(student, exempt, before, tf.nest.flatten(student.predict_on_batch(seen))))
    return student


def wrapped_student(model: Any, input_range: tuple[float, float] | None) -> Any:
    """The model itself if it is wrapped, else wrapped with compensation.

    Raises:
        OptionError: If it is wrapped already, but a range of inputs is given.
        UnsupportedModelError: If it cannot be wrapped.
    """
    if not any(isinstance(layer, QuantizedWrapper) for layer in getattr(model, "layers", ())):
        return wrap(model, compensate=True, input_range=input_range)
    if input_range is not None:
        raise OptionError("the model is wrapped already: give input_range to keras_approx.wrap")
    return model


def skip_by_elimination(
    student: Any,
    data: Any,
    selection: Selection,
    kept: float,
    *,
    prices: Mapping[str, float] | None = None,
    in_sequence: bool = True,
    batch_size: int = 64,
    steps: int | None = None,
    verbose: bool = True,
) -> None:
    """Eliminates products of a wrapped model; see `eliminate`.

    Args:
        student: The model, changed in place.
        data: Inputs, which can be read several times.
        selection: Which products are kept; schedules of single layers are read at their end.
        kept: What `selection.select` says.
        prices: For budgets.
        in_sequence: See `eliminate`.
        batch_size: Samples at a time, for arrays.
        steps: Batches to use at most.
        verbose: Whether to show progress.

    Raises:
        OptionError: If a pattern matches no layer.
        CalibrationError: If the data does not fit the model.
    """
    names = [layer.name for layer in skip_wrappers(student)]
    selection.settings(names)
    granularities = selection.granularities(names)
    reading: dict[str, Any] = {"batch_size": batch_size, "steps": steps}
    calibrate(student, data, verbose=False, **reading)
    refits = measure_refits(student, data, verbose=verbose, **reading)
    moments = {name: refit.moments for name, refit in refits.items()}
    positions = mask_positions(student)
    warn_of_few_samples(
        next(iter(moments.values())).samples,
        {name: found.covariance.shape[-1] for name, found in moments.items()},
        positions,
    )
    layers = skip_wrappers(student)
    progress = Progress("fitting weights", len(layers), "layer", verbose)
    found = {}
    for number, layer in enumerate(layers, start=1):
        found[layer.name] = refits[layer.name].significance(_used(layer), granularities[layer.name])
        progress.update(number)
    masks = selection.masks(found, positions, kept, step=selection.end_step, prices=prices)
    if in_sequence:
        _fit_in_sequence(student, masks, refits, data, **reading)
    else:
        for layer in layers:
            refit_layer(layer, masks[layer.name], refits[layer.name])
        set_masks(student, masks)
    norms = _adaptive_norms_behind(student, {name for name, mask in masks.items() if not mask.all()})
    if norms:
        recalibrate_batch_norm(student, data, layers=norms, **reading)
    calibrate(student, data, verbose=False, **reading)
    if norms:  # calibration changed what compensates for skipped products
        recalibrate_batch_norm(student, data, layers=norms, **reading)


def _told(
    student: Any, exempt: Sequence[str], before: Sequence[np.ndarray], after: Sequence[np.ndarray]
) -> str:
    """What is kept, and how far the outputs moved, for people."""
    moved = ", ".join(
        f"{np.mean(np.square(b - a)) / (np.var(a) or 1):.1%}" for a, b in zip(before, after, strict=True)
    )
    told = f"eliminate: {summarize(student).phrase(exempt)}; outputs moved by {moved} of their variance"
    if len(before) > 1 or before[0].ndim != 2 or before[0].shape[1] < 2:
        return f"{told}. fine_tune begins with the same, and wins more back"
    same = float(np.mean(before[0].argmax(axis=1) == after[0].argmax(axis=1)))
    advice = "" if same > 0.99 else ". fine_tune begins with the same, and wins more back"
    return f"{told}, and {same:.1%} of {plural(len(before[0]), 'input')} keep their highest output{advice}"


def measure_refits(model: Any, data: Any, **reading: Any) -> dict[str, Refit]:
    """What refitting each layer takes, by layer name; the arguments are those of moments.measure_moments."""
    normalized = _normalized(model)
    moments = measure_moments(model, data, **reading)
    return {name: Refit(found, name in normalized) for name, found in moments.items()}


def _normalized(model: Any) -> set[str]:
    """Names of the layers whose outputs are read only by batch normalization that re-estimates their means."""
    found = calls(model)
    takers: dict[int, list[Call]] = {}
    for call in found:
        for key in call.inputs:
            takers.setdefault(key, []).append(call)
    normalized: dict[str, bool] = {}
    for call in found:
        if isinstance(call.layer, SkipWrapper):
            read = takers.get(call.key, ())
            adaptive = bool(read) and all(map(is_adaptive, read))
            normalized[call.layer.name] = adaptive and normalized.get(call.layer.name, True)
    return {name for name, adaptive in normalized.items() if adaptive}


def _adaptive_norms_behind(model: Any, changed: Collection[str]) -> set[str]:
    """Names of the batch normalizations that are not frozen and take what follows from these layers' outputs."""
    behind: set[int] = set()
    found = set()
    for call in calls(model):
        if call.layer.name in changed or behind & set(call.inputs):
            behind.add(call.key)
            if is_adaptive(call):
                found.add(call.layer.name)
    return found


def _used(layer: SkipWrapper) -> np.ndarray:
    """The kernel with zeros where products are skipped."""
    return np.where(layer.get_mask(), layer.kernel.numpy(), 0)


def refit_layer(layer: SkipWrapper, mask: np.ndarray, how: Refit, inputs: InputMoments | None = None) -> None:
    """Gives a layer the weights that make up for what it is to skip, and a bias that keeps its outputs' means.

    Args:
        layer: The layer, with the mask it had so far.
        mask: The one it is to have, bool, the kernel's shape.
        how: What was measured.
        inputs: Of the inputs it has now, if those are others than what was measured.
    """
    before, bias = _used(layer), layer.layer.bias
    if inputs is None:
        inputs = how.same_inputs
    after = fitted_kernel(layer, mask, how, inputs)
    if bias is not None:
        # What a compensating layer adds for skipped products is in its bias already.
        kept = after if layer.compensate else np.where(mask, after, 0)
        lost = expected_outputs(before, inputs.wanted) - expected_outputs(kept, inputs.mean)
        bias.assign_add(lost.astype(np.float32))
    # What was skipped before keeps its weights, for which the layer compensates.
    layer.kernel.assign(np.where(layer.get_mask() | mask, after, layer.kernel.numpy()))


def fitted_kernel(
    layer: SkipWrapper, mask: np.ndarray, how: Refit, inputs: InputMoments | None = None
) -> np.ndarray:
    """The weights that refit_layer gives a layer; those of skipped products are as they were, or 0."""
    centered = layer.layer.bias is not None or how.normalized
    after = fit(_used(layer), mask, how.same_inputs if inputs is None else inputs, centered=centered)
    return after if centered else np.where(mask, after, 0)  # so that there is nothing to compensate


def _operand_means(mean: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Means as OperandStatistics has them, of a kernel of this shape."""
    if mean.ndim == 1:
        return mean.reshape(shape[:-1]).astype(np.float32)
    return np.repeat(mean, shape[-1] // len(mean), axis=0).T.reshape(shape).astype(np.float32)


def _fit_in_sequence(
    model: Any, masks: Mapping[str, np.ndarray], refits: Mapping[str, Refit], data: Any, **reading: Any
) -> None:
    """Sets masks from the first layer on, and fits each layer to the inputs that those before it leave.

    Batch normalization right behind a layer gets the mean and the variance that follow from the same moments. A layer
    that is called several times is fitted once, at its first call, to the inputs of all its calls; these moments are of
    none of them alone, so batch normalization behind it is measured.
    """
    plain = keras.Model(model.inputs, model.outputs)  # of the same layers, whatever trains them
    exact = keras.models.clone_model(plain)
    exact.set_weights(plain.get_weights())
    norms = _norms_of(model)
    changed = False
    called = Counter(call.layer for call in calls(model) if isinstance(call.layer, SkipWrapper))
    for layer, times in called.items():
        mask, how = masks[layer.name], refits[layer.name]
        if not changed and mask.all():
            continue
        inputs = None
        if changed:
            inputs = measure_input_moments(model, exact, layer, data, **reading)
            layer.set_statistics(
                replace(layer.get_statistics(), mean=_operand_means(inputs.mean, mask.shape))
            )
        refit_layer(layer, mask, how, inputs)
        layer.set_mask(mask)
        changed = True
        mean, covariance = how.moments.mean, how.moments.covariance
        if inputs is not None:
            mean, covariance = inputs.mean, inputs.covariance
        behind = norms.get(layer.name, ())
        if behind and times > 1:
            recalibrate_batch_norm(model, data, layers={norm.name for norm in behind}, **reading)
            continue
        for norm in behind:
            weights = _used(layer)
            offset = 0.0 if layer.bias is None else layer.bias.numpy()
            norm.moving_mean.assign((expected_outputs(weights, mean) + offset).astype(np.float32))
            norm.moving_variance.assign(output_variances(weights, covariance).astype(np.float32))


def _norms_of(model: Any) -> dict[str, list[Any]]:
    """By layer, the batch normalizations that are not frozen and take its outputs as they are."""
    found = calls(model)
    layers = {call.key: call.layer.name for call in found if isinstance(call.layer, SkipWrapper)}
    norms: dict[str, list[Any]] = {}
    for call in found:
        if is_adaptive(call) and call.inputs[0] in layers:
            norms.setdefault(layers[call.inputs[0]], []).append(call.layer)
    return norms
