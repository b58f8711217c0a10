"""Measures the generated kernels: cycles, flash, RAM, exactness, and the distance to the core's limit.

    python benchmarks/kernels.py                              # everything; 5 minutes on 2 cores
    python benchmarks/kernels.py --quick                      # one network, one core
    python benchmarks/kernels.py resnet8 --kept 1 0.25 --cores cortex-m33 --output resnet8.json

Each network is converted to int8, a part of each convolution's pairs is kept at random, and the export is compared
with TFLite's reference kernels and run on emulated cores. `benchmarks/document.py` draws and tabulates the JSON.
Cycles do not depend on the machine this runs on; seconds do.
"""

from __future__ import annotations

import argparse
import json
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict
from importlib import metadata
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "examples"))
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np
from cifar10 import SUBSET, to_int8
from jpeg_archive import read_archive
from networks import NETWORKS
from numpy.typing import NDArray

from benchmarks.measure import Figures, measure, measure_baseline
from benchmarks.models import keep_pairs, quantized
from benchmarks.options import REFERENCE, add_networks
from export.kernels.layout import ACTIVATIONS

RESULTS = Path(__file__).parent / "results" / "kernels.json"
_CORES = ("cortex-m33", "cortex-m4")
_KEPT = (1.0, 0.5, 0.25, 0.125)
_PACKAGES = ("tensorflow", "tf_keras", "numpy", "unicorn", "capstone")


def main(arguments: Sequence[str] | None = None) -> int:
    options = _parse(arguments)
    images = to_int8(read_archive(SUBSET, ("test",))["test"][0][: options.images])
    start = time.monotonic()
    networks = {}
    for name in options.networks:
        networks[name] = _network(name, images, options, start)
        content = {"versions": _versions(), "activations": options.activations, "networks": networks}
        options.output.parent.mkdir(parents=True, exist_ok=True)
        options.output.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
        _say(start, f"{name} saved in {options.output}")
    return 0


def _network(
    name: str, images: NDArray[np.int8], options: argparse.Namespace, start: float
) -> dict[str, Any]:
    """All figures of a network, ready for JSON."""
    source = quantized(name)
    baseline, designs = [], []
    for core in options.cores:
        _say(start, f"{name}, {core}: baseline")
        with tempfile.TemporaryDirectory() as folder:
            baseline.append(asdict(measure_baseline(source.tflite, core, images[:1], Path(folder))))
    for kept in options.kept:
        tflite = keep_pairs(source.tflite, kept)
        cores = []
        for core in options.cores:
            _say(start, f"{name}, {core}: {100 * kept:g} % of the pairs")
            with tempfile.TemporaryDirectory() as folder:
                measured = measure(tflite, core, images, Path(folder) / "out", options.activations)
            print(_line(measured), flush=True)
            cores.append(asdict(measured))
        designs.append({"kept": kept, "cores": cores})
    return {"weights": source.weights, "baseline": baseline, "designs": designs}


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add_networks(parser, NETWORKS, default="all but dscnn")
    parser.add_argument("--kept", type=_fraction, nargs="+", help="fractions of each convolution's pairs")
    parser.add_argument("--cores", nargs="+", choices=_CORES, help="default: both")
    parser.add_argument("--images", type=int, help="test images to run; default: 10")
    parser.add_argument("--activations", choices=ACTIVATIONS, default="auto", help="as for export.to_c")
    parser.add_argument("--quick", action="store_true", help="lenet on cortex-m33, exact and a quarter kept")
    parser.add_argument("--output", type=Path, help=f"JSON; default: {RESULTS.name} in benchmarks/results")
    options = parser.parse_args(arguments)
    options.networks = options.networks or (REFERENCE[:1] if options.quick else REFERENCE)
    options.cores = options.cores or (_CORES[:1] if options.quick else _CORES)
    options.kept = options.kept or ((1.0, 0.25) if options.quick else _KEPT)
    options.images = (2 if options.quick else 10) if options.images is None else options.images
    if options.images < 1:
        parser.error(f"--images must be at least 1, got {options.images}")
    options.output = options.output or (Path("kernels_quick.json") if options.quick else RESULTS)
    return options


def _fraction(text: str) -> float:
    value = float(text)
    if not 0 <= value <= 1:
        raise argparse.ArgumentTypeError(f"expected a fraction from 0 to 1, got {text}")
    return value


def _line(figures: Figures) -> str:
    waited = "" if figures.board_cycles is None else f" ({figures.board_cycles} on {figures.board})"
    return (
        f"    {figures.cycles:,} cycles{waited}, predicted {figures.predicted_cycles:,}; "
        f"flash {figures.flash_bytes:,} B, RAM {figures.ram_bytes:,} B; "
        f"export {figures.export_seconds} s, compile {figures.compile_seconds} s"
    )


def _versions() -> dict[str, str]:
    compiler = subprocess.run(
        ["arm-none-eabi-gcc", "--version"], capture_output=True, text=True, check=True
    ).stdout.splitlines()[0]
    packages = {package: metadata.version(package) for package in ("keras_approx", *_PACKAGES)}
    return {"python": platform.python_version(), "compiler": compiler, **packages}


def _say(start: float, text: str) -> None:
    print(f"[{time.monotonic() - start:4.0f} s] {text}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
