"""Equal designs are equal in every way, and what is stored comes back."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from keras_approx.errors import OptionError
from keras_approx.exploration.design import Design
from keras_approx.skipping.granularity import Granularity
from keras_approx.skipping.masks import fraction_masks, threshold_mask

RNG = np.random.default_rng(0)
SIGNIFICANCE = {"conv": RNG.random((3, 3, 4, 8)), "dense": RNG.random((64, 10))}
POSITIONS = {"conv": 36, "dense": 1}

designs = st.builds(
    Design,
    select=st.sampled_from(["fraction", "threshold"]),
    granularity=st.sampled_from(["operand", "pair", "block", Granularity(4, 2)]),
    values=st.dictionaries(st.sampled_from(["a", "b", "c"]), st.floats(0, 1)),
)


@given(designs)
def test_json_round_trip(design: Design) -> None:
    again = Design.from_json(json.loads(json.dumps(design.to_json())))
    assert again == design
    assert again.id == design.id
    assert hash(again) == hash(design)


def test_what_is_the_same_design_has_the_same_id() -> None:
    one = Design(values={"a": 0.5, "b": 0.25, "c": 1.0})
    assert one == Design(granularity=Granularity(2, 1), values={"b": 0.25, "a": 0.5})
    assert one.id == Design(values={"b": 0.25, "a": 0.5}).id
    assert list(one.values) == ["a", "b"]
    assert one.value("c") == 1.0
    others = [Design("threshold", "pair", one.values), Design("fraction", "block", one.values), Design()]
    assert len({one.id, *(other.id for other in others)}) == 4


def test_there_is_one_exact_design() -> None:
    assert Design(granularity="block", values={"a": 1.0}) == Design()
    assert Design("threshold", "block", {"a": 0.0}).id == Design("threshold").id


def test_ids_do_not_change() -> None:
    """They name records in files that were written long ago."""
    assert Design(values={"conv1": 0.5, "dense": 0.25}).id == "941e92a77d57"


@pytest.mark.parametrize("granularity", ["operand", "pair", "block"])
def test_masks_are_those_of_each_layer_alone(granularity: str) -> None:
    design = Design("fraction", granularity, {"conv": 0.3})
    masks = design.masks(SIGNIFICANCE, POSITIONS)
    alone = fraction_masks({"conv": SIGNIFICANCE["conv"]}, POSITIONS, 0.3, granularity=granularity)
    np.testing.assert_array_equal(masks["conv"], alone["conv"])
    assert masks["dense"].all()
    masks = Design("threshold", granularity, {"dense": 0.4}).masks(SIGNIFICANCE, POSITIONS)
    expected = threshold_mask(SIGNIFICANCE["dense"], 0.4, granularity)
    assert 0 < expected.mean() < 1
    np.testing.assert_array_equal(masks["dense"], expected)
    assert masks["conv"].all()


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"select": "budget"}, "select must be one of fraction, threshold"),
        ({"granularity": "row"}, "granularity must be one of"),
        ({"values": {"a": 1.5}}, "fraction of layer 'a' must be a number from 0 to 1, got 1.5"),
        ({"values": {"a": float("nan")}}, "got nan"),
        ({"select": "threshold", "values": {"a": float("inf")}}, "below infinity, got inf"),
        ({"select": "threshold", "values": {"a": -0.1}}, "got -0.1"),
    ],
)
def test_designs_that_do_not_exist(options: dict[str, Any], says: str) -> None:
    with pytest.raises(OptionError, match=says):
        Design(**options)


def test_a_design_of_other_layers() -> None:
    with pytest.raises(OptionError, match="values for conv1, but the layers that skip are conv, dense"):
        Design(values={"conv1": 0.5}).masks(SIGNIFICANCE, POSITIONS)


def test_fronts_are_read_without_tensorflow() -> None:
    code = (
        "import sys, keras_approx; keras_approx.Design; keras_approx.load_front\n"
        "assert not {'tensorflow', 'tf_keras', 'keras'} & set(sys.modules), sorted(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_layers_have_granularities_of_their_own() -> None:
    design = Design("fraction", {"conv": "kernel", "dense": Granularity(4, 2)}, {"conv": 0.5, "dense": 0.5})
    assert Design.from_json(json.loads(json.dumps(design.to_json()))) == design
    assert design.granularity_of("conv") == "kernel"
    masks = design.masks(SIGNIFICANCE, POSITIONS)
    for name, granularity in (("conv", "kernel"), ("dense", Granularity(4, 2))):
        alone = Design("fraction", granularity, {name: 0.5}).masks(SIGNIFICANCE, POSITIONS)
        np.testing.assert_array_equal(masks[name], alone[name])
    same = Design("fraction", {"conv": "kernel", "dense": "kernel"}, {"conv": 0.5, "dense": 0.5})
    assert same == Design("fraction", "kernel", {"conv": 0.5, "dense": 0.5})
    assert Design("fraction", {"conv": "kernel"}, {"conv": 1.0}) == Design()
