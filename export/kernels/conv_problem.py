"""From an operator of the graph and the layouts around it to the convolution the planner solves."""

from __future__ import annotations

from functools import partial
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from export.ir.bounds import accumulator_bounds
from export.ir.fixed_point import Ints, Multiplier, conv_multipliers
from export.ir.graph import Graph
from export.ir.ops import Conv2D, DepthwiseConv2D, FullyConnected, MaxPool2D, Padding
from export.ir.requantization import requantize_conv, requantize_dense
from export.kernels.direct.loops import Geometry
from export.kernels.direct.plan import ConvProblem
from export.kernels.language.steps import WORD
from export.kernels.layout import Layout
from export.kernels.linear import Linear, linear_requantization
from export.kernels.planes.plan import DepthwiseProblem
from export.kernels.requantize import Requantization, Scaling, constant_requantization, plan_requantization


def conv_problem(
    graph: Graph,
    op: Conv2D | DepthwiseConv2D | FullyConnected,
    pool: MaxPool2D | None,
    source: Layout,
    target: Layout,
) -> ConvProblem | None:
    """States a layer as a planning problem.

    Args:
        graph: The network.
        op: The layer.
        pool: The 2 x 2 max pool fused behind it, or None.
        source: Layout of the layer's input, int16 or shuffled int8.
        target: Layout of its output, the pool's if there is one.

    Returns:
        The problem, or None where some channel's numbers do not fit the kernels' requantization.
    """
    sums = _sums(graph, op, pool)
    requantization = _requantized(graph, op, sums)
    if requantization is None:
        return None
    weights = sums.weights
    geometry, tap_y, tap_x = _geometry(graph, op, pool, source, target)
    padding = op.padding if isinstance(op, Conv2D | DepthwiseConv2D) else Padding()
    first = source.offset(-padding.top, -padding.left) * source.element_bytes
    spread = _spread(weights, op)
    whole = isinstance(op, FullyConnected)  # all values are one row
    if source.element == "int16" and source.pixel % 2 and not source.lines and not whole:
        if not _walks_by_words(op, source, geometry, first):
            return None
        spread = spread.reshape(*spread.shape[:2], 1, -1)  # a kernel's row is one pixel of many channels
    return ConvProblem(
        geometry=geometry,
        weights=spread,
        bias=np.where(sums.empty, 0, sums.folded),
        requantization=requantization,
        tap_y=tap_y,
        tap_x=tap_x,
        source=first,
        target=target.offset(0, 0) * target.element_bytes,
        output_offsets=tuple(
            target.channel_offset(channel) * target.element_bytes for channel in range(target.channels)
        ),
        output_step=(target.line if target.lines else 1) * target.element_bytes,
        widened=source.element == "int8",
        scaling=None if sums.once else sums.scaling,
        solved=partial(_linear, graph, op, sums),
    )


def _walks_by_words(
    op: Conv2D | DepthwiseConv2D | FullyConnected, source: Layout, geometry: Geometry, first: int
) -> bool:
    """Whether every window of pixels without gaps starts with a whole word, and has rows without gaps."""
    steps = (first, geometry.in_y, geometry.in_x if geometry.columns > 1 else 0)
    dense = isinstance(op, Conv2D | DepthwiseConv2D) and op.dilation[1] == 1
    return dense and source.row % 2 == 0 and all(step % WORD == 0 for step in steps)


def depthwise_problem(
    graph: Graph, op: DepthwiseConv2D, source: Layout, target: Layout
) -> DepthwiseProblem | None:
    """States a depthwise convolution of multiplier 1; otherwise like `conv_problem`."""
    problem = conv_problem(graph, op, None, source, target)
    if problem is None:
        return None
    pitch = source.row * source.element_bytes, source.pixel * source.element_bytes
    planes = tuple(
        source.channel_offset(channel) * source.element_bytes for channel in range(source.channels)
    )
    return DepthwiseProblem(problem, pitch, op.stride, op.dilation, planes if source.lines else None)


class _Sums(NamedTuple):
    """The accumulators of a layer, and what its outputs are made of.

    Attributes:
        weights: [out, kernel y, kernel x, in].
        folded: Biases minus the input's zero point times the weights it meets.
        least: The least accumulator of each channel.
        most: The largest one.
        multipliers: (mult, shift) of each channel.
        zero_point: Of the output.
        clamp: Bounds of the output, the pool's included.
        once: Whether outputs are rounded once.
    """

    weights: NDArray[np.int32]
    folded: Ints
    least: Ints
    most: Ints
    multipliers: tuple[Multiplier, ...]
    zero_point: int
    clamp: tuple[int, int]
    once: bool

    @property
    def largest_weights(self) -> Ints:
        """Magnitudes, by channel."""
        return np.abs(self.weights).max(axis=(1, 2, 3), initial=0).astype(np.int64)

    @property
    def empty(self) -> NDArray[np.bool_]:
        """Channels without any product."""
        return np.asarray(~self.weights.any(axis=(1, 2, 3)))

    @property
    def scaling(self) -> Scaling:
        """What the layer makes of its accumulators, rounded twice."""
        mult, shift = np.array(self.multipliers, np.int64).T
        return Scaling(mult, shift, self.zero_point, self.clamp, self.least, self.most)


