"""Exports of generated networks on emulated cores: every byte of the reference kernels, QEMU's instruction counts."""

import numpy as np
import pytest

from export.api import to_c
from export.artifact.manifest import read_manifest
from export.frontend.reference import run_reference
from export.simulation import simulate
from export.targets import CORES
from tests.export.models.model_builder import ModelBuilder
from tests.export.models.networks import Layers, random_inputs, random_network, single_op_models
from tests.export.simulation.qemu_count import count_instructions

ARM_CORES = sorted(set(CORES) - {"host"})
OPS = single_op_models()


def assert_exact(tflite, folder, core):
    out_dir = to_c(tflite, folder / "out", target=core).path
    inputs = random_inputs(read_manifest(out_dir).inputs[0].shape, 4)
    np.testing.assert_array_equal(simulate(out_dir, inputs, core=core).outputs, run_reference(tflite, inputs))


@pytest.mark.parametrize("name", OPS)
def test_single_operators(tmp_path, name):
    assert_exact(OPS[name], tmp_path, ("cortex-m33", "cortex-m4")[sorted(OPS).index(name) % 2])


@pytest.mark.parametrize(("seed", "core"), [(seed, ARM_CORES[seed % len(ARM_CORES)]) for seed in range(10)])
def test_random_networks_on_every_core(tmp_path, seed, core):
    assert_exact(random_network(1000 + seed), tmp_path, core)


@pytest.mark.parametrize("core", ["cortex-m4", "cortex-m33"])
def test_instructions_are_as_many_as_qemu_counts(tmp_path, core):
    """A small classifier with most weights skipped, so that unpacked and compact kernels both run."""
    network = Layers(np.random.default_rng(5), zeros=0.7)
    x = network.input((12, 12, 3))
    y = network.pool(network.conv(x, 16, activation="relu"))
    y = network.conv(y, 16, padding="VALID", activation="relu")
    y = network.dense(network.builder.reshape(y, (1, 256)), 10)
    out_dir = to_c(network.builder.finish(x, y), tmp_path / "out", target=core).path
    values = random_inputs((12, 12, 3), 3)[2]
    counted, outputs = count_instructions(out_dir, core, values.reshape(-1), tmp_path)
    result = simulate(out_dir, values, core=core)
    np.testing.assert_array_equal(outputs, result.outputs[0])
    assert result.instructions == counted > 50_000


@pytest.mark.slow
def test_more_inputs_than_a_page_holds_pointers(tmp_path):
    builder = ModelBuilder()
    inputs = [builder.tensor((1, 1, 1, 4), 0.1, 0) for _ in range(1100)]
    tflite = builder.finish(inputs, builder.concatenation(inputs))
    values = np.random.default_rng(0).integers(-128, 128, (2, 1100, 1, 1, 4)).astype(np.int8)
    out_dir = to_c(tflite, tmp_path / "out").path
    outputs = simulate(out_dir, tuple(np.moveaxis(values, 1, 0))).outputs
    np.testing.assert_array_equal(outputs.reshape(2, -1), values.reshape(2, -1))
