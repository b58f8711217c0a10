"""Measures the generated kernels: cycles, flash, RAM, exactness, and the distance to the core's limit.

    python -m benchmarks.cycles.kernels                              # everything; 4 minutes on 2 cores
    python -m benchmarks.cycles.kernels --quick                      # one network, one core
    python -m benchmarks.cycles.kernels resnet8 --kept 1 0.25 --cores cortex-m33 --output resnet8.json

Each network is converted to int8, a part of each convolution's pairs or of its whole kernels is kept at random, and
the export is compared with TFLite's reference kernels and run on emulated cores. What networks take with less RAM, and
on a board of little flash, is predicted. `benchmarks.pages.document` draws and tabulates the JSON. Cycles do not
depend on the machine this runs on; seconds do.
"""

from __future__ import annotations

import argparse
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

import numpy as np
from cifar10 import SUBSET, to_int8
from jpeg_archive import read_archive
from networks import NETWORKS
from numpy.typing import NDArray

import export
from benchmarks import FIGURES
from benchmarks.cycles.measure import Figures, measure, measure_baseline
from benchmarks.shared.models import keep_kernels, keep_pairs, quantized
from benchmarks.shared.options import CORES, KERNELS, PAIRS, REFERENCE, add_networks, argument_parser
from benchmarks.shared.records import add_replace, recorded, stays, write_json
from export.errors import TargetError
from export.kernels.layout import ACTIVATIONS

RESULTS = FIGURES / "kernels.json"
_KEPT = (1.0, 0.5, 0.25, 0.125)
_KERNELS = (0.5, 0.25)
_RAM = (32, 48, 64, 96, 112, 128)
_SMALL_BOARD = "nucleo-f446re"  # 512 KiB of flash, 128 KiB of RAM
_PACKAGES = ("tensorflow", "tf_keras", "numpy", "unicorn", "capstone")


def main(arguments: Sequence[str] | None = None) -> int:
    options = _parse(arguments)
    images = to_int8(read_archive(SUBSET, ("test",))["test"][0][: options.images])
    start = time.monotonic()
    networks = _recorded(options)
    for name in options.networks:
        networks[name] = _network(name, images, options, start)
        content = {"versions": _versions(), "activations": options.activations, "networks": networks}
        write_json(options.output, content)
        _say(start, f"{name} saved in {options.output}")
    return 0


def _recorded(options: argparse.Namespace) -> dict[str, Any]:
    """By network, what the record has that may stay."""
    masks = [[PAIRS, kept] for kept in options.kept] + [[KERNELS, kept] for kept in options.kernels]
    wanted = {
        "activations": options.activations,
        "masks": masks,
        "cores": options.cores,
        "images": options.images,
        "ram": options.ram,
    }
    record, found = recorded(options.output), {}
    for name, entry in record.get("networks", {}).items():
        designs = entry["designs"]
        settings = {
            "activations": record["activations"],
            "masks": [[design["mask"], design["kept"]] for design in designs],
            "cores": [figures["core"] for figures in designs[0]["cores"]],
            "images": designs[0]["cores"][0]["images"],
            "ram": [limit["kib"] for limit in entry["limits"]],
        }
        if stays(f"{name} in {options.output}", settings, wanted, options.replace):
            found[name] = entry
    return found


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
    masks = [(PAIRS, kept, keep_pairs) for kept in options.kept]
    masks += [(KERNELS, kept, keep_kernels) for kept in options.kernels]
    for mask, kept, keep in masks:
        tflite = keep(source.tflite, kept)
        cores = []
        for core in options.cores:
            _say(start, f"{name}, {core}: {100 * kept:g} % of the {mask}")
            with tempfile.TemporaryDirectory() as folder:
                measured = measure(tflite, core, images, Path(folder) / "out", options.activations)
            print(_line(measured), flush=True)
            cores.append(asdict(measured))
        designs.append({"mask": mask, "kept": kept, "cores": cores})
    _say(start, f"{name}: less RAM, less flash")
    return {
        "weights": source.weights,
        "baseline": baseline,
        "designs": designs,
        "limits": [_limited(source.tflite, options.cores[0], kib) for kib in options.ram],
        "small": _small(source.tflite),
    }


def _limited(tflite: bytes, core: str, kib: int) -> dict[str, Any]:
    """What a network takes if its data may fill so much RAM; no cycles where it does not fit."""
    try:
        estimate = export.estimate(tflite, target=core, max_ram=kib << 10)
    except TargetError:
        return {"kib": kib, "core": core, "cycles": None}
    return {"kib": kib, "core": core, "cycles": estimate.cycles}


def _small(tflite: bytes) -> dict[str, Any]:
    """What a network takes on a board of little flash."""
    estimate = export.estimate(tflite, target=_SMALL_BOARD)
    return {
        "board": _SMALL_BOARD,
        "cycles": estimate.cycles,
        "board_cycles": estimate.board_cycles,
        "flash_bytes": estimate.flash_bytes,
        "ram_bytes": estimate.ram_bytes,
        "kernels": [layer.kernel for layer in estimate.layers],
    }


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argument_parser(__doc__)
    add_networks(parser, NETWORKS, default=", ".join(REFERENCE))
    parser.add_argument("--kept", type=_fraction, nargs="+", help="fractions of each convolution's pairs")
    parser.add_argument(
        "--kernels",
        type=_fraction,
        nargs="*",
        help="fractions of whole kernels, four output channels at once",
    )
    parser.add_argument("--ram", type=int, nargs="*", help="limits of RAM in KiB; default: 32 to 128")
    parser.add_argument("--cores", nargs="+", choices=CORES, help="default: both")
    parser.add_argument("--images", type=int, help="test images to run; default: 10")
    parser.add_argument("--activations", choices=ACTIVATIONS, default="auto", help="as for export.to_c")
    parser.add_argument("--quick", action="store_true", help="lenet on cortex-m33, exact and a quarter kept")
    parser.add_argument("--output", type=Path, help=f"JSON; default: {RESULTS.name} in benchmarks/results")
    add_replace(parser)
    options = parser.parse_args(arguments)
    options.networks = options.networks or (REFERENCE[:1] if options.quick else REFERENCE)
    options.cores = options.cores or (CORES[:1] if options.quick else CORES)
    options.kept = options.kept or ((1.0, 0.25) if options.quick else _KEPT)
    options.kernels = (() if options.quick else _KERNELS) if options.kernels is None else options.kernels
    options.ram = (() if options.quick else _RAM) if options.ram is None else options.ram
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
