"""Quantizers, after the model optimization toolkit's interface, for int8 weights and activations.

Both keep zero exactly zero, so a skipped product stays skipped through fake quantization and conversion.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from keras_approx.compat import keras, tf, tfmot

QMIN, QMAX = -128, 127


class KernelQuantizer(tfmot.quantization.keras.quantizers.Quantizer):
    """Symmetric int8 weights in -127..127, one scale per output channel: max|w| / 127 of the weights as they
    are.

    The gradient passes straight through. A batch normalization that follows scales whole channels, so folding
    it into the kernel later changes the scales and leaves every integer what it was in training.

    Args:
        channel_axes: Axes of the kernel that number output channels.
    """

    def __init__(self, channel_axes: Sequence[int]) -> None:
        self.channel_axes = tuple(channel_axes)

    def build(self, tensor_shape: Any, name: str, layer: Any) -> dict[str, Any]:
        del tensor_shape, name, layer  # the scales follow from the weights: there is no state
        return {}

    def __call__(self, inputs: Any, training: Any, weights: Mapping[str, Any], **kwargs: Any) -> Any:
        del training, weights, kwargs
        axes = [axis for axis in range(inputs.shape.rank) if axis not in self.channel_axes]
        scale = tf.reduce_max(tf.abs(inputs), axis=axes, keepdims=True) / QMAX
        quantized = tf.round(tf.math.divide_no_nan(inputs, scale)) * scale
        return inputs + tf.stop_gradient(quantized - inputs)

    def get_config(self) -> dict[str, Any]:
        return {"channel_axes": list(self.channel_axes)}


class RangeQuantizer(tfmot.quantization.keras.quantizers.Quantizer):
    """Asymmetric int8 activations over a range that calibration sets; identity while the range is empty.

    The range is state, not a moving average: it changes only when it is measured. A tensor clipped by
    it passes no gradient where it is clipped.
    """

    def build(self, tensor_shape: Any, name: str, layer: Any) -> dict[str, Any]:
        del tensor_shape
        zeros = keras.initializers.Zeros()
        return {
            end: layer.add_weight(f"{name}_{end}", shape=(), initializer=zeros, trainable=False)
            for end in ("min", "max")
        }

    def __call__(self, inputs: Any, training: Any, weights: Mapping[str, Any], **kwargs: Any) -> Any:
        del training, kwargs
        low, high = tf.convert_to_tensor(weights["min"]), tf.convert_to_tensor(weights["max"])
        return tf.cond(
            high > low,
            lambda: tf.quantization.fake_quant_with_min_max_vars(inputs, low, high),
            lambda: tf.identity(inputs),
        )

    def get_config(self) -> dict[str, Any]:
        return {}


def int8_range(low: float, high: float) -> tuple[float, float]:
    """The range of an int8 tensor that holds every value in [low, high]: it contains zero, exactly
    representable.

    Args:
        low: Smallest value.
        high: Largest value.

    Returns:
        (-128 - zero_point) * scale and (127 - zero_point) * scale for the scale and zero point that fit best.
        If all values are zero, any scale does: the range is [0, 1].
    """
    low, high = min(low, 0.0), max(high, 0.0)
    if low == high:
        return 0.0, 1.0
    scale = (high - low) / (QMAX - QMIN)
    zero_point = round(QMIN - low / scale)
    return (QMIN - zero_point) * scale, (QMAX - zero_point) * scale


def quantize_kernel(kernel: np.ndarray, channel_axes: Sequence[int]) -> tuple[np.ndarray, np.ndarray]:
    """What KernelQuantizer makes of a kernel, in NumPy.

    Args:
        kernel: float32.
        channel_axes: Axes of the kernel that number output channels.

    Returns:
        The weights as int8 numbers of the kernel's shape, and the largest weight of each channel, 127 times its scale,
        float32 of a shape that goes with it.
    """
    axes = tuple(axis for axis in range(kernel.ndim) if axis not in channel_axes)
    peaks = np.abs(kernel).max(axis=axes, keepdims=True)
    scales = peaks / np.float32(QMAX)
    ratio = np.divide(kernel, scales, out=np.zeros_like(kernel), where=scales != 0)
    return np.round(ratio).astype(np.int8), peaks
