"""Evaluation: the right answers of an export over a data set, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest

import export
from export.errors import InputError
from tests.export import handmade
from tests.export.models.bench import Bench


@pytest.fixture(scope="module")
def out_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return handmade.write(tmp_path_factory.mktemp("evaluate") / "out")


def _answers(inputs: np.ndarray) -> np.ndarray:
    return handmade.reference(inputs).reshape(len(inputs), -1).argmax(axis=1)


def test_every_input_is_run_and_in_order(out_dir: Path) -> None:
    inputs = handmade.inputs(1000)
    labels = _answers(inputs)
    labels[:100] = (labels[:100] + 1) % 4
    found = export.evaluate(out_dir, inputs, labels, workers=3)
    np.testing.assert_array_equal(found.outputs, handmade.reference(inputs))
    assert (found.right, found.count, found.accuracy) == (900, 1000, 0.9)
    assert str(found) == "900 of 1,000 right: 90.00%, with 95 % confidence 87.98% to 91.71%"
    assert repr(found) == f"Evaluation({found})"


def test_real_numbers_are_quantized(out_dir: Path) -> None:
    inputs = handmade.inputs(5)
    reals = (inputs.astype(np.float32) - 3) * 0.5
    assert export.evaluate(out_dir, reals, _answers(inputs)).accuracy == 1


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (np.zeros(4, int), "a class number for each of 5 inputs"),
        (np.zeros((5, 4), int), "a class number for each"),
        (np.zeros(5), "got float64"),
        (np.full(5, 4), r"labels of 0 \.\. 3"),
        (np.full(5, -1), r"labels of 0 \.\. 3"),
        ([[0], [1, 2]], "a class number for each of 5 inputs, got .* inhomogeneous"),
    ],
)
def test_labels_that_do_not_go_with_it_are_refused(out_dir: Path, labels: np.ndarray, message: str) -> None:
    with pytest.raises(InputError, match=message):
        export.evaluate(out_dir, handmade.inputs(5), labels)


def test_no_inputs_and_no_workers_are_refused(out_dir: Path) -> None:
    with pytest.raises(InputError, match="at least one"):
        export.evaluate(out_dir, handmade.inputs(5)[:0], np.zeros(0, int))
    with pytest.raises(InputError, match="whole number of workers"):
        export.evaluate(out_dir, handmade.inputs(5), np.zeros(5, int), workers=0)
    with pytest.raises(InputError, match="whole number of workers"):
        export.evaluate(out_dir, handmade.inputs(5), np.zeros(5, int), workers=cast(Any, "2"))


def test_its_record_is_json(out_dir: Path) -> None:
    inputs = handmade.inputs(3)
    record = json.loads(json.dumps(export.evaluate(out_dir, inputs, _answers(inputs)).to_dict()))
    assert (record["right"], record["count"], record["accuracy"]) == (3, 3, 1.0)


def _with_end(name: str, scale: float, zero_point: int, tmp_path: Path) -> Path:
    bench = Bench()
    y = bench.layers.dense(bench.v, 1)
    if name == "LOGISTIC":
        y = bench.op("LOGISTIC", [y], (1, 1), scale=scale, zero_point=zero_point)
    return export.to_c(bench.builder.finish(bench.v, y), tmp_path / "out", target="host").path


@pytest.mark.parametrize(("name", "scale", "zero_point"), [("LOGISTIC", 1 / 256, -128), ("linear", 0, 0)])
def test_one_output_decides_between_two_classes(
    name: str, scale: float, zero_point: int, tmp_path: Path
) -> None:
    """A logit above 0 is class 1, and so is the probability above a half that LOGISTIC makes of it."""
    folder = _with_end(name, scale, zero_point, tmp_path)
    inputs = np.random.default_rng(0).integers(-128, 128, (200, 8)).astype(np.int8)
    zeros = export.evaluate(folder, inputs, np.zeros((200, 1), int))
    info = json.loads((folder / "manifest.json").read_text())["outputs"][0]
    reals = (zeros.outputs.reshape(-1).astype(int) - info["zero_point"]) * info["scale"]
    ones = reals > (0.5 if name == "LOGISTIC" else 0.0)
    assert 0.1 < ones.mean() < 0.9
    assert zeros.right == 200 - ones.sum()
    assert export.evaluate(folder, inputs, ones.astype(int)).accuracy == 1
    with pytest.raises(InputError, match=r"labels of 0 \.\. 1"):
        export.evaluate(folder, inputs, np.full(200, 2))


def test_class_numbers_are_answers(tmp_path: Path) -> None:
    bench = Bench()
    model = bench.builder.finish(bench.v, bench.indices("ARG_MAX", bench.v, 1, (1,)))
    folder = export.to_c(model, tmp_path / "out", target="host").path
    inputs = np.random.default_rng(0).integers(-128, 128, (50, 8)).astype(np.int8)
    assert export.evaluate(folder, inputs, inputs.argmax(axis=1)).accuracy == 1
