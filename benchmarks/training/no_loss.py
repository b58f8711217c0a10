"""What skipping at no loss is worth: exact int8 models and skipping ones, trained as long, from several seeds.

    python -m benchmarks.training.no_loss lenet --data cifar10.npz              # three seeds of each; an hour
    python -m benchmarks.training.no_loss lenet --epochs 30 --data cifar10.npz  # as long as it pays
    python -m benchmarks.training.no_loss --quick                               # everything once, small; minutes

All start from the shipped float weights. The difference is that of the means over the seeds, on all test images. A
training that ended is kept (its model in --work, its record and its .tflite in --results) and not done again, so a
command that was interrupted continues with the training it was at.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
from cifar10 import Cifar10, add_data, load, to_int8

import export
from benchmarks import FIGURES
from benchmarks.shared.options import CORE, REFERENCE, add_networks, argument_parser
from benchmarks.shared.records import add_replace, read_json, record_of, write_bytes, write_json
from benchmarks.training.designs import NO_LOSS
from benchmarks.training.headline import ARM_IMAGES, HOST_IMAGES
from benchmarks.training.runs import EPOCHS, WORK, Run, fine_tuned, first, with_data
from benchmarks.training.shipped import accuracy_on_host, cores

RESULTS = FIGURES / "no_loss"
SEEDS = 3


def main(arguments: Sequence[str] | None = None) -> int:
    options = _parse(arguments)
    data = load(options.data)
    if options.quick:
        data = replace(data, train=first(data.train, 2000), validation=first(data.validation, 300))
    for network in options.networks:
        for seed in range(options.seeds):
            for run in _runs(network, options.epochs or EPOCHS[network], seed):
                path = options.results / f"{run.name}.json"
                if not record_of(path, with_data(asdict(run), data), options.replace):
                    print(f"\n{run.name}", flush=True)
                    model, record = fine_tuned(run, data, options.work / run.name)
                    tflite = export.to_tflite(model)
                    figures = _figures(tflite, data, options)
                    write_bytes(path.with_suffix(".tflite"), tflite)
                    write_json(path, record | figures)  # last: what has a record is not done again
        print("\n".join(_lines(network, options)), flush=True)
    return 0


def _runs(network: str, epochs: int, seed: int) -> tuple[Run, Run]:
    """The exact model and the skipping one."""
    return (
        Run(network, 1.0, epochs, seed),
        Run(network, 1.0, epochs, seed, {"design": NO_LOSS[network].layers}),
    )


def _figures(tflite: bytes, data: Cifar10, options: argparse.Namespace) -> dict[str, Any]:
    """What the generated C does with all test images, once it was found to be exact."""
    images = to_int8(data.test.images)
    with tempfile.TemporaryDirectory() as folder:
        on_core = cores(tflite, images[: options.arm_images], Path(folder), (CORE,))[CORE]
        right = accuracy_on_host(Path(folder) / CORE, tflite, data.test, options.host_images)
    return {
        "test_accuracy": right,
        "exact_images": {"host": options.host_images, CORE: options.arm_images},
        "core": CORE,
        "cycles": on_core["cycles"],
    }


def _lines(network: str, options: argparse.Namespace) -> list[str]:
    """Each seed in a line, and the difference of the means."""
    lines, accuracies = [], []
    for seed in range(options.seeds):
        runs = _runs(network, options.epochs or EPOCHS[network], seed)
        records = [read_json(options.results / f"{run.name}.json") for run in runs]
        accuracies.append([record["test_accuracy"] for record in records])
        lines.append(
            f"{network}, seed {seed}: "
            + ", ".join(f"{record['test_accuracy']:.2%} in {record['cycles']:,} cycles" for record in records)
        )
    exact, skipping = np.mean(accuracies, axis=0)
    return [*lines, f"{network}: {100 * (skipping - exact):+.2f} points, {exact:.2%} to {skipping:.2%}"]


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argument_parser(__doc__)
    add_networks(parser, REFERENCE)
    add_data(parser)
    parser.add_argument("--epochs", type=int, help=f"of each training; default: {EPOCHS}")
    parser.add_argument("--seeds", type=int, default=SEEDS, help="default: %(default)s")
    parser.add_argument("--work", type=Path, help=f"folder for models; default: {WORK}")
    parser.add_argument("--results", type=Path, help="folder for records; default: no_loss in results")
    add_replace(parser)
    parser.add_argument("--quick", action="store_true", help="lenet, 2,000 images, 2 epochs, into runs/quick")
    options = parser.parse_args(arguments)
    options.networks = options.networks or (REFERENCE[:1] if options.quick else REFERENCE)
    options.epochs = options.epochs or (2 if options.quick else None)
    options.seeds = 1 if options.quick else options.seeds
    options.work = options.work or (Path("runs") / "quick" if options.quick else WORK)
    options.results = options.results or (options.work / "no_loss" if options.quick else RESULTS)
    options.host_images, options.arm_images = (100, 2) if options.quick else (HOST_IMAGES, ARM_IMAGES)
    return options


if __name__ == "__main__":
    sys.exit(main())
