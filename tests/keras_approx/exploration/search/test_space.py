"""The design space that options describe."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from keras_approx.errors import OptionError
from keras_approx.exploration.design import Design
from keras_approx.exploration.search.space import Layers, make_space, measure_layers
from keras_approx.skipping.granularity import Granularity, group_significance
from tests.keras_approx.exploration.problems import Small

NAMES = ["conv1", "conv2", "dense"]


def _space(**options: Any) -> Any:
    given = {"select": "fraction", "granularity": "pair", "values": None, "exempt": (), **options}
    return make_space(NAMES, **given)


def test_defaults() -> None:
    space = _space()
    assert list(space.values) == NAMES
    assert space.values["dense"][:3] == (1.0, 0.95, 0.9)
    assert space.values["dense"][-1] == 0.05
    assert space.sizes == (20, 20, 20)
    assert space.design((0, 0, 0), "pair") == Design()


def test_values_by_pattern_sorted_from_what_keeps_most() -> None:
    space = _space(values={"dense": [0.5], "*": np.array([0.25, 1, 0.5, 0.5])}, exempt=["conv2"])
    assert space.values == {"conv1": (1.0, 0.5, 0.25), "dense": (0.5,)}
    assert space.design((2, 0), "block") == Design("fraction", "block", {"conv1": 0.25, "dense": 0.5})
    assert _space(select="threshold", values=[0.2, 0, 0.1]).values["dense"] == (0.0, 0.1, 0.2)


def test_a_name_is_for_its_own_layer_whatever_a_pattern_would_make_of_it() -> None:
    space = make_space(["conv[1]", "dense"], "fraction", "pair", {"conv[1]": [0.5], "*": [0.25]}, ())
    assert space.values == {"conv[1]": (0.5,), "dense": (0.25,)}


def test_several_granularities() -> None:
    assert _space(granularity=["block", "pair", Granularity(2, 1)]).granularities == ("block", "pair")
    assert _space(granularity=Granularity(2, 2)).granularities == (Granularity(2, 2),)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"granularity": []}, "granularity is empty"),
        ({"granularity": "row"}, "granularity must be one of"),
        ({"exempt": ["conv*", "dense"]}, "every layer is exempt"),
        ({"exempt": ["pool"]}, "'pool' matches no layer"),
        ({"select": "threshold"}, "give values="),
        ({"values": []}, "values of '\\*' are empty"),
        ({"values": {"conv*": [0.5]}}, "layer 'dense' has no values"),
        ({"values": {"*": [0.5], "pool": [0.5]}}, "values of pool match none of the layers"),
        ({"values": [1.5]}, "must be a number from 0 to 1"),
    ],
)
def test_spaces_that_do_not_exist(options: dict[str, Any], says: str) -> None:
    with pytest.raises(OptionError, match=says):
        _space(**options)


def test_masks_are_those_of_the_design_and_one_array_for_one_value(problem: Small) -> None:
    layers = measure_layers(problem.model, "energy")
    assert list(layers.significance) == ["first", "second", "third"]
    one, other = Design(values={"first": 0.5, "third": 0.3}), Design(values={"first": 0.5, "second": 0.2})
    masks = layers.masks(one)
    expected = one.masks(layers.significance, layers.positions)
    assert all(np.array_equal(masks[name], expected[name]) for name in expected)
    assert layers.masks(other)["first"] is masks["first"]
    assert layers.masks(other)["third"] is not masks["third"]
    with pytest.raises(ValueError, match="read-only"):
        masks["first"][:] = False
    assert layers.products(masks)["second"] == 9 * masks["second"].sum()


def test_histograms_count_every_group() -> None:
    values = np.concatenate([np.zeros(10), np.geomspace(1e-9, 2.0, 90)]).reshape(50, 2)
    layers = Layers({"dense": values, "zero": np.zeros((4, 2))}, {"dense": 1, "zero": 1})
    found = layers.histograms({})
    groups = group_significance(values, "pair")
    histogram = found["dense"]
    assert len(histogram["edges"]) == 41 == len(histogram["counts"]) + 1
    assert sum(histogram["counts"]) == groups.size
    assert histogram["edges"][-1] == groups.max()
    assert histogram["edges"][0] == pytest.approx(groups.max() * 1e-6)
    assert histogram["counts"][-1] == np.count_nonzero(groups >= histogram["edges"][-2])
    assert sum(found["zero"]["counts"]) == 4
    assert np.all(np.diff(found["zero"]["edges"]) > 0)


def test_layers_choose_granularities_of_their_own() -> None:
    choices = {"conv1": "pair", "conv*": ("pair", "kernel")}
    space = _space(values=[1.0, 0.5], granularity=choices, exempt=["dense"])
    conv1, conv2 = list(space.values)
    assert space.levels(conv1) == [(1.0, "pair"), (0.5, "pair")]
    assert space.levels(conv2) == [(1.0, "pair"), (0.5, "pair"), (0.5, "kernel")]
    assert space.sizes == (2, 3)
    design = space.design([1, 2], "pair")
    assert design == Design("fraction", {conv1: "pair", conv2: "kernel"}, {conv1: 0.5, conv2: 0.5})
    assert space.design([1, 1], "pair") == Design("fraction", "pair", {conv1: 0.5, conv2: 0.5})
    assert space.design([0, 2], "pair") == Design("fraction", "kernel", {conv2: 0.5})
    with pytest.raises(OptionError, match="granularity must be one of"):
        _space(granularity={"*": ("pair", "row")})
    with pytest.raises(OptionError, match="pattern 'none' matches no layer"):
        _space(granularity={"none": "pair"})
