"""The table of supported layers: what `wrap` reads of each, and how it is quantized; `export` takes the same ones."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Any


class Range(Enum):
    """Where the quantization range of a layer's output comes from, after the int8 TFLite operator set."""

    OWN = "own"  # measured
    SAME = "same"  # that of its input: the operator moves or picks values, and cannot rescale them
    FIXED = "fixed"  # prescribed by TFLite: see FIXED_RANGES


@dataclass(frozen=True)
class LayerSpec:
    """What the package knows of a layer class.

    Attributes:
        range: Where its output range comes from.
        settings: Configuration entries that define the layer, the same in Keras 2 and Keras 3.
        weights: Attribute names of its weights, present or not.
        required: Values that a setting must have; a setting the layer does not have is not checked.
        kernel: Attribute name of the weights that are multiplied with activations, if any.
        channel_axes: Axes of the kernel that number output channels.
        skippable: Whether single products can be skipped.
        whole: Why not, where the layer multiplies by a kernel.
        differs_in_training: Whether it computes something else while training.
        identity: Whether its output equals its input at inference.
        any_axis: Whether its `axis` may be another than the last.
        limits: What of it is supported, for the documentation; what `required` says is said there.
    """

    range: Range
    settings: tuple[str, ...] = ()
    weights: tuple[str, ...] = ()
    required: Mapping[str, tuple[Any, ...]] = field(default_factory=dict)
    kernel: str | None = None
    channel_axes: tuple[int, ...] = ()
    skippable: bool = False
    whole: str = ""
    differs_in_training: bool = False
    identity: bool = False
    any_axis: bool = False
    limits: str = ""


_CHANNELS_LAST = {"data_format": ("channels_last", None)}
_CONVOLUTION = (
    "kernel_size",
    "strides",
    "padding",
    "dilation_rate",
    "use_bias",
    "activation",
    "bias_regularizer",
    "bias_constraint",
)
_KERNEL = ("kernel_regularizer", "kernel_constraint")
_DEPTHWISE = ("depth_multiplier", "depthwise_regularizer", "depthwise_constraint")
_POINTWISE = ("pointwise_regularizer", "pointwise_constraint")
_PADDINGS = {"padding": ("valid", "same"), **_CHANNELS_LAST}
_CONV1D_PADDINGS = {"padding": ("valid", "same", "causal"), **_CHANNELS_LAST}
_NORM = (
    *("momentum", "epsilon", "center", "scale", "beta_regularizer", "gamma_regularizer"),
    *("beta_constraint", "gamma_constraint"),
)
_NO_OUTPUT_PADDING = {"output_padding": (None,), "dilation_rate": ((1, 1), [1, 1], 1)}
_WARP = ("fill_mode", "interpolation", "fill_value", "seed")

_GROUPS = "any stride, dilation and groups"
_PADDED = "padding 'valid' or 'same'"


def _convolution(
    limits: str, paddings: Mapping[str, tuple[Any, ...]] = _PADDINGS, rank: int = 2
) -> LayerSpec:
    return LayerSpec(
        Range.OWN,
        ("filters", "groups", *_CONVOLUTION, *_KERNEL),
        ("kernel", "bias"),
        paddings,
        kernel="kernel",
        channel_axes=(rank + 1,),
        skippable=True,
        limits=limits,
    )


def _depthwise(limits: str) -> LayerSpec:
    return LayerSpec(
        Range.OWN,
        (*_CONVOLUTION, *_DEPTHWISE),
        ("depthwise_kernel", "bias"),
        _PADDINGS,
        kernel="depthwise_kernel",
        channel_axes=(2, 3),
        whole="one loop computes all channels of a depthwise convolution",
        limits=limits,
    )


def _separable(limits: str) -> LayerSpec:
    return LayerSpec(
        Range.OWN,
        ("filters", *_CONVOLUTION, *_DEPTHWISE, *_POINTWISE),
        ("depthwise_kernel", "pointwise_kernel", "bias"),
        _CONV1D_PADDINGS,
        limits=limits,
    )


def _pooling(limits: str = f"any window and stride; {_PADDED}") -> LayerSpec:
    return LayerSpec(Range.SAME, ("pool_size", "strides", "padding"), required=_PADDINGS, limits=limits)


