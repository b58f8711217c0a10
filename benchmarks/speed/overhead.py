"""What wrapping costs while training: seconds of a training step, and of an update of all masks.

    python -m benchmarks.speed.overhead                # alexnet, batches of 128
    python -m benchmarks.speed.overhead lenet --steps 50 --output lenet.json

A step of the wrapped network is compared with one of tfmot's quantization-aware training and one of the float network;
steps of the three take turns, so that other work on the machine falls on all alike, and the median counts. Seconds
depend on the machine; their ratio hardly does.
"""

from __future__ import annotations

import os
import platform
import statistics
import sys
import time
from collections.abc import Callable, Sequence

import numpy as np
import tensorflow as tf
import tensorflow_model_optimization as tfmot
import tf_keras as keras
from cifar10 import INPUT_RANGE, load
from networks import PRETRAINED, pretrained

import keras_approx
from benchmarks import FIGURES
from benchmarks.shared.options import argument_parser
from benchmarks.shared.records import add_output, recorded, stays, write_json
from keras_approx.training.callbacks import UpdateSkipMasks

RESULTS = FIGURES / "overhead.json"
BATCH = 128
STEPS = 20
UPDATES = 5


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argument_parser(__doc__)
    parser.add_argument(
        "network", nargs="?", choices=PRETRAINED, default="alexnet", help="default: %(default)s"
    )
    parser.add_argument("--steps", type=int, default=STEPS, help="timed steps of each (default: %(default)s)")
    add_output(parser, RESULTS)
    options = parser.parse_args(arguments)
    settings = {"network": options.network, "batch_size": BATCH, "steps": options.steps}
    if before := recorded(options.output):
        stays(str(options.output), before, settings, options.replace, figures=True)
    part = load("subset").train
    images, labels = part.inputs[:BATCH], part.labels[:BATCH]
    network = pretrained(options.network)
    wrapped = keras_approx.wrap(network, compensate=True, input_range=INPUT_RANGE)
    keras_approx.calibrate(wrapped, part.inputs[:640], verbose=False)
    models = {
        "float": network,
        "tfmot quantization-aware": tfmot.quantization.keras.quantize_model(network),
        "wrapped": wrapped,
    }
    steps = {name: _step(model, images, labels) for name, model in models.items()}
    seconds: dict[str, list[float]] = {name: [] for name in models}
    for _ in range(options.steps):
        for name, step in steps.items():
            seconds[name].append(_timed(step))
    medians = {name: statistics.median(values) for name, values in seconds.items()}
    updating = UpdateSkipMasks(0.25)
    updating.set_model(wrapped)
    update = statistics.median(_timed(lambda: updating.update(0)) for _ in range(UPDATES))
    ratio = medians["wrapped"] / medians["tfmot quantization-aware"]
    for name, value in medians.items():
        print(f"{name:26} {1000 * value:7.1f} ms a step")
    print(f"wrapped over tfmot         {ratio:7.2f}")
    print(f"update of all masks        {1000 * update:7.1f} ms")
    record = {
        **settings,
        "step_seconds": {name: round(value, 5) for name, value in medians.items()},
        "wrapped_over_tfmot": round(ratio, 3),
        "mask_update_seconds": round(update, 4),
        "machine": {
            "processors": os.cpu_count(),
            "machine": platform.machine(),
            "tensorflow": tf.__version__,
        },
    }
    write_json(options.output, record)
    return 0


def _step(model: keras.Model, images: np.ndarray, labels: np.ndarray) -> Callable[[], object]:
    """A training step, compiled and run twice before it is timed."""
    optimizer = keras.optimizers.SGD(1e-4, momentum=0.9)
    model.compile(optimizer, keras.losses.SparseCategoricalCrossentropy(from_logits=True))

    def step() -> object:
        return model.train_on_batch(images, labels)

    step()
    step()
    return step


def _timed(function: Callable[[], object]) -> float:
    start = time.perf_counter()
    function()
    return time.perf_counter() - start


if __name__ == "__main__":
    sys.exit(main())
