"""Designs are fine-tuned to the shares they say, and the front remembers what came of it."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import keras_approx
from keras_approx.compat import keras
from keras_approx.errors import OptionError
from keras_approx.exploration.front.file import load_front, save_front
from keras_approx.exploration.front.pareto_front import ParetoFront
from keras_approx.exploration.records import EvaluatedDesign
from tests.keras_approx import models
from tests.keras_approx.exploration.problems import Small, price


@pytest.fixture(scope="module")
def front(problem: Small, tmp_path_factory: pytest.TempPathFactory) -> ParetoFront:
    out = tmp_path_factory.mktemp("tuning")
    return keras_approx.explore(
        problem.model, out=out, search=keras_approx.Grid(), values=[1.0, 0.5, 0.25], **problem.arguments
    )


LOSS = keras.losses.SparseCategoricalCrossentropy()


@pytest.mark.parametrize("wrapped", [True, False])
def test_fine_tuning(problem: Small, front: ParetoFront, tmp_path: Path, wrapped: bool) -> None:
    model = problem.model if wrapped else models.small()
    designs: list[Any] = [front.designs[1].design, front.exact]
    before = model.get_weights()
    data = (problem.images[:256], problem.labels[:256])
    validation = (problem.images, problem.labels)
    found = keras_approx.fine_tune_designs(
        front,
        designs,
        model,
        data,
        validation=validation,
        price=price,
        loss=LOSS,
        epochs=2,
        batch_size=32,
        verbose=0,
    )
    assert len(found) == 2
    for (tuned, history), design in zip(found, designs, strict=True):
        record = front[design.id]
        shares = {name: mask.mean() for name, mask in keras_approx.get_masks(tuned).items()}
        for name, share in shares.items():
            assert share == pytest.approx(record.design.value(name), abs=0.02)
        right = tuned.predict(problem.images, verbose=0).argmax(axis=1) == problem.labels
        assert record.fine_tuned_score == right.mean()
        assert record.fine_tuned_costs == price(keras_approx.get_masks(tuned))
        assert len(history.history["loss"]) == 2
    for one, two in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(one, two)
    save_front(front, tmp_path / "front.json")
    assert load_front(tmp_path / "front.json").evaluated == front.evaluated


def test_layers_go_from_everything_to_their_value(problem: Small, front: ParetoFront) -> None:
    shares: list[float] = []

    class Watch(keras.callbacks.Callback):
        def on_train_batch_begin(self, batch: int, logs: object = None) -> None:
            shares.append(float(keras_approx.get_masks(self.model)["second"].mean()))

    design = next(record for record in front.evaluated if record.design.value("second") == 0.25)
    data = (problem.images[:256], problem.labels[:256])
    keras_approx.fine_tune_designs(
        front,
        design,
        problem.model,
        data,
        validation=(problem.images, problem.labels),
        skipping=keras_approx.Rank("energy", frequency=1),
        loss=LOSS,
        epochs=2,
        batch_size=32,
        distillation=0,
        callbacks=[Watch()],
        verbose=0,
    )
    assert shares[0] == 1
    assert np.all(np.diff(shares) <= 0)
    assert shares[0] > shares[4] > shares[8] == shares[-1] == pytest.approx(0.25, abs=0.02)
    assert front[design.id].fine_tuned_costs is None


@pytest.mark.parametrize("rounds", [1, 2])
def test_elimination_in_rounds(problem: Small, front: ParetoFront, rounds: int) -> None:
    shares: list[float] = []

    class Watch(keras.callbacks.Callback):
        def on_train_batch_begin(self, batch: int, logs: object = None) -> None:
            shares.append(float(keras_approx.get_masks(self.model)["second"].mean()))

    design = next(record for record in front.evaluated if record.design.value("second") == 0.25)
    options = {"loss": LOSS, "epochs": 1, "batch_size": 32, "verbose": 0, "distillation": 0.0}
    for record in (design, front.exact):
        ((tuned, _),) = keras_approx.fine_tune_designs(
            front,
            record,
            problem.model,
            (problem.images[:256], problem.labels[:256]),
            validation=(problem.images, problem.labels),
            skipping=keras_approx.Eliminate(rounds=rounds),
            callbacks=[Watch()],
            **options,
        )
        for name, mask in keras_approx.get_masks(tuned).items():
            assert mask.mean() == pytest.approx(record.design.value(name), abs=0.02)
    # Of 8 steps; the second round is at 40 % of them.
    first = [0.25] * 3 if rounds == 1 else [0.4] * 3
    np.testing.assert_allclose(shares, [*first, *[0.25] * 5, *[1.0] * 8], atol=0.02)


def test_what_was_tuned_before_a_design_fails_is_not_lost(problem: Small, front: ParetoFront) -> None:
    seen: list[tuple[str, float | None, int]] = []

    def each(record: EvaluatedDesign, model: Any, history: Any) -> None:
        right = model.predict(problem.images, verbose=0).argmax(axis=1) == problem.labels
        assert record.fine_tuned_score == right.mean()
        seen.append((record.id, front[record.id].fine_tuned_score, len(history.history["loss"])))

    class Fails(keras.callbacks.Callback):
        def on_train_begin(self, logs: object = None) -> None:
            if seen:
                raise RuntimeError("no power")

    designs = [front.designs[0], front.designs[1]]
    with pytest.raises(RuntimeError, match="no power"):
        keras_approx.fine_tune_designs(
            front,
            designs,
            problem.model,
            (problem.images[:256], problem.labels[:256]),
            validation=(problem.images, problem.labels),
            each=each,
            loss=LOSS,
            epochs=1,
            batch_size=32,
            callbacks=Fails(),
            verbose=0,
        )
    assert seen == [(designs[0].id, front[designs[0].id].fine_tuned_score, 1)]


def test_options_that_the_design_gives(problem: Small, front: ParetoFront) -> None:
    validation = (problem.images, problem.labels)
    tune = functools.partial(keras_approx.fine_tune_designs, front, front.exact, problem.model, validation)
    with pytest.raises(OptionError, match="what is kept follows from the design"):
        tune(validation=validation, kept=0.5)
    with pytest.raises(OptionError, match="there is no loss"):
        tune(validation=validation)
    with pytest.raises(TypeError, match="unexpected keyword argument 'layers'"):
        tune(validation=validation, loss=LOSS, layers={})
