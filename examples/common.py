"""What `lenet.py`, `alexnet.py` and `resnet8.py` share: options, arguments of training, and what comes after it."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path
from typing import Any

import tf_keras as keras
from cifar10 import INPUT_RANGE, AugmentedBatches, Cifar10, Part, add_data, load, to_int8
from networks import pretrained
from train import EPOCHS, OtherTrainingError, trained

import export
import keras_approx

LOSS = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
SIMULATED_IMAGES = 5


def parse(
    network: str, description: str | None, arguments: list[str] | None, *, kept: float, epochs: int
) -> argparse.Namespace:
    """The options of a script.

    Args:
        network: Its name.
        description: The script's docstring, shown by --help.
        arguments: None for those of the process.
        kept: Default share of products.
        epochs: Default of fine-tuning.

    Returns:
        Kept, epochs, seed, target, train, verbose, `folder` to write to, and `images`, the loaded data.
    """
    parser = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    parser.add_argument("--kept", type=float, default=kept, help="share of products (default: %(default)s)")
    parser.add_argument("--epochs", type=int, default=epochs, help="of fine-tuning (default: %(default)s)")
    add_data(parser)
    parser.add_argument("--train", action="store_true", help="train in place of taking the shipped weights")
    parser.add_argument("--seed", type=int, default=0, help="default: %(default)s")
    parser.add_argument("--target", default="nucleo-u575zi-q", help="core or board (default: %(default)s)")
    parser.add_argument("--out", type=Path, default=Path("runs"), help="folder (default: %(default)s)")
    parser.add_argument("--log", action="store_true", help="one line an epoch instead of a progress bar")
    options = parser.parse_args(arguments)
    try:
        options.images = load(options.data)
    except (FileNotFoundError, ValueError) as error:
        parser.error(str(error))
    options.folder = options.out / network
    options.folder.mkdir(parents=True, exist_ok=True)
    options.verbose = 2 if options.log else 1
    keras.utils.set_random_seed(options.seed)
    return options


def float_network(network: str, options: argparse.Namespace) -> keras.Model:
    """The network with the shipped float weights; with --train, with weights of its own."""
    if not options.train:
        return pretrained(network)
    weights = options.folder / "float.h5"
    epochs, seed = EPOCHS[network], options.seed
    try:
        model, _ = trained(
            network, options.images, weights, epochs=epochs, seed=seed, verbose=options.verbose
        )
    except OtherTrainingError as error:
        sys.exit(f"error: {error}")
    return model


def training_arguments(options: argparse.Namespace) -> dict[str, Any]:
    """The arguments of `keras_approx.fine_tune` that say what a network learns from, and for how long."""
    data: Cifar10 = options.images
    return {
        "data": AugmentedBatches(data.train, seed=options.seed),
        "epochs": options.epochs,
        "loss": LOSS,
        "input_range": INPUT_RANGE,
        "validation_data": (data.validation.inputs, data.validation.labels),
        "verbose": options.verbose,
    }


def finish(model: keras.Model, options: argparse.Namespace) -> None:
    """Prints what layers keep, saves the model, exports it, and says what the C takes and how often it is right."""
    data: Cifar10 = options.images
    keras_approx.summary(model)
    model.save(options.folder / "wrapped.keras")
    exported = export.to_c(model, options.folder / "code", target=options.target)
    measured = export.simulate(exported, to_int8(data.test.images[:SIMULATED_IMAGES]))
    print(measured)
    right = classified(exported, data.test)
    print(f"{exported.path}: {right:.2%} of {len(data.test):,} test images right ({data.source})")


def classified(exported: str | os.PathLike[str], part: Part) -> float:
    """The share of images whose class an export's C code finds, on this machine."""
    return export.evaluate(exported, to_int8(part.images), part.labels).accuracy
