"""What rounding weights to int8 costs, and what int8 as a whole costs: the most that a better rounding could win.

    python -m benchmarks.elimination.rounding --data cifar10.npz           # all networks; minutes
    python -m benchmarks.elimination.rounding lenet --output lenet.json      # one, on the images shipped here

Nothing is trained. Only validation images are looked at.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from typing import Any

import numpy as np
import tf_keras as keras
from cifar10 import INPUT_RANGE, Cifar10, add_data, load
from networks import pretrained

import keras_approx
from benchmarks import FIGURES
from benchmarks.shared.options import REFERENCE, add_networks, argument_parser
from benchmarks.shared.records import add_output, recorded, stays, write_json
from benchmarks.training.runs import first

RESULTS = FIGURES / "rounding.json"
CALIBRATION_IMAGES = 2560


def main(arguments: Sequence[str] | None = None) -> int:
    options = _parse(arguments)
    data = load(options.data)
    settings = {"data": data.source, "validation_images": len(data.validation)}
    record = {
        name: entry
        for name, entry in recorded(options.output).items()
        if stays(f"{name} in {options.output}", entry, settings, options.replace, figures=True)
    }
    for name in options.networks:
        record[name] = _figures(name, data)
        print(name, *(f"{key} {value}" for key, value in record[name].items()), flush=True)
        write_json(options.output, record)
    return 0


def _figures(name: str, data: Cifar10) -> dict[str, Any]:
    network = pretrained(name)
    quantized = keras_approx.wrap(network, compensate=True, input_range=INPUT_RANGE)
    keras_approx.calibrate(quantized, first(data.train, CALIBRATION_IMAGES).inputs, verbose=False)
    rounded = pretrained(name)
    round_weights(rounded)
    models = {"float": network, "weights": rounded, "int8": quantized}
    inputs, labels = data.validation.inputs, data.validation.labels
    outputs = {key: model.predict(inputs, batch_size=250, verbose=0) for key, model in models.items()}
    exact = outputs["float"]
    return {
        "data": data.source,
        "validation_images": len(labels),
        "accuracy": {key: float((found.argmax(axis=1) == labels).mean()) for key, found in outputs.items()},
        "distortion": {
            key: float(np.mean(np.square(found - exact)) / exact.var()) for key, found in outputs.items()
        },
    }


def round_weights(model: keras.Model) -> None:
    """Gives each kernel the values that int8 with a scale for each output channel can have."""
    for layer in model.layers:
        if getattr(layer, "kernel", None) is not None:
            kernel = layer.kernel.numpy()
            step = np.abs(kernel).max(axis=tuple(range(kernel.ndim - 1))) / 127
            layer.kernel.assign(np.round(kernel / step) * step)


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argument_parser(__doc__)
    add_networks(parser, REFERENCE)
    add_data(parser)
    add_output(parser, RESULTS)
    options = parser.parse_args(arguments)
    options.networks = options.networks or REFERENCE
    return options


if __name__ == "__main__":
    sys.exit(main())
