"""The baseline's kernels against TFLite's reference kernels, bit for bit."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from benchmarks.cycles.baseline import write_baseline
from export.artifact.compiling import build_host
from export.errors import UnsupportedModelError
from export.frontend import read_tflite
from export.frontend.reference import run_reference
from export.passes import run_passes
from export.simulation import simulate
from tests.export.models.model_builder import Value
from tests.export.models.networks import Layers, random_inputs

SHAPE = (9, 8, 3)
ODD, EVEN = 5, 6


def _plain(n: Layers, x: Value) -> Value:
    y = n.conv(x, ODD, activation="relu")  # 27 inputs: columns of odd length, a last single channel
    y = n.pool(y, kernel=(3, 3), stride=(2, 2), padding="SAME")  # windows cut at the edges
    y = n.conv(y, EVEN, (2, 3), padding="VALID", activation="relu6")
    return n.builder.softmax(n.dense(n.dense(y, 7, activation="relu"), ODD))


def _residual(n: Layers, x: Value) -> Value:
    y = n.conv(x, EVEN, stride=(2, 2))
    z = n.add(n.conv(x, EVEN, (1, 1), stride=(2, 2), padding="VALID"), y, activation="relu")
    z = n.pool(n.add(z, y), "average", (3, 2), stride=(2, 2), padding="SAME")
    return n.dense(n.builder.reshape(z, (1, int(np.prod(z.shape)))), 4)


def _dilated(n: Layers, x: Value) -> Value:
    y = n.conv(x, 4, dilation=(2, 3))
    return n.conv(
        y, 3, (1, 1), per_channel=False, padding="VALID"
    )  # an odd number of positions, one left over


@pytest.mark.parametrize("recipe", [_plain, _residual, _dilated])
def test_outputs_are_the_reference_kernels(recipe, tmp_path: Path) -> None:
    network = Layers(np.random.default_rng(4))
    x = network.input((9, 7, 3) if recipe is _dilated else SHAPE)
    tflite = network.builder.finish(x, recipe(network, x))
    inputs = random_inputs(x.shape[1:], 6)
    folder = write_baseline(run_passes(read_tflite(tflite)), tmp_path / "out")
    expected = run_reference(tflite, inputs)
    np.testing.assert_array_equal(build_host(folder, sanitize=True).run(inputs), expected)
    measured = simulate(folder, inputs)
    np.testing.assert_array_equal(measured.outputs, expected)
    assert measured.per_function["baseline_conv"] > 0


def test_arena_is_what_lives_together(tmp_path: Path) -> None:
    network = Layers(np.random.default_rng(5))
    x = network.input((4, 4, 2))
    y = network.conv(network.conv(network.conv(x, 8), 8), 4)
    graph = run_passes(read_tflite(network.builder.finish(x, y)))
    measured = simulate(write_baseline(graph, tmp_path / "out"), random_inputs((4, 4, 2), 1))
    two_activations, columns = 2 * 4 * 4 * 8, 2 * 2 * 3 * 3 * 8
    assert measured.ram_bytes == two_activations + columns


def test_other_operators_are_refused(tmp_path: Path) -> None:
    network = Layers(np.random.default_rng(6))
    x = network.input(SHAPE)
    graph = run_passes(read_tflite(network.builder.finish(x, network.depthwise(x))))
    with pytest.raises(UnsupportedModelError, match="got DepthwiseConv2D"):
        write_baseline(graph, tmp_path / "out")
    assert not (tmp_path / "out").exists()
