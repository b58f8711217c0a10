"""Measures layers that the reference networks do not have: depthwise, one-dimensional, few channels, small dense ones.

    python -m benchmarks.cycles.layers            # all of them on both cores; 2 minutes on 2 cores
    python -m benchmarks.cycles.layers --quick    # two layers on the M33

Each layer stands in a network of its own with random weights, behind a 1 x 1 convolution where activations come
from a layer and not from the input, and before a global mean. The export is run on the emulated core and compared with
TFLite's reference kernels. Cycles are the layer's own, a fused ReLU and its requantization included.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import tf_keras as keras
from networks import NETWORKS

import export
from benchmarks import FIGURES
from benchmarks.cycles.measure import measure
from benchmarks.shared.options import CORES, argument_parser
from benchmarks.shared.records import write_json
from export.frontend.reference import run_reference

RESULTS = FIGURES / "layers.json"
_NAME = "measured"
_SEPARABLE = "dscnn"
_SAMPLES = 20
layers = keras.layers


@dataclass(frozen=True)
class Case:
    """A layer to measure.

    Attributes:
        name: As the table calls it.
        shape: Of its input, without the batch.
        make: Makes it; its name is given.
        behind: Whether a 1 x 1 convolution computes its input.
    """

    name: str
    shape: tuple[int, ...]
    make: Callable[[str], keras.layers.Layer]
    behind: bool = True


def _depthwise(kernel: tuple[int, int], stride: int = 1) -> Callable[[str], keras.layers.Layer]:
    return lambda name: layers.DepthwiseConv2D(kernel, stride, padding="same", activation="relu", name=name)


def _conv(channels: int, kernel: tuple[int, int], stride: int = 1) -> Callable[[str], keras.layers.Layer]:
    return lambda name: layers.Conv2D(channels, kernel, stride, padding="same", activation="relu", name=name)


def _dense(units: int) -> Callable[[str], keras.layers.Layer]:
    return lambda name: layers.Dense(units, activation="relu", name=name)


CASES = (
    Case("depthwise 3x3, 48x48x8", (48, 48, 8), _depthwise((3, 3))),
    Case("depthwise 3x3, 24x24x32", (24, 24, 32), _depthwise((3, 3))),
    Case("depthwise 3x3, 24x24x32 from the input", (24, 24, 32), _depthwise((3, 3)), behind=False),
    Case("depthwise 3x3, 12x12x64", (12, 12, 64), _depthwise((3, 3))),
    Case("depthwise 3x3, 25x5x64", (25, 5, 64), _depthwise((3, 3))),
    Case("depthwise 3x3 of stride 2, 24x24x32", (24, 24, 32), _depthwise((3, 3), 2)),
    Case("depthwise 3x3 of stride 2, 6x6x128", (6, 6, 128), _depthwise((3, 3), 2)),
    Case("depthwise 1x3, 16x16x32", (16, 16, 32), _depthwise((1, 3))),
    Case("depthwise 3x1, 64x1x32", (64, 1, 32), _depthwise((3, 1))),
    Case("10x4 of stride 2, 49x10x1 to 64", (49, 10, 1), _conv(64, (10, 4), 2), behind=False),
    Case("3x3, 32x32x3 to 32", (32, 32, 3), _conv(32, (3, 3)), behind=False),
    Case("1x3, 1x128x16 to 32", (1, 128, 16), _conv(32, (1, 3))),
    Case("1x1, 16x16x4 to 4", (16, 16, 4), _conv(4, (1, 1))),
    Case("1x1, 16x16x8 to 16", (16, 16, 8), _conv(16, (1, 1))),
    Case("1x1, 16x16x64 to 64", (16, 16, 64), _conv(64, (1, 1))),
    Case("dense, 16 to 4", (16,), _dense(4), behind=False),
    Case("dense, 64 to 16", (64,), _dense(16), behind=False),
    Case("dense, 256 to 64", (256,), _dense(64), behind=False),
)
_QUICK = (CASES[1], CASES[15])


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argument_parser(__doc__)
    parser.add_argument("--quick", action="store_true", help="two layers on cortex-m33")
    parser.add_argument(
        "--output", type=Path, default=None, help="JSON; default: layers.json in benchmarks/results"
    )
    options = parser.parse_args(arguments)
    cores = CORES[:1] if options.quick else CORES
    record: dict[str, Any] = {"layers": [], "networks": {}}
    for case in _QUICK if options.quick else CASES:
        record["layers"].append(_measured(case, cores))
        print(record["layers"][-1], flush=True)
    if not options.quick:
        keras.utils.set_random_seed(0)
        record["networks"] = {_SEPARABLE: _whole(NETWORKS[_SEPARABLE](), cores)}
        print(record["networks"], flush=True)
    write_json(options.output or (Path("layers_quick.json") if options.quick else RESULTS), record)
    return 0


def _measured(case: Case, cores: Sequence[str]) -> dict[str, Any]:
    """Outputs, products, and on each core the cycles of a layer and the kernel that computes it."""
    keras.utils.set_random_seed(0)
    inputs = keras.Input(case.shape)
    x = layers.Conv2D(case.shape[-1], 1, activation="relu")(inputs) if case.behind else inputs
    measured = case.make(_NAME)(x)
    y = layers.GlobalAveragePooling2D()(measured) if len(measured.shape) == 4 else layers.Dense(2)(measured)
    found: dict[str, Any] = {"name": case.name, "outputs": int(np.prod(measured.shape[1:])), "cores": {}}
    tflite, samples = _quantized(keras.Model(inputs, y))
    for core in cores:
        exported, run = _run(tflite, samples, core)
        layer = next(layer for layer in exported.estimate.layers if layer.name == _NAME)
        found["products"] = layer.macs
        found["cores"][core] = {"kernel": layer.kernel, "cycles": run.per_layer[layer.index].cycles}
    return found


def _whole(model: keras.Model, cores: Sequence[str]) -> dict[str, Any]:
    """Cycles of a network on each core, and what its layers with products spend them on."""
    tflite, images = _quantized(model)
    found = {}
    for core in cores:
        with tempfile.TemporaryDirectory() as folder:
            figures = measure(tflite, core, images, Path(folder) / "out", "auto")
        found[core] = {
            "cycles": figures.cycles,
            "layers": [
                {"kind": layer.kind, "kernel": layer.kernel, "limit": layer.limit, "terms": dict(layer.terms)}
                for layer in figures.layers
            ],
        }
    return found


def _quantized(model: keras.Model) -> tuple[bytes, np.ndarray]:
    """An int8 network, and some of its inputs."""
    samples = np.random.default_rng(0).normal(size=(_SAMPLES, *model.input_shape[1:])).astype(np.float32)
    tflite = export.to_tflite(model, representative_data=samples)
    images = np.random.default_rng(1).integers(-128, 128, (2, *model.input_shape[1:])).astype(np.int8)
    return tflite, images


def _run(tflite: bytes, images: np.ndarray, core: str) -> tuple[export.Export, export.Measurement]:
    """Exports a network, runs it, and compares its outputs with the reference kernels'."""
    with tempfile.TemporaryDirectory() as folder:
        exported = export.to_c(tflite, Path(folder) / "out", target=core)
        run = export.simulate(Path(folder) / "out", images, core=core)
    if not np.array_equal(run.outputs, run_reference(tflite, images)):
        raise SystemExit(f"an output differs from the reference kernels' on {core}")
    return exported, run


if __name__ == "__main__":
    sys.exit(main())
