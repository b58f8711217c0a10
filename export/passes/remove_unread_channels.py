"""Removes channels that nothing reads, and the products that lead to them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from export.analysis.coupling import Order, channel_orders, flattened
from export.analysis.liveness import read_elements
from export.ir.graph import Graph
from export.ir.ops import Conv2D, DepthwiseConv2D, FullyConnected, Op
from export.ir.rewrite import with_constants
from export.ir.tensor import Tensor
from export.operators.operator import Mask
from export.operators.rules import of_channels


def remove_unread_channels(graph: Graph) -> Graph:
    """Makes tensors as small as what is read of them.

    Where an unread channel has to stay beside one that is read, the weights that compute it become zero. See
    `coupling.channel_orders` for which channels can go, and how those that stay are ordered.
    """
    read = read_elements(graph)
    orders = channel_orders(graph, read)
    ops: list[Op] = []
    changed = graph
    for op in graph.ops:
        if isinstance(op, Conv2D | DepthwiseConv2D | FullyConnected):
            changed, op = _without(changed, op, of_channels(read[op.output]), orders)  # noqa: PLW2901
        ops.append(op)
    tensors = list(changed.tensors)
    for tensor, order in orders.items():
        tensors[tensor] = replace(tensors[tensor], shape=(*tensors[tensor].shape[:-1], len(order)))
    return replace(changed, tensors=tuple(tensors), ops=tuple(ops))


def _without(
    graph: Graph, op: Conv2D | DepthwiseConv2D | FullyConnected, read: Mask, orders: dict[int, Order]
) -> tuple[Graph, Op]:
    """The layer with weights and bias of what is left."""
    source, target = op.inputs[0], orders[op.output]
    held = graph.tensors[op.weights]
    weights = graph.constant(op.weights).copy()
    if isinstance(op, DepthwiseConv2D):
        weights[..., ~read] = 0
        weights = weights[..., target]
    else:
        weights[~read] = 0
        dense = isinstance(op, FullyConnected)
        taken = flattened(graph, source, orders[source]) if dense else orders[source]
        weights = weights[target][..., taken]
    if np.array_equal(weights, graph.constant(op.weights)):
        return graph, op
    bias = None
    if op.bias is not None:
        bias = _holding(graph.tensors[op.bias], graph.constant(op.bias)[target], target)
    return with_constants(graph, op, _holding(held, weights, target), bias)


def _holding(tensor: Tensor, data: NDArray[Any], channels: Order) -> Tensor:
    """A constant with other values, and the scales of these output channels."""
    quantization = tensor.quantization
    if quantization is not None and len(quantization.scales) > 1:
        scales, zero_points = (
            tuple(values[channel] for channel in channels)
            for values in (quantization.scales, quantization.zero_points)
        )
        quantization = replace(quantization, scales=scales, zero_points=zero_points)
    return replace(tensor, shape=data.shape, data=data, quantization=quantization)
