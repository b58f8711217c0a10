"""The records of a Keras model as plain data, which the reader makes, the rewrites change and the builder takes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Node:
    """One call of one layer.

    Attributes:
        name: Unique in the graph; names the layer and the tensor it gives.
        op: Layer class, such as "Conv2D".
        inputs: Names of the nodes it takes its inputs from.
        shape: Shape of its output, without the batch.
        config: Arguments of the `tf_keras` layer of that class, but for its name.
        weights: Arrays by attribute name, such as {"kernel": ..., "bias": ...}.
        inference_only: Whether it acts as at inference even while the model trains: called with `training=False`.
        layer: What the calls of one shared layer have in common; empty for a layer that is called once.
    """

    name: str
    op: str
    inputs: tuple[str, ...]
    shape: tuple[int, ...]
    config: Mapping[str, Any] = field(default_factory=dict)
    weights: Mapping[str, np.ndarray] = field(default_factory=dict)
    inference_only: bool = False
    layer: str = ""


@dataclass(frozen=True)
class Graph:
    """Nodes, each after those it takes inputs from, first the inputs; `outputs` names what the model gives."""

    name: str
    nodes: tuple[Node, ...]
    outputs: tuple[str, ...]

    def __getitem__(self, name: str) -> Node:
        for node in self.nodes:
            if node.name == name:
                return node
        raise KeyError(name)

    @property
    def inputs(self) -> tuple[Node, ...]:
        """The inputs in the order of the model."""
        return tuple(node for node in self.nodes if node.op == "InputLayer")

    def consumers(self) -> dict[str, tuple[Node, ...]]:
        """The nodes that take each node's output; a node that takes it twice is listed twice."""
        found: dict[str, list[Node]] = {node.name: [] for node in self.nodes}
        for node in self.nodes:
            for name in node.inputs:
                found[name].append(node)
        return {name: tuple(nodes) for name, nodes in found.items()}

    def sole_consumer(self, name: str) -> Node | None:
        """The only node that takes the output of `name`; None if others do, or if the model returns it."""
        nodes = self.consumers()[name]
        return nodes[0] if len(nodes) == 1 and name not in self.outputs else None


def unique_name(wanted: str, taken: Iterable[str]) -> str:
    """`wanted`, or `wanted_1`, `wanted_2` and so on: the first that is not taken."""
    names = set(taken)
    name, count = wanted, 0
    while name in names:
        count += 1
        name = f"{wanted}_{count}"
    return name
