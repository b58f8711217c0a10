"""Fine-tuning runs on CIFAR-10 that benchmarks share: what one is, doing it, and finding it again when it was done."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from importlib import metadata
from pathlib import Path
from typing import Any

import tensorflow as tf
import tf_keras as keras
from cifar10 import INPUT_RANGE, AugmentedBatches, Cifar10, Part
from common import LOSS
from networks import pretrained
from train import accuracy

import keras_approx
from benchmarks.shared.records import read_json, write_json
from keras_approx.skipping.selection import LayerSetting
from keras_approx.skipping.significance import ELIMINATION

EPOCHS = {"lenet": 12, "alexnet": 8, "resnet8": 8}
"""Of a fine-tuning, unless other numbers are asked for."""
KEPT = (0.25, 0.18, 0.12, 0.5)
"""Fractions of the products, unless others are asked for; what matters most comes first."""
ELIMINATION_IMAGES = 5120
"""The first of the training images, for elimination where nothing is trained."""
LEARNING_RATE = 0.1
WORK = Path("runs") / "models"
"""Folder of the fine-tuned models, which benchmarks share."""
Resume = Callable[[AugmentedBatches], keras_approx.Checkpoints]
"""Makes the callback that saves a training after each epoch, and goes on from what it saved."""
CHECKPOINT = "checkpoint"
MODEL = "model.keras"
RECORD = "record.json"


@dataclass(frozen=True)
class Run:
    """One fine-tuning of one network.

    Attributes:
        network: A name that `networks.pretrained` knows.
        kept: Fraction of the products in the end; with 1 it is the exact int8 model.
        epochs: Passes over the training images.
        seed: Of shuffling, augmentation and dropout.
        options: What differs from the recipe: "significance", a metric in place of elimination; "learning_rate",
            "distillation" (the teacher's weight), "elimination_rounds", "granularity", "scope" and "cost_exponent"; or
            "design": by layer name, what is kept or skipped together and the share of it that is kept.
        wrapping: Arguments of `keras_approx.wrap`, such as {"skipped_gradient": "straight_through"}.
    """

    network: str
    kept: float
    epochs: int
    seed: int = 0
    options: Mapping[str, Any] = field(default_factory=dict)
    wrapping: Mapping[str, Any] = field(default_factory=dict)

    @property
    def skipping(self) -> keras_approx.Eliminate | keras_approx.Rank:
        """How products are skipped."""
        names = ("granularity", "scope", "cost_exponent")
        masks = {name: self.options[name] for name in names if name in self.options}
        significance = self.options.get("significance", ELIMINATION)
        if "design" in self.options:
            design = self.options["design"]
            return keras_approx.Eliminate(
                self.kept,
                granularity={layer: granularity for layer, (granularity, _) in design.items()},
                layers={layer: LayerSetting(share) for layer, (_, share) in design.items()},
            )
        if significance == ELIMINATION:
            return keras_approx.Eliminate(
                self.kept, rounds=self.options.get("elimination_rounds", 1), **masks
            )
        return keras_approx.Rank(significance, self.kept, **masks)

    @property
    def name(self) -> str:
        """Tells runs apart, in a folder's name too."""
        parts = [f"kept{100 * self.kept:g}", f"epochs{self.epochs}", f"seed{self.seed}"]
        plain = {key: value for key, value in {**self.options, **self.wrapping}.items() if key != "design"}
        parts += [f"{key}-{value}" for key, value in sorted(plain.items())]
        parts += [
            f"{layer}-{granularity}{100 * share:g}".replace(" ", "-")
            for layer, (granularity, share) in self.options.get("design", {}).items()
        ]
        return "_".join([self.network, *parts])


def sgd(steps: int, learning_rate: float = LEARNING_RATE) -> keras.optimizers.Optimizer:
    """The optimizer of all recorded runs: Nesterov momentum, a learning rate that falls along a cosine."""
    rate = keras.optimizers.schedules.CosineDecay(learning_rate, steps)
    return keras.optimizers.SGD(rate, momentum=0.9, nesterov=True)


def fine_tuned(run: Run, data: Cifar10, folder: Path) -> tuple[keras.Model, dict[str, Any]]:
    """Does a run, or finds it again; see `remembered`. The test part of the data is not touched."""

    def train(resume: Resume) -> keras.Model:
        network = pretrained(run.network)
        batches = AugmentedBatches(data.train, seed=run.seed)
        model, _ = keras_approx.fine_tune(
            keras_approx.wrap(network, compensate=True, input_range=INPUT_RANGE, **run.wrapping),
            batches,
            skipping=run.skipping,
            epochs=run.epochs,
            optimizer=None
            if run.options.get("optimizer") == "default"
            else sgd(run.epochs * len(batches), run.options.get("learning_rate", LEARNING_RATE)),
            distillation=keras_approx.Distillation(run.options.get("distillation", 0.5), teacher=network),
            loss=LOSS,
            validation_data=(data.validation.inputs, data.validation.labels),
            callbacks=[resume(batches)],
            verbose=2,
        )
        return model

    return remembered(train, asdict(run), data, folder)


def remembered(
    train: Callable[[Resume], keras.Model],
    settings: Mapping[str, Any],
    data: Cifar10,
    folder: Path,
) -> tuple[keras.Model, dict[str, Any]]:
    """Trains a model, or loads it if that was done before.

    Args:
        train: Gives a wrapped model. What it is given makes a callback for its batches, with which it goes on where it
            was interrupted.
        settings: What tells this training from others, as `json` can write it; "seed" is that of all chance.
        data: What is trained on.
        folder: Gets `model.keras` and `record.json`, once the training has ended.

    Returns:
        The wrapped model and a record that `json` can write.

    Raises:
        ValueError: The folder holds another training.
    """
    settings = with_data(settings, data)
    if (folder / RECORD).is_file():
        record: dict[str, Any] = read_json(folder / RECORD)
        if record["settings"] != settings:
            raise ValueError(f"{folder} holds a run with other settings: remove it, or use another folder")
        with keras_approx.approx_scope():
            return keras.models.load_model(folder / MODEL, compile=False), record
    start = time.monotonic()
    keras.backend.clear_session()
    keras.utils.set_random_seed(settings["seed"])
    callbacks = []

    def resume(batches: AugmentedBatches) -> keras_approx.Checkpoints:
        callbacks.append(keras_approx.Checkpoints(folder / CHECKPOINT, settings, _Start(batches)))
        return callbacks[0]

    model = train(resume)
    (checkpoints,) = callbacks
    record = {
        "settings": settings,
        "versions": {"tensorflow": tf.__version__, "keras_approx": metadata.version("keras_approx")},
        "kept": {name: float(mask.mean()) for name, mask in keras_approx.get_masks(model).items()},
        "validation_accuracy": accuracy(model, data.validation),
        "curves": {
            key: [round(epoch[key], 5) for epoch in checkpoints.curves] for key in checkpoints.curves[0]
        },
        "seconds": round(time.monotonic() - start, 1),
    }
    folder.mkdir(parents=True, exist_ok=True)
    model.save(folder / MODEL)
    write_json(folder / RECORD, record)
    checkpoints.remove()
    return model, record


class _Start:
    """Batches that count their epochs by themselves: Checkpoints moves them where training begins, and not again."""

    def __init__(self, batches: AugmentedBatches) -> None:
        self._batches = batches
        self._began = False

    def __len__(self) -> int:
        return len(self._batches)

    @property
    def epoch(self) -> int:
        return self._batches.epoch

    @epoch.setter
    def epoch(self, epoch: int) -> None:
        if not self._began:
            self._batches.start(epoch)
        self._began = True


def with_data(settings: Mapping[str, Any], data: Cifar10) -> dict[str, Any]:
    """Settings, and what was trained on, as `json` reads them back."""
    return dict(json.loads(json.dumps({**settings, "data": data.source, "images": len(data.train)})))


def first(part: Part, count: int) -> Part:
    """The first images of a part."""
    return Part(part.images[:count], part.labels[:count])
