"""`explore` finds what keras_approx.explore finds, and goes on after Ctrl-C without measuring anything twice."""

from __future__ import annotations

import csv
import signal
import time
from pathlib import Path

import numpy as np
import pytest

import export
import keras_approx
from export.commands import main
from export.commands.inputs.models import load_model
from keras_approx.exploration.front.file import load_front, save_front


@pytest.fixture(scope="module")
def wrapped(folder, tmp_path_factory):
    path = tmp_path_factory.mktemp("explore") / "wrapped.keras"
    assert (
        main(["wrap", str(folder / "model.keras"), "--data", str(folder / "train.npz"), "--out", str(path)])
        == 0
    )
    return path


def _arguments(folder, wrapped, out):
    return ["explore", wrapped, "--data", folder / "train.npz", "--validation-share", 0.25, "--out", out]


@pytest.fixture(scope="module")
def found(folder, wrapped, tmp_path_factory):
    """An exploration that was not interrupted."""
    out = tmp_path_factory.mktemp("found") / "front.json"
    options = ["--search-option", "budgets=6", "--target", "cortex-m4", "--seed", "3"]
    assert main([*map(str, _arguments(folder, wrapped, out)), *options]) == 0
    return out


def test_explores_the_samples_set_apart(folder, wrapped, found):
    front = load_front(found)
    inputs, labels = (np.load(folder / "train.npz")[name] for name in ("inputs", "labels"))
    order = np.random.default_rng(0).permutation(120)
    model = load_model(str(wrapped))
    expected = keras_approx.explore(
        model,
        calibration=inputs[order[30:]],
        validation=(inputs[order[:30]], labels[order[:30]]),
        price=export.Pricer(model, target="cortex-m4"),
        out=found.parent / "expected",
        search=keras_approx.Budget(budgets=6),
        seed=3,
        verbose=False,
    )
    assert front.evaluated == expected.evaluated
    assert front.settings == {**expected.settings, "target": "cortex-m4"}
    with found.with_suffix(".csv").open() as file:
        assert {row["id"] for row in csv.DictReader(file)} == {record.id for record in front.evaluated}


@pytest.mark.slow
def test_goes_on_after_ctrl_c(folder, wrapped, found, tmp_path, run, start):
    out = tmp_path / "front.json"
    options = ["--search-option", "budgets=6", "--target", "cortex-m4", "--seed", 3]
    evaluations = tmp_path / "front.json.store" / "evaluations.jsonl"
    with start(*_arguments(folder, wrapped, out), *options) as process:
        while process.poll() is None and not (
            evaluations.exists() and len(evaluations.read_bytes().splitlines()) > 5
        ):
            time.sleep(0.01)
        process.send_signal(signal.SIGINT)
        said = process.stderr.read()
    assert process.returncode == 130, said
    assert "Traceback" not in said
    assert "front.json.store" in said.splitlines()[-1]
    assert not out.exists()
    kept = evaluations.read_bytes()
    record = run(*_arguments(folder, wrapped, out), *options)
    assert evaluations.read_bytes().startswith(kept)
    assert out.read_bytes() == found.read_bytes()
    assert record["evaluated"] == len(load_front(found).evaluated)
    lines = evaluations.read_bytes().splitlines()
    assert len(lines) == len(set(lines)) == record["evaluated"] + 1


@pytest.mark.slow
def test_workers_find_the_same(folder, wrapped, found, tmp_path, run):
    out = tmp_path / "front.json"
    options = ["--search-option", "budgets=6", "--target", "cortex-m4", "--seed", 3, "--workers", 2]
    run(*_arguments(folder, wrapped, out), *options)
    assert load_front(out).evaluated == load_front(found).evaluated


