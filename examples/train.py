"""Trains one of the networks in floating point, and saves its weights with a record of the run.

    python examples/train.py lenet                          # on the shipped subset
    python examples/train.py alexnet --data keras           # on the full CIFAR-10
    python examples/train.py resnet8 --data cifar10.npz --epochs 80

Killed at any moment, the same command continues after the last finished epoch. With other options than before it
refuses; once the weights are saved, the state it would continue from is removed. The test images are looked at once,
at the end; the learning rate follows a cosine, so the last epoch's weights are kept and nothing is selected.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import tensorflow as tf
import tf_keras as keras
from cifar10 import AugmentedBatches, Cifar10, Part, add_data, load
from networks import NETWORKS

EPOCHS = {"lenet": 40, "lenet_wide": 40, "alexnet": 30, "resnet8": 80, "dscnn": 40}


class OtherTrainingError(ValueError):
    """A folder holds the state of a training with other settings."""


class Checkpoint(keras.callbacks.Callback):
    """Saves weights, optimizer and curves after every epoch, and restores the newest of them.

    Args:
        model: A compiled one.
        folder: For the states, and for the settings that they belong to.
        settings: All that a training depends on, as `json` can write it.

    Raises:
        OtherTrainingError: The folder has states of other settings.
    """

    def __init__(self, model: keras.Model, folder: Path, settings: Mapping[str, Any]) -> None:
        super().__init__()
        _claim(folder, settings)
        model.optimizer.build(model.trainable_variables)
        self.curves: list[dict[str, float]] = []
        self._curves = tf.Variable("[]", dtype=tf.string, trainable=False)
        state = tf.train.Checkpoint(model=model, optimizer=model.optimizer, curves=self._curves)
        self._manager = tf.train.CheckpointManager(state, folder, max_to_keep=2)
        if self._manager.restore_or_initialize():
            self.curves = json.loads(self._curves.numpy())

    def on_epoch_begin(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        self._started = time.monotonic()

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        seconds = time.monotonic() - self._started
        self.curves.append(
            {key: round(float(value), 5) for key, value in (logs or {}).items()}
            | {"seconds": round(seconds, 1)}
        )
        self._curves.assign(json.dumps(self.curves))
        self._manager.save(epoch + 1)


def _claim(folder: Path, settings: Mapping[str, Any]) -> None:
    """Writes whose states a folder holds, or finds that it holds those of other settings."""
    path = folder / "settings.json"
    if not path.is_file() and tf.train.latest_checkpoint(folder) is None:
        folder.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(settings, indent=1) + "\n", encoding="utf-8")
        return
    found = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    other = [
        f"{name} {found.get(name, 'unknown')} and not {value}"
        for name, value in settings.items()
        if found.get(name) != value
    ]
    if other:
        raise OtherTrainingError(
            f"expected {folder} to hold a training with these settings, found one with {', '.join(other)}: continue "
            "that one with its own options, remove the folder, or write to another one"
        )


def train(
    network: str,
    data: Cifar10,
    *,
    epochs: int,
    checkpoints: Path,
    batch_size: int = 128,
    learning_rate: float = 0.1,
    weight_decay: float = 1e-3,
    seed: int = 0,
    verbose: int | str = "auto",
) -> tuple[keras.Model, dict[str, Any]]:
    """Trains a network by SGD with Nesterov momentum, a cosine schedule and augmentation.

    Args:
        network: A name of `NETWORKS`.
        data: What `cifar10.load` returned.
        epochs: Passes over the training part, those of an interrupted run in `checkpoints` included.
        checkpoints: Folder for the state after each epoch; a run found there is continued, and stays there.
        batch_size: Images a step.
        learning_rate: Its peak, reached after one epoch of linear warm-up.
        weight_decay: Decoupled from the gradient, on kernels only.
        seed: Of initialization, shuffling, augmentation and dropout.
        verbose: As in `keras.Model.fit`.

    Returns:
        The trained model and a record of the run that `json` can write.

    Raises:
        OtherTrainingError: `checkpoints` holds a run with other settings.
    """
    settings = {
        "epochs": epochs,
        "batch_size": batch_size,
        "learning_rate": learning_rate,
        "weight_decay": weight_decay,
        "seed": seed,
    }
    images = {"train": len(data.train), "validation": len(data.validation), "test": len(data.test)}
    run = {"network": network, "data": data.source, "images": images}
    keras.utils.set_random_seed(seed)
    model = NETWORKS[network]()
    steps = len(data.train) // batch_size
    schedule = keras.optimizers.schedules.CosineDecay(
        0.0, max(1, (epochs - 1) * steps), warmup_target=learning_rate, warmup_steps=steps
    )
    optimizer = keras.optimizers.SGD(schedule, momentum=0.9, nesterov=True, weight_decay=weight_decay)
    optimizer.exclude_from_weight_decay(var_names=["gamma", "beta", "bias"])
    model.compile(
        optimizer, keras.losses.SparseCategoricalCrossentropy(from_logits=True), metrics=["accuracy"]
    )
    checkpoint = Checkpoint(model, checkpoints, run | settings)
    done = len(checkpoint.curves)
    model.fit(
        AugmentedBatches(data.train, batch_size, seed, epoch=done),
        validation_data=(data.validation.inputs, data.validation.labels),
        initial_epoch=done,
        epochs=epochs,
        callbacks=[checkpoint],
        shuffle=False,  # AugmentedBatches does
        verbose=verbose,
    )
    record = run | {
        "settings": settings,
        "versions": {"tensorflow": tf.__version__, "tf_keras": keras.__version__},
        "parameters": model.count_params(),
        "validation_accuracy": accuracy(model, data.validation),
        "test_accuracy": accuracy(model, data.test),
        "curves": {key: [epoch[key] for epoch in checkpoint.curves] for key in checkpoint.curves[-1]},
    }
    return model, record


def trained(network: str, data: Cifar10, weights: Path, **options: Any) -> tuple[keras.Model, dict[str, Any]]:
    """Trains a network as `train` does, and saves its weights and their record; then no state is left to continue.

    Args:
        network: A name of `NETWORKS`.
        data: What `cifar10.load` returned.
        weights: Path of the .h5; the record is the .json beside it, and states are in a folder of that name.
        **options: Those of `train`.

    Returns:
        What `train` returns.

    Raises:
        OtherTrainingError: A run with other settings was interrupted there.
    """
    checkpoints = weights.with_suffix(".checkpoints")
    model, record = train(network, data, checkpoints=checkpoints, **options)
    model.save_weights(weights)
    weights.with_suffix(".json").write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
    shutil.rmtree(checkpoints)
    return model, record


def accuracy(model: keras.Model, part: Part) -> float:
    """The share of images whose largest logit is that of their class."""
    logits = model.predict(part.inputs, batch_size=500, verbose=0)
    return float((logits.argmax(axis=1) == part.labels).mean())


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    parser.add_argument("network", choices=NETWORKS)
    add_data(parser)
    parser.add_argument(
        "--epochs", type=int, help="default: " + ", ".join(f"{n} {e}" for n, e in EPOCHS.items())
    )
    parser.add_argument("--batch-size", type=int, default=128, help="default: %(default)s")
    parser.add_argument(
        "--learning-rate", type=float, default=0.1, help="peak of the cosine (default: %(default)s)"
    )
    parser.add_argument("--seed", type=int, default=0, help="default: %(default)s")
    parser.add_argument(
        "--out", type=Path, default=Path("runs"), help="folder for weights and record (default: %(default)s)"
    )
    parser.add_argument("--log", action="store_true", help="one line an epoch instead of a progress bar")
    options = parser.parse_args(arguments)
    try:
        data = load(options.data)
    except (FileNotFoundError, ValueError) as error:
        parser.error(str(error))
    options.out.mkdir(parents=True, exist_ok=True)
    weights = options.out / f"{options.network}.h5"
    try:
        _, record = trained(
            options.network,
            data,
            weights,
            epochs=options.epochs or EPOCHS[options.network],
            batch_size=options.batch_size,
            learning_rate=options.learning_rate,
            seed=options.seed,
            verbose=2 if options.log else 1,
        )
    except OtherTrainingError as error:
        parser.error(str(error))
    print(f"{weights}: {record['test_accuracy']:.2%} of {len(data.test):,} test images ({data.source})")
    return 0


if __name__ == "__main__":
    sys.exit(main())
