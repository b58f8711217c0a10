"""Softmax kernels: bit for bit the reference kernels', on the host and on emulated cores, and priced as they run."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from export.api import to_c
from export.artifact.compiling import build_host
from export.frontend.reference import run_reference
from export.simulation import simulate
from tests.export.kernels.test_kernels import check
from tests.export.models.model_builder import ModelBuilder
from tests.export.models.networks import random_inputs


def softmax(shape: tuple[int, ...], scale: float, beta: float = 1.0) -> bytes:
    builder = ModelBuilder()
    x = builder.tensor((1, *shape), scale, 7)
    return builder.finish(x, builder.softmax(x, beta))


@pytest.mark.parametrize("channels", [1, 2, 3, 10, 31, 32, 47, 511])
@pytest.mark.parametrize("scale", [1e-4, 0.04, 0.7])
def test_any_number_of_channels(channels: int, scale: float) -> None:
    check(softmax((channels,), scale), 3)


def test_every_position_of_an_image() -> None:
    check(softmax((3, 4, 5), 0.1, beta=2.5), 3)


@pytest.mark.parametrize("core", ["cortex-m33", "cortex-m4"])
def test_cores_take_what_was_predicted_whatever_the_input(tmp_path: Path, core: str) -> None:
    model = softmax((2, 2, 37), 0.05)
    export = to_c(model, tmp_path / "out", target=core)
    rng = np.random.default_rng(0)
    inputs = np.concatenate(
        [random_inputs((2, 2, 37), 4), np.clip(rng.normal(-60, 30, (8, 2, 2, 37)), -128, 127).astype(np.int8)]
    )
    expected = run_reference(model, inputs)
    measured = simulate(export.path, inputs)
    np.testing.assert_array_equal(measured.outputs, expected)
    np.testing.assert_array_equal(build_host(export.path, sanitize=True).run(inputs), expected)
    predicted = export.estimate.layers[0].cycles
    assert predicted is not None
    assert abs(measured.per_layer[0].cycles - predicted) <= 0.02 * measured.per_layer[0].cycles
    assert measured.worst_cycles == measured.cycles