def test_grid_of_thresholds_with_batch_normalization_re_estimated(folder, wrapped, tmp_path, run, fails):
    out = tmp_path / "front.json"
    grid = ("--search", "grid", "--select", "threshold", "--values", "0:0.02:0.01", "--exempt", "first")
    record = run(*_arguments(folder, wrapped, out), *grid, "--recalibrate")
    front = load_front(out)
    assert record["evaluated"] == 3**2
    assert {record.design.value("second") for record in front.evaluated} == {0.0, 0.01, 0.02}
    assert {record.design.value("first") for record in front.evaluated} == {0.0}
    most = min(front.evaluated, key=lambda record: record.kept)
    choice = ("export", wrapped, "--front", out, "--design", most.id)
    assert "give --data as for explore" in fails(*choice, "--estimate")
    c = tmp_path / "out"
    run(*choice, "--data", folder / "train.npz", "--validation-share", 0.25, "--out", c)
    expected, model = load_model(str(wrapped)), load_model(str(wrapped))
    training = np.load(folder / "train.npz")["inputs"][np.random.default_rng(0).permutation(120)[30:]]
    keras_approx.apply_design(front, most, expected, calibration=training)
    keras_approx.set_masks(model, keras_approx.get_masks(expected))
    assert (c / "model.tflite").read_bytes() == export.to_tflite(expected) != export.to_tflite(model)


@pytest.mark.slow
def test_elimination_refits_the_exported_weights(folder, wrapped, tmp_path, run, fails):
    out = tmp_path / "front.json"
    options = ("--significance", "elimination", "--search-option", "budgets=2", "--target", "cortex-m4")
    run(*_arguments(folder, wrapped, out), *options)
    front = load_front(out)
    assert front.settings["significance"] == "elimination"
    assert front.settings["recalibrate"]
    half = min(front.evaluated, key=lambda record: abs(record.kept - 0.5))
    choice = ("export", wrapped, "--front", out, "--design", half.id)
    assert "give --data as for explore" in fails(*choice, "--estimate")
    c = tmp_path / "out"
    run(*choice, "--data", folder / "train.npz", "--validation-share", 0.25, "--out", c)
    expected = load_model(str(wrapped))
    training = np.load(folder / "train.npz")["inputs"][np.random.default_rng(0).permutation(120)[30:]]
    keras_approx.apply_design(front, half, expected, calibration=training)
    assert (c / "model.tflite").read_bytes() == export.to_tflite(expected)
    tuned = tmp_path / "tuned.keras"
    record = run(
        *("fine-tune", wrapped, "--data", folder / "train.npz", "--validation-share", 0.25),
        *("--front", out, "--design", half.id, "--epochs", 1, "--batch-size", 30, "--out", tuned),
    )
    assert record["kept"] == pytest.approx(half.kept, abs=0.02)


@pytest.mark.slow
def test_a_chosen_design_is_exported_fine_tuned_and_reported(folder, wrapped, found, tmp_path, run, fails):
    front = load_front(found)
    mine = tmp_path / "front.json"
    save_front(front, mine)
    limit = int(front.exact.costs["cycles"] * 0.6)
    best = front.best(max_cycles=limit)
    choice = ["--front", mine, "--max-cycles", limit]
    samples = ("--data", folder / "train.npz", "--validation-share", 0.25)
    predicted = run("export", wrapped, *choice, *samples, "--estimate", "--target", "cortex-m4")
    inputs = np.load(folder / "train.npz")["inputs"]
    model = load_model(str(wrapped))
    keras_approx.apply_design(
        front, best, model, calibration=inputs[np.random.default_rng(0).permutation(120)[30:]]
    )
    assert predicted["cycles"] == export.estimate(model, target="cortex-m4").cycles

    out = tmp_path / "tuned.keras"
    record = run(
        *("fine-tune", wrapped, *samples, *choice),
        *("--test", folder / "test.npz", "--epochs", 2, "--batch-size", 16, "--out", out),
    )
    assert record["kept"] == pytest.approx(best.kept, abs=0.1)
    after = load_front(mine)[best.id]
    assert after.fine_tuned_score == record["validation_accuracy"]
    assert after.test_score == record["test_accuracy"]
    assert after.fine_tuned_costs is not None
    assert load_front(found)[best.id].fine_tuned_score is None

    folder_of_c = tmp_path / "out"
    run("export", out, "--out", folder_of_c, "--target", "cortex-m4")
    arguments = ("report", mine, "--export", folder_of_c, "--out", tmp_path / "report")
    written = run(*arguments, "--baseline", "other=123456", "--title", "small")
    assert written["html"] == str(tmp_path / "report" / "report.html")
    text = Path(written["markdown"]).read_text()
    assert text.startswith("# small\n")
    assert "other" in text
    assert "](layers.png)" in text

    assert "leave out --kept" in fails(
        "fine-tune", wrapped, "--data", "d", "--out", out, "--force", *choice, "--kept", 1
    )
    assert "give --data as for explore" in fails("export", wrapped, *choice, "--estimate")
    estimate = ("export", wrapped, *samples, "--estimate", "--front", mine)
    assert "expected either --design or limits" in fails(*estimate)
    assert "expected either --design or limits" in fails(*estimate, "--design", best.id, "--max-drop", 0)
    assert "no design 'x'" in fails(*estimate, "--design", "x")
    assert "allow more, or explore further" in fails(*estimate, "--max-cycles", 1)
    assert "cannot read the front" in fails("report", tmp_path / "no.json", "--out", tmp_path / "r")
    assert "two --export have the name 'out'" in fails(*arguments, "--export", folder_of_c)
    assert "is of no export" in fails(*arguments, "--measurement", "in=m.json")


