"""Fine-tunes a network with skipped products and int8 quantization in the loop, and saves it wrapped.

    python examples/finetune.py lenet --kept 0.25                # keep a quarter of the products
    python examples/finetune.py lenet --kept 1                   # the exact int8 model, to compare with
    python examples/finetune.py alexnet --kept 0.2 --epochs 14 --data keras

It starts from the float weights that are shipped. Products are skipped by and by over the first half of the epochs,
the least significant first, and the rest of the network learns to do without them. The float network helps as a
teacher: half of each training label is what it says about the image.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
import tf_keras as keras
from cifar10 import INPUT_RANGE, AugmentedBatches, Cifar10, load
from networks import CLASSES, NETWORKS, pretrained
from train import accuracy

import keras_approx

CALIBRATION_IMAGES = 1000
UPDATE_EVERY = 50  # steps


class TaughtBatches(keras.utils.Sequence):
    """Batches whose labels are half the true class and half the probabilities a teacher gives, `[n, 10]` float32.

    Args:
        batches: images and class numbers.
        teacher: a model that returns logits.
    """

    def __init__(self, batches: AugmentedBatches, teacher: keras.Model) -> None:
        self._batches = batches
        self._teach = tf.function(lambda images: tf.nn.softmax(teacher(images, training=False)))

    def __len__(self) -> int:
        return len(self._batches)

    def __getitem__(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        images, labels = self._batches[index]
        return images, (one_hot(labels) + self._teach(images).numpy()) / 2

    def on_epoch_end(self) -> None:
        self._batches.on_epoch_end()


def wrap_and_calibrate(network: keras.Model, data: Cifar10) -> keras.Model:
    """Wraps a float network, and measures its activations on training images."""
    model = keras_approx.wrap(network, input_range=INPUT_RANGE)
    keras_approx.calibrate(model, data.train.inputs[:CALIBRATION_IMAGES], verbose=False)
    return model


def fine_tune(
    model: keras.Model,
    data: Cifar10,
    *,
    kept: float,
    epochs: int,
    teacher: keras.Model,
    batch_size: int = 128,
    learning_rate: float = 0.05,
    seed: int = 0,
    verbose: int | str = "auto",
) -> dict[str, list[float]]:
    """Trains a wrapped, calibrated model by SGD with Nesterov momentum and a cosine schedule, in place.

    Args:
        model: what `wrap_and_calibrate` returned.
        data: what `cifar10.load` returned; its test part is not touched.
        kept: the share of products that stay, over all layers; with 1 the model is only quantized.
        epochs: passes over the training part.
        teacher: the float network.
        batch_size: images a step.
        learning_rate: at the first step.
        seed: of shuffling and augmentation.
        verbose: as in `keras.Model.fit`.

    Returns:
        The curves: loss, accuracy and so on, a value each epoch.

    Raises:
        ValueError: there are fewer than two batches to train on.
    """
    batches = TaughtBatches(AugmentedBatches(data.train, batch_size, seed), teacher)
    steps = epochs * len(batches)
    if steps < 2:
        raise ValueError(
            f"expected at least two steps to skip products in, got {steps}: train on more images"
        )
    schedule = keras.optimizers.schedules.CosineDecay(learning_rate, steps)
    model.compile(
        keras.optimizers.SGD(schedule, momentum=0.9, nesterov=True),
        keras.losses.CategoricalCrossentropy(from_logits=True),
        metrics=[keras.metrics.CategoricalAccuracy("accuracy")],
    )
    skipping = keras_approx.callbacks.UpdateSkipMasks(
        keras_approx.schedules.Polynomial(1.0, kept, end_step=steps // 2),
        frequency=UPDATE_EVERY,
    )
    history = model.fit(
        batches,
        validation_data=(data.validation.inputs, one_hot(data.validation.labels)),
        epochs=epochs,
        shuffle=False,  # AugmentedBatches does
        callbacks=[skipping] if kept < 1 else [],
        verbose=verbose,
    )
    return {key: [float(value) for value in values] for key, values in history.history.items()}


def one_hot(labels: np.ndarray) -> np.ndarray:
    """Class numbers `[n]` as probabilities, `[n, 10]` float32."""
    return np.eye(CLASSES, dtype=np.float32)[labels]


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    parser.add_argument("network", choices=NETWORKS)
    parser.add_argument("--kept", type=float, default=0.25, help="share of products (default: %(default)s)")
    parser.add_argument("--epochs", type=int, default=10, help="default: %(default)s")
    parser.add_argument(
        "--data", default="subset", help="'subset' (shipped), 'keras', or an .npz file (default: %(default)s)"
    )
    parser.add_argument("--seed", type=int, default=0, help="default: %(default)s")
    parser.add_argument("--out", type=Path, default=Path("runs"), help="folder (default: %(default)s)")
    parser.add_argument("--log", action="store_true", help="one line an epoch instead of a progress bar")
    options = parser.parse_args(arguments)
    try:
        teacher, data = pretrained(options.network), load(options.data)
    except (FileNotFoundError, ValueError) as error:
        parser.error(str(error))
    keras.utils.set_random_seed(options.seed)
    model = wrap_and_calibrate(teacher, data)
    curves = fine_tune(
        model,
        data,
        kept=options.kept,
        epochs=options.epochs,
        teacher=teacher,
        seed=options.seed,
        verbose=2 if options.log else 1,
    )
    keras_approx.summary(model)
    record: dict[str, Any] = {
        "network": options.network,
        "data": data.source,
        "kept": options.kept,
        "epochs": options.epochs,
        "seed": options.seed,
        "test_accuracy": accuracy(model, data.test),
        "float_test_accuracy": accuracy(teacher, data.test),
        "curves": curves,
    }
    options.out.mkdir(parents=True, exist_ok=True)
    path = options.out / f"{options.network}_kept_{100 * options.kept:g}.keras"
    model.save(path)
    path.with_suffix(".json").write_text(json.dumps(record, indent=1) + "\n")
    print(
        f"{path}: {record['test_accuracy']:.2%} of {len(data.test):,} test images, the float network "
        f"{record['float_test_accuracy']:.2%} ({data.source})"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
