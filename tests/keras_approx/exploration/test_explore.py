"""explore: what its front holds, by every search, significance and metric; and what it refuses."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import keras_approx
from keras_approx import Budget, Grid, Proposal
from keras_approx.compat import keras
from keras_approx.errors import (
    CalibrationError,
    NotCalibratedError,
    NotWrappedError,
    OptionError,
    StoreError,
    UnsupportedModelError,
)
from keras_approx.exploration.evaluate.packing import unmasked_copy
from keras_approx.exploration.front.file import load_front
from keras_approx.exploration.front.pareto_front import ParetoFront
from keras_approx.exploration.records import EvaluatedDesign
from keras_approx.exploration.search.protocol import Proposals
from keras_approx.exploration.search.space import Space
from keras_approx.skipping.granularity import group_sums
from tests.keras_approx import models
from tests.keras_approx.exploration.problems import SMALL, VALUES, Small, explored, price


def test_the_front_is_what_predict_says(problem: Small, whole: ParetoFront) -> None:
    assert len(whole.evaluated) == 125
    assert len(whole.designs) > 10
    assert any(record.dropped_early for record in whole.evaluated)
    for record in [*whole.designs[::5], whole.exact]:
        keras_approx.apply_design(whole, record, problem.model)
        masks = keras_approx.get_masks(problem.model)
        assert problem.right() == record.right
        assert record.costs == price(masks)
        assert record.kept_by_layer == {name: mask.mean() for name, mask in masks.items()}
    assert whole.exact.kept == 1
    assert whole.exact.design.values == {}


def test_giving_up_early_costs_nothing_here(problem: Small, whole: ParetoFront, tmp_path: Path) -> None:
    patient = explored(problem, tmp_path, confidence=None)
    assert not any(record.dropped_early for record in patient.evaluated)
    assert patient.designs == whole.designs


def test_masks_that_the_model_has_do_not_matter(problem: Small, whole: ParetoFront, tmp_path: Path) -> None:
    masks = models.random_masks(problem.model)
    keras_approx.set_masks(problem.model, masks)
    assert explored(problem, tmp_path).evaluated == whole.evaluated
    for name, mask in keras_approx.get_masks(problem.model).items():
        np.testing.assert_array_equal(mask, masks[name])


def test_what_is_saved(problem: Small, whole: ParetoFront, tmp_path: Path) -> None:
    front = explored(
        problem, tmp_path, exempt=["third"], granularity=["pair", "block"], objectives=["cycles", "flash"]
    )
    again = load_front(tmp_path / "front.json")
    assert again.evaluated == front.evaluated
    assert again.designs == front.designs
    settings = json.loads(json.dumps(front.settings))
    assert again.settings == settings
    assert settings["images"] == {"calibration": 64, "validation": 600, "shared": 0}
    assert settings["exempt"] == ["third"]
    assert settings["values"] == {"first": VALUES, "second": VALUES}
    assert settings["granularity"] == ["pair", "block"]
    assert settings["versions"]["numpy"] == np.__version__
    assert front.objectives == ("cycles", "flash")
    assert set(front.significance) == {"first", "second", "third"}
    assert len(front.evaluated) == 1 + 2 * 25 - 2  # nothing skipped is one design for both


def test_without_a_price_products_count(problem: Small, tmp_path: Path) -> None:
    front = explored(problem, tmp_path, price=None, values=[1.0, 0.5])
    assert front.objectives == ("products",)
    assert front.exact.costs == {"products": 36 * 162 + 9 * 270 + 180}
    best = front.best(max_drop=0.99)
    assert best.costs["products"] == pytest.approx(best.kept * front.exact.costs["products"])


def test_thresholds(problem: Small, tmp_path: Path) -> None:
    front = explored(problem, tmp_path, select="threshold", values=[0.0, 0.01, 0.05], granularity="operand")
    assert len(front.evaluated) == 27
    keras_approx.apply_design(front, front.designs[0], problem.model)
    assert problem.right() == front.designs[0].right


def test_recalibration(problem: Small, whole: ParetoFront, tmp_path: Path) -> None:
    front = explored(problem, tmp_path, recalibrate=True)
    assert front.exact.right == whole.exact.right
    assert sum(r.score for r in front.designs) / len(front.designs) > 0.5
    record = max(front.designs, key=lambda record: len(record.design.values))
    model = unmasked_copy(problem.model)
    keras_approx.apply_design(front, record, model, calibration=problem.calibration)
    assert dataclasses.replace(problem, model=model).right() == record.right
    with pytest.raises(OptionError, match="give calibration="):
        keras_approx.apply_design(front, record, model)
    with pytest.raises(OptionError, match="leave out calibration="):
        keras_approx.apply_design(whole, record, model, calibration=problem.calibration)


def test_elimination(problem: Small, whole: ParetoFront, tmp_path: Path) -> None:
    front = explored(problem, tmp_path, significance="elimination")
    assert front.exact.right == whole.exact.right
    assert any(record.right != whole[record.id].right for record in front.designs)
    for record in [max(front.designs, key=lambda record: len(record.design.values)), front.exact]:
        model = unmasked_copy(problem.model)
        keras_approx.apply_design(front, record, model, calibration=problem.calibration)
        assert dataclasses.replace(problem, model=model).right() == record.right
    with pytest.raises(OptionError, match="give calibration="):
        keras_approx.apply_design(front, front.exact, problem.model)


def test_each_layer_chooses_its_granularity(problem: Small, tmp_path: Path) -> None:
    granularity = {"third": "pair", "*": ("pair", "kernel")}
    options: dict[str, Any] = {"search": Budget(budgets=4, rounds=1), "values": [1.0, 0.5]}
    front = explored(problem, tmp_path, granularity=granularity, **options)
    assert front.settings["significance"] == "elimination"
    assert front.settings["granularity"]["first"] == ["pair", "kernel"]
    singles = {
        (name, record.design.granularity_of(name))
        for record in front.evaluated
        for name in record.design.values
        if len(record.design.values) == 1
    }
    assert singles >= {(name, one) for name in ("first", "second") for one in ("pair", "kernel")}
    assert ("third", "kernel") not in singles
    mixed = next(r for r in front.evaluated if not isinstance(r.design.granularity, str))
    model = unmasked_copy(problem.model)
    keras_approx.apply_design(
        load_front(tmp_path / "front.json"), mixed, model, calibration=problem.calibration
    )
    assert dataclasses.replace(problem, model=model).right() == mixed.right


def test_layers_choose_what_pays_unless_told(problem: Small, tmp_path: Path) -> None:
    def cycles(masks: Mapping[str, np.ndarray]) -> dict[str, float]:
        kinds = {"first": "pair", "second": "kernel", "third": "pair"}
        return {
            "cycles": float(
                sum(np.count_nonzero(group_sums(masks[name], one)) for name, one in kinds.items())
            )
        }

    options: dict[str, Any] = {"search": SMALL, "values": [1.0, 0.6, 0.3], "price": cycles}
    front = explored(problem, tmp_path, **options)
    chosen = {(name, r.design.granularity_of(name)) for r in front.evaluated for name in r.design.values}
    assert {("first", "pair"), ("second", "kernel"), ("third", "pair")} <= chosen
    assert ("third", "kernel") not in chosen
    assert all(
        record.costs["cycles"] < front.exact.costs["cycles"]
        for record in front.evaluated
        if record.design.values
    )


class _PriceOfWeights:
    """A price that is told the fitted weights."""

    def __init__(self) -> None:
        self.seen: list[tuple[Mapping[str, np.ndarray], Mapping[str, np.ndarray]]] = []

    def __call__(self, masks: Mapping[str, np.ndarray]) -> dict[str, float]:
        return price(masks)

    def with_weights(
        self, masks: Mapping[str, np.ndarray], kernels: Mapping[str, np.ndarray]
    ) -> dict[str, float]:
        self.seen.append((masks, kernels))
        return price(masks)


def test_prices_get_the_weights_that_elimination_fits(problem: Small, tmp_path: Path) -> None:
    asked = _PriceOfWeights()
    options: dict[str, Any] = {"search": SMALL, "values": [1.0, 0.5], "granularity": "pair"}
    front = explored(problem, tmp_path, price=asked, **options)
    masks, kernels = next((m, k) for m, k in asked.seen if set(k) == {"first"})
    model = unmasked_copy(problem.model)
    single = next(r for r in front.evaluated if set(r.design.values) == {"first"})
    keras_approx.apply_design(front, single, model, calibration=problem.calibration)
    fitted = model.get_layer("first").kernel.numpy()
    assert np.allclose(np.where(masks["first"], kernels["first"], 0), np.where(masks["first"], fitted, 0))
    own = problem.model.get_layer("first").kernel.numpy()
    assert not np.allclose(np.where(masks["first"], own, 0), np.where(masks["first"], fitted, 0))


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, "elimination"),
        ({"search": Grid()}, "energy"),
        ({"calibration": None}, "energy"),
        ({"select": "threshold", "values": [0.0, 0.1]}, "energy"),
        ({"granularity": ["pair", "block"]}, "energy"),
    ],
)
def test_elimination_is_the_default_where_it_can_be(
    problem: Small, tmp_path: Path, options: Any, expected: str
) -> None:
    small: dict[str, Any] = {"search": SMALL, "values": [1.0, 0.5], **options}
    assert explored(problem, tmp_path, **small).settings["significance"] == expected


def test_calibration_data_that_can_be_read_once_are_not_for_elimination(
    problem: Small, tmp_path: Path
) -> None:
    small: dict[str, Any] = {"search": SMALL, "values": [1.0, 0.5]}
    front = explored(problem, tmp_path, calibration=iter([problem.calibration]), **small)
    assert front.settings["significance"] == "energy"


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"calibration": None}, "give calibration="),
        ({"select": "threshold", "values": [0.0, 0.1]}, "goes with fractions"),
        ({"granularity": ["pair", "block"]}, "one granularity"),
    ],
)
def test_what_elimination_cannot_do(problem: Small, tmp_path: Path, options: Any, says: str) -> None:
    with pytest.raises(OptionError, match=says):
        explored(problem, tmp_path, significance="elimination", **options)


def test_elimination_reads_calibration_data_twice(problem: Small, tmp_path: Path) -> None:
    batches = iter([problem.calibration])
    with pytest.raises(CalibrationError, match="is used up after the first"):
        explored(problem, tmp_path, significance="elimination", calibration=batches)
    assert next(batches) is problem.calibration  # refused before anything was read


def test_recalibration_needs_something_to_recalibrate(problem: Small, tmp_path: Path) -> None:
    with pytest.raises(OptionError, match="give calibration="):
        explored(problem, tmp_path, recalibrate=True, calibration=None)
    plain = keras.Sequential([keras.Input((8, 8, 3)), keras.layers.Flatten(), keras.layers.Dense(4)])
    with pytest.raises(OptionError, match="no batch normalization to recalibrate"):
        explored(dataclasses.replace(problem, model=keras_approx.wrap(plain)), tmp_path, recalibrate=True)


def test_batch_normalization_that_is_called_twice_is_not_recalibrated(problem: Small, tmp_path: Path) -> None:
    """What it is after the first call would depend on the masks of layers between the calls."""
    inputs, norm = keras.Input((8, 8, 3)), keras.layers.BatchNormalization(name="twice")
    x = norm(keras.layers.Conv2D(3, 3, padding="same")(norm(inputs)))
    x = keras.layers.Dense(4)(keras.layers.Flatten()(x))
    other = dataclasses.replace(problem, model=keras_approx.wrap(keras.Model(inputs, x)))
    with pytest.raises(UnsupportedModelError, match="'twice' is called several times"):
        explored(other, tmp_path, recalibrate=True)
    assert explored(other, tmp_path, values=[1.0, 0.5], significance="energy", price=None).designs


def test_a_model_is_calibrated_if_it_was_not(problem: Small, tmp_path: Path) -> None:
    model = keras_approx.wrap(models.small(), compensate=True)
    arguments = {**problem.arguments, "search": SMALL}
    with pytest.raises(NotCalibratedError, match="give calibration="):
        keras_approx.explore(model, out=tmp_path, **{**arguments, "calibration": None})
    front = keras_approx.explore(model, out=tmp_path, **arguments)
    keras_approx.apply_design(front, front.designs[0], model, calibration=problem.calibration)
    other = keras_approx.wrap(models.small(), compensate=True)
    keras_approx.calibrate(other, problem.calibration, verbose=False)
    keras_approx.apply_design(front, front.designs[0], other, calibration=problem.calibration)
    for one, two in zip(model.get_weights(), other.get_weights(), strict=True):
        np.testing.assert_array_equal(one, two)


def test_images_that_are_in_both_sets(problem: Small, tmp_path: Path) -> None:
    both = np.concatenate([problem.calibration, problem.images[:3], problem.images[:3]])
    with pytest.warns(UserWarning, match="3 of 600 validation images are calibration images too"):
        front = explored(problem, tmp_path, calibration=both, values=[1.0])
    assert front.settings["images"]["shared"] == 3


@pytest.mark.filterwarnings("error")
def test_sets_that_share_nothing_are_fine(problem: Small, tmp_path: Path) -> None:
    explored(problem, tmp_path, values=[1.0], calibration=None)
    explored(problem, tmp_path / "other", values=[1.0])


class _Ends:
    """The designs that keep most and least."""

    def __init__(self, rounds: int) -> None:
        self.rounds = rounds
        self._found: list[EvaluatedDesign] = []

    def proposals(self, space: Space, objectives: Sequence[str], seed: int) -> Proposals:
        for _ in range(self.rounds):
            ends = [[0] * len(space.sizes), [size - 1 for size in space.sizes]]
            designs = [space.design(levels, space.granularities[0]) for levels in ends]
            self._found += yield Proposal(designs, remaining=0, droppable=False)


def test_a_search_of_the_user(problem: Small, tmp_path: Path) -> None:
    search = _Ends(2)
    front = explored(problem, tmp_path, search=search)
    assert len(front.evaluated) == 2
    assert [record.design for record in search._found[:2]] == [record.design for record in search._found[2:]]
    assert front.settings["search"] == "_Ends"
    assert front.settings["options"]["rounds"] == 2


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"search": "guess"}, r"search must be Budget\(...\), .* got 'guess'"),
        ({"search": Grid}, r"search must be Budget\(...\)"),
        ({"search": _Ends({3})}, "JSON must hold them, but of _Ends: set"),
        ({"confidence": 1.0}, "confidence must be between 0 and 1"),
        ({"chunk": 0}, "chunk must be at least 1"),
        ({"objectives": []}, "at least one name"),
        ({"objectives": ["joules"]}, "finite numbers for joules|those of joules"),
        ({"price": lambda masks: {"cycles": np.inf}}, "finite numbers"),
        ({"validation": np.zeros(3)}, "validation must be"),
        ({"validation": (np.zeros((2, 8, 8, 1)), [0, 1])}, r"shape \(n, 8, 8, 3\) with n >= 1, got shape"),
        ({"validation": (np.full((2, 8, 8, 3), np.nan), [0, 1])}, "must be finite"),
        ({"validation": (np.zeros((2, 8, 8, 3)), [[0, 1], [1, 0]])}, "for one-hot labels"),
        (
            {"validation": (np.zeros((2, 8, 8, 3)), [0.0, 1.0])},
            r"labels of their shape \(n, 4\), got float32",
        ),
        ({"validation": (np.zeros((2, 8, 8, 3)), [0, 4])}, "from 0 to 4, but the model has 4 classes"),
    ],
)
def test_options_that_do_not_exist(
    problem: Small, tmp_path: Path, options: dict[str, Any], says: str
) -> None:
    with pytest.raises(OptionError, match=says):
        explored(problem, tmp_path, **options)


def test_other_models_and_data(problem: Small, tmp_path: Path) -> None:
    with pytest.raises(NotWrappedError):
        keras_approx.explore(models.small(), out=tmp_path, **problem.arguments)
    with pytest.raises(CalibrationError, match="shape"):
        explored(problem, tmp_path, calibration=problem.calibration[:, :4])
    one = keras.Sequential([keras.Input((8, 8, 3)), keras.layers.Flatten(), keras.layers.Dense(1)])
    with pytest.raises(OptionError, match=r"class numbers, or labels of 0 and 1, .* give metric='mae'"):
        keras_approx.explore(keras_approx.wrap(one), out=tmp_path, **problem.arguments)
    image = keras.Input((8, 8, 3))
    two = keras.Model(image, [keras.layers.Dense(4)(keras.layers.Flatten()(image)) for _ in range(2)])
    with pytest.raises(UnsupportedModelError, match="models of one output"):
        keras_approx.explore(keras_approx.wrap(two), out=tmp_path, **problem.arguments)


def test_an_error_is_kept_small(problem: Small, tmp_path: Path) -> None:
    values = unmasked_copy(problem.model).predict(problem.images, verbose=0) + np.float32(0.01)
    validation = (problem.images, values)
    front = explored(problem, tmp_path, validation=validation, metric="mae")
    assert front.metric == "mae"
    assert not any(record.dropped_early or record.higher_is_better for record in front.evaluated)
    assert front.exact.score == pytest.approx(0.01, rel=1e-3)
    for record in front.designs[::5]:
        keras_approx.apply_design(front, record, problem.model)
        outputs = problem.model.predict(problem.images, verbose=0)
        assert record.score == pytest.approx(np.mean(np.abs(outputs - values)), rel=1e-5)
    scores = [record.score for record in front.designs]
    assert scores == sorted(scores, reverse=True)
    best = front.best(max_drop=scores[0] / 4)
    assert best.score <= front.exact.score + scores[0] / 4
    assert best.costs["cycles"] == min(
        record.costs["cycles"]
        for record in front.evaluated
        if record.score <= front.exact.score + scores[0] / 4
    )
    assert front.best(max_drop=1e9).costs == min(
        (r.costs for r in front.evaluated), key=lambda c: c["cycles"]
    )
    again = load_front(tmp_path / "front.json")
    assert (again.metric, again.designs) == ("mae", front.designs)
    with pytest.raises(StoreError, match=r'metric was "mae", is "mse"'):
        explored(problem, tmp_path, validation=validation, metric="mse")


def _spread(labels: np.ndarray, outputs: np.ndarray) -> float:
    return float(np.max(np.abs(labels - outputs)))


def test_a_function_is_kept_in_other_processes_too(problem: Small, tmp_path: Path) -> None:
    """The other process is a thread here: what it gets was pickled all the same in test_scoring."""
    labels = np.random.default_rng(0).integers(0, 2, (len(problem.images), 4))
    validation = (problem.images, labels)
    kept = keras_approx.Quality(_spread, higher_is_better=False, name="spread")
    options: dict[str, Any] = {"validation": validation, "metric": kept, "search": SMALL}
    here = explored(problem, tmp_path / "here", **options)
    with ThreadPoolExecutor(1) as executor:
        there = explored(problem, tmp_path / "there", executor=executor, **options)
    assert here.evaluated == there.evaluated
    assert here.metric == "spread"
    areas = explored(problem, tmp_path / "area", validation=validation, metric="auc", search=SMALL)
    assert all(0 < record.score < 1 and record.higher_is_better for record in areas.evaluated)
