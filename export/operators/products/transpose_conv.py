"""TRANSPOSE_CONV, read as a convolution whose outputs are put in another order.

Outputs whose positions have the same remainder by the stride are one convolution, with every stride-th row and
column of the kernel, mirrored. All of them together are one convolution with a block of channels for each remainder.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from export.errors import ModelFormatError, UnsupportedModelError
from export.ir.ops import Conv2D, Op, Padding
from export.ir.tensor import Quantization, Tensor
from export.operators.movement.move import move
from export.operators.operator import Alias
from export.operators.products.weights import check_accumulators, read_bias, read_weights
from export.reading.activation import fused_clamp
from export.reading.flatbuffer import RawOperator
from export.reading.lowering import Lowering, check_size
from export.reading.window import pair

_OPTIONS = "TransposeConvOptions"


def _read(state: Lowering, op: RawOperator) -> list[Op]:
    state.arity(op, 3, 4)
    source = state.activation(op, 2)
    x = state.tensors[source]
    if len(state.shape(source)) != 4 or state.shape(source)[0] != 1:
        raise UnsupportedModelError(
            f"{op}: expected an NHWC input of batch 1, got shape {state.shape(source)}"
        )
    weights = read_weights(state, op, axis=0, rank=4)
    channels, *kernel, depth = state.tensors[weights].shape
    shape = tuple(state.integers(op, 0).reshape(-1).tolist())
    stride = pair(state, op, _OPTIONS, "StrideH", "StrideW")
    scheme = state.option(op, _OPTIONS, "Padding")
    if depth != x.shape[3] or len(shape) != 4 or shape[3] != channels or scheme not in (0, 1):
        raise ModelFormatError(
            f"{op}: weights {state.tensors[weights].shape} and output {shape} for an input {x.shape}; the file is "
            "damaged"
        )
    steps = zip(shape[1:3], kernel, stride, strict=True)
    inputs = [
        -(-extent // step) if scheme == 0 else (extent - taps) // step + 1 for extent, taps, step in steps
    ]
    if (shape[0], *inputs) != x.shape[:3]:
        raise ModelFormatError(f"{op}: an output {shape} has no input {x.shape}; the file is damaged")
    output = state.define(op, shape)
    bias = read_bias(state, op, x, weights, output, position=3)
    check_accumulators(state, op, x, weights, bias, output)
    clamp = fused_clamp(state, op, _OPTIONS, output)
    axes = [
        _Axis(x.shape[axis], shape[axis], kernel[axis - 1], stride[axis - 1], scheme == 0) for axis in (1, 2)
    ]
    if any(axis.before < 0 for axis in axes):
        raise UnsupportedModelError(f"{op}: an output of {shape} is too small for its padding")
    blocks = stride[0] * stride[1]
    between = state.temporary(op, output, (1, axes[0].rows, axes[1].rows, blocks * channels))
    check_size(f"{op} as a convolution", (blocks * channels, axes[0].taps, axes[1].taps, depth))
    spread = _mirrored(state, weights, stride)
    spread_bias = bias if blocks == 1 else _repeated(state, bias, blocks)
    padding = Padding(axes[0].before, axes[0].after, axes[1].before, axes[1].after)
    conv = Conv2D((source,), between, spread, spread_bias, (1, 1), (1, 1), padding, clamp)
    index = np.arange(state.tensors[between].size).reshape(
        axes[0].rows, axes[1].rows, stride[0], stride[1], channels
    )
    (rows, row_blocks), (columns, column_blocks) = (axis.places for axis in axes)
    taken = index[rows[:, None], columns[None], row_blocks[:, None], column_blocks[None]]
    return [conv, move(between, output, taken[None])]


class _Axis:
    """One dimension: the convolution's rows, padding and taps, and where each output comes from."""

    def __init__(self, size: int, outputs: int, kernel: int, stride: int, same: bool) -> None:
        padded = max(0, (size - 1) * stride + kernel - outputs) // 2 if same else 0
        at = np.arange(outputs) + padded
        first, last = int(at[0]) // stride, int(at[-1]) // stride
        self.taps = -(-kernel // stride)
        self.before = self.taps - 1 - first
        self.after = max(0, last - (size - 1))
        self.rows = size + self.before + self.after - self.taps + 1
        self.places: tuple[NDArray[np.int64], NDArray[np.int64]] = (at // stride - first, at % stride)


def phases(weights: NDArray[np.int8], stride: tuple[int, int]) -> NDArray[np.int8]:
    """The weights of a transposed convolution as those of a convolution.

    Args:
        weights: int8 [channels, kernel height, kernel width, depth].
        stride: By rows and columns.

    Returns:
        int8 [blocks of channels for each remainder of row and column by the stride, taps y, taps x, depth].
    """
    channels, *kernel, depth = weights.shape
    rows, columns = (-(-extent // step) for extent, step in zip(kernel, stride, strict=True))
    padded = np.zeros((channels, rows * stride[0], columns * stride[1], depth), np.int8)
    padded[:, : kernel[0], : kernel[1]] = weights
    taps = padded.reshape(channels, rows, stride[0], columns, stride[1], depth)
    mirrored = taps[:, ::-1, :, ::-1].transpose(2, 4, 0, 1, 3, 5)
    return np.ascontiguousarray(mirrored.reshape(-1, rows, columns, depth))


def _mirrored(state: Lowering, weights: int, stride: tuple[int, int]) -> int:
    held = state.tensors[weights]
    assert held.data is not None
    data = phases(held.data.astype(np.int8), stride)
    quantization = held.quant
    if len(quantization.scales) > 1:
        blocks = stride[0] * stride[1]
        quantization = Quantization(quantization.scales * blocks, quantization.zero_points * blocks, 0)
    return _added(state, Tensor(held.name, data.shape, "int8", quantization, data))


def _repeated(state: Lowering, bias: int | None, blocks: int) -> int | None:
    if bias is None:
        return None
    held = state.tensors[bias]
    assert held.data is not None
    quantization = held.quantization
    if quantization is not None and len(quantization.scales) > 1:
        quantization = Quantization(quantization.scales * blocks, quantization.zero_points * blocks, 0)
    data = np.tile(held.data, blocks)
    return _added(state, Tensor(held.name, data.shape, "int32", quantization, data))


def _added(state: Lowering, tensor: Tensor) -> int:
    state.tensors.append(tensor)
    return len(state.tensors) - 1


TRANSPOSE_CONV = Alias({"TRANSPOSE_CONV": _read}, "any kernel, stride and padding; as a convolution")
