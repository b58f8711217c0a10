"""Lines a channel: what their kernels take, and that what they are predicted to take is what they take."""

from __future__ import annotations

import numpy as np
import pytest

from export import simulate, to_c
from export.frontend.reference import run_reference
from tests.export.models.bench import Bench
from tests.export.models.model_builder import Value
from tests.export.models.networks import random_inputs

SHAPE = (12, 10, 6)
ELEMENTS = 12 * 10 * 6


def scaled(bench: Bench, x: Value, name: str, values: list[int], scale: float) -> Value:
    held = bench.builder.tensor((len(values),), 0.02, 0, data=np.array(values, np.int8))
    return bench.op(name, [x, held], x.shape, scale=scale, zero_point=5, kind=f"{name.capitalize()}Options")


@pytest.mark.parametrize("core", ["cortex-m33", "cortex-m4"])
@pytest.mark.parametrize(
    ("name", "most"), [("one", 6.0), ("two", 8.5), ("rounding", 9.0), ("rounding and one", 11.0)]
)
def test_cycles(tmp_path, core: str, name: str, most: float) -> None:
    """Cycles an element; small factors are products that round twice. Arithmetic with a constant took ten."""
    bench = Bench()
    x = bench.builder.tensor((1, *SHAPE), 0.05, 3)
    # The second kind has no lines.
    factors, scale = (
        ([100, -90, 77, 50, 127, 30], 0.05) if name == "two" else ([-22, -21, -7, -30, 9, 11], 0.011)
    )
    y = x if name == "one" else scaled(bench, x, "MUL", factors, scale)
    y = y if name == "rounding" else scaled(bench, y, "ADD", [9, 0, -70, 33, 127, 1], 0.0713)
    model = bench.builder.finish(x, y)
    given = random_inputs(SHAPE, 2)
    done = to_c(model, tmp_path / "out", target=core)
    measured = simulate(done.path, given, core=core)
    np.testing.assert_array_equal(measured.outputs, run_reference(model, given))
    (layer,) = [layer for layer in done.estimate.layers if layer.kind == "lines"]
    assert layer.kernel == "direct"
    assert layer.cycles == pytest.approx(measured.per_layer[layer.index].cycles, rel=0.02)
    assert layer.cycles / ELEMENTS < most
    print(core, name, layer.cycles / ELEMENTS)
