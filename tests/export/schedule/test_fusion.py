"""Convolutions that add their residual in place: where that is done, where it must not be, and what it saves."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from export.api import to_c
from export.artifact.compiling import build_host
from export.frontend import read_tflite
from export.frontend.reference import run_reference
from export.passes import run_passes
from export.schedule.fusion import fuse
from export.simulation import simulate
from tests.export.kernels.test_kernels import check, scheduled
from tests.export.models.model_builder import Value
from tests.export.models.networks import Layers, random_inputs, residual_blocks


def network_of(recipe: Callable[[Layers, Value], Value], shape: tuple[int, int, int] = (6, 8, 4)) -> bytes:
    network = Layers(np.random.default_rng(0))
    x = network.input(shape)
    return network.builder.finish(x, recipe(network, x))


def fused(model: bytes) -> int:
    return sum(layer.add is not None for layer in fuse(run_passes(read_tflite(model))))


@st.composite
def residual_models(draw: st.DrawFn) -> bytes:
    """A convolution, one beside it, their sum, and a reader that may pad; scales of any ratio."""
    network = Layers(
        np.random.default_rng(draw(st.integers(0, 2**32 - 1))), zeros=draw(st.sampled_from([0.0, 0.7]))
    )
    channels = draw(st.integers(1, 9))
    relu = st.sampled_from(["none", "relu", "relu6"])
    x = network.input((draw(st.integers(3, 6)), draw(st.sampled_from([1, 4, 6])), draw(st.integers(1, 5))))
    y = network.conv(x, channels, (3, 1), activation=draw(relu))
    z = network.conv(
        network.conv(y, 2, (1, 1)) if draw(st.booleans()) else x, channels, (1, 1), activation=draw(relu)
    )
    pair = (y, z) if draw(st.booleans()) else (z, y)
    total = network.builder.add(
        *pair,
        max(y.scale, z.scale) * draw(st.sampled_from([0.4, 1.0, 3.0])),
        network.zero_point(),
        activation=draw(relu),
    )
    return network.builder.finish(
        x, network.conv(total, 3, (3, 1), padding=draw(st.sampled_from(["SAME", "VALID"])))
    )


@settings(max_examples=15)
@given(residual_models())
def test_sums_in_place_are_exact(model: bytes) -> None:
    assert fused(model) == 1
    check(model, 1)


def test_both_kinds_of_blocks_are_fused() -> None:
    model = network_of(residual_blocks)
    assert fused(model) == 2
    kinds = [stage.kind for stage in scheduled(model).stages]
    assert "add" not in kinds


def test_rows_of_an_odd_number_of_positions_are_not() -> None:
    assert fused(network_of(residual_blocks, (6, 7, 4))) == 0


@pytest.mark.parametrize(
    "recipe",
    [
        lambda n, x: n.conv(n.add(x, n.conv(x, 4)), 2),  # the residual is the network's input
        lambda n, x: n.add(n.conv(x, 4), n.conv(x, 4)),  # the sum is its output
        lambda n, x: n.conv(n.add(y := n.conv(x, 4), y), 2),  # the same twice
        lambda n, x: n.conv(
            n.add(n.pool(y := n.conv(x, 4), kernel=(1, 1)), n.depthwise(y)), 2
        ),  # no convolution
        lambda n, x: n.add(n.add(y := n.conv(x, 4), n.conv(y, 4)), y),  # the residual is read again
        lambda n, x: n.add(
            n.add(y := n.conv(x, 4), z := n.conv(x, 4)), n.add(z, y)
        ),  # the convolution's output is
        lambda n, x: n.conv(
            n.add(n.builder.reshape(n.conv(x, 2), (1, 6, 4, 4)), n.conv(x, 4, stride=(1, 2))), 2
        ),  # the residual may lie where something else does
    ],
)
def test_what_needs_both_buffers_is_not(recipe: Callable[[Layers, Value], Value]) -> None:
    model = network_of(recipe)
    assert fused(model) == 0
    check(model, 1)


@pytest.mark.parametrize(("activations", "core"), [("int8", "cortex-m33"), ("int16", "cortex-m4")])
def test_generated_code_is_exact_and_needs_a_buffer_less(tmp_path: Path, activations: str, core: str) -> None:
    network = Layers(np.random.default_rng(0), zeros=0.7)
    x = network.input((4, 4, 4))
    y = network.conv(x, 8, (1, 1), activation="relu")
    y = network.add(y, network.conv(network.conv(y, 8, (1, 1)), 8), activation="relu")
    model = network.builder.finish(x, network.conv(y, 4, (3, 1)))
    inputs = random_inputs((4, 4, 4), 4)
    expected = run_reference(model, inputs)
    export = to_c(model, tmp_path / "out", target=core, activations=activations)
    np.testing.assert_array_equal(simulate(export.path, inputs).outputs, expected)
    np.testing.assert_array_equal(
        build_host(export.path, sanitize=activations == "int8").run(inputs), expected
    )
    element = 2 if activations == "int16" else 1
    assert export.estimate.ram_bytes == (6 * 4 + 6 * 6) * 8 * element
