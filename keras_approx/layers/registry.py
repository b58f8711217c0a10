"""The layers that can be wrapped: their settings, weights, kernels, and kinds of output range."""

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
    FIXED = "fixed"  # [0, 255/256]: prescribed for SOFTMAX and LOGISTIC


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
        differs_in_training: Whether it computes something else while training.
    """

    range: Range
    settings: tuple[str, ...] = ()
    weights: tuple[str, ...] = ()
    required: Mapping[str, tuple[Any, ...]] = field(default_factory=dict)
    kernel: str | None = None
    channel_axes: tuple[int, ...] = ()
    skippable: bool = False
    differs_in_training: bool = False


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
_PADDINGS = {"padding": ("valid", "same"), **_CHANNELS_LAST}
_POOLING = LayerSpec(Range.SAME, ("pool_size", "strides", "padding"), required=_PADDINGS)

SPECS: Mapping[str, LayerSpec] = {
    "InputLayer": LayerSpec(Range.OWN),
    "Conv2D": LayerSpec(
        Range.OWN,
        ("filters", *_CONVOLUTION, *_KERNEL),
        ("kernel", "bias"),
        {"groups": (1,), **_PADDINGS},
        kernel="kernel",
        channel_axes=(3,),
        skippable=True,
    ),
    "DepthwiseConv2D": LayerSpec(
        Range.OWN,
        (*_CONVOLUTION, *_DEPTHWISE),
        ("depthwise_kernel", "bias"),
        _PADDINGS,
        kernel="depthwise_kernel",
        channel_axes=(2, 3),
    ),
    "SeparableConv2D": LayerSpec(
        Range.OWN,
        ("filters", *_CONVOLUTION, *_DEPTHWISE, "pointwise_regularizer", "pointwise_constraint"),
        ("depthwise_kernel", "pointwise_kernel", "bias"),
        _PADDINGS,
    ),
    "Dense": LayerSpec(
        Range.OWN,
        (
            "units",
            "use_bias",
            "activation",
            *_KERNEL,
            "bias_regularizer",
            "bias_constraint",
        ),
        ("kernel", "bias"),
        kernel="kernel",
        channel_axes=(1,),
        skippable=True,
    ),
    "BatchNormalization": LayerSpec(
        Range.OWN,
        (
            *("momentum", "epsilon", "center", "scale", "beta_regularizer", "gamma_regularizer"),
            *("beta_constraint", "gamma_constraint"),
        ),
        ("gamma", "beta", "moving_mean", "moving_variance"),
        {"renorm": (False,), "virtual_batch_size": (None,), "synchronized": (False,)},
        differs_in_training=True,
    ),
    "Activation": LayerSpec(Range.OWN, ("activation",)),
    "ReLU": LayerSpec(
        Range.OWN,
        ("max_value",),
        required={"max_value": (None, 6), "negative_slope": (0, None), "threshold": (0, None)},
    ),
    "Softmax": LayerSpec(Range.FIXED, ("axis",)),
    "Add": LayerSpec(Range.OWN),
    "Concatenate": LayerSpec(Range.SAME, ("axis",)),
    "MaxPooling2D": _POOLING,
    "AveragePooling2D": _POOLING,
    "GlobalAveragePooling2D": LayerSpec(Range.OWN, ("keepdims",), required=_CHANNELS_LAST),
    "GlobalMaxPooling2D": LayerSpec(Range.SAME, ("keepdims",), required=_CHANNELS_LAST),
    "ZeroPadding2D": LayerSpec(Range.SAME, ("padding",), required=_CHANNELS_LAST),
    "Flatten": LayerSpec(Range.SAME, required=_CHANNELS_LAST),
    "Reshape": LayerSpec(Range.SAME, ("target_shape",)),
    "Dropout": LayerSpec(Range.SAME, ("rate", "noise_shape", "seed"), differs_in_training=True),
}

ACTIVATIONS = ("linear", "relu", "relu6", "sigmoid", "softmax")
FIXED_RANGE_ACTIVATIONS = ("sigmoid", "softmax")
FIXED_RANGE = (0.0, 255.0 / 256.0)


def positions(output_shape: Sequence[int]) -> int:
    """How often a kernel is applied to compute one output of this shape (without the batch).

    Each weight of a kernel takes part in one product per position: the output pixels of a convolution, once
    for a dense layer.
    """
    return math.prod(output_shape[:-1])