def _global(range_: Range) -> LayerSpec:
    return LayerSpec(range_, ("keepdims",), required=_CHANNELS_LAST)


def _moves(*settings: str, limits: str = "") -> LayerSpec:
    return LayerSpec(Range.SAME, settings, required=_CHANNELS_LAST, limits=limits)


def _training_only(*settings: str) -> LayerSpec:
    limits = "in training alone; not a part of the int8 network"
    required = {} if "noise_shape" in settings else _CHANNELS_LAST
    return LayerSpec(
        Range.SAME, settings, required=required, differs_in_training=True, identity=True, limits=limits
    )


LAYERS: Mapping[str, LayerSpec] = {
    "InputLayer": LayerSpec(Range.OWN, limits="any number, each of a fixed shape"),
    "Conv2D": _convolution(f"{_GROUPS}; {_PADDED}"),
    "Conv1D": _convolution(f"{_GROUPS}; {_PADDED}, or 'causal'", _CONV1D_PADDINGS, rank=1),
    "Conv2DTranspose": LayerSpec(
        Range.OWN,
        ("filters", *_CONVOLUTION, *_KERNEL),
        ("kernel", "bias"),
        {**_PADDINGS, **_NO_OUTPUT_PADDING},
        kernel="kernel",
        channel_axes=(2,),
        skippable=True,
        limits=f"any stride; {_PADDED}; no dilation and no output_padding",
    ),
    "DepthwiseConv2D": _depthwise(f"any stride, dilation and multiplier; {_PADDED}"),
    "DepthwiseConv1D": _depthwise(f"any stride, dilation and multiplier; {_PADDED}"),
    "SeparableConv2D": _separable(f"as a DepthwiseConv2D and a Conv2D, which has a mask; {_PADDED}"),
    "SeparableConv1D": _separable(
        f"as a DepthwiseConv2D and a Conv2D, which has a mask; {_PADDED}, or 'causal'"
    ),
    "Dense": LayerSpec(
        Range.OWN,
        ("units", "use_bias", "activation", *_KERNEL, "bias_regularizer", "bias_constraint"),
        ("kernel", "bias"),
        kernel="kernel",
        channel_axes=(1,),
        skippable=True,
        limits="of a vector, or at every position, as a 1x1 Conv2D",
    ),
    "BatchNormalization": LayerSpec(
        Range.OWN,
        _NORM,
        ("gamma", "beta", "moving_mean", "moving_variance"),
        {"renorm": (False,), "virtual_batch_size": (None,), "synchronized": (False,)},
        differs_in_training=True,
        limits="over the last axis; folded into the layer before it where only it takes that layer's output",
    ),
    "Normalization": LayerSpec(
        Range.OWN,
        ("axis",),
        ("mean", "variance"),
        {"invert": (False,)},
        limits="over the last axis, adapted or with a mean and a variance; as a 1x1 depthwise convolution",
    ),
    "Rescaling": LayerSpec(
        Range.OWN,
        ("scale", "offset"),
        limits="by numbers; a scale at an input is folded into the layer behind it",
    ),
    "Activation": LayerSpec(Range.OWN, ("activation",), limits="see below"),
    "ReLU": LayerSpec(
        Range.OWN,
        ("max_value", "negative_slope"),
        required={"max_value": (None, 6), "threshold": (0, None)},
        limits="max_value None or 6, no threshold",
    ),
    "LeakyReLU": LayerSpec(Range.OWN, ("alpha", "negative_slope")),
    "PReLU": LayerSpec(
        Range.OWN,
        ("shared_axes", "alpha_regularizer", "alpha_constraint"),
        ("alpha",),
        limits="any shared axes",
    ),
    "ELU": LayerSpec(Range.OWN, required={"alpha": (1,)}, limits="alpha 1"),
    "Softmax": LayerSpec(Range.FIXED, ("axis",), limits="over the last axis, up to 4095 classes"),
    "Add": LayerSpec(Range.OWN, limits="any number of tensors, with broadcasting"),
    "Subtract": LayerSpec(Range.OWN, limits="with broadcasting"),
    "Multiply": LayerSpec(Range.OWN, limits="any number of tensors, with broadcasting"),
    "Average": LayerSpec(Range.OWN, limits="any number of tensors"),
    "Maximum": LayerSpec(Range.SAME, limits="any number of tensors"),
    "Minimum": LayerSpec(Range.SAME, limits="any number of tensors"),
    "Concatenate": LayerSpec(Range.SAME, ("axis",), any_axis=True, limits="any axis but the batch"),
    "MaxPooling2D": _pooling(),
    "MaxPooling1D": _pooling(),
    "AveragePooling2D": _pooling(),
    "AveragePooling1D": _pooling(),
    "GlobalAveragePooling2D": _global(Range.OWN),
    "GlobalAveragePooling1D": _global(Range.OWN),
    "GlobalMaxPooling2D": _global(Range.SAME),
    "GlobalMaxPooling1D": _global(Range.SAME),
    "UpSampling2D": LayerSpec(
        Range.SAME,
        ("size", "interpolation"),
        required={"interpolation": ("nearest", "bilinear"), **_CHANNELS_LAST},
        limits="nearest or bilinear",
    ),
    "UpSampling1D": _moves("size"),
    "ZeroPadding2D": _moves("padding"),
    "ZeroPadding1D": _moves("padding"),
    "Cropping2D": _moves("cropping"),
    "Cropping1D": _moves("cropping"),
    "Flatten": _moves(),
    "Reshape": _moves("target_shape"),
    "Permute": _moves("dims"),
    "Identity": LayerSpec(Range.SAME, identity=True),
    "Dropout": _training_only("rate", "noise_shape", "seed"),
    "SpatialDropout1D": _training_only("rate", "seed"),
    "SpatialDropout2D": _training_only("rate", "seed"),
    "GaussianNoise": _training_only("stddev", "seed"),
    "GaussianDropout": _training_only("rate", "seed"),
    "AlphaDropout": _training_only("rate", "noise_shape", "seed"),
    "ActivityRegularization": _training_only("l1", "l2"),
    "RandomFlip": _training_only("mode", "seed"),
    "RandomRotation": _training_only("factor", *_WARP),
    "RandomZoom": _training_only("height_factor", "width_factor", *_WARP),
    "RandomTranslation": _training_only("height_factor", "width_factor", *_WARP),
    "RandomContrast": _training_only("factor", "seed"),
    "RandomBrightness": _training_only("factor", "value_range", "seed"),
}
"""The Keras layers that `wrap` and `export` take, by class name."""

