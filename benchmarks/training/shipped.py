"""What the generated code of a model is and does, and where the model is kept."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import tf_keras as keras
from cifar10 import Part, to_int8

import keras_approx
from benchmarks.cycles.measure import host_outputs, measure
from benchmarks.shared.options import CORE

# The M33 stands for a board; the M4 is measured alone and on one.
TARGETS = (CORE, "cortex-m4", "stm32f405")


def model_path(folder: Path, network: str, label: str) -> Path:
    """Where a model is kept."""
    return folder / f"{network}_{label.replace(', ', '_').replace(' ', '')}.tflite"


def figures(
    model: keras.Model,
    tflite: bytes,
    tuned: Mapping[str, Any],
    test: Part,
    host_images: int,
    arm_images: int,
) -> dict[str, Any]:
    """What the generated code is and does, once it was found to be exact.

    Args:
        model: The wrapped model.
        tflite: The same as int8.
        tuned: What its training found: `validation_accuracy`, and by layer the share `kept`.
        test: The test images.
        host_images: How many of them the host's build is compared on.
        arm_images: How many the emulated cores are compared on.
    """
    images = to_int8(test.images)
    found = keras_approx.summary(model, print_fn=None)
    with tempfile.TemporaryDirectory() as folder:
        on_cores = cores(tflite, images[:arm_images], Path(folder))
        right = accuracy_on_host(Path(folder) / CORE, tflite, test, host_images)
    return {
        "validation_accuracy": tuned["validation_accuracy"],
        "test_accuracy": right,
        "test_images": len(images),
        "exact_images": {"host": host_images, "cores": arm_images},
        "kept": found.kept / found.products,
        "kept_by_layer": tuned["kept"],
        "cores": on_cores,
    }


def accuracy_on_host(folder: Path, tflite: bytes, test: Part, host_images: int) -> float:
    """The share of test images whose class an export finds on this machine, once the first were found to be exact."""
    outputs = host_outputs(folder, tflite, to_int8(test.images), host_images)
    return float(np.mean(outputs.argmax(axis=1) == test.labels))


def cores(
    tflite: bytes, images: np.ndarray, folder: Path, targets: Sequence[str] = TARGETS
) -> dict[str, Any]:
    """What the generated code takes on each target, and whose outputs were compared; exports stay in the folder."""
    kept = ("board", "cycles", "board_cycles", "flash_bytes", "ram_bytes")
    found = {name: asdict(measure(tflite, name, images, folder / name, "auto")) for name in targets}
    return {name: {key: of_target[key] for key in kept} for name, of_target in found.items()}
