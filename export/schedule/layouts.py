"""How each activation of a network lies in memory."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from export.ir.graph import Graph
from export.ir.ops import Conv2D, DepthwiseConv2D, FullyConnected, Op, Padding, Reshape
from export.kernels.layout import Layout, image_shape
from export.operators.operator import Order
from export.operators.table import operator_of
from export.schedule.fusion import Layer


def layouts_of(
    graph: Graph, layers: Sequence[Layer], shared: Mapping[int, int], element: str
) -> dict[int, Layout]:
    """The layout of each activation.

    Args:
        graph: The network.
        layers: Its layers.
        shared: By tensor, the one whose buffer it takes over: each sum takes its residual's place.
        element: "int16" or "int8": what operands that are read in pairs are stored as; "plain" where none are.
    """
    return {
        tensor: _layout(graph, layers, group, element)
        for group in _groups(graph, layers, shared)
        for tensor in group
    }


def _activations(graph: Graph, layers: Sequence[Layer]) -> list[int]:
    return list(dict.fromkeys([*graph.sources, *(layer.output for layer in layers)]))


def plain_layout(graph: Graph, tensor: int) -> Layout:
    """The layout of the caller's arrays, of states and of constants."""
    height, width, channels = image_shape(graph.tensors[tensor].shape)
    return Layout(height, width, channels, channels, Padding(), graph.tensors[tensor].dtype)


def _groups(graph: Graph, layers: Sequence[Layer], shared: Mapping[int, int]) -> list[list[int]]:
    """Tensors that lie in one buffer one after the other, given where each sum takes its residual's place."""
    groups: dict[int, list[int]] = {}
    for tensor in _activations(graph, layers):
        groups.setdefault(root(tensor, shared), []).append(tensor)
    return list(groups.values())


def root(tensor: int, owners: Mapping[int, int]) -> int:
    """The tensor whose buffer a tensor lies in."""
    while tensor in owners:
        tensor = owners[tensor]
    return tensor


def _layout(graph: Graph, layers: Sequence[Layer], group: Sequence[int], element: str) -> Layout:
    """Words that dual MACs can read where operands are read in pairs, a border where a reader pads."""
    plain = plain_layout(graph, group[0])
    if plain.element != "int8":
        return plain
    readers = [op for tensor in group for op in _readers(layers, tensor)]
    paired = element != "plain" and any(
        isinstance(op, Conv2D | DepthwiseConv2D | FullyConnected) for op in readers
    )
    whole = paired and any(isinstance(op, Conv2D | DepthwiseConv2D) for op in readers)
    shuffled = paired and element == "int8" and not any(_keeps_order(graph, layers, t) for t in group)
    word = 4 if shuffled else 2
    pads = [op.padding for op in readers if isinstance(op, Conv2D | DepthwiseConv2D)]
    border = Padding(
        top=max((pad.top for pad in pads), default=0),
        bottom=max((pad.bottom for pad in pads), default=0),
        left=max((pad.left for pad in pads), default=0),
        right=max((pad.right for pad in pads), default=0),
    )
    return replace(
        plain,
        pixel=plain.channels + (-plain.channels % word if whole else 0),
        border=border,
        element="int16" if paired and not shuffled else "int8",
        shuffled=shuffled,
    )


def _keeps_order(graph: Graph, layers: Sequence[Layer], tensor: int) -> bool:
    """Whether channels cannot be shuffled in fours: where some operator needs them in order."""
    for layer in layers:
        order, touched = operator_of(layer.op).order, (*layer.op.inputs, layer.output)
        if tensor not in touched or order is Order.ANY:
            continue
        if order is Order.PLAIN or any(graph.tensors[other].shape[-1] % 4 for other in touched):
            return True
    return False


def _readers(layers: Sequence[Layer], tensor: int) -> list[Op]:
    """Operators that read a tensor, also through reshapes."""
    found: list[Op] = []
    for layer in layers:
        if tensor in layer.op.inputs:
            found.append(layer.op)
            if isinstance(layer.op, Reshape):
                found += [op for op in _readers(layers, layer.op.output) if isinstance(op, FullyConnected)]
    return found


def aliases_of(graph: Graph, layers: Sequence[Layer], layouts: dict[int, Layout]) -> dict[int, int]:
    """Reshapes that cost nothing: output tensor to the tensor whose buffer it shares."""
    aliases: dict[int, int] = {}
    for layer in layers:
        if not isinstance(layer.op, Reshape):
            continue
        source, target = layouts[layer.op.inputs[0]], layouts[layer.op.output]
        same = (source.element, source.shuffled) == (target.element, target.shuffled)
        if source.contiguous and target.contiguous and same:
            aliases[layer.op.output] = layer.op.inputs[0]
    return aliases