_PARTS: Mapping[str, LayerSpec] = {
    "TransposedConv2D": LayerSpec(
        Range.OWN,
        LAYERS["Conv2DTranspose"].settings,
        ("kernel", "bias"),
        kernel="kernel",
        channel_axes=(3,),
        skippable=True,
    ),
    "QuantizeActivation": LayerSpec(Range.OWN),
}
SPECS: Mapping[str, LayerSpec] = {**LAYERS, **_PARTS}
"""LAYERS, and those that the package's own graphs have besides."""

ACTIVATIONS = (
    *(
        "linear",
        "relu",
        "relu6",
        "leaky_relu",
        "elu",
        "exponential",
        "sigmoid",
        "hard_sigmoid",
        "tanh",
        "softmax",
    ),
    *("swish", "silu", "hard_swish", "hard_silu"),
)
"""Names of the activation functions that layers may have; Keras 2 has another hard_sigmoid, which is not taken."""

FIXED_RANGES: Mapping[str, tuple[float, float]] = {
    "sigmoid": (0.0, 255.0 / 256.0),
    "softmax": (0.0, 255.0 / 256.0),
    "tanh": (-1.0, 127.0 / 128.0),
}
"""Ranges that TFLite prescribes for the outputs of activation functions."""
FUSED_ACTIVATIONS = ("relu", "relu6")
"""Activation functions that TFLite computes as a part of the operator before them."""


def positions(output_shape: Sequence[int]) -> int:
    """How often a kernel is applied to compute one output of this shape (without the batch).

    Each weight of a kernel takes part in one product per position: the output pixels of a convolution, once
    for a dense layer.
    """
    return math.prod(output_shape[:-1])
