"""An export against the reference kernels, on the host and on emulated cores."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from export import Export, simulate
from export.artifact.compiling import build_host
from export.frontend.reference import run_reference


def quantized(export: Export, inputs: NDArray[np.float32]) -> NDArray[np.int8]:
    """Real inputs as the network's int8 ones."""
    info = export.manifest["inputs"][0]
    return np.clip(np.rint(inputs / info["scale"]) + info["zero_point"], -128, 127).astype(np.int8)


def real(export: Export, outputs: NDArray[np.int8]) -> NDArray[np.float32]:
    """The network's int8 outputs as real numbers."""
    info = export.manifest["outputs"][0]
    return np.float32(info["scale"]) * (outputs.astype(np.float32) - info["zero_point"])


def assert_exact(export: Export, inputs: NDArray[np.int8], emulated: int = 3) -> NDArray[np.int8]:
    """Every output byte of the host build and of both cores is that of BUILTIN_REF; returns the outputs."""
    tflite = (export.path / f"{export.name}.tflite").read_bytes()
    expected = run_reference(tflite, inputs)
    np.testing.assert_array_equal(build_host(export.path).run(inputs), expected)
    for core in ("cortex-m33", "cortex-m4"):
        measured = simulate(export.path, inputs[:emulated], core=core)
        np.testing.assert_array_equal(measured.outputs, expected[:emulated], err_msg=core)
    return expected
