"""What is told of a model that is shipped: accuracies and cycles of its code, found to be exact."""

from __future__ import annotations

from pathlib import Path

from cifar10 import load, to_int8

import export
import keras_approx
from benchmarks.shared.options import CORE
from benchmarks.training import shipped
from export.frontend.reference import run_reference
from tests.benchmarks import tiny


def test_models_are_kept_by_network_and_label(tmp_path: Path) -> None:
    assert shipped.model_path(tmp_path, "lenet", "designed 1.15 M, 7 epochs").name == (
        "lenet_designed1.15M_7epochs.tflite"
    )


def test_figures_are_those_of_exact_code(images: str) -> None:
    test = load(images).test
    model = keras_approx.wrap(tiny.network("lenet"), compensate=True)
    keras_approx.calibrate(model, test.inputs, verbose=False)
    tflite = export.to_tflite(model)
    tuned = {"validation_accuracy": 0.5, "kept": {"conv1": 1.0}}
    found = shipped.figures(model, tflite, tuned, test, host_images=9, arm_images=2)
    assert found["test_images"] == 40
    assert found["exact_images"] == {"host": 9, "cores": 2}
    assert found["kept"] == 1
    assert list(found["cores"]) == [*shipped.TARGETS]
    assert set(found["cores"][CORE]) == {"board", "cycles", "board_cycles", "flash_bytes", "ram_bytes"}
    outputs = run_reference(tflite, to_int8(test.images))
    assert found["test_accuracy"] == (outputs.argmax(axis=1) == test.labels).mean()
