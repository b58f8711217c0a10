"""Helpers of frontends and passes that build a changed graph."""

from __future__ import annotations

from dataclasses import fields, replace

from export.ir.graph import Graph
from export.ir.ops import Conv2D, DepthwiseConv2D, FullyConnected, Op
from export.ir.tensor import Tensor

_TENSOR_FIELDS = ("weights", "bias")


def constants_of(op: Op) -> tuple[int, ...]:
    """Indices of the constants an operator reads."""
    found = (getattr(op, f.name) for f in fields(op) if f.name in _TENSOR_FIELDS)
    return tuple(index for index in found if index is not None)


def redirect(op: Op, tensors: dict[int, int]) -> Op:
    """The operator with tensor indices replaced where `tensors` names them."""
    changed = {
        f.name: tensors.get(getattr(op, f.name), getattr(op, f.name))
        for f in fields(op)
        if f.name in _TENSOR_FIELDS
    }
    inputs = tuple(tensors.get(i, i) for i in op.inputs)
    return replace(op, inputs=inputs, output=tensors.get(op.output, op.output), **changed)


def prune(graph: Graph) -> Graph:
    """Drops operators whose results are not read and tensors that no operator names, and renumbers the rest."""
    needed, live = set(graph.results), []
    for op in reversed(graph.ops):
        if op.output in needed:
            needed.update(op.inputs, constants_of(op))
            live.append(op)
    needed.update(graph.sources)
    order = {old: new for new, old in enumerate(sorted(needed))}
    return Graph(
        tuple(graph.tensors[old] for old in order),
        tuple(redirect(op, order) for op in reversed(live)),
        tuple(order[tensor] for tensor in graph.inputs),
        tuple(order[tensor] for tensor in graph.outputs),
        tuple(
            replace(
                state,
                read=order[state.read],
                written=None if state.written is None else order[state.written],
            )
            for state in graph.states
        ),
    )


def bypass(graph: Graph, same: dict[int, int]) -> Graph:
    """Removes the operators that write the keys of `same`; the values take the place of their results."""
    kept = (op for op in graph.ops if op.output not in same)
    return replace(
        graph,
        ops=tuple(replace(op, inputs=tuple(same.get(i, i) for i in op.inputs)) for op in kept),
        outputs=tuple(same.get(tensor, tensor) for tensor in graph.outputs),
        states=tuple(
            state if state.written is None else replace(state, written=same.get(state.written, state.written))
            for state in graph.states
        ),
    )


def with_constants(
    graph: Graph, op: Conv2D | DepthwiseConv2D | FullyConnected, weights: Tensor, bias: Tensor | None
) -> tuple[Graph, Op]:
    """The operator with constants of its own, and the graph that holds them too."""
    added = (weights,) if bias is None else (weights, bias)
    first = len(graph.tensors)
    changed = replace(op, weights=first, bias=None if bias is None else first + 1)
    return replace(graph, tensors=(*graph.tensors, *added)), changed
