"""A layer is measured by itself, and whatever the network around it."""

from __future__ import annotations

import pytest

from benchmarks.cycles.layers import CASES, Case, _conv, _dense, _measured
from benchmarks.pages import tables


@pytest.mark.parametrize(
    "case",
    (
        Case("behind a layer", (6, 6, 4), _conv(8, (3, 3))),
        Case("from the input", (6, 6, 4), _conv(8, (3, 3)), behind=False),
        Case("dense", (16,), _dense(4), behind=False),
    ),
    ids=lambda case: case.name,
)
def test_cycles_are_those_of_the_named_layer(case: Case) -> None:
    found = _measured(case, ("cortex-m33",))
    products, outputs = {"dense": (64, 4)}.get(case.name, (6 * 6 * 8 * 9 * 4, 6 * 6 * 8))
    assert (found["products"], found["outputs"]) == (products, outputs)
    assert outputs < found["cores"]["cortex-m33"]["cycles"] < 3 * products

    row = tables.single_layers({"layers": [found], "networks": {}}).splitlines()[2]
    assert row.startswith(f"| {case.name} |")


def test_no_two_cases_share_a_name() -> None:
    assert len({case.name for case in CASES}) == len(CASES)
