"""Operators of the int8 graph, as frozen records.

Each names the tensors it reads and writes by their index in `Graph.tensors`, and holds its attributes already
checked: paddings are explicit amounts, activations are clamping bounds of the quantized output.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Padding:
    """Elements added around the two spatial dimensions."""

    top: int = 0
    bottom: int = 0
    left: int = 0
    right: int = 0


@dataclass(frozen=True)
class Op:
    """What all operators share: `inputs` are activations or int8 constants, weights have fields of their own."""

    inputs: tuple[int, ...]
    output: int

    @property
    def updates(self) -> tuple[int, ...]:
        """Those of its inputs that it changes: states, whose next values its arithmetic returns behind the output."""
        return ()


@dataclass(frozen=True)
class _Conv(Op):
    """Weights are int8 with zero point 0; bias is int32 or absent (None)."""

    weights: int
    bias: int | None
    stride: tuple[int, int]  # (y, x)
    dilation: tuple[int, int]  # (y, x)
    padding: Padding
    clamp: tuple[int, int]  # quantized output bounds, inclusive


@dataclass(frozen=True)
class Conv2D(_Conv):
    """Weights [out channels, kernel y, kernel x, in channels]. Requantizes with two roundings, or with one.

    With one it is a dense layer at every position of an image.
    """

    once: bool = False


@dataclass(frozen=True)
class DepthwiseConv2D(_Conv):
    """Weights [1, kernel y, kernel x, in channels * multiplier]. Requantizes with two roundings."""

    multiplier: int


@dataclass(frozen=True)
class FullyConnected(Op):
    """Weights [out, in]; the input is taken as flat, row-major. Requantizes with one rounding."""

    weights: int
    bias: int | None
    clamp: tuple[int, int]


@dataclass(frozen=True)
class Add(Op):
    """Elementwise sum of two tensors of the same shape."""

    clamp: tuple[int, int]


@dataclass(frozen=True)
class Concatenation(Op):
    """Joins along `axis` (non-negative); inputs and output share one quantization."""

    axis: int


@dataclass(frozen=True)
class _Pool(Op):
    kernel: tuple[int, int]
    stride: tuple[int, int]
    padding: Padding
    clamp: tuple[int, int]


@dataclass(frozen=True)
class MaxPool2D(_Pool):
    """Padding never wins; input and output share one quantization."""


@dataclass(frozen=True)
class AveragePool2D(_Pool):
    """Divides by the number of elements inside the input; input and output share one quantization."""


@dataclass(frozen=True)
class Mean(Op):
    """Mean over both spatial dimensions of an NHWC tensor, requantized; the output may keep them, each of 1."""


@dataclass(frozen=True)
class Pad(Op):
    """Pads the spatial dimensions with the zero point; input and output share one quantization."""

    padding: Padding


@dataclass(frozen=True)
class Reshape(Op):
    """Same values in row-major order, another shape."""


@dataclass(frozen=True)
class Softmax(Op):
    """Over the last dimension. The output has scale 1/256 and zero point -128."""

    beta: float


@dataclass(frozen=True)
class LogSoftmax(Op):
    """The logarithm of a softmax over the last dimension. The output has scale 1/16 and zero point 127."""


@dataclass(frozen=True)
class Relu(Op):
    """A stand-alone ReLU, requantized and clamped to `clamp`."""

    clamp: tuple[int, int]


@dataclass(frozen=True)
class Lookup(Op):
    """Elementwise table, output = table[input + 128]: what functions of single values become."""

    table: tuple[int, ...]
