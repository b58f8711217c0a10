"""Collects the nodes of a rewritten graph, and shows a sequence as an image of one row, or that as a sequence."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from keras_approx.graph.layer_graph import Graph, Node, unique_name

Shape = tuple[int, ...]


class Rewriter:
    """The nodes of a graph that is being rewritten.

    A tensor of the old graph may be held in another shape: a sequence (steps, channels) as an image (1, steps,
    channels), so that layers that follow one another need no reshapes between them.

    Args:
        graph: The old graph.

    Attributes:
        nodes: The new nodes, each after its inputs.
        values: By name of an old node, the new node that holds its output.
    """

    def __init__(self, graph: Graph) -> None:
        self.nodes: list[Node] = []
        self.values: dict[str, str] = {}
        self._old = graph
        self._shapes: dict[str, Shape] = {}
        self._reshaped: dict[tuple[str, Shape], str] = {}
        self._taken = {node.name for node in graph.nodes}

    def shape(self, name: str) -> Shape:
        """Shape of a new node's output."""
        return self._shapes[name]

    def new_name(self, wanted: str) -> str:
        """This name, or one derived from it that no node of the old or the new graph has."""
        name = unique_name(wanted, self._taken)
        self._taken.add(name)
        return name

    def add(self, node: Node) -> str:
        """Adds a node whose inputs are new nodes; returns its name."""
        self.nodes.append(node)
        self._shapes[node.name] = node.shape
        return node.name

    def emit(
        self, name: str, op: str, source: str, shape: Shape, config: Mapping[str, Any] | None = None
    ) -> str:
        """Adds a node of one input and no weights under a new name like this one."""
        return self.add(Node(self.new_name(name), op, (source,), shape, config or {}))

    def shaped(self, name: str, shape: Shape) -> str:
        """The new node's output in another shape: itself, what it was reshaped from, or a reshape, made once."""
        if self._shapes[name] == shape:
            return name
        key = (name, shape)
        if key not in self._reshaped:
            made = self.emit(f"{name}_reshaped", "Reshape", name, shape, {"target_shape": shape})
            self._reshaped[key] = made
            self._reshaped[made, self._shapes[name]] = name
        return self._reshaped[key]

    def as_before(self, old: str) -> str:
        """The new node that holds an old node's output in its old shape."""
        return self.shaped(self.values[old], self._old[old].shape)

    def image(self, name: str) -> str:
        """A new node's sequence as an image of one row; images as they are."""
        shape = self._shapes[name]
        return self.shaped(name, (1, *shape)) if len(shape) == 2 else name

    def graph(self) -> Graph:
        """The new graph, its outputs in the old shapes, without nodes that nothing needs."""
        outputs = tuple(map(self.as_before, self._old.outputs))
        needed = set(outputs)
        for node in reversed(self.nodes):
            if node.name in needed:
                needed.update(node.inputs)
        kept = (node for node in self.nodes if node.name in needed or node.op == "InputLayer")
        return Graph(self._old.name, tuple(kept), outputs)
