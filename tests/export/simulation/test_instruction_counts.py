"""Instruction counts against QEMU's own, which counts in its translator and knows nothing of our blocks."""

import numpy as np
import pytest

from export.simulation import simulate
from tests.export import handmade
from tests.export.simulation.qemu_count import count_instructions


@pytest.mark.parametrize("core", ["cortex-m4", "cortex-m33"])
def test_counts_equal_qemu(tmp_path, core):
    out_dir = handmade.write(tmp_path / "out")
    for values in handmade.inputs(3):
        counted, outputs = count_instructions(out_dir, core, values, tmp_path)
        result = simulate(out_dir, values, core=core)
        np.testing.assert_array_equal(outputs, result.outputs[0])
        assert result.instructions == counted
