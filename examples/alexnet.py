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
from keras_approx.training.callbacks import SkipSummaries


def main(arguments: list[str] | None = None) -> int:
    options = parse("alexnet", __doc__, arguments, kept=0.2, epochs=10)
    data = options.images

    network = float_network("alexnet", options)

    # A fifth of the products stay, with weights that make up for the others as well as they can. No labels needed:
    # what comes out could be exported as it is. Quantization acts from here on.
    model = keras_approx.eliminate(
        network,
        data.train.inputs[:5120],
        kept=options.kept,
        input_range=INPUT_RANGE,
        verbose=bool(options.verbose),
    )

    # The float network teaches: `taught` has the same layers as `model`, and another loss.
    batches = AugmentedBatches(data.train, seed=options.seed)
    rate = keras.optimizers.schedules.CosineDecay(0.1, options.epochs * len(batches))
    taught = keras_approx.distill(model, network, temperature=3.0, weight=0.5)
    taught.compile(keras.optimizers.SGD(rate, momentum=0.9, nesterov=True), LOSS, metrics=["accuracy"])

    # Skipped products stay skipped, and get no gradient. The logs get what each layer keeps and the cycles of an
    # inference, for CSVLogger and the like.
    taught.fit(
        batches,
        epochs=options.epochs,
        validation_data=(data.validation.inputs, data.validation.labels),
        callbacks=[
            SkipSummaries(cycles=export.Pricer(model, target=options.target).cycles),
            keras.callbacks.CSVLogger(str(options.folder / "log.csv")),
        ],
        verbose=options.verbose,
    )

    finish(model, options)
    return 0


if __name__ == "__main__":
    sys.exit(main())
