"""Which tensors of a graph get a quantization range, and which must share one. Pure functions.

The rules are those of int8 TFLite: an operator that moves or picks values (pooling, reshaping, padding,
concatenation) has the range of its inputs, softmax and sigmoid a prescribed one, and a convolution or a sum
is fused with the batch normalization and the ReLU that follow, so that only the last of them has a range.
"""

from __future__ import annotations

import dataclasses

from keras_approx.graph.layer_graph import Graph, Node, unique_name
from keras_approx.layers.registry import FIXED_RANGES, FUSED_ACTIVATIONS, SPECS, Range

# Of the layers that have their inputs' range, those whose output is not made of its int8 values already.
_ROUNDED = ("Activation", "AveragePooling2D", "Concatenate", "Maximum", "Minimum")
_FUSED_RELU = (
    *("Conv2D", "TransposedConv2D", "DepthwiseConv2D", "Dense", "BatchNormalization"),
    *("Add", "Subtract", "Multiply", "Rescaling", "AveragePooling2D"),
)


def range_rule(graph: Graph, node: Node) -> Range:
    """Where the range of a node's output comes from."""
    if node.op != "Activation":
        return SPECS[node.op].range
    if node.config["activation"] in FIXED_RANGES:
        return Range.FIXED
    # TFLite makes such a ReLU part of the pooling, which cannot rescale.
    before = graph[node.inputs[0]]
    fused = (
        node.config["activation"] in FUSED_ACTIVATIONS
        and before.op == "AveragePooling2D"
        and graph.sole_consumer(before.name) is not None
    )
    return Range.SAME if fused else Range.OWN


def _rounded(node: Node) -> bool:
    bilinear = node.op == "UpSampling2D" and node.config.get("interpolation") == "bilinear"
    return bilinear or node.op in _ROUNDED


def fused_batch_norm(graph: Graph, node: Node) -> Node | None:
    """The batch normalization that folds into this node's kernel, because no other node reads its input."""
    after = graph.sole_consumer(node.name) if SPECS[node.op].kernel else None
    return after if after is not None and after.op == "BatchNormalization" else None


def folded_rescaling(graph: Graph, node: Node) -> Node | None:
    """The layer of products into whose kernel this rescaling of an input folds.

    Every weight is multiplied by the same number, so that its integers stay what they are.
    """
    if node.op != "Rescaling" or node.config["offset"] or graph[node.inputs[0]].op != "InputLayer":
        return None
    after = graph.sole_consumer(node.name)
    return after if after is not None and SPECS[after.op].kernel and not after.layer else None


def _has_range(graph: Graph, node: Node) -> bool:
    """False if int8 inference never sees the tensor, because its consumer is fused with the node."""
    after = graph.sole_consumer(node.name)
    if after is None:
        return True
    relu = after.op == "Activation" and after.config["activation"] in FUSED_ACTIVATIONS
    fused = fused_batch_norm(graph, node) or folded_rescaling(graph, node)
    return not (relu and node.op in _FUSED_RELU) and fused is None


def _ends_in_probabilities(graph: Graph, name: str) -> bool:
    probabilities = graph[name].config["activation"] in ("softmax", "sigmoid")
    return probabilities and name in graph.outputs and not graph.consumers()[name]


def insert_quantizers(graph: Graph, input_range: tuple[float, float] | None = None) -> Graph:
    """Inserts QuantizeActivation nodes; those with the same "layer" setting share their range.

    An output of the model has none if it is a softmax or sigmoid: its range is prescribed anyway, and losses want
    probabilities that were not rounded to zero.

    Args:
        graph: A normalized graph.
        input_range: Of the inputs, if it is known; None to measure it.
    """
    groups = _groups(graph)
    taken = {node.name for node in graph.nodes}
    layers: dict[str, str] = {}
    nodes: list[Node] = []
    renamed: dict[str, str] = {}
    for node in graph.nodes:
        nodes.append(dataclasses.replace(node, inputs=tuple(renamed[name] for name in node.inputs)))
        renamed[node.name] = node.name
        group = groups[node.name]
        fixed = range_rule(graph, graph[group]) is Range.FIXED
        # A prescribed range behind a rounding operator would spread to what the tensor is concatenated with.
        measured = range_rule(graph, node) is not Range.SAME or (_rounded(node) and not fixed)
        if not measured or not _has_range(graph, node) or (fixed and _ends_in_probabilities(graph, group)):
            continue
        if group not in layers:
            layers[group] = unique_name(f"{group}_range", taken)
            taken.add(layers[group])
        name = unique_name(f"{node.name}_range", taken) if node.name != group else layers[group]
        taken.add(name)
        given = input_range if group in {groups[node.name] for node in graph.inputs} else None
        fixed_range = FIXED_RANGES[graph[group].config["activation"]] if fixed else given
        config = {"layer": layers[group], "range": None, "fixed_range": fixed_range}
        nodes.append(Node(name, "QuantizeActivation", (node.name,), node.shape, config))
        renamed[node.name] = name
    return Graph(graph.name, tuple(nodes), tuple(renamed[name] for name in graph.outputs))


def _groups(graph: Graph) -> dict[str, str]:
    """For each node the name of the node that stands for all those that share its range."""
    parent = {node.name: node.name for node in graph.nodes}

    def root(name: str) -> str:
        while parent[name] != name:
            name = parent[name]
        return name

    for node in graph.nodes:
        if range_rule(graph, node) is not Range.SAME:
            continue
        roots = [root(name) for name in node.inputs]
        # A prescribed range is not shared: TFLite rescales such a tensor where it is concatenated with
        # others.
        measured = [name for name in roots if range_rule(graph, graph[name]) is not Range.FIXED]
        for name in measured[1:]:
            parent[root(name)] = root(measured[0])
        parent[node.name] = root((measured or roots)[0])
    return {name: root(name) for name in parent}
