"""Explorations that benchmarks train designs of, and these trainings."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tf_keras as keras
from cifar10 import INPUT_RANGE, AugmentedBatches, Cifar10
from common import LOSS
from networks import pretrained

import export
import keras_approx
from benchmarks.training.runs import Resume, first, remembered, sgd
from benchmarks.training.shipped import CORE

CALIBRATION_IMAGES = 1280
VALIDATION_IMAGES = 1000


@dataclass(frozen=True)
class Exploration:
    """One exploration of a network.

    Attributes:
        network: A name that `networks.pretrained` knows.
        by_layer: Whether each layer chooses its granularity, as `explore` does by default; else all skip pairs.
        significance: What ranks products.
        rounds: Of refinement.
        seed: Of all chance, in the trainings too.
    """

    network: str
    by_layer: bool
    significance: str
    rounds: int
    seed: int

    @property
    def name(self) -> str:
        """Tells explorations apart, in a folder's name too."""
        kinds = "_by_layer" if self.by_layer else ""
        return f"{self.network}_exploration_{self.significance}_{self.rounds}{kinds}"


def explored(
    exploration: Exploration, data: Cifar10, work: Path
) -> tuple[keras_approx.ParetoFront, export.Pricer]:
    """The Pareto front of a network, of all that ended before this command was interrupted or in it.

    Args:
        exploration: Which one.
        data: The images.
        work: Folder of all explorations.
    """
    keras.backend.clear_session()
    wrapped = keras_approx.wrap(pretrained(exploration.network), compensate=True, input_range=INPUT_RANGE)
    calibration = first(data.train, CALIBRATION_IMAGES).inputs
    keras_approx.calibrate(wrapped, calibration, verbose=False)
    validation = first(data.validation, VALIDATION_IMAGES)
    pricer = export.Pricer(wrapped, target=CORE)
    return keras_approx.explore(
        wrapped,
        calibration=calibration,
        validation=(validation.inputs, validation.labels),
        price=pricer,
        search=keras_approx.Budget(rounds=exploration.rounds),
        granularity=None if exploration.by_layer else "pair",
        significance=exploration.significance,
        recalibrate=True,
        seed=exploration.seed,
        out=work / exploration.name,
    ), pricer


def design_tuned(
    exploration: Exploration,
    front: keras_approx.ParetoFront,
    design: keras_approx.EvaluatedDesign,
    pricer: export.Pricer,
    epochs: int,
    data: Cifar10,
    work: Path,
) -> tuple[keras.Model, dict[str, Any]]:
    """Fine-tunes a design from the float weights, or finds that it was done before.

    Args:
        exploration: Where the design is from.
        front: What it found.
        design: Of the front.
        pricer: That priced the front.
        epochs: Passes over the training images.
        data: The images.
        work: Folder of all trained models.

    Returns:
        The wrapped model and its record, as `remembered` gives them.
    """

    def train(resume: Resume) -> keras.Model:
        batches = AugmentedBatches(data.train, seed=exploration.seed)
        ((model, _),) = keras_approx.fine_tune_designs(
            front,
            design,
            pretrained(exploration.network),
            batches,
            validation=(data.validation.inputs, data.validation.labels),
            price=pricer,
            epochs=epochs,
            optimizer=sgd(epochs * len(batches)),
            loss=LOSS,
            input_range=INPUT_RANGE,
            callbacks=[resume(batches)],
            verbose=2,
        )
        return model

    settings = {
        "network": exploration.network,
        "design": design.design.to_json(),
        "significance": exploration.significance,
        "epochs": epochs,
        "seed": exploration.seed,
    }
    parts = [exploration.network, design.id, exploration.significance]
    folder = work / "_".join([*parts, f"epochs{epochs}", f"seed{exploration.seed}"])
    return remembered(train, settings, data, folder)
