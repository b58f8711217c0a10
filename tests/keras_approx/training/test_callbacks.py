"""Callbacks that report on masks: what logs say is kept and costs, and which epoch is best."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import pytest

import keras_approx
from keras_approx.compat import keras
from keras_approx.measure.summaries import mask_positions
from keras_approx.skipping.masks import kept_fraction
from keras_approx.skipping.schedules import Polynomial
from keras_approx.training.callbacks import AfterSkipping, SkipSummaries, UpdateSkipMasks
from tests.keras_approx.training.fitting import compiled, fit


def test_summaries_in_the_logs(capsys: pytest.CaptureFixture[str]) -> None:
    model = compiled()
    history = fit(model, UpdateSkipMasks(0.5), SkipSummaries())
    masks = keras_approx.get_masks(model)
    assert {name: history[f"kept/{name}"] for name in masks} == {
        name: [pytest.approx(mask.mean())] for name, mask in masks.items()
    }
    assert "pairs kept" in capsys.readouterr().out
    fit(model, SkipSummaries(print_fn=None))
    assert capsys.readouterr().out == ""


def test_estimated_cycles_in_the_logs_and_in_files(tmp_path: Any) -> None:
    model = compiled()

    def cycles(given: Any) -> dict[str, float]:
        return {name: 100 * mask.mean() for name, mask in keras_approx.get_masks(given).items()}

    checkpoint = keras.callbacks.ModelCheckpoint(
        str(tmp_path / "{estimated_cycles:.0f}.weights.h5"),
        monitor="estimated_cycles",
        mode="min",
        save_best_only=True,
        save_weights_only=True,
    )
    table = keras.callbacks.CSVLogger(str(tmp_path / "log.csv"))
    update = UpdateSkipMasks(Polynomial(1.0, 0.5, end_step=6), frequency=1)
    history = fit(model, update, SkipSummaries(None, cycles=cycles), checkpoint, table, epochs=3)
    expected = cycles(model)
    assert {name: history[f"estimated_cycles/{name}"][-1] for name in expected} == pytest.approx(expected)
    totals = history["estimated_cycles"]
    assert totals[-1] == pytest.approx(sum(expected.values()))
    assert {path.name for path in tmp_path.glob("*.h5")} == {
        f"{total:.0f}.weights.h5" for total in totals[:2]
    }
    lines = [line.split(",") for line in (tmp_path / "log.csv").read_text().splitlines()]
    assert [float(line[lines[0].index("estimated_cycles")]) for line in lines[1:]] == pytest.approx(totals)
    total = fit(model, SkipSummaries(None, cycles=lambda _: 12))
    assert total["estimated_cycles"] == [12]


def test_checkpoints_can_watch_what_is_kept(tmp_path: Any) -> None:
    model = compiled()
    path = str(tmp_path / "best.weights.h5")
    checkpoint = keras.callbacks.ModelCheckpoint(
        path, monitor="kept", mode="min", save_best_only=True, save_weights_only=True
    )
    stop = keras.callbacks.EarlyStopping(monitor="kept", mode="min", patience=1)
    history = fit(model, UpdateSkipMasks(0.5), checkpoint, stop, epochs=5)
    assert len(history["kept"]) == 2
    assert (tmp_path / "best.weights.h5").exists()


def test_the_best_epoch_is_one_with_the_final_masks(tmp_path: Path) -> None:
    def callbacks() -> list[Any]:
        stop = keras.callbacks.EarlyStopping("kept", mode="max", patience=1, restore_best_weights=True)
        path = str(tmp_path / "{epoch}.weights.h5")
        save = keras.callbacks.ModelCheckpoint(
            path, monitor="kept", mode="max", save_best_only=True, save_weights_only=True
        )
        return [stop, save]

    schedule = Polynomial(1.0, 0.3, end_step=6)
    with pytest.warns(
        UserWarning, match="EarlyStopping, ModelCheckpoint will compare epochs that keep different shares"
    ):
        fit(compiled(), UpdateSkipMasks(schedule), *callbacks(), epochs=2)
    (tmp_path / "1.weights.h5").unlink()

    class BringBack(keras.callbacks.Callback):
        def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
            if epoch == 0:
                self.weights = self.model.get_weights()
            else:
                self.model.set_weights(self.weights)

    with pytest.warns(UserWarning, match=r"brought masks of an earlier epoch back: .* not 29\.\d%"):
        fit(compiled(), UpdateSkipMasks(schedule), BringBack(), epochs=2)
    model, updates = compiled(), UpdateSkipMasks(schedule)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        history = fit(model, updates, *(AfterSkipping(updates, one) for one in callbacks()), epochs=5)
    assert len(history["kept"]) == 3
    assert kept_fraction(keras_approx.get_masks(model), mask_positions(model)) == pytest.approx(0.3, abs=0.02)
    assert [path.name for path in tmp_path.iterdir()] == ["2.weights.h5"]
