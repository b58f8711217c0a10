"""Counts are those of plain predict, whatever was computed before, kept, or dropped."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest

import keras_approx
from keras_approx.exploration.evaluate.evaluator import Evaluator, Outcome, Work, _Cache
from keras_approx.exploration.evaluate.packing import unmasked_copy
from keras_approx.exploration.evaluate.scoring import scorer_of
from tests.keras_approx import models
from tests.keras_approx.exploration.problems import Small, residual


def _evaluator(problem: Small, **options: Any) -> Evaluator:
    scorer = scorer_of("accuracy", problem.model, problem.labels)
    return Evaluator(unmasked_copy(problem.model), problem.images, problem.labels, scorer, **options)


def _count(outcome: Outcome) -> int:
    return round(outcome.score * outcome.images)


def _work(model: object, count: int, required: int = 0) -> Work:
    masks = {
        name: [np.ones_like(mask), *(models.random_masks(model, kept, seed)[name] for seed, kept in _MASKS)]
        for name, mask in keras_approx.get_masks(model).items()
    }
    rows = np.random.default_rng(0).integers(0, len(_MASKS) + 1, (count, len(masks)))
    return Work(masks, rows, np.full(count, required))


_MASKS = [(1, 0.9), (2, 0.7), (3, 0.4)]


def _right(problem: Small, work: Work) -> list[int]:
    found = []
    for row in work.rows:
        chosen = {name: table[number] for (name, table), number in zip(work.masks.items(), row, strict=True)}
        keras_approx.set_masks(problem.model, chosen)
        found.append(problem.right())
    return found


def test_counts_are_those_of_predict(problem: Small) -> None:
    work = _work(problem.model, 12)
    expected = _right(problem, work)
    outcomes = sorted(_evaluator(problem).evaluate(work), key=lambda outcome: outcome.row)
    assert [_count(outcome) for outcome in outcomes] == expected
    assert len(set(expected)) > 5
    assert all(outcome.images == len(problem.images) for outcome in outcomes)


@pytest.mark.parametrize("recalibrated", [False, True])
def test_counts_with_branches(recalibrated: bool) -> None:
    model = keras_approx.wrap(residual(), compensate=True)
    calibration = models.inputs(model)
    keras_approx.calibrate(model, calibration, verbose=False)
    images = models.inputs(model, 200, seed=9)
    problem = Small(model, calibration, images, models.labels(200, classes=5))
    work = _work(model, 4)
    recalibration = _batches(problem, 2) if recalibrated else ()
    outcomes = _evaluator(problem, block=64, recalibration=recalibration).evaluate(work)
    counts = [_count(outcome) for outcome in sorted(outcomes, key=lambda outcome: outcome.row)]
    assert counts == (_recalibrated(problem, work, 2) if recalibrated else _right(problem, work))


@pytest.mark.parametrize("cache_bytes", [0, 300_000])
def test_the_cache_changes_nothing(problem: Small, cache_bytes: int) -> None:
    work = _work(problem.model, 12)
    expected = sorted(_evaluator(problem).evaluate(work), key=lambda outcome: outcome.row)
    evaluator = _evaluator(problem, cache_bytes=cache_bytes)
    for _ in range(2):
        assert sorted(evaluator.evaluate(work), key=lambda outcome: outcome.row) == expected


def test_what_is_shared_is_computed_once(problem: Small, monkeypatch: pytest.MonkeyPatch) -> None:
    evaluator = _evaluator(problem)
    runs: dict[str, int] = {}
    for segment in evaluator._segments:

        def run(*arguments: object, of: object = segment.run, name: str = segment.layer) -> object:
            runs[name] = runs.get(name, 0) + 1
            return of(*arguments)  # type: ignore[operator]

        object.__setattr__(segment, "run", run)
    masks = _work(problem.model, 1).masks
    rows = np.array([[a, b, c] for a in range(2) for b in range(3) for c in range(4)])
    list(evaluator.evaluate(Work(masks, rows[np.random.default_rng(0).permutation(24)], np.zeros(24, int))))
    blocks = 3
    # What the exact model went through was kept: mask 0 of the first layer, and of the first and the second.
    assert runs == {"first": 1 * blocks, "second": 5 * blocks, "third": 24 * blocks}


def _recalibrated(problem: Small, work: Work, batches: int, size: int = 16) -> list[int]:
    """By the public functions, each design from the same statistics."""
    found = []
    model = unmasked_copy(problem.model)
    weights = model.get_weights()
    for row in work.rows:
        chosen = {name: table[number] for (name, table), number in zip(work.masks.items(), row, strict=True)}
        model.set_weights(weights)
        keras_approx.set_masks(model, chosen)
        if not all(mask.all() for mask in chosen.values()):
            keras_approx.recalibrate_batch_norm(model, problem.calibration, batch_size=size, steps=batches)
        found.append(Small(model, problem.calibration, problem.images, problem.labels).right())
    return found


def _batches(problem: Small, count: int) -> list[np.ndarray]:
    return [problem.calibration[16 * number : 16 * number + 16] for number in range(count)]


@pytest.mark.parametrize("cache_bytes", [0, 1 << 30])
def test_recalibrated_counts_are_those_of_the_public_functions(problem: Small, cache_bytes: int) -> None:
    work = _work(problem.model, 5)
    work.rows[3] = 0  # nothing is skipped
    evaluator = _evaluator(problem, recalibration=_batches(problem, 3), cache_bytes=cache_bytes)
    outcomes = sorted(evaluator.evaluate(work), key=lambda outcome: outcome.row)
    counts = [_count(outcome) for outcome in outcomes]
    assert counts == _recalibrated(problem, work, 3)
    assert counts[3] == _right(problem, work)[3]
    assert counts != _right(problem, work)


def test_a_short_batch_counts_by_its_samples_here_too(problem: Small) -> None:
    """The second batch has one sample."""
    work, images = _work(problem.model, 6), problem.calibration[:41]
    outcomes = _evaluator(problem, recalibration=[images[:40], images[40:]]).evaluate(work)
    counts = [_count(outcome) for outcome in sorted(outcomes, key=lambda outcome: outcome.row)]
    assert counts == _recalibrated(dataclasses.replace(problem, calibration=images), work, 2, 40)


def test_hopeless_designs_are_given_up(problem: Small) -> None:
    work = _work(problem.model, 12)
    whole = sorted(_evaluator(problem).evaluate(work), key=lambda outcome: outcome.row)
    counts = [_count(outcome) for outcome in whole]
    required = max(counts)
    evaluator = _evaluator(problem, block=100)
    outcomes = sorted(
        evaluator.evaluate(Work(work.masks, work.rows, np.full(12, required))),
        key=lambda outcome: outcome.row,
    )
    given_up = [outcome for outcome in outcomes if outcome.images < len(problem.images)]
    assert 0 < len(given_up) < 12
    assert all(outcome.images % 100 == 0 and counts[outcome.row] < required for outcome in given_up)
    assert [_count(o) for o in outcomes if o not in given_up] == [
        counts[o.row] for o in outcomes if o not in given_up
    ]


def test_distortion_is_zero_for_the_exact_model_and_grows(problem: Small) -> None:
    names = list(keras_approx.get_masks(problem.model))
    tables = [models.random_masks(problem.model, kept) for kept in (1.0, 0.95, 0.5)]
    work = Work(
        {name: [table[name] for table in tables] for name in names},
        np.repeat(np.arange(3)[:, None], len(names), axis=1),
        np.zeros(3, int),
    )
    outcomes = sorted(_evaluator(problem).evaluate(work), key=lambda outcome: outcome.row)
    exact, little, much = (outcome.distortion for outcome in outcomes)
    assert exact == 0 < little < much
    keras_approx.set_masks(problem.model, tables[0])
    reference = problem.model.predict(problem.images, verbose=0)
    keras_approx.set_masks(problem.model, tables[2])
    masked = problem.model.predict(problem.images, verbose=0)
    assert much == pytest.approx(np.mean((masked - reference) ** 2) / np.var(reference), rel=1e-4)


def test_a_cache_forgets_what_was_not_asked_for_longest() -> None:
    cache = _Cache(10)
    for number in range(5):
        cache.put(number, str(number), 2)
    cache.put(3, "three", 2)
    assert cache.get(0) == "0"
    cache.put(5, "5", 4)
    assert [cache.get(number) for number in range(6)] == ["0", None, None, "three", "4", "5"]
    cache.put(6, "6", 11)
    assert [cache.get(number) for number in (0, 6)] == [
        "0",
        None,
    ]  # too large for the cache, so nothing makes room
    cache.put(7, "7", 10)
    assert cache.get(7) == "7"
