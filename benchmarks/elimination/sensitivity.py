"""The sensitivity of each layer, and the cycles that skipping in it saves: pairs, kernels, blocks, several shares.

    python -m benchmarks.elimination.sensitivity --data cifar10.npz           # all networks
    python -m benchmarks.elimination.sensitivity resnet8 --validation 500 --output resnet8.json

Elimination alone, on validation images; nothing is trained. Cycles are those that the exporter predicts for the M33.
The designs by hand of `benchmarks.training.headline` follow from these figures. What was measured is kept in
--work, so a command that was interrupted continues.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from cifar10 import INPUT_RANGE, Cifar10, add_data, load
from networks import pretrained

import export
import keras_approx
from benchmarks import FIGURES
from benchmarks.shared.options import CORE, REFERENCE, add_networks, argument_parser
from benchmarks.shared.records import add_output, recorded, stays, write_json
from benchmarks.training.explorations import CALIBRATION_IMAGES
from benchmarks.training.runs import first

RESULTS = FIGURES / "sensitivity.json"
WORK = Path("runs") / "sensitivity"
# A network of more layers is looked at in less detail.
VALIDATION_IMAGES = {"lenet": 2000, "alexnet": 2000, "resnet8": 1000}
_MANY = {"conv1": (1.0, 0.75, 0.6, 0.5, 0.4, 0.3, 0.25, 0.2), "*": (1.0, 0.85, 0.7, 0.6, 0.5, 0.4, 0.3, 0.2)}
_FEW = {"conv1": (1.0, 0.6, 0.45, 0.35, 0.3, 0.25), "*": (1.0, 0.8, 0.6, 0.45, 0.3, 0.2)}
SHARES: Mapping[str, Mapping[str, Sequence[float]]] = {"lenet": _MANY, "alexnet": _MANY, "resnet8": _FEW}
ALL = ("kernel block", "kernel", "pair")
CHOICES: Mapping[str, Mapping[str, str | tuple[str, ...]]] = {
    "lenet": {"conv1": "pair", "conv*": ALL},
    "alexnet": {"conv1": "pair", "conv*": ALL},
    "resnet8": {"conv1": "pair", "stack*_conv*": ALL},
}


def main(arguments: Sequence[str] | None = None) -> int:
    options = _parse(arguments)
    data = load(options.data)
    record = {
        name: entry
        for name, entry in recorded(options.output).items()
        if stays(
            f"{name} in {options.output}",
            entry,
            _settings(name, data, options),
            options.replace,
            figures=True,
        )
    }
    for name in options.networks:
        record[name] = figures(_explored(name, data, options), data.source)
        write_json(options.output, record)
        print(f"{name}: {len(record[name]['layers'])} layers", flush=True)
    return 0


def _settings(name: str, data: Cifar10, options: argparse.Namespace) -> dict[str, Any]:
    """What the figures of a network depend on."""
    count = options.validation or VALIDATION_IMAGES[name]
    return {"data": data.source, "validation_images": min(count, len(data.validation))}


def _explored(name: str, data: Cifar10, options: argparse.Namespace) -> keras_approx.ParetoFront:
    wrapped = keras_approx.wrap(pretrained(name), compensate=True, input_range=INPUT_RANGE)
    calibration = first(data.train, CALIBRATION_IMAGES).inputs
    keras_approx.calibrate(wrapped, calibration, verbose=False)
    count = options.validation or VALIDATION_IMAGES[name]
    validation = first(data.validation, count)
    return keras_approx.explore(
        wrapped,
        calibration=calibration,
        validation=(validation.inputs, validation.labels),
        price=export.Pricer(wrapped, target=CORE),
        search=keras_approx.Alone(),
        values=SHARES[name],
        granularity=CHOICES[name],
        exempt=("logits", *(["*shortcut"] if name == "resnet8" else [])),
        significance="elimination",
        confidence=None,
        out=options.work / f"{name}_{count}",
    )


def figures(front: keras_approx.ParetoFront, source: str) -> dict[str, Any]:
    """What was measured of single layers, as `json` can write it."""
    exact = front.exact
    layers: dict[str, dict[str, list[dict[str, float]]]] = {}
    for (layer, granularity), records in front.sensitivity().items():
        layers.setdefault(layer, {})[str(granularity)] = [
            {
                "share": record.design.value(layer),
                "cycles_saved": exact.costs["cycles"] - record.costs["cycles"],
                "accuracy": record.score,
                "distortion": record.distortion,
            }
            for record in records
            if record != exact
        ]
    return {
        "data": source,
        "validation_images": exact.images,
        "exact": {"accuracy": exact.score, "cycles": exact.costs["cycles"]},
        "layers": layers,
    }


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argument_parser(__doc__)
    add_networks(parser, REFERENCE)
    add_data(parser)
    parser.add_argument("--validation", type=int, help=f"images; default: {VALIDATION_IMAGES}")
    parser.add_argument("--work", type=Path, default=WORK, help="folder of what was measured")
    add_output(parser, RESULTS)
    options = parser.parse_args(arguments)
    options.networks = options.networks or REFERENCE
    return options


if __name__ == "__main__":
    sys.exit(main())
