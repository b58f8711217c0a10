"""`fine-tune` does what keras_approx.fine_tune does, and goes on after any end as if there had been none."""

from __future__ import annotations

import inspect
import io
import json
import signal
import zipfile

import numpy as np
import pytest

import keras_approx
from export.commands import main
from export.commands.inputs.models import load_model
from export.commands.program import main as program
from keras_approx.training.checkpoints import Checkpoints

OPTIONS = ("--batch-size", 16, "--learning-rate", 0.01, "--kept", 0.5, "--shift", 1, "--flip", "--epochs", 5)


def _arguments(folder, out):
    return ["fine-tune", folder / "model.keras", "--data", folder / "train.npz", "--out", out, *OPTIONS]


@pytest.mark.slow
def test_goes_on_after_ctrl_c_bit_for_bit(folder, tmp_path, run, start, fails):
    """The first epochs in a process of its own that gets a SIGINT, the others here, against all of them here."""
    broken, whole = tmp_path / "broken.keras", tmp_path / "whole.keras"
    with start(*_arguments(folder, broken)) as process:
        for line in process.stderr:
            if line.startswith("Epoch 3/5"):
                process.send_signal(signal.SIGINT)
                break
        rest = process.stderr.read()
    assert process.returncode == 130, rest
    assert "Traceback" not in rest
    assert "of 5 epochs are in" in rest.splitlines()[-1]
    checkpoint = tmp_path / "broken.keras.checkpoint"
    assert sorted(path.name for path in tmp_path.iterdir()) == [checkpoint.name]
    done = len(json.loads((checkpoint / "curves.json").read_text()))
    assert 2 <= done < 5
    assert "made with other options (kept: 0.5, now 0.25)" in fails(
        *_arguments(folder, broken), "--kept", 0.25
    )

    continued = run(*_arguments(folder, broken))
    uninterrupted = run(*_arguments(folder, whole), "--test", folder / "test.npz")
    assert not checkpoint.exists()
    assert continued["curves"] == uninterrupted["curves"]
    assert [epoch["kept"] for epoch in continued["curves"]][-1] == pytest.approx(0.5, abs=0.03)
    weights = [load_model(str(path)).get_weights() for path in (broken, whole)]
    assert all(np.array_equal(a, b) for a, b in zip(*weights, strict=True))
    assert {"validation_accuracy", "test_accuracy"} <= set(uninterrupted)
    assert continued["kept"] == uninterrupted["kept"] == pytest.approx(0.5, abs=0.03)
    assert "exists: choose another --out" in fails(*_arguments(folder, whole))


def test_accuracies_are_those_of_the_samples_named(folder, tmp_path, run):
    out = tmp_path / "t.keras"
    record = run(
        *("fine-tune", folder / "model.keras", "--data", folder / "train.npz", "--test", folder / "test.npz"),
        *(
            "--kept",
            1,
            "--epochs",
            1,
            "--batch-size",
            32,
            "--validation-share",
            0.25,
            "--split-seed",
            4,
            "--out",
            out,
        ),
    )
    model = load_model(str(out))
    assert all(mask.all() for mask in keras_approx.get_masks(model).values())
    test = np.load(folder / "test.npz")
    right = model.predict(test["inputs"], verbose=0).argmax(axis=1) == test["labels"]
    assert record["test_accuracy"] == right.mean()
    train = np.load(folder / "train.npz")
    chosen = np.random.default_rng(4).permutation(120)[:30]
    right = model.predict(train["inputs"][chosen], verbose=0).argmax(axis=1) == train["labels"][chosen]
    assert record["validation_accuracy"] == right.mean()


def test_defaults_are_those_of_the_function():
    options = program.parser().parse_args(["fine-tune", "m.keras", "--data", "d.npz", "--out", "o.keras"])
    parameters = inspect.signature(keras_approx.fine_tune).parameters
    for name in ("epochs", "batch_size", "learning_rate", "input_range"):
        assert getattr(options, name) == parameters[name].default
    assert keras_approx.Distillation(options.distillation) == parameters["distillation"].default


def test_says_what_is_wrong_before_the_work(folder, tmp_path, fails):
    arguments = [*_arguments(folder, tmp_path / "t.keras")]
    assert "are the same file" in fails(*arguments, "--test", folder / "train.npz")
    assert "or another batch size" in fails(*arguments, "--batch-size", 4000)
    assert "the shift, 8, must be smaller than the image (8 x 8)" in fails(*arguments, "--shift", 8)
    assert "--max-drop without --front" in fails(*arguments, "--max-drop", 0.1)
    np.savez(tmp_path / "classes.npz", inputs=np.zeros((9, 8, 8, 3)), labels=np.arange(9))
    assert "class 8, but the model has only 4" in fails(*arguments, "--data", tmp_path / "classes.npz")
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "letter.txt").write_text("Dear")
    told = fails(*arguments, "--checkpoint", tmp_path / "mine")
    assert "no checkpoint: choose another folder (--checkpoint names the folder)" in told
    assert [path.name for path in tmp_path.iterdir() if "checkpoint" in path.name] == []


@pytest.mark.slow
def test_a_kill_right_after_the_result_is_saved_is_gone_on_from(folder, tmp_path, run, monkeypatch):
    out = tmp_path / "a.keras"
    with monkeypatch.context() as patched:

        def killed(checkpoints):
            raise KeyboardInterrupt

        patched.setattr(Checkpoints, "remove", killed)
        assert main([*map(str, _arguments(folder, out))]) == 130
    assert out.exists()
    first = out.read_bytes()
    again = run(*_arguments(folder, out))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.keras"]
    assert 0 <= again["validation_accuracy"] <= 1
    assert len(again["curves"]) == 5
    with zipfile.ZipFile(io.BytesIO(first)) as one, zipfile.ZipFile(out) as other:
        assert one.read("config.json") == other.read("config.json")


def test_seeds_beyond_any_generator(tmp_path, capsys):
    with pytest.raises(SystemExit):
        main(["fine-tune", "m", "--data", "d", "--out", str(tmp_path / "o.keras"), "--seed", str(2**32)])
    assert "below 2^32" in capsys.readouterr().err
