"""Names of inputs and outputs as C identifiers, whatever the model calls them."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from export.csource.names import field_names


def test_names_that_people_gave() -> None:
    names = ["serving_default_image:0", "Scores/Softmax", "int", "x", "x", "3d", ""]
    assert field_names(names, "input") == (
        "image",
        "scores_softmax",
        "input2",
        "input3",
        "input4",
        "input5",
        "input6",
    )


@given(st.lists(st.text(max_size=40), min_size=1, max_size=6))
def test_any_names_are_distinct_identifiers(names: list[str]) -> None:
    fields = field_names(names, "output")
    assert len(set(fields)) == len(names)
    assert all(re.fullmatch("[a-z][a-z0-9_]{0,30}", field) for field in fields)


def test_a_name_that_looks_like_a_number_of_ours_is_not_taken() -> None:
    assert field_names(["output1", "while", "out"], "output") == ("output0", "output1", "out")
    assert field_names(["StatefulPartitionedCall:0", "effort"], "output") == ("output0", "effort")
