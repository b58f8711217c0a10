"""Layers of every kind and of many shapes, for `plain_c` to measure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from export.ir.graph import Graph, State
from export.ir.ops import (
    Add,
    AveragePool2D,
    Concatenation,
    Conv2D,
    DepthwiseConv2D,
    FullyConnected,
    LogSoftmax,
    MaxPool2D,
    Mean,
    Op,
    Padding,
    Reshape,
    Softmax,
)
from export.ir.tensor import Quantization, Tensor
from export.kernels.elementwise.lines import ChannelLine, Rounding
from export.operators.elementwise.arithmetic import Arithmetic
from export.operators.elementwise.lines import Lines
from export.operators.movement.move import move
from export.operators.movement.pad import Fill
from export.operators.movement.resize import ResizeBilinear
from export.operators.products.matmul import MatMul
from export.operators.reductions.reduce import ArgMax, Function, Reduce
from export.operators.states.lstm import Gate, Lstm
from export.operators.states.svdf import Svdf

_SMALL = 1 / 3
_WIDE = 72  # pixels of a window that kernels do not average
_KERNELS = (
    *((1, 1), (3, 3), (1, 2), (2, 1), (1, 3), (3, 1), (2, 2), (2, 3), (3, 2), (1, 5), (5, 1)),
    *((2, 4), (1, 7), (7, 1), (4, 2), (4, 4), (2, 5), (5, 3), (1, 12)),
)
"""Of convolutions one channel at a time, up to nine taps of which stand one after the other."""
_TAPS = ((1, 1), (1, 2), (3, 1), (2, 2), (1, 5), (3, 2), (7, 1), (2, 4), (3, 3))
_FEW = 3  # turns that are written out


class Layers:
    """Grows a graph of single layers, each with inputs of its own kind and an output.

    Args:
        seed: Of shapes and values.
        start: The number of the first round. What is seldom met comes in some rounds, of ten.
    """

    def __init__(self, seed: Sequence[int], start: int = 0) -> None:
        self.rng = np.random.default_rng(seed)
        self.round = start
        self.tensors: list[Tensor] = []
        self.ops: list[Op] = []
        self.states: list[State] = []
        self.inputs: dict[tuple[int, ...], int] = {}

    @property
    def rare(self) -> bool:
        """Whether it is time for what is seldom met: a scale that is so small that products are shifted to the left."""
        return self.round % 4 == 3

    def extent(self, most: int) -> int:
        """A random extent; a third are so small that compilers unroll their loops."""
        return int(self.rng.integers(1, 4) if self.rng.random() < _SMALL else self.rng.integers(4, most + 1))

    def shape(self, most: int = 12, channels: int = 32) -> tuple[int, int, int, int]:
        """An image."""
        return 1, self.extent(most), self.extent(most), self.extent(channels)

    def tensor(
        self, shape: Sequence[int], dtype: str = "int8", data: Any = None, scale: float | None = None
    ) -> int:
        """A tensor, of a random scale if none is given: others are multiplied in other ways than powers of two."""
        scale = 0.05 * 2 ** self.rng.uniform(-0.9, 0.9) if scale is None else scale
        quantization = None if dtype == "int32" else Quantization((scale,), (3,))
        self.tensors.append(Tensor(f"t{len(self.tensors)}", tuple(shape), dtype, quantization, data))
        return len(self.tensors) - 1

    def input(self, shape: Sequence[int]) -> int:
        key = tuple(shape)
        if key not in self.inputs:
            self.inputs[key] = self.tensor(key)
        return self.inputs[key]

    def constant(self, shape: Sequence[int]) -> int:
        return self.tensor(shape, data=self.rng.integers(-128, 128, shape).astype(np.int8))

    def weights(self, shape: Sequence[int], channels: int) -> dict[str, int]:
        values = self.rng.integers(-127, 128, shape).astype(np.int8)
        held = Tensor("w", tuple(shape), "int8", Quantization((0.002,), (0,)), values)
        bias = Tensor("b", (channels,), "int32", Quantization((1e-4,), (0,)), np.zeros(channels, np.int32))
        self.tensors += [held, bias]
        return {"weights": len(self.tensors) - 2, "bias": len(self.tensors) - 1}

    def graph(self) -> Graph:
        outputs = tuple(op.output for op in self.ops)
        return Graph(
            tuple(self.tensors), tuple(self.ops), tuple(self.inputs.values()), outputs, tuple(self.states)
        )


def _arithmetic(n: Layers) -> None:
    for function in ("add", "mul", "prelu", "maximum", "sub"):
        x = n.shape()
        others = [n.constant((1, x[3])), n.input(x), n.constant((1, x[1], 1, 1)), n.constant((1, 1))]
        y = others[int(n.rng.integers(len(others)))]
        scale = 1e-3 if n.rare and function in ("mul", "prelu") else None
        n.ops.append(Arithmetic((n.input(x), y), n.tensor(x, scale=scale), function, (-128, 127)))


def _moves(n: Layers) -> None:
    x = n.shape()
    index = np.arange(int(np.prod(x))).reshape(x)
    for axis, extent in ((3, int(n.rng.integers(9, 24))), (2, 5)):
        taken = index.take(n.rng.integers(0, x[axis], extent), axis)
        n.ops.append(move(n.input(x), n.tensor(taken.shape), taken))
    padded = (1, x[1] + 2, x[2] + 1, x[3] + 3)
    places = np.arange(int(np.prod(padded))).reshape(padded)[:, 1:-1, :-1, 2:-1]
    made = move(0, 0, places)
    n.ops.append(Fill((n.input(x),), n.tensor(padded), 5, made.start, made.offsets))
    few = (1, 3, 4, 1 + n.round % _FEW)
    n.ops.append(Concatenation((n.input(few),) * 2, n.tensor((*few[:3], 2 * few[3])), 3))
    joined = (1, 2, *x[1:])
    n.ops.append(Concatenation((n.input((1, 1, *x[1:])),) * 2, n.tensor(joined), 1))


def _reshapes(n: Layers) -> None:
    """Reshapes of images with gaps between pixels, whose dimensions are not those of the output split or joined."""
    x, channels = n.shape(), 2 * n.extent(16) + 1
    held: Any = n.weights((channels, 1, 1, x[3]), channels)
    image = n.tensor((*x[:3], channels))
    fields: dict[str, Any] = {
        "stride": (1, 1),
        "dilation": (1, 1),
        "padding": Padding(),
        "clamp": (-128, 127),
    }
    n.ops.append(Conv2D((n.input(x),), image, **held, **fields))
    n.ops.append(Reshape((image,), n.tensor((1, channels, *x[1:3]))))


def _reductions(n: Layers) -> None:
    for function, axes in (
        ("mean", (3,)),
        ("sum", (1,)),
        ("sum", (2, 3)),
        ("max", (1, 2)),
        ("max", (2,)),
        ("max", (3,)),
        ("mean", (1, 2, 3)),
    ):
        x = n.shape()
        shape = [1 if axis in axes else extent for axis, extent in enumerate(x)]
        out = n.tensor(shape, scale=1e-4 if n.rare and function == "mean" else None)
        n.ops.append(Reduce((n.input(x),), out, function, axes))  # type: ignore[arg-type]
    for axis in (1, 2, 3):
        x = n.shape()
        shape = [1 if at == axis else extent for at, extent in enumerate(x)]
        n.ops.append(ArgMax((n.input(x),), n.tensor(shape, "int32"), axis, bool(n.rng.random() < 0.5)))
    few = 1 + n.round % _FEW
    for function in ("max", "sum"):
        n.ops.append(Reduce((n.input((1, 4, 5, few)),), n.tensor((1, 4, 5, 1)), function, (3,)))  # type: ignore[arg-type]
    n.ops.append(ArgMax((n.input((1, 4, 5, few)),), n.tensor((1, 4, 5, 1), "int32"), 3, False))
    for image in (n.shape(), n.shape(), (1, 1, few, n.extent(40)), n.shape(40, 4)):
        scale = 1e-4 if n.rare else None
        n.ops.append(Mean((n.input(image),), n.tensor((1, image[3]), scale=scale)))


def _pools(n: Layers) -> None:
    """Pools of windows that are too large for kernels."""
    height, width = (_WIDE + n.rng.integers(0, 9, 2)).tolist()
    down, across, channels = n.rng.integers((0, 0, 1), (2, 2, 4)).tolist()
    kernel = (height - down, width - across)
    pool = (AveragePool2D, MaxPool2D)[n.round // 2 % 2]
    out = n.tensor((1, 1 + down, 1 + across, channels))
    source = n.input((1, height, width, channels))
    n.ops.append(pool((source,), out, kernel, (1, 1), Padding(), (-128, 127)))


def _products(n: Layers) -> None:
    """Blocks of one to four channels, a lone one, runs of few inputs and of many, in turn."""
    turn = n.round
    channels = (1, 2, 3, 3, 5, 7, 6, 13, 12, 5)[turn % 10]
    inputs = 1 + turn // 2 % _FEW if turn % 2 == 0 else n.extent(24) + _FEW
    _convolution(n, (*n.shape(8)[:3], inputs), channels, once=turn % 4 == 1)
    _convolution(
        n, (*n.shape(8)[:3], (1, 5, 2, 9, 3)[turn % 5]), 1, once=turn % 2 == 1, left=turn // 2 % 2 == 1
    )
    inputs = 1 + turn % _FEW if turn % 4 else n.extent(24) + _FEW
    _convolution(n, (*n.shape(8)[:3], inputs), 4 + turn % 4, once=turn % 3 == 1, left=turn % 4 == 3)
    for number in range(2):
        _depthwise(
            n, 1 + n.extent(24), _KERNELS[(2 * turn + number) % len(_KERNELS)], 1 + (turn + number) % 2
        )
    _depthwise(n, 1, _TAPS[turn % len(_TAPS)], 1)
    _dense(n, (3, 60, 2, 40, 1)[turn % 5], 1)
    _dense(
        n, 1 + turn // 3 % _FEW if turn % 3 == 0 else n.extent(150) + _FEW, 4 * (1 + turn % 3) + 1 + turn % 4
    )
    x = n.shape(8)
    n.ops.append(Add((n.input(x), n.constant(x)), n.tensor(x), (-128, 127)))
    rows, inner, columns = (1 + n.extent(19) for _ in range(3))
    shapes = (1, rows, inner), (1, inner, columns)
    flip = bool(n.rng.random() < 0.5)
    operands = n.input(shapes[0]), n.constant((1, columns, inner) if flip else shapes[1])
    stored = shapes[0], (1, columns, inner) if flip else shapes[1]
    out = n.tensor((1, rows, columns), scale=1e-3 if n.rare else None)
    n.ops.append(MatMul(operands, out, stored, (False, flip)))


def _scale(left: bool) -> float | None:
    """Of outputs; one so small that products are shifted to the left."""
    return 2e-5 if left else None


def _convolution(
    n: Layers, x: tuple[int, int, int, int], channels: int, *, once: bool, left: bool = False
) -> None:
    """A convolution, half of them with a border around the input."""
    kernel = [min(int(n.rng.integers(1, 4)), extent) for extent in x[1:3]]
    edge = n.rng.integers(0, 2, 2).tolist() if n.rng.random() < 0.5 else [0, 0]
    stride = (1, 1) if n.rng.random() < 0.7 else (2, 2)
    padded = [x[1 + axis] + 2 * edge[axis] - kernel[axis] for axis in range(2)]
    size = [padded[axis] // stride[axis] + 1 for axis in range(2)]
    fields: dict[str, Any] = {
        "stride": stride,
        "dilation": (1, 1),
        "padding": Padding(edge[0], edge[0], edge[1], edge[1]),
        "clamp": (-128, 127),
    }
    held: Any = n.weights((channels, *kernel, x[3]), channels)
    out = n.tensor((1, *size, channels), scale=_scale(left))
    n.ops.append(Conv2D((n.input(x),), out, **held, **fields, once=once))


def _depthwise(n: Layers, inputs: int, kernel: tuple[int, int], multiplier: int) -> None:
    """A convolution of one channel at a time."""
    size = [int(n.rng.integers(1, 7)) for _ in kernel]
    x = (1, size[0] + kernel[0] - 1, size[1] + kernel[1] - 1, inputs)
    fields: dict[str, Any] = {
        "stride": (1, 1),
        "dilation": (1, 1),
        "padding": Padding(),
        "clamp": (-128, 127),
    }
    held: Any = n.weights((1, *kernel, inputs * multiplier), inputs * multiplier)
    out = n.tensor((1, *size, inputs * multiplier), scale=_scale(n.rare))
    n.ops.append(DepthwiseConv2D((n.input(x),), out, **held, **fields, multiplier=multiplier))


def _dense(n: Layers, depth: int, channels: int) -> None:
    held: Any = n.weights((channels, depth), channels)
    out = n.tensor((1, channels), scale=_scale(n.rare))
    n.ops.append(FullyConnected((n.input((1, depth)),), out, **held, clamp=(-128, 127)))


def _shuffled(n: Layers) -> None:
    """Layers between convolutions: where activations are bytes, the middle two of every four channels change places."""
    x = (*n.shape(8)[:3], 4 * int(n.rng.integers(1, 7)))
    twice, padded = (1, x[1], 2 * x[2], x[3]), (1, x[1] + 1, x[2] + 1, x[3])
    rows, columns = (tuple((i, min(i + 1, extent - 1), 300) for i in range(extent)) for extent in x[1:3])
    inside = move(0, 0, np.arange(int(np.prod(padded))).reshape(padded)[:, 1:, :-1])
    fields: dict[str, Any] = {
        "stride": (1, 1),
        "dilation": (1, 1),
        "padding": Padding(),
        "clamp": (-128, 127),
    }
    held: Any = n.weights((1, 1, 1, x[3]), x[3])
    made: list[Op] = []
    for shape, make in (
        (x, lambda source, out: ResizeBilinear((source,), out, rows, columns)),
        (x, lambda source, out: Softmax((source,), out, 1.0)),
        (x, lambda source, out: LogSoftmax((source,), out)),
        (x, lambda source, out: Add((source, n.input(x)), out, (-128, 127))),
        (x, lambda source, out: Lines((source,), out, _lines(n, x[3]))),
        (twice, lambda source, out: Concatenation((source, source), out, 2)),
        (padded, lambda source, out: Fill((source,), out, 5, inside.start, inside.offsets)),
    ):
        before, after = n.tensor(x), n.tensor(shape)
        made.append(DepthwiseConv2D((n.input(x),), before, **held, **fields, multiplier=1))
        made.append(make(before, after))
        made.append(DepthwiseConv2D((after,), n.tensor(shape), **held, **fields, multiplier=1))
    n.ops += made


def _lines(n: Layers, channels: int) -> tuple[ChannelLine, ...]:
    """A line for each channel, or two, with a rounding or none."""
    slopes, offsets = tuple(n.rng.integers(1, 999, channels).tolist()), tuple(range(channels))
    rounding = Rounding(1 << 30, 3, True) if n.rng.random() < 0.5 else None
    line = ChannelLine(slopes, offsets, 9, (-128, 127), rounding)
    return (line,) * int(n.rng.integers(1, 3))


def _others(n: Layers) -> None:
    x = n.shape()
    rows, columns = (
        [(i % extent, min(i % extent + 1, extent - 1), 512) for i in range(9)] for extent in x[1:3]
    )
    n.ops.append(ResizeBilinear((n.input(x),), n.tensor((1, 9, 9, x[3])), tuple(rows), tuple(columns)))
    classes = int(n.rng.integers(512, 1200))
    n.ops.append(Softmax((n.input((1, classes)),), n.tensor((1, classes), scale=1 / 256), 1.0))
    for extents in (n.shape(), (1, classes)):
        n.ops.append(LogSoftmax((n.input(extents),), n.tensor(extents, scale=1 / 16)))
    units, inputs, steps = n.rng.integers(3, 20, 3).tolist()
    gates = tuple(
        Gate(
            n.rng.integers(-127, 128, units * inputs).astype(np.int8).tobytes(),
            n.rng.integers(-127, 128, units * units).astype(np.int8).tobytes(),
            tuple(n.rng.integers(-9999, 9999, units).tolist()),
            tuple(n.rng.integers(-9999, 9999, units).tolist()),
            (1 << 30, -4),
            (1 << 30, -4),
        )
        for _ in range(4)
    )
    held = [n.tensor((1, units)), n.tensor((1, units), "int16")]
    n.states += [
        State(held[0], None, np.zeros((1, units), np.int8)),
        State(held[1], None, np.zeros((1, units), np.int16)),
    ]
    out = n.tensor((1, steps, units))
    n.ops.append(Lstm((n.input((1, steps, inputs)), *held), out, gates, 11, 20480, (1 << 30, -21), 3))
    filters, memory, depth = 2 * units, int(n.rng.integers(3, 12)), int(n.rng.integers(4, 40))
    kept = n.tensor((1, filters * memory), "int16")
    n.states.append(State(kept, None, np.zeros((1, filters * memory), np.int16)))
    feature = n.rng.integers(-127, 128, filters * depth).astype(np.int8).tobytes()
    time = n.rng.integers(-3000, 3000, filters * memory).astype(np.int16).tobytes()
    multipliers = ((1 << 30, -6), (1 << 30, -12))
    made = Svdf(
        (n.input((1, depth)), kept), n.tensor((1, units)), feature, time, (0,) * units, 2, *multipliers
    )
    n.ops.append(made)


def _bordered(n: Layers) -> None:
    """Layers of an image with a border, whose rows do not follow each other without a gap; and few elements."""
    x = (1, 3 + n.extent(9), 3 + n.extent(9), n.extent(24))
    index = np.arange(int(np.prod(x))).reshape(x)
    held: Any = n.weights((1, 3, 3, x[3]), x[3])
    fields: dict[str, Any] = {
        "stride": (1, 1),
        "dilation": (1, 1),
        "padding": Padding(1, 1, 1, 1),
        "clamp": (-128, 127),
    }
    n.ops.append(DepthwiseConv2D((n.input(x),), n.tensor(x), **held, **fields, multiplier=1))
    n.ops.append(Mean((n.input(x),), n.tensor((1, x[3]))))
    reductions: tuple[tuple[Function, tuple[int, ...]], ...] = (
        *(("sum", (1, 2)), ("max", (1, 2)), ("sum", (2,)), ("mean", (3,)), ("max", (1, 2, 3))),
    )
    for function, axes in reductions:
        shape = [1 if axis in axes else extent for axis, extent in enumerate(x)]
        n.ops.append(Reduce((n.input(x),), n.tensor(shape), function, axes))
    for taken in (index.take(n.rng.integers(0, x[3], 9), 3), index[:, ::-1]):
        n.ops.append(move(n.input(x), n.tensor(taken.shape), taken))
    few = (1, 5, 6, 1 + n.round % _FEW)
    turned = np.arange(int(np.prod(few))).reshape(few).transpose(0, 2, 1, 3)
    n.ops.append(move(n.input(few), n.tensor(turned.shape), turned))
    for count in (3, 40):
        n.ops.append(ArgMax((n.input((1, count)),), n.tensor((1,), "int32"), 1, False))


def _blocks(n: Layers) -> None:
    """Convolutions of all blocks and runs of few inputs."""
    for number in range(8):
        count = 1 + (n.round + number) % 4
        inputs = 1 + (n.round + number // 2) % 4 if number % 2 else n.extent(24) + _FEW
        channels = count + 4 * (number // 4)
        _convolution(n, (*n.shape(8)[:3], inputs), channels, once=number % 3 == 1, left=n.round % 5 == 4)


FAMILIES = (
    *(_arithmetic, _moves, _reshapes, _reductions, _pools, _products, _shuffled, _others),
    *(_bordered, _blocks),
)
