"""Folds functions of single values into the convolutions and dense layers around them, where that is exact.

A function that shifts every value its input can have by the difference of the zero points is another name for the
same integers: what a layer writes already. One that is m * q + k for each channel, with integers m and k, is a part of
what a layer behind it computes: m times the weights, and a constant that the bias takes over. Both keep the layer's
requantization: its multipliers are compared, to the bit.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from export.analysis.channel_functions import Functions, channel_functions, source_of
from export.analysis.ranges import activation_ranges
from export.ir.bounds import accumulator_bounds
from export.ir.fixed_point import INT32_MAX, conv_multipliers, fits_shifted
from export.ir.graph import Graph
from export.ir.ops import Conv2D, DepthwiseConv2D, FullyConnected, Op, Padding, Reshape
from export.ir.rewrite import with_constants
from export.ir.tensor import Quantization, Tensor
from export.operators.operator import Range

Layer = Conv2D | DepthwiseConv2D | FullyConnected
_LAYERS = (Conv2D, DepthwiseConv2D, FullyConnected)
_LARGEST_WEIGHT = 127


def fold_functions(graph: Graph) -> Graph:
    """Removes every function of single values that the layer before it, or all layers after it, can absorb."""
    ranges = activation_ranges(graph)
    for op in graph.ops:
        functions = channel_functions(graph, op)
        if functions is not None:
            graph = _folded(graph, op, functions, ranges[source_of(graph, op)])
    return graph


def _folded(graph: Graph, op: Op, functions: Functions, source: Range) -> Graph:
    """The graph without the operator, or as it was."""
    found = _integers(functions, source)
    if found is None:
        return graph
    slopes, constants = found
    tensor = source_of(graph, op)
    shift = graph.tensors[op.output].quant.zero_point - graph.tensors[tensor].quant.zero_point
    before = graph.producer(tensor)
    if (
        isinstance(before, _LAYERS)
        and graph.consumers(tensor) == (op,)
        and tensor not in graph.results
        and (slopes == 1).all()
        and (constants == shift).all()
    ):
        changed = _writing(graph, before, op.output, shift)
        if changed is not None:
            return _without(changed, op)
    moved = None if op.output in graph.results else graph
    for reader in graph.consumers(op.output):
        moved = moved and _behind(moved, reader, op.output, tensor, slopes, constants)
    return graph if moved is None else _without(moved, op)


def _behind(
    graph: Graph, reader: Op, old: int, new: int, slopes: NDArray[np.int64], constants: NDArray[np.int64]
) -> Graph | None:
    """The graph in which a reader of a function's output reads its input; the readers of a reshape, if it is one."""
    quants = (graph.tensors[old].quant, graph.tensors[new].quant)
    if isinstance(reader, _LAYERS):
        return _reading(graph, reader, new, quants, slopes, constants)
    if not isinstance(reader, Reshape) or reader.output in graph.results:
        return None
    found: Graph | None = graph
    for dense in graph.consumers(reader.output):
        if not isinstance(dense, FullyConnected):
            return None
        found = found and _reading(found, dense, reader.output, quants, slopes, constants)
    if found is None:
        return None
    tensors = list(found.tensors)
    tensors[reader.output] = replace(tensors[reader.output], quantization=quants[1])
    moved = replace(reader, inputs=(new,))
    return replace(
        found, tensors=tuple(tensors), ops=tuple(moved if one is reader else one for one in found.ops)
    )


