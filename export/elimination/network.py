"""Elimination on the int8 graph: chooses the products to skip, and refits the constants of the others."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from export.api import to_tflite
from export.elimination.moments import moments, sensitivities
from export.elimination.samples import Run, Values
from export.errors import InputError, ModelFormatError, UnsupportedModelError
from export.frontend import read_tflite
from export.frontend.golden_model import golden_model
from export.frontend.stored_layers import Constants, StoredLayer, replaced, stored_layers
from export.ir.graph import Graph
from export.ir.ops import Conv2D, FullyConnected
from export.ir.real import quantize
from export.ir.rewrite import with_constants
from export.ir.tensor import Tensor
from export.schedule.roofline import count_macs
from export.training_side import (
    Granularities,
    Granularity,
    InputMoments,
    LayerSetting,
    OptionError,
    Selection,
    elimination_significance,
    first_matches,
    fit,
    group_sums,
    spread,
    warn_of_few_samples,
)
from keras_approx.text import plural

SENSITIVITY_SAMPLES = 32
_QMAX = 127

Kernel = NDArray[np.float32]


def eliminate(
    model: str | os.PathLike[str] | bytes,
    inputs: Values | Sequence[Values],
    *,
    kept: float = 0.5,
    granularity: Granularities = "pair",
    exempt: Sequence[str] = (),
    layers: Mapping[str, LayerSetting] | None = None,
    scope: Literal["global", "layer"] = "global",
    cost_exponent: float = 1.0,
    in_sequence: bool = True,
) -> bytes:
    """Skips products of an int8 network whose loss the other weights can make up for, without labels or Keras.

    The method is keras_approx.eliminate's: each output channel loses its groups in the order in which that costs
    least, with the remaining weights at their best; all channels of all convolutions and dense layers are ranked by
    what that does to the network's outputs, over its cost. The weights that are left are fitted to the outputs of the
    whole network, in float, and rounded to int8 with new scales; biases keep the means of outputs. Activations keep
    their scales.

    Grouped convolutions and layers that share constants with others are left as they are.

    Args:
        model: An int8 TFLite model, a path or its bytes.
        inputs: [n, *shape], of the distribution that comes in use, one array for each input: int8 as the network takes
            them, or float, which is quantized with the input's scale. Some thousand are wanted; a warning says so where
            a layer has more weights for an output than there are outputs to fit them to.
        kept: The fraction of products to keep, of the layers that are ranked.
        granularity: What is kept or skipped together, of all layers or by name or pattern; "kernel" and "kernel block"
            skip where convolutions are computed by Winograd's algorithm.
        exempt: Names or patterns of layers that keep all products. A layer's name is that of its weights in the file.
        layers: Settings of single layers by name or pattern, see keras_approx.LayerSetting.
        scope: "global", one ranking of all layers, or "layer", the fraction of each.
        cost_exponent: How much the cost of a weight counts in the ranking; see keras_approx.callbacks.UpdateSkipMasks.
        in_sequence: Fits each layer for the inputs that the skipping network really has, in place of those of the
            whole one. It takes another run of both.

    Returns:
        The content of a `.tflite` file, for `to_c`: the same network, with zeros for weights of skipped products.

    Raises:
        ModelFormatError: No TFLite model, or one without a layer that can skip.
        UnsupportedModelError: It cannot be lowered, or keeps states between inferences.
        QuantizationError: It is not a full-integer int8 model.
        InputError: Inputs of another shape or type, none, or not finite.
        OptionError: An option has a value it cannot have, a pattern matches no layer, or all layers are to keep all.

    Example:
        quarter = export.eliminate("model.tflite", images, kept=0.25, granularity="kernel")
        export.to_c(quarter, "out/")
    """
    if not 0 <= kept <= 1:
        raise OptionError(f"the fraction of products to keep must be between 0 and 1, got {kept}")
    selection = Selection(
        granularity=granularity, scope=scope, cost_exponent=cost_exponent, exempt=exempt, layers=layers or {}
    )
    data = to_tflite(model)
    data = golden_model(data, read_tflite(data))  # so that every convolution has a bias
    graph = read_tflite(data)
    if graph.states:
        raise UnsupportedModelError(
            "the network keeps states between inferences, so its inputs are no independent samples: export it as it is"
        )
    known = stored_layers(data, graph)
    if not known:
        raise ModelFormatError(
            "the network has no convolution or dense layer whose products could be skipped"
        )
    selection.check_skips([layer.name for layer in known])
    given = quantized_inputs(graph, inputs)
    eliminator = Eliminator(graph, known, given)
    masks = eliminator.masks(selection, kept)
    return replaced(data, eliminator.fitted(masks, in_sequence), known)


def kept_share(model: bytes, exempt: Sequence[str] = ()) -> float:
    """The share of products that a network keeps, of those that `eliminate` could skip; 1 if there are none.

    Args:
        model: Content of an int8 `.tflite` file.
        exempt: Names or patterns of layers that keep all, as for `eliminate`.
    """
    graph = read_tflite(model)
    known = stored_layers(model, graph)
    free = first_matches(exempt, [layer.name for layer in known])
    counted = [count_macs(graph, graph.ops[layer.index]) for layer in known if free[layer.name] is None]
    products = sum(products for products, _ in counted)
    return sum(kept for _, kept in counted) / products if products else 1.0


class Eliminator:
    """One network and its samples, for several masks.

    Attributes:
        kernels: float32 (kernel height, kernel width, input channels, output channels) or (inputs, outputs), by layer.
    """

    def __init__(self, graph: Graph, known: Sequence[StoredLayer], inputs: Sequence[Values]) -> None:
        self._graph, self._known, self._inputs = graph, known, inputs
        self._at = {layer.index: layer for layer in known}
        self._moments: dict[str, InputMoments] = {}
        self._felt: dict[int, NDArray[np.float64]] = {}
        self._significance: dict[tuple[str, str | Granularity], NDArray[np.float64]] = {}
        self._positions = {
            layer.name: math.prod(graph.tensors[graph.ops[layer.index].output].shape[1:-1]) for layer in known
        }
        self.kernels = {layer.name: _kernel(graph, self._op(graph, layer.index)) for layer in known}

    @staticmethod
    def _op(graph: Graph, index: int) -> Conv2D | FullyConnected:
        op = graph.ops[index]
        assert isinstance(op, Conv2D | FullyConnected)
        return op

    def masks(self, selection: Selection, kept: float) -> dict[str, NDArray[np.bool_]]:
        """What each layer keeps, bool arrays of the kernels' shapes by layer.

        Args:
            selection: How products are chosen.
            kept: The fraction of them.

        Raises:
            OptionError: An option has a value it cannot have, or a pattern matches no layer.
        """
        names = [layer.name for layer in self._known]
        selection.settings(names)
        granularities = selection.granularities(names)
        self._measure()
        found = {}
        for layer in self._known:
            key = (layer.name, granularities[layer.name])
            if key not in self._significance:
                self._significance[key] = elimination_significance(
                    self.kernels[layer.name],
                    self._moments[layer.name].covariance,
                    self._felt[layer.index],
                    granularities[layer.name],
                )
            found[layer.name] = self._significance[key]
        masks = selection.masks(found, self._positions, kept, step=selection.end_step)
        return {name: mask & _paired(self.kernels[name]) for name, mask in masks.items()}

    def _measure(self) -> None:
        """Measures the whole network, once."""
        if self._moments:
            return
        run = Run(self._graph, self._inputs)
        for index in range(len(self._graph.ops)):
            if index in self._at:
                op = self._op(self._graph, index)
                self._moments[self._at[index].name] = moments(run.operands(self._graph, op))
            run.step(self._graph, index)
        operands = {name: len(found.mean) for name, found in self._moments.items()}
        warn_of_few_samples(len(self._inputs[0]), operands, self._positions)
        few = [values[:SENSITIVITY_SAMPLES] for values in self._inputs]
        self._felt = sensitivities(self._graph, list(self._at), few)

    def fitted(self, masks: Mapping[str, NDArray[np.bool_]], in_sequence: bool) -> dict[str, Constants]:
        """New constants of the layers that change.

        Args:
            masks: From `masks`.
            in_sequence: As for `eliminate`.
        """
        graph = self._graph
        found: dict[str, Constants] = {}
        exact, skipping = (Run(self._graph, self._inputs) for _ in range(2))
        for index in range(len(graph.ops)):
            layer = self._at.get(index)
            if layer is not None and (found or self._skips(masks, layer)):
                op = self._op(graph, index)
                measured = self._moments[layer.name]
                if found and in_sequence:
                    measured = moments(skipping.operands(graph, op), exact.operands(graph, op))
                if self._skips(masks, layer) or measured is not self._moments[layer.name]:
                    new = self._fit(layer, masks[layer.name], measured)
                    found[layer.name] = new
                    graph = _with(graph, index, new)
            if in_sequence:
                exact.step(self._graph, index)
                skipping.step(graph, index)
        return found

    def _skips(self, masks: Mapping[str, NDArray[np.bool_]], layer: StoredLayer) -> bool:
        """Whether a mask takes more from a layer than it had lost before."""
        return bool(self.kernels[layer.name][~masks[layer.name]].any())

    def _fit(self, layer: StoredLayer, mask: NDArray[np.bool_], measured: InputMoments) -> Constants:
        op, kernel = self._op(self._graph, layer.index), self.kernels[layer.name]
        after = np.where(mask, fit(kernel, mask, measured, centered=op.bias is not None), np.float32(0))
        lost = measured.wanted @ _flat(kernel) - measured.mean @ _flat(after)
        return _rounded(self._graph, op, after, lost)


def _paired(kernel: Kernel) -> NDArray[np.bool_]:
    """The products that take an instruction as the network is: those of pairs whose weights are not both zero."""
    return spread(group_sums(kernel != 0, "pair") > 0, kernel.shape, "pair")


def _flat(kernel: Kernel) -> Kernel:
    return kernel.reshape(-1, kernel.shape[-1])


def _kernel(graph: Graph, op: Conv2D | FullyConnected) -> Kernel:
    """The weights a layer stands for, in the order of Keras."""
    held = graph.tensors[op.weights]
    weights = np.moveaxis(graph.constant(op.weights), 0, -1).astype(np.float32)
    return np.ascontiguousarray(weights * np.array(held.quant.scales, np.float32))


def _rounded(
    graph: Graph, op: Conv2D | FullyConnected, kernel: Kernel, lost: NDArray[np.float64]
) -> Constants:
    """Int8 weights with scales that hold them, and the bias with what the outputs' means lost."""
    held = graph.tensors[op.weights].quant
    old = np.array(held.scales, np.float32)
    peaks = np.abs(_flat(kernel)).max(axis=0)
    if len(old) == 1:
        peaks = peaks.max(keepdims=True)
    # A channel of which nothing is left has no scale of its own: any does.
    scales = np.where(peaks > 0, peaks / np.float32(_QMAX), old).astype(np.float32)
    weights = np.moveaxis(np.clip(np.rint(kernel / scales), -_QMAX, _QMAX), -1, 0).astype(np.int8)
    source = graph.tensors[op.inputs[0]].quant.scale
    bias = None
    if op.bias is not None:
        real = graph.constant(op.bias) * (source * old.astype(np.float64)) + lost
        limits = np.iinfo(np.int32)
        bias = (
            np.rint(real / (source * scales.astype(np.float64))).clip(limits.min, limits.max).astype(np.int32)
        )
    return Constants(np.ascontiguousarray(weights), scales, bias, source)