def _sums(graph: Graph, op: Conv2D | DepthwiseConv2D | FullyConnected, pool: MaxPool2D | None) -> _Sums:
    weights = _weights(graph, op)
    bias = np.zeros(len(weights), np.int64)
    if op.bias is not None:
        bias = np.asarray(graph.tensors[op.bias].data, np.int64)
    zero_point = graph.tensors[op.inputs[0]].quant.zero_point
    least, most = accumulator_bounds(weights, bias, zero_point, channel_axis=0)
    return _Sums(
        weights=weights,
        folded=bias - zero_point * weights.sum(axis=(1, 2, 3), dtype=np.int64),
        least=least,
        most=most,
        multipliers=conv_multipliers(graph, op),
        zero_point=graph.tensors[op.output].quant.zero_point,
        clamp=op.clamp if pool is None else _joined(op.clamp, pool.clamp),
        once=isinstance(op, FullyConnected) or (isinstance(op, Conv2D) and op.once),
    )


def _linear(
    graph: Graph, op: Conv2D | DepthwiseConv2D | FullyConnected, sums: _Sums
) -> tuple[Linear | None, ...] | None:
    """Requantization by a single multiplication, where channels have constants for it."""
    return linear_requantization(
        sums.multipliers,
        sums.zero_point,
        sums.clamp,
        (sums.least, sums.most),
        sums.largest_weights,
        constants=np.clip(_outputs(graph, op, sums.folded), *sums.clamp).astype(np.int64),
        once=sums.once,
    )


def requantizations(
    graph: Graph, op: Conv2D | DepthwiseConv2D | FullyConnected, pool: MaxPool2D | None
) -> tuple[Requantization, ...] | None:
    """How each channel is requantized, or None where some channel's numbers do not fit the kernels."""
    return _requantized(graph, op, _sums(graph, op, pool))


def _requantized(
    graph: Graph, op: Conv2D | DepthwiseConv2D | FullyConnected, sums: _Sums
) -> tuple[Requantization, ...] | None:
    entries = []
    empty, largest = sums.empty, sums.largest_weights.tolist()
    constants = np.clip(_outputs(graph, op, sums.folded), *sums.clamp) if empty.any() else sums.folded
    bounds = list(zip(sums.least.tolist(), sums.most.tolist(), strict=True))
    for channel, multiplier in enumerate(sums.multipliers):
        if empty[channel]:
            entries.append(constant_requantization(int(constants[channel]), sums.clamp, once=sums.once))
            continue
        entry = plan_requantization(
            multiplier, sums.zero_point, sums.clamp, bounds[channel], largest[channel], once=sums.once
        )
        if entry is None:
            return None
        entries.append(entry)
    return tuple(entries)


def _outputs(
    graph: Graph, op: Conv2D | DepthwiseConv2D | FullyConnected, totals: NDArray[np.int64]
) -> NDArray[np.int8]:
    """What the layer makes of an accumulator of each channel."""
    if isinstance(op, FullyConnected):
        return requantize_dense(graph, op, totals)
    return requantize_conv(graph, op, totals)


def _weights(graph: Graph, op: Conv2D | DepthwiseConv2D | FullyConnected) -> NDArray[np.int32]:
    """Weights [out, kernel y, kernel x, in]; a depthwise channel has one input."""
    weights = np.asarray(graph.tensors[op.weights].data, np.int32)
    if isinstance(op, DepthwiseConv2D):
        return weights.transpose(3, 1, 2, 0)
    return weights.reshape(len(weights), 1, 1, -1) if isinstance(op, FullyConnected) else weights


def _spread(weights: NDArray[np.int32], op: Conv2D | DepthwiseConv2D | FullyConnected) -> NDArray[np.int32]:
    """Weights for all input channels: those of a depth multiplier as a convolution of mostly zeros."""
    if not isinstance(op, DepthwiseConv2D) or op.multiplier == 1:
        return weights
    source = np.arange(len(weights)) // op.multiplier
    dense = np.zeros((*weights.shape[:3], len(weights) // op.multiplier), np.int32)
    dense[np.arange(len(weights)), ..., source] = weights[..., 0]
    return dense


def _joined(first: tuple[int, int], second: tuple[int, int]) -> tuple[int, int]:
    """Clamping to `first`, then to `second`, as one clamp."""
    low, high = second
    return min(max(first[0], low), high), min(max(first[1], low), high)


def _geometry(
    graph: Graph,
    op: Conv2D | DepthwiseConv2D | FullyConnected,
    pool: MaxPool2D | None,
    source: Layout,
    target: Layout,
) -> tuple[Geometry, int, int]:
    """Where the kernels walk, and the byte distances of kernel rows and columns."""
    size, out_size = source.element_bytes, target.element_bytes
    if isinstance(op, FullyConnected):
        return Geometry(1, 1, 0, 0, 0, 0, out_size, False), 0, 0
    rows, columns = graph.tensors[op.output].shape[1:3]
    if pool is not None:
        rows, columns = 2 * target.height, 2 * target.width
    geometry = Geometry(
        rows=rows,
        columns=columns,
        in_x=op.stride[1] * source.pixel * size,
        in_y=op.stride[0] * source.row * size,
        out_x=target.pixel * out_size,
        out_y=target.row * out_size,
        out_bytes=out_size,
        pooled=pool is not None,
    )
    return geometry, op.dilation[0] * source.row * size, op.dilation[1] * source.pixel * size