def _integers(functions: Functions, source: Range) -> tuple[NDArray[np.int64], NDArray[np.int64]] | None:
    """Integers m and k of each channel with m * q + k = function(q) for all values q of the source; or None."""
    ends = source.reshape(2, -1, source.shape[-1]).astype(np.int64)
    low, high = ends[0].min(axis=0), ends[1].max(axis=0)
    channels = np.arange(len(low))
    values = functions.astype(np.int64)
    first, last = values[channels, low + 128], values[channels, high + 128]
    slopes = np.where(high > low, (last - first) // np.maximum(high - low, 1), 1)
    constants = first - slopes * low
    inputs = np.arange(-128, 128)
    inside = (inputs >= low[:, None]) & (inputs <= high[:, None])
    same = slopes[:, None] * inputs + constants[:, None] == values
    return (slopes, constants) if same[inside].all() else None


def _writing(graph: Graph, op: Layer, output: int, shift: int) -> Graph | None:
    """The graph in which a layer writes another tensor, every value `shift` larger."""
    clamp = (max(op.clamp[0] + shift, -128), min(op.clamp[1] + shift, 127))
    changed = replace(op, output=output, clamp=clamp)
    scale = graph.tensors[output].quant.scale / graph.tensors[op.output].quant.scale
    source = graph.tensors[op.inputs[0]].quant
    return _replaced(graph, op, changed, scale, graph.constant(op.weights), _bias(graph, op), source)


def _reading(
    graph: Graph,
    op: Layer,
    source: int,
    quants: tuple[Quantization, Quantization],
    slopes: NDArray[np.int64],
    constants: NDArray[np.int64],
) -> Graph | None:
    """The graph in which a layer reads another tensor and computes slopes * q + constants itself.

    Args:
        graph: The network.
        op: The layer.
        source: What it is to read.
        quants: Of what it reads and of what it is to read.
        slopes: Of each channel.
        constants: Likewise.
    """
    weights = graph.constant(op.weights).astype(np.int64)
    old, new = quants
    rest = slopes * new.zero_point + constants - old.zero_point  # what the layer sees at its new zero point
    if isinstance(op, FullyConnected):
        slopes, rest = (np.resize(values, weights.shape[1]) for values in (slopes, rest))
    elif op.padding != Padding() and rest.any():
        return None  # padding would become another value than zero
    if isinstance(op, DepthwiseConv2D):
        slopes, rest = (np.repeat(values, op.multiplier) for values in (slopes, rest))
        added = (weights * rest).reshape(-1, weights.shape[-1]).sum(axis=0)
    else:
        added = (weights * rest).reshape(len(weights), -1).sum(axis=1)
    if abs(weights * slopes).max() > _LARGEST_WEIGHT:
        return None
    changed = replace(op, inputs=(source,))
    scaled, bias = (weights * slopes).astype(np.int8), _bias(graph, op) + added
    return _replaced(graph, op, changed, old.scale / new.scale, scaled, bias, new)


def _bias(graph: Graph, op: Layer) -> NDArray[np.int64]:
    if op.bias is None:
        return np.zeros(graph.tensors[op.output].shape[-1], np.int64)
    return graph.constant(op.bias).astype(np.int64)


def _replaced(
    graph: Graph,
    op: Layer,
    changed: Layer,
    scale: float,
    weights: NDArray[np.int8],
    bias: NDArray[np.int64],
    source: Quantization,
) -> Graph | None:
    """The graph with a layer changed, if it scales its sums as before and they still fit their 32 bits.

    Args:
        graph: The network.
        op: The layer.
        changed: What it becomes, but for its constants.
        scale: Factor on the scales of its weights.
        weights: Of the new layer.
        bias: Likewise.
        source: Quantization of its input, which may be about to change.
    """
    held = graph.tensors[op.weights]
    quantization = replace(held.quant, scales=tuple(scale * own for own in held.quant.scales))
    name = held.name if op.bias is None else graph.tensors[op.bias].name
    bounded = np.clip(bias, -INT32_MAX, INT32_MAX).astype(np.int32)
    made, layer = with_constants(
        graph,
        changed,
        replace(held, quantization=quantization, data=weights),
        Tensor(name, bias.shape, "int32", None, bounded),
    )
    assert isinstance(layer, _LAYERS)
    multipliers = conv_multipliers(graph, op)
    if conv_multipliers(made, layer) != multipliers:
        return None
    axis = 3 if isinstance(op, DepthwiseConv2D) else 0
    if not _fit(accumulator_bounds(weights, bias, source.zero_point, axis), multipliers):
        return None
    return replace(made, ops=tuple(layer if one is op else one for one in made.ops))


def _fit(bounds: tuple[NDArray[np.int64], NDArray[np.int64]], multipliers: Sequence[tuple[int, int]]) -> bool:
    most = np.maximum(np.abs(bounds[0]), np.abs(bounds[1]))
    return fits_shifted(most, np.array([shift for _, shift in multipliers]))


def _without(graph: Graph, op: Op) -> Graph:
    return replace(graph, ops=tuple(one for one in graph.ops if one is not op))
