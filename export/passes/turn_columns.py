"""Lays images of one column as images of one row, whose kernels share more of what they load.

The bytes are the same: (1, height, 1, channels) and (1, 1, height, channels) are one vector of pixels. What is one
column wide is a signal over time, and 3 x 3 kernels over it are 3 x 1 ones behind `trim_taps`.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from export.ir.graph import Graph
from export.ir.ops import (
    Add,
    AveragePool2D,
    Concatenation,
    Conv2D,
    DepthwiseConv2D,
    FullyConnected,
    Lookup,
    MaxPool2D,
    Mean,
    Op,
    Padding,
    Relu,
    Reshape,
)
from export.ir.rewrite import redirect, with_constants
from export.ir.tensor import Tensor
from export.operators.elementwise.lines import Lines

_ANY_SHAPE = (Add, FullyConnected, Lines, Lookup, Mean, Relu, Reshape)  # they compute the same of a row
_CONVOLUTIONS = (Conv2D, DepthwiseConv2D)
_POOLS = (AveragePool2D, MaxPool2D)


def turn_columns(graph: Graph) -> Graph:
    """Turns every group of columns that operators link, where all of these can compute on rows.

    Inputs and outputs of the network stay as they are, with reshapes behind and before them.
    """
    turned = _turned(graph)
    rows: dict[int, int] = {}
    tensors = list(graph.tensors)
    for tensor in sorted(turned):
        row = _row(graph.tensors[tensor])
        if tensor in graph.inputs or tensor in graph.outputs:
            rows[tensor] = len(tensors)
            tensors.append(row)
        else:
            tensors[tensor] = row
    ops: list[Op] = [Reshape((tensor,), row) for tensor, row in rows.items() if tensor in graph.inputs]
    ends = [Reshape((row,), tensor) for tensor, row in rows.items() if tensor not in graph.inputs]
    graph = replace(graph, tensors=tuple(tensors))
    for op in graph.ops:
        changed = op
        if turned & {*op.inputs, op.output}:
            graph, changed = _with_turned_window(graph, op)
        ops.append(redirect(changed, rows))
    return replace(graph, ops=(*ops, *ends))


def _turned(graph: Graph) -> set[int]:
    """The tensors to turn."""
    columns = {number for number, tensor in enumerate(graph.tensors) if _is_column(tensor)}
    links = [(op, columns & {*op.inputs, op.output}) for op in graph.ops]
    states = {tensor for state in graph.states for tensor in (state.read, state.written)}
    found: set[int] = set()
    while columns:
        group = {columns.pop()}
        touching = []
        while grown := [link for link in links if link[1] & group]:
            links = [link for link in links if not link[1] & group]
            touching += [op for op, _ in grown]
            group.update(*(ends for _, ends in grown))
        columns -= group
        if (
            not group & states
            and all(_turns(graph, op) for op in touching)
            and any(isinstance(op, _CONVOLUTIONS) for op in touching)
        ):
            found |= group
    return found


def _is_column(tensor: Tensor) -> bool:
    return tensor.data is None and len(tensor.shape) == 4 and tensor.shape[1] > 1 and tensor.shape[2] == 1


def _turns(graph: Graph, op: Op) -> bool:
    """Whether an operator computes the same of rows, its window turned."""
    if isinstance(op, Add) and graph.tensors[op.output].shape[1] % 2:
        return False  # in a row of an odd number of positions no convolution adds in place
    if isinstance(op, _ANY_SHAPE):
        return not any(graph.is_constant(tensor) for tensor in op.inputs)
    if isinstance(op, Concatenation):
        return op.axis == len(graph.tensors[op.output].shape) - 1
    if not isinstance(op, _CONVOLUTIONS + _POOLS) or op.padding.left or op.padding.right:
        return False
    width = graph.tensors[op.weights].shape[2] if isinstance(op, _CONVOLUTIONS) else op.kernel[1]
    return width == 1 and graph.tensors[op.inputs[0]].shape[2] == 1


def _row(tensor: Tensor) -> Tensor:
    batch, height, width, channels = tensor.shape
    return replace(tensor, shape=(batch, width, height, channels))


def _turned_padding(padding: Padding) -> Padding:
    return Padding(padding.left, padding.right, padding.top, padding.bottom)


def _with_turned_window(graph: Graph, op: Op) -> tuple[Graph, Op]:
    """The operator for rows, and the graph that holds its weights."""
    if isinstance(op, _POOLS):
        padding = _turned_padding(op.padding)
        return graph, replace(op, kernel=op.kernel[::-1], stride=op.stride[::-1], padding=padding)
    if not isinstance(op, _CONVOLUTIONS):
        return graph, op
    changed = replace(
        op, stride=op.stride[::-1], dilation=op.dilation[::-1], padding=_turned_padding(op.padding)
    )
    weights = graph.tensors[op.weights]
    values = np.ascontiguousarray(graph.constant(op.weights).transpose(0, 2, 1, 3))
    tensor = replace(weights, shape=values.shape, data=values)
    return with_constants(graph, changed, tensor, None if op.bias is None else graph.tensors[op.bias])
