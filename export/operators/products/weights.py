"""Reads weights and biases, and checks the sums they lead to."""

from __future__ import annotations

import math

import numpy as np

from export.errors import ModelFormatError, QuantizationError, UnsupportedModelError
from export.ir.bounds import accumulator_bounds
from export.ir.fixed_point import fits_shifted, quantize_multiplier
from export.ir.tensor import Quantization, Tensor
from export.reading.flatbuffer import RawOperator
from export.reading.lowering import Lowering
from keras_approx.text import plural

_BIAS_TOLERANCE = 0.02


def read_weights(state: Lowering, op: RawOperator, axis: int, rank: int) -> int:
    stored = state.stored(op, 1)
    if stored.data is None:
        raise UnsupportedModelError(f"{op}: the weights ({stored.name[:60]!r}) must be a constant")
    quantization = state.quantization(stored, str(op), per_tensor=False)
    if len(stored.shape) != rank or min(stored.shape) < 1:
        raise ModelFormatError(f"{op}: weights of shape {stored.shape}; the file is damaged")
    if any(quantization.zero_points):
        raise QuantizationError(
            f"{op}: weights must have zero point 0 (symmetric int8), got {quantization.zero_points[:4]}; "
            "convert the model with the int8 (not uint8) quantizer"
        )
    if len(quantization.scales) > 1 and (
        quantization.axis != axis or len(quantization.scales) != stored.shape[axis]
    ):
        raise QuantizationError(
            f"{op}: {plural(len(quantization.scales), 'scale')} along axis {quantization.axis} of weights "
            f"{stored.shape}, expected one per output channel (axis {axis})"
        )
    return state.constant(op, 1, "int8", quantization)


def read_bias(
    state: Lowering, op: RawOperator, x: Tensor, weights: int, output: int, position: int = 2
) -> int | None:
    """Lowers the bias, if there is one."""
    target = state.tensors[output]
    scales = tuple(x.quant.scale * scale for scale in state.tensors[weights].quant.scales)
    if len(op.inputs) <= position or op.inputs[position] < 0:
        return None
    stored = state.stored(op, position)
    if stored.shape != (target.shape[-1],):
        raise ModelFormatError(
            f"{op}: bias of shape {stored.shape}, expected ({target.shape[-1]},); the file is damaged"
        )
    # Kernels add the bias to the accumulator as it is, so another scale would be a mistake in the file.
    if stored.scales and not _matches(stored.scales, scales):
        raise QuantizationError(
            f"{op}: the bias scale must be input scale * weight scale ({scales[0]:g}), got {stored.scales[0]:g}"
        )
    axis = 0 if len(scales) > 1 else None
    return state.constant(op, position, "int32", Quantization(scales, (0,) * len(scales), axis))


def _matches(scales: tuple[float, ...], expected: tuple[float, ...]) -> bool:
    if len(scales) not in (1, len(expected)):
        return False
    spread = scales * (len(expected) // len(scales))
    return all(math.isclose(a, b, rel_tol=_BIAS_TOLERANCE) for a, b in zip(spread, expected, strict=True))


def check_accumulators(
    state: Lowering, op: RawOperator, x: Tensor, weights: int, bias: int | None, output: int
) -> None:
    """Demands that no input can overflow the 32 bits of an accumulator, nor its shift to the left.

    The reference kernels do not define what comes then, and no model of use gets there.
    """
    constant, target = state.tensors[weights], state.tensors[output].quant.scale
    data = None if bias is None else state.tensors[bias].data
    assert constant.data is not None
    axis = 3 if op.name == "DEPTHWISE_CONV_2D" else 0
    low, high = accumulator_bounds(constant.data, data, x.quant.zero_point, axis)
    most = np.maximum(-low - 1, high)
    shifts = [quantize_multiplier(x.quant.scale * scale / target)[1] for scale in constant.quant.scales]
    # Channel by channel: one without weights may have a huge bias, which only its own tiny scale is for.
    if not fits_shifted(most, np.array(shifts)):
        raise QuantizationError(
            f"{op}: sums of products can overflow 32 bits; the bias is too large, or the output scale too small "
            "for the input and weight scales: quantize the model again"
        )
