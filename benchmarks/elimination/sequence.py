"""What fitting layers in sequence is worth: validation accuracy after elimination alone.

    python -m benchmarks.elimination.sequence --data cifar10.npz            # all networks
    python -m benchmarks.elimination.sequence lenet --validation 1000 --output lenet.json

Each layer is fitted to the outputs of the exact network: for the exact network's inputs, or for the inputs that the
layers before it leave once they skip. Nothing is trained, and labels are used to count right answers only.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from typing import Any

from cifar10 import INPUT_RANGE, add_data, load, to_int8
from networks import pretrained
from train import accuracy

import export
import keras_approx
from benchmarks import FIGURES
from benchmarks.pages.elimination_tables import IN_SEQUENCE
from benchmarks.shared.options import REFERENCE, add_networks, argument_parser
from benchmarks.shared.records import add_output, recorded, stays, write_json
from benchmarks.training.runs import first
from export.analysis.interpreter import run
from export.frontend import read_tflite

RESULTS = FIGURES / "sequence.json"
IMAGES = 2560
VALIDATION_IMAGES = 3000
MASKS = {"pair": (0.5, 0.25), "kernel": (0.5,), "kernel block": (0.6,)}


def main(arguments: Sequence[str] | None = None) -> int:
    options = _parse(arguments)
    data = load(options.data)
    images, validation = first(data.train, options.images), first(data.validation, options.validation)
    settings = {"images": options.images, "validation": len(validation), "data": data.source}
    record = {
        name: entry
        for name, entry in recorded(options.output).items()
        if stays(f"{name} in {options.output}", entry["settings"], settings, options.replace)
    }
    for name in options.networks:
        network = pretrained(name)
        exact = keras_approx.eliminate(
            network, images.inputs, kept=1.0, input_range=INPUT_RANGE, verbose=False
        )
        tflite = export.to_tflite(exact) if options.int8 else b""
        done = record.get(name) or {"settings": settings, "exact": accuracy(exact, validation)}
        for granularity, shares in MASKS.items():
            for kept in shares:
                for sequence in (False, True):
                    label = f"{granularity} {kept:g}{IN_SEQUENCE if sequence else ''}"
                    if label in done:
                        continue
                    how: dict[str, Any] = {"kept": kept, "granularity": granularity, "in_sequence": sequence}
                    model = keras_approx.eliminate(
                        network, images.inputs, input_range=INPUT_RANGE, verbose=False, **how
                    )
                    found = {"keras": accuracy(model, validation)}
                    if options.int8:
                        stored = export.eliminate(tflite, to_int8(images.images), **how)
                        answers = run(read_tflite(stored), to_int8(validation.images)).argmax(axis=1)
                        found["int8"] = float((answers == validation.labels).mean())
                    done[label] = found
                    record[name] = done
                    write_json(options.output, record)
                    print(
                        f"{name:8} {label:28}", *(f"{how} {v:7.2%}" for how, v in found.items()), flush=True
                    )
    return 0


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argument_parser(__doc__)
    add_networks(parser, REFERENCE)
    add_data(parser)
    parser.add_argument("--images", type=int, default=IMAGES, help="to look at (default: %(default)s)")
    parser.add_argument("--validation", type=int, default=VALIDATION_IMAGES, help="default: %(default)s")
    parser.add_argument("--int8", action="store_true", help="also on the int8 graph, which takes longer")
    add_output(parser, RESULTS)
    options = parser.parse_args(arguments)
    options.networks = options.networks or REFERENCE
    return options


if __name__ == "__main__":
    sys.exit(main())
