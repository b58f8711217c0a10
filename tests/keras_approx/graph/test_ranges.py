"""Which tensors get a range, and which share one: on graphs small enough to see it."""

from __future__ import annotations

from keras_approx.graph.layer_graph import Graph, Node
from keras_approx.graph.ranges import insert_quantizers


def _graph(*nodes: tuple[str, str, str]) -> Graph:
    """Nodes given as (name, op, inputs); activations as "Activation:relu"."""
    made = [Node("image", "InputLayer", (), (4, 4, 2))]
    for name, kind, inputs in nodes:
        op, _, activation = kind.partition(":")
        config = {"activation": activation} if activation else {}
        made.append(Node(name, op, tuple(inputs.split()), (4, 4, 2), config))
    return Graph("graph", tuple(made), (made[-1].name,))


def _ranges(graph: Graph) -> dict[str, str]:
    """For each tensor with a range the layer that has it."""
    found = insert_quantizers(graph)
    return {
        node.inputs[0]: str(node.config["layer"]) for node in found.nodes if node.op == "QuantizeActivation"
    }


def test_only_the_last_of_what_is_fused_has_a_range() -> None:
    graph = _graph(
        ("conv", "Conv2D", "image"),
        ("norm", "BatchNormalization", "conv"),
        ("relu", "Activation:relu", "norm"),
        ("dense", "Dense", "relu"),
    )
    assert list(_ranges(graph)) == ["image", "relu", "dense"]


def test_what_another_layer_sees_is_not_fused() -> None:
    graph = _graph(
        ("conv", "Conv2D", "image"),
        ("relu", "Activation:relu", "conv"),
        ("sum", "Add", "conv relu"),
    )
    assert list(_ranges(graph)) == ["image", "conv", "relu", "sum"]


def test_the_output_is_seen() -> None:
    graph = _graph(("conv", "Conv2D", "image"), ("relu", "Activation:relu", "conv"))
    assert list(_ranges(Graph("graph", graph.nodes, ("conv",)))) == ["image", "conv", "relu"]


def test_layers_that_move_values_have_the_range_of_their_input() -> None:
    graph = _graph(
        ("pad", "ZeroPadding2D", "image"),
        ("pool", "MaxPooling2D", "pad"),
        ("mean", "AveragePooling2D", "pool"),
        ("flat", "Flatten", "mean"),
        ("dense", "Dense", "flat"),
    )
    assert _ranges(graph) == {"image": "image_range", "mean": "image_range", "dense": "dense_range"}


def test_concatenation_ties_all_that_it_joins() -> None:
    graph = _graph(
        ("a", "Conv2D", "image"),
        ("b", "Conv2D", "a"),
        ("pool", "MaxPooling2D", "b"),
        ("joined", "Concatenate", "a pool"),
        ("c", "Conv2D", "joined"),
        ("again", "Concatenate", "joined c"),
    )
    ranges = _ranges(graph)
    assert ranges.pop("image") == "image_range"
    assert set(ranges) == {"a", "b", "joined", "c", "again"}
    assert len(set(ranges.values())) == 1


def test_prescribed_ranges_are_not_tied_and_not_rounded_at_the_output() -> None:
    graph = _graph(
        ("a", "Conv2D", "image"),
        ("sigmoid", "Activation:sigmoid", "a"),
        ("joined", "Concatenate", "a sigmoid"),
        ("dense", "Dense", "joined"),
        ("softmax", "Activation:softmax", "dense"),
    )
    found = insert_quantizers(graph)
    quantizers = {node.inputs[0]: node.config for node in found.nodes if node.op == "QuantizeActivation"}
    assert quantizers["sigmoid"]["fixed_range"] == (0, 255 / 256)
    assert quantizers["a"]["layer"] == quantizers["joined"]["layer"] != quantizers["sigmoid"]["layer"]
    assert "softmax" not in quantizers
    assert "dense" in quantizers


def test_given_input_range_is_that_of_all_that_shares_it() -> None:
    graph = _graph(("pad", "ZeroPadding2D", "image"), ("conv", "Conv2D", "pad"), ("both", "Add", "pad conv"))
    found = insert_quantizers(graph, (-1, 1))
    fixed = {
        node.inputs[0]: node.config["fixed_range"] for node in found.nodes if node.op == "QuantizeActivation"
    }
    assert fixed == {"image": (-1, 1), "conv": None, "both": None}


def test_names_stay_unique() -> None:
    graph = _graph(("image_range", "Conv2D", "image"), ("image_range_1", "Conv2D", "image_range"))
    names = [node.name for node in insert_quantizers(graph).nodes]
    assert len(set(names)) == len(names)


def test_a_prescribed_range_does_not_spread_through_a_rounded_average() -> None:
    """TFLite would give its scale to the whole concatenation, and clip the other branch at one."""
    graph = _graph(
        ("a", "Conv2D", "image"),
        ("relu", "Activation:relu", "a"),
        ("b", "Conv2D", "image"),
        ("sigmoid", "Activation:sigmoid", "b"),
        ("mean", "AveragePooling2D", "sigmoid"),
        ("joined", "Concatenate", "relu mean"),
    )
    found = _ranges(graph)
    assert "mean" not in found
    assert found["joined"] == found["relu"] != found["sigmoid"]
