"""What each ingredient of a fine-tuning is worth for masks of whole kernels: short trainings that differ in one thing.

    python -m benchmarks.training.recipe --data cifar10.npz               # all of them; hours on 2 cores
    python -m benchmarks.training.recipe --data cifar10.npz --epochs 30   # as long as it pays
    python -m benchmarks.training.recipe --quick                          # everything once, small; minutes

All start from lenet's shipped float weights, with the same masks: whole kernels for four output channels where
Winograd's algorithm computes, pairs in the first layer. The exact int8 model has the same training. A training that
ended is kept (its model in --work, its record in --results) and not done again, so a command that was interrupted
continues with the training it was at. Only validation images are looked at.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import tf_keras as keras
from cifar10 import INPUT_RANGE, AugmentedBatches, Cifar10, add_data, load
from common import LOSS
from networks import pretrained

import export
import keras_approx
from benchmarks import FIGURES
from benchmarks.shared.options import CORE, argument_parser
from benchmarks.shared.records import add_replace, record_of, write_json
from benchmarks.training.runs import LEARNING_RATE, Resume, first, remembered, sgd, with_data
from keras_approx.skipping.selection import LayerSetting

RESULTS = FIGURES / "recipe"
WORK = Path("runs") / "recipe"
NETWORK = "lenet"
GRANULARITY = {"conv1": "pair", "conv*": "kernel block"}
SHARES = {"conv1": 0.5, "conv2": 0.5, "conv3": 0.8}
EXEMPT = ("dense1", "logits")
IMAGES = 26_000
EPOCHS = 3
HIDDEN = 10  # pixels of a square's side


@dataclass(frozen=True)
class Trial:
    """One training.

    Attributes:
        exact: Whether nothing is skipped.
        options: In place of the recipe's: "granularity", "elimination_rounds", "in_sequence", "learning_rate", and
            "distillation", the teacher's weight.
        teacher: Name of the network that teaches.
        averaged: Whether the weights in the end are the mean of the last 100 steps, more or less.
        hidden: Whether a square of each training image is gray.
        longer: Times as many epochs.
    """

    exact: bool = False
    options: Mapping[str, Any] = field(default_factory=dict)
    teacher: str = NETWORK
    averaged: bool = False
    hidden: bool = False
    longer: int = 1


TRIALS: Mapping[str, Trial] = {
    "exact": Trial(exact=True),
    "recipe": Trial(),
    "in_sequence": Trial(options={"in_sequence": True}),
    "kernels": Trial(options={"granularity": {"conv1": "pair", "conv*": "kernel"}}),
    "pairs": Trial(options={"granularity": "pair"}),
    "learning_rate_0.03": Trial(options={"learning_rate": 0.03}),
    "larger_teacher": Trial(teacher="alexnet"),
    "more_teaching": Trial(options={"distillation": 0.9}),
    "averaged": Trial(averaged=True),
    "chosen_again": Trial(options={"elimination_rounds": 2}),
    "hidden_squares": Trial(hidden=True),
    "longer": Trial(longer=2),
    "exact_longer": Trial(exact=True, longer=2),
}


class _HiddenSquares(AugmentedBatches):
    """Batches whose images have a square of mid-gray somewhere (DeVries and Taylor, "Cutout", 2017)."""

    def __getitem__(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        images, labels = super().__getitem__(index)
        rng = np.random.default_rng((self._seed, self.epoch, index, 1))
        for image, (row, column) in zip(images, rng.integers(0, 32, (len(images), 2)), strict=True):
            image[
                max(0, row - HIDDEN // 2) : row + HIDDEN // 2,
                max(0, column - HIDDEN // 2) : column + HIDDEN // 2,
            ] = 0
        return images, labels


def trained(trial: Trial, epochs: int, seed: int, data: Cifar10, resume: Resume) -> keras.Model:
    """Fine-tunes a model as a trial says; it is wrapped."""
    epochs *= trial.longer
    batches = (_HiddenSquares if trial.hidden else AugmentedBatches)(data.train, seed=seed)
    optimizer = sgd(epochs * len(batches), trial.options.get("learning_rate", LEARNING_RATE))
    if trial.averaged:
        rate = keras.optimizers.schedules.CosineDecay(LEARNING_RATE, epochs * len(batches))
        optimizer = keras.optimizers.SGD(rate, momentum=0.9, nesterov=True, use_ema=True, ema_momentum=0.99)
    model, _ = keras_approx.fine_tune(
        keras_approx.wrap(pretrained(NETWORK), compensate=True, input_range=INPUT_RANGE),
        batches,
        skipping=_skipping(trial),
        epochs=epochs,
        optimizer=optimizer,
        distillation=keras_approx.Distillation(
            trial.options.get("distillation", 0.5), teacher=pretrained(trial.teacher)
        ),
        loss=LOSS,
        callbacks=[resume(batches)],
        verbose=2,
    )
    if trial.averaged:  # statistics are those of other weights
        keras_approx.recalibrate_batch_norm(model, first(data.train, 5120).inputs, batch_size=128)
    return model


def _skipping(trial: Trial) -> keras_approx.Eliminate:
    if trial.exact:
        return keras_approx.Eliminate(1.0)
    return keras_approx.Eliminate(
        1.0,
        rounds=trial.options.get("elimination_rounds", 1),
        granularity=trial.options.get("granularity", GRANULARITY),
        layers={name: LayerSetting(share) for name, share in SHARES.items()},
        exempt=EXEMPT,
        in_sequence=trial.options.get("in_sequence", False),
    )


def main(arguments: Sequence[str] | None = None) -> int:
    options = _parse(arguments)
    data = load(options.data)
    data = replace(data, train=first(data.train, options.images))
    if options.quick:
        data = replace(data, validation=first(data.validation, 300))
    for seed in range(options.seeds):
        for name in options.trials:
            trial = TRIALS[name]
            settings = {"trial": name, "epochs": options.epochs * trial.longer, "seed": seed}
            label = f"{name}_epochs{settings['epochs']}_seed{seed}"
            path = options.results / f"{label}.json"
            record = record_of(path, with_data(settings, data), options.replace)
            if not record:
                train = partial(trained, trial, options.epochs, seed, data)
                model, record = remembered(train, settings, data, options.work / label)
                record |= {"cycles": export.estimate(model, target=CORE).cycles}
                write_json(path, record)
            print(f"{record['validation_accuracy']:7.2%}  {label}", flush=True)
    return 0


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argument_parser(__doc__)
    parser.add_argument(
        "trials", nargs="*", metavar="TRIAL", help=f"which; default: all of {', '.join(TRIALS)}"
    )
    add_data(parser)
    parser.add_argument("--images", type=int, default=IMAGES, help="to train on (default: %(default)s)")
    parser.add_argument("--epochs", type=int, default=EPOCHS, help="default: %(default)s")
    parser.add_argument("--seeds", type=int, default=1, help="default: %(default)s")
    parser.add_argument("--work", type=Path, default=WORK, help="folder for models (default: %(default)s)")
    parser.add_argument("--results", type=Path, default=RESULTS, help="folder for records")
    add_replace(parser)
    parser.add_argument("--quick", action="store_true", help="2,000 images, 1 epoch, into runs/quick")
    options = parser.parse_args(arguments)
    if options.quick:
        options.images, options.epochs, options.work = 2000, 1, Path("runs") / "quick" / "recipe"
        options.results = options.work / "results"
    unknown = sorted(set(options.trials) - set(TRIALS))
    if unknown:
        parser.error(f"no trial {unknown[0]!r}; there are {', '.join(TRIALS)}")
    options.trials = options.trials or list(TRIALS)
    return options


if __name__ == "__main__":
    sys.exit(main())
