"""Movements that are refused."""

from __future__ import annotations

import pytest

from export.errors import UnsupportedModelError
from export.frontend import read_tflite
from tests.export.models.bench import Bench


def test_a_slice_whose_ends_count_from_its_beginnings_is_refused() -> None:
    bench = Bench()
    inputs = [bench.x, bench.ints(0, 1, 1, 0), bench.ints(1, 2, 2, 4), bench.ints(1, 1, 1, 1)]
    y = bench.op("STRIDED_SLICE", inputs, (1, 2, 2, 4), kind="StridedSliceOptions", offset=True)
    with pytest.raises(UnsupportedModelError, match="its option offset"):
        read_tflite(bench.builder.finish(bench.inputs, y))


def test_one_element_that_is_taken_backwards_is_refused() -> None:
    bench = Bench()
    inputs = [bench.x, bench.ints(0, 1, 1, 0), bench.ints(1, 2, 2, 4), bench.ints(1, -1, 1, 1)]
    y = bench.op("STRIDED_SLICE", inputs, (1, 1, 4), kind="StridedSliceOptions", shrinkAxisMask=2)
    with pytest.raises(UnsupportedModelError, match="stride -1 of dimension 1"):
        read_tflite(bench.builder.finish(bench.inputs, y))