def test_designs_by_a_metric_cost_what_was_predicted(folder, wrapped, tmp_path, run):
    out = tmp_path / "front.json"
    options = ("--significance", "energy", "--search-option", "budgets=4", "--target", "cortex-m4")
    run(*_arguments(folder, wrapped, out), *options)
    front = load_front(out)
    limit = int(front.exact.costs["cycles"] * 0.6)
    choice = ("--front", out, "--max-cycles", limit)
    predicted = run("export", wrapped, *choice, "--estimate", "--target", "cortex-m4")
    assert predicted["cycles"] == front.best(max_cycles=limit).costs["cycles"] <= limit


def test_says_what_is_wrong_before_the_work(folder, wrapped, tmp_path, fails):
    out = tmp_path / "front.json"
    arguments = _arguments(folder, wrapped, out)
    assert "keras-approx wrap makes it one" in fails("explore", folder / "model.keras", *arguments[2:])
    assert "unknown target" in fails(*arguments, "--target", "z80")
    assert "no option luck" in fails(*arguments, "--search-option", "luck=3")
    for bad in ("0:1", "1:0:0.1", "0:1:0", "0:1:1e-9", "a:b:c"):
        with pytest.raises(SystemExit):
            main([*map(str, arguments), "--values", bad])
    assert not list(tmp_path.iterdir())
    assert "where the table goes" in fails(*_arguments(folder, wrapped, tmp_path / "front.csv"))
    (tmp_path / "front.csv").write_text("mine")
    assert "front.csv', which is no table of a front" in fails(*arguments)
    assert (tmp_path / "front.csv").read_text() == "mine"


@pytest.mark.slow
def test_keeps_another_metric(folder, wrapped, tmp_path, run, fails):
    inputs = np.load(folder / "train.npz")["inputs"]
    values = load_model(str(wrapped)).predict(inputs, verbose=0) + np.float32(0.1)
    np.savez(tmp_path / "values.npz", inputs=inputs, labels=values)
    arguments = ["explore", wrapped, "--data", tmp_path / "values.npz", "--out", tmp_path / "front.json"]
    arguments += ["--search-option", "budgets=2", "--search-option", "rounds=0"]
    assert "give metric='mae'" in fails(*arguments)
    assert "Keras has no metric 'speed'" in fails(*arguments, "--metric", "speed")
    record = run(*arguments, "--metric", "mae")
    assert record["metric"] == "mae"
    assert record["exact"]["score"] == pytest.approx(0.1, rel=1e-3)
    front = load_front(tmp_path / "front.json")
    best = front.best(max_drop=2.0)
    record = run("export", wrapped, "--estimate", "--front", tmp_path / "front.json", "--max-drop", 2.0,
                 "--data", tmp_path / "values.npz")  # fmt: skip
    assert record["cycles"] > 0 and best.costs["cycles"] < front.exact.costs["cycles"]
