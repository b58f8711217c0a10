"""The int8 graph of a wrapped model with other masks, without converting it again.

Masks change the zeros of the int8 kernels, and through the largest weight that is left, each output channel's scale.
Both are computed here as fake quantization and the converter do.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from cachetools import LRUCache
from numpy.typing import NDArray

from export import training_side
from export.digest import digest
from export.errors import ExportError, InputError, QuantizationError, UnsupportedModelError
from export.frontend import read_tflite
from export.frontend.keras import to_tflite
from export.ir.graph import Graph
from export.ir.ops import Conv2D, FullyConnected
from export.ir.rewrite import with_constants
from export.ir.tensor import Quantization, Tensor
from export.operators.products.conv import ungrouped
from export.operators.products.transpose_conv import phases

_QMAX = 127
_KEPT = 512  # masked kernels that are remembered

Masks = Mapping[str, NDArray[np.bool_]]
Kernels = Mapping[str, NDArray[np.float32]]
_Constants = tuple[Tensor, Tensor | None]


@dataclass(frozen=True)
class _Layer:
    """One call of a layer that carries a mask.

    Attributes:
        index: Of its operator.
        op: The operator.
        kernel: As the wrapped layer holds it.
        peaks: The largest weight of it by channel of the operator, float32 [out].
        stride: Of a transposed convolution, None elsewhere.
        groups: Of a convolution, 1 elsewhere.
        weights: Its int8 weights with nothing skipped, named as `weights_name` says.
        bias: Likewise, or None.
        signs: int8 [out], -1 where a folded batch normalization inverted a channel.
        source_scale: Of its input, times that of a rescaling that is folded into the weights.
        mean: What each operand's activation is on average, of the kernel's shape, with one output channel where all
            have the same inputs, where the layer compensates for what is skipped; or None.
    """

    index: int
    op: Conv2D | FullyConnected
    kernel: NDArray[np.float32]
    peaks: NDArray[np.float32]
    stride: tuple[int, int] | None
    groups: int
    weights: Tensor
    bias: Tensor | None
    signs: NDArray[np.int8]
    source_scale: float
    mean: NDArray[np.float32] | None


def weights_name(layer: str) -> str:
    """The name of a Keras layer's weights in a masked graph."""
    return f"kernel of {layer}"