def _with(graph: Graph, index: int, new: Constants) -> Graph:
    """The graph with a layer's constants replaced."""
    op = graph.ops[index]
    assert isinstance(op, Conv2D | FullyConnected)
    weights, scales = graph.tensors[op.weights], tuple(new.scales.tolist())
    changed = replace(weights, data=new.weights, quantization=replace(weights.quant, scales=scales))
    bias: Tensor | None = None
    if op.bias is not None:
        stored = graph.tensors[op.bias]
        products = tuple((np.float32(new.source_scale) * new.scales).tolist())
        bias = replace(stored, data=new.bias, quantization=replace(stored.quant, scales=products))
    found, op = with_constants(graph, op, changed, bias)
    return replace(found, ops=(*found.ops[:index], op, *found.ops[index + 1 :]))


def quantized_inputs(graph: Graph, inputs: Values | Sequence[Values]) -> list[Values]:
    """One int8 array for each input.

    Args:
        graph: The network.
        inputs: As for `eliminate`.

    Raises:
        InputError: As for `eliminate`.
    """
    given: list[Any] = [inputs] if isinstance(inputs, np.ndarray) else list(inputs)
    if len(given) != len(graph.inputs):
        raise InputError(
            f"expected an array for each of {plural(len(graph.inputs), 'input')}, got {len(given)}"
        )
    found = []
    for values, index in zip(given, graph.inputs, strict=True):
        tensor = graph.tensors[index]
        shape = tensor.shape[1:]
        if not isinstance(values, np.ndarray) or values.shape[1:] != shape or values.dtype.kind not in "fi":
            came = type(values).__name__
            if isinstance(values, np.ndarray):
                came = f"{values.dtype} {list(values.shape)}"
            raise InputError(
                f"expected inputs [n, {', '.join(map(str, shape))}], int8 as the network takes them or float, "
                f"got {came}"
            )
        if values.dtype.kind == "f":
            if not np.isfinite(values).all():
                raise InputError("the inputs hold NaN or infinity: clean the data")
            found.append(quantize(values, tensor.quant.scale, tensor.quant.zero_point))
        elif values.dtype == np.int8:
            found.append(values)
        else:
            raise InputError(f"expected int8 or float inputs, got {values.dtype}")
    if not len(found[0]) or len({len(values) for values in found}) > 1:
        raise InputError(f"expected samples, as many of each input, got {[len(values) for values in found]}")
    return found
