"""Fused activations as bounds of the quantized output."""

from __future__ import annotations

import math

import numpy as np

from export.errors import QuantizationError, UnsupportedModelError
from export.ir.real import PROBABILITY
from export.ir.tensor import Quantization
from export.reading.flatbuffer import RawOperator
from export.reading.lowering import Lowering

_CODES = {0: "NONE", 1: "RELU", 2: "RELU_N1_TO_1", 3: "RELU6", 4: "TANH", 5: "SIGN_BIT"}
_BOUNDS: dict[str, tuple[float | None, float | None]] = {
    "NONE": (None, None),
    "RELU": (0.0, None),
    "RELU_N1_TO_1": (-1.0, 1.0),
    "RELU6": (0.0, 6.0),
    "RELU_0_TO_1": (0.0, 1.0),
}


def fused_clamp(state: Lowering, op: RawOperator, options_type: str, output: int) -> tuple[int, int]:
    """Output bounds of the activation fused into an operator."""
    code = state.option(op, options_type, "FusedActivationFunction")
    name = _CODES.get(code, str(code))
    if name not in _BOUNDS:
        raise UnsupportedModelError(
            f"{op}: fused activation {name} is not supported; expected {', '.join(_BOUNDS)}"
        )
    return clamp_bounds(state.tensors[output].quant, name)


def clamp_bounds(quantization: Quantization, activation: str) -> tuple[int, int]:
    """Quantized bounds of NONE, RELU, RELU6 or RELU_N1_TO_1.

    The kernels divide in single precision and round ties away from zero.
    """

    def quantize(real: float) -> int:
        ratio = float(np.float32(real) / np.float32(quantization.scale))
        return quantization.zero_point + int(math.copysign(math.floor(abs(ratio) + 0.5), ratio))

    low, high = _BOUNDS[activation]
    return (
        -128 if low is None else max(-128, quantize(low)),
        127 if high is None else min(127, quantize(high)),
    )


def define_probability(state: Lowering, op: RawOperator, shape: tuple[int, ...]) -> int:
    """Makes an output whose values are 0 .. 255 of 256."""
    output = state.define(op, shape)
    check_scale(op, state.tensors[output].quant, *PROBABILITY)
    return output


def check_scale(op: RawOperator, quantization: Quantization, scale: float, zero_point: int) -> None:
    """Demands the one quantization that a kernel writes."""
    if (quantization.scale, quantization.zero_point) != (scale, zero_point):
        raise QuantizationError(
            f"{op}: the output must have scale 1/{1 / scale:.0f} and zero point {zero_point}, got "
            f"{quantization.scale:g} and {quantization.zero_point}"
        )