class MaskedModel:
    """A wrapped model's int8 graph as a function of its masks.

    Args:
        model: A wrapped, calibrated model. Its masks are set and set back.

    Raises:
        UnsupportedModelError: The model is not wrapped, or cannot be converted.
        QuantizationError: It was never calibrated.
    """

    def __init__(self, model: Any) -> None:
        try:
            self._graph = read_tflite(_convert_unmasked(model))
            self._layers = _find_layers(self._graph, model)
        except training_side.NotWrappedError as error:
            raise UnsupportedModelError(str(error)) from error
        except training_side.NotCalibratedError as error:
            raise QuantizationError(str(error)) from error
        self._constants: LRUCache[Hashable, _Constants] = LRUCache(_KEPT)

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Shapes of the kernels that carry masks, by layer name in model order."""
        return {name: calls[0].kernel.shape for name, calls in self._layers.items()}

    def graph(self, masks: Masks, kernels: Kernels | None = None) -> Graph:
        """The graph before any pass.

        Args:
            masks: bool arrays of the kernels' shapes by layer name; a layer that is not named keeps everything.
            kernels: Weights by layer name; a layer that is not named has those the model had at first.

        Raises:
            InputError: A mask is of no layer, or of another shape or type.
        """
        unknown = sorted(set(masks) - set(self._layers))
        if unknown:
            raise InputError(
                f"no layer named {', '.join(unknown)} carries a mask; these do: {', '.join(self._layers)}"
            )
        graph = self._graph
        for name, calls in self._layers.items():
            given = None if kernels is None else kernels.get(name)
            kernel = calls[0].kernel if given is None else given
            mask = _checked(name, masks.get(name), kernel.shape)
            for layer in calls:
                key = (layer.index, digest(mask), None if given is None else digest(given))
                if key not in self._constants:
                    self._constants[key] = _masked(layer, kernel, mask)
                weights, bias = self._constants[key]
                changed, op = with_constants(graph, layer.op, weights, bias)
                graph = replace(changed, ops=(*graph.ops[: layer.index], op, *graph.ops[layer.index + 1 :]))
        return graph


def _checked(name: str, mask: Any, shape: tuple[int, ...]) -> NDArray[np.bool_]:
    if mask is None:
        return np.ones(shape, np.bool_)
    found = np.asarray(mask)
    if found.dtype != np.bool_ or found.shape != shape:
        raise InputError(
            f"the mask of {name!r} must be bool of shape {shape}, got {found.dtype} of shape {found.shape}"
        )
    return found


def model_kernels(model: Any) -> dict[str, NDArray[np.float32]]:
    """The weights of the layers that carry masks, skipped ones included, by name."""
    return {layer.name: layer.kernel.numpy() for layer in training_side.skip_wrappers(model)}


def _means(model: Any) -> dict[str, NDArray[np.float32] | None]:
    """Mean activations of the layers that compensate for what they skip, None for the others."""
    found = {}
    for layer in training_side.skip_wrappers(model):
        mean = layer.get_statistics().mean if layer.compensate else None
        found[layer.name] = mean if mean is None or layer.groups > 1 else mean[..., np.newaxis]
    return found


def _convert_unmasked(model: Any) -> bytes:
    before = training_side.get_masks(model)
    try:
        training_side.set_masks(model, {name: np.ones_like(mask) for name, mask in before.items()})
        return to_tflite(model)
    finally:
        training_side.set_masks(model, before)


def _find_layers(graph: Graph, model: Any) -> dict[str, list[_Layer]]:
    """Recognizes each layer's operators by their int8 weights, which are the same but for the sign of whole channels.

    A layer that is called several times has as many operators.
    """
    means = _means(model)
    left = {index: op for index, op in enumerate(graph.ops) if isinstance(op, Conv2D | FullyConnected)}
    found: dict[str, list[_Layer]] = {}
    for masked in training_side.masked_kernels(model):
        name = masked.name
        weights, peaks = _quantized(masked.kernel, masked.stride, masked.groups)
        match = [index for index, op in left.items() if _same(graph.constant(op.weights), weights)]
        if len(match) < masked.calls:
            raise ExportError(
                f"the int8 graph has no operator with the weights of layer {name!r}: it cannot be priced; "
                "use export.estimate"
            )
        found[name] = []
        for index in match[: masked.calls]:
            op = left.pop(index)
            stored = graph.constant(op.weights)
            agree = (stored.astype(np.int32) * weights).reshape(len(weights), -1).sum(axis=1) >= 0
            found[name].append(
                _Layer(
                    index=index,
                    op=op,
                    kernel=masked.kernel,
                    peaks=peaks,
                    stride=masked.stride,
                    groups=masked.groups,
                    weights=replace(graph.tensors[op.weights], name=weights_name(name)),
                    bias=None if op.bias is None else graph.tensors[op.bias],
                    signs=np.where(agree, 1, -1).astype(np.int8),
                    source_scale=graph.tensors[op.inputs[0]].quant.scale * abs(masked.input_scale),
                    mean=means[name],
                )
            )
    return found


def _same(stored: NDArray[Any], weights: NDArray[np.int8]) -> bool:
    return stored.shape == weights.shape and np.array_equal(np.abs(stored), np.abs(weights))


def _quantized(
    kernel: NDArray[np.float32], stride: tuple[int, int] | None, groups: int
) -> tuple[NDArray[np.int8], NDArray[np.float32]]:
    """A kernel as the int8 graph holds it, output channels first, and the largest weight of each of them.

    The operator of a transposed convolution has each channel once for each remainder by the stride, that of a grouped
    one has weights for all input channels.
    """
    last = kernel.ndim - 1
    weights, kept = training_side.quantize_kernel(kernel, (last,))
    found, peaks = np.ascontiguousarray(np.moveaxis(weights, last, 0)), kept.ravel()
    if groups > 1:
        return ungrouped(found, groups), peaks
    return found if stride is None else phases(found, stride), _repeated(peaks, stride)


def _repeated(values: NDArray[Any], stride: tuple[int, int] | None) -> NDArray[Any]:
    """Values of the output channels, for each channel of the operator."""
    return values if stride is None else np.tile(values, stride[0] * stride[1])


def _masked(layer: _Layer, kernel: NDArray[np.float32], mask: NDArray[np.bool_]) -> _Constants:
    weights, peaks = _quantized(np.where(mask, kernel, np.float32(0)), layer.stride, layer.groups)
    first = layer.peaks
    # A channel of which nothing is left has no scale of its own: any does.
    ratio = np.divide(peaks, first, out=np.ones_like(peaks), where=(peaks != 0) & (first != 0)).astype(float)
    signs = layer.signs.reshape(-1, *(1,) * (weights.ndim - 1))
    tensor = replace(layer.weights, data=weights * signs, quantization=_scaled(layer.weights, ratio))
    if layer.bias is None:
        return tensor, None
    values = np.asarray(layer.bias.data) / ratio
    if layer.mean is not None:  # the expected value of what is skipped, as the layer adds it to its bias
        skipped = np.where(mask, np.float32(0), kernel) * layer.mean
        unit = layer.source_scale * np.where(peaks != 0, peaks, first) / _QMAX
        added = layer.signs * _repeated(skipped.reshape(-1, skipped.shape[-1]).sum(axis=0), layer.stride)
        values = values + np.divide(added, unit, out=np.zeros_like(unit), where=unit != 0)
    limits = np.iinfo(np.int32)
    held = np.rint(values).clip(limits.min, limits.max).astype(np.int32)
    return tensor, replace(layer.bias, data=held, quantization=_scaled(layer.bias, ratio))


def _scaled(tensor: Tensor, ratio: NDArray[np.float64]) -> Quantization | None:
    """A quantization with other scales for its channels; one for the whole tensor follows the largest."""
    held = tensor.quantization
    if held is None:
        return None
    ratios = ratio.tolist() if len(held.scales) > 1 else [float(ratio.max())]
    return replace(held, scales=tuple(s * r for s, r in zip(held.scales, ratios, strict=True)))
