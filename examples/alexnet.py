"""alexnet, the long way: every step by hand, as for a training loop of your own.

python examples/alexnet.py
python examples/alexnet.py --kept 0.15 --epochs 14 --data cifar10.npz
"""

from __future__ import annotations

import sys

import tf_keras as keras
from cifar10 import INPUT_RANGE, AugmentedBatches
from common import LOSS, finish, float_network, parse

import export
import keras_approx
from keras_approx.callbacks import SkipSummaries, UpdateSkipMasks
from keras_approx.schedules import Polynomial


def main(arguments: list[str] | None = None) -> int:
    options = parse("alexnet", __doc__, arguments, kept=0.2, epochs=10)
    data = options.images

    network = float_network("alexnet", options)

    # Quantization acts from the calibration on, masks once they are set. What is skipped leaves its mean in the bias.
    model = keras_approx.wrap(network, compensate=True, input_range=INPUT_RANGE)
    keras_approx.calibrate(model, data.train.inputs[:1280])

    # The float network teaches: `taught` has the same layers as `model`, and another loss.
    batches = AugmentedBatches(data.train, seed=options.seed)
    steps = options.epochs * len(batches)
    rate = keras.optimizers.schedules.CosineDecay(0.1, steps)
    taught = keras_approx.distill(model, network, temperature=3.0, weight=0.5)
    taught.compile(keras.optimizers.SGD(rate, momentum=0.9, nesterov=True), LOSS, metrics=["accuracy"])

    # Half of the steps for skipping, half for learning to do without. The logs get what is kept and the cycles
    # of an inference, for CSVLogger and the like.
    taught.fit(
        batches,
        epochs=options.epochs,
        validation_data=(data.validation.inputs, data.validation.labels),
        callbacks=[
            UpdateSkipMasks(Polynomial(1.0, options.kept, end_step=steps // 2), granularity="pair"),
            SkipSummaries(cycles=export.Pricer(model, target=options.target).cycles),
            keras.callbacks.CSVLogger(str(options.folder / "log.csv")),
        ],
        verbose=options.verbose,
    )

    finish(model, options)
    return 0


if __name__ == "__main__":
    sys.exit(main())
