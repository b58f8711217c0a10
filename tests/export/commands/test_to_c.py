"""`export` writes what export.to_c writes."""

from __future__ import annotations

import json
import re

import numpy as np
import pytest

import export
from export.commands import main
from export.commands.inputs.models import load_model
from tests.export.models.networks import Layers, small_classifier


def test_plain_models_are_quantized_with_data(folder, tmp_path, run, fails):
    out = tmp_path / "out"
    arguments = ["export", folder / "model.keras", "--target", "cortex-m4"]
    data = ["--data", folder / "train.npz", "--calibration-images", 20]
    predicted = run(*arguments, *data, "--estimate")
    written = run(*arguments, *data, "--out", out, "--name", "net")
    assert written["out"] == str(out)
    assert {name: value for name, value in written.items() if name != "out"} == predicted
    inputs = np.load(folder / "train.npz")["inputs"][np.random.default_rng(0).permutation(120)[12:32]]
    model = load_model(str(folder / "model.keras"))
    assert (out / "net.tflite").read_bytes() == export.to_tflite(model, representative_data=inputs)
    manifest = json.loads((out / "manifest.json").read_text())
    assert manifest["target"] == {"core": "cortex-m4", "board": None}
    assert [layer["predicted_cycles"] for layer in manifest["layers"]] == [
        layer["cycles"] for layer in predicted["layers"]
    ]

    again = run("export", out / "net.tflite", "--target", "cortex-m4", "--estimate")
    assert again == predicted
    assert "leave them out" in fails("export", out / "net.tflite", "--estimate", *data)
    assert "representative_data" in fails(*arguments, "--estimate")


def test_wrapped_models_bring_their_ranges(folder, tmp_path, run, fails):
    wrapped, out = tmp_path / "w.keras", tmp_path / "out"
    run("wrap", folder / "model.keras", "--data", folder / "train.npz", "--out", wrapped)
    run("export", wrapped, "--out", out)
    assert (out / "model.tflite").read_bytes() == export.to_tflite(load_model(str(wrapped)))
    assert "leave out --data" in fails("export", wrapped, "--data", folder / "train.npz", "--estimate")


def test_says_what_is_wrong_before_the_work(folder, fails):
    model = folder / "model.keras"
    assert "did you mean 'nucleo-u575zi-q'?" in fails(
        "export", model, "--estimate", "--target", "nucleo-u575"
    )
    assert "unknown target 'z80'" in fails("export", model, "--estimate", "--target", "z80")
    assert "C identifier" in fails("export", model, "--out", folder / "never", "--name", "Net!")
    assert "no model" in fails("export", folder / "none.keras", "--estimate")


def test_ram_can_be_limited(tmp_path, run, fails):
    layers, model = Layers(np.random.default_rng(0)), tmp_path / "net.tflite"
    x = layers.input((16, 16, 16))
    y = layers.conv(x, 16, padding="SAME", activation="relu")
    model.write_bytes(layers.builder.finish(x, layers.conv(y, 16, padding="SAME")))
    free = run("export", model, "--estimate")
    assert free["scratch_bytes"] > 0
    limited = run("export", model, "--estimate", "--max-ram", free["ram_bytes"] - 1)
    assert limited["ram_bytes"] < free["ram_bytes"]
    assert limited["cycles"] > free["cycles"]
    assert "max_ram is 1,024" in fails("export", model, "--out", tmp_path / "out", "--max-ram", "1K")
    assert "activations alone take" in fails("export", model, "--estimate", "--max-ram", "1K")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("size", ["0", "-1", "48M", "many"])
def test_limits_are_bytes(size, folder, capsys):
    with pytest.raises(SystemExit):
        main(["export", str(folder / "model.keras"), "--estimate", f"--max-ram={size}"])
    assert "expected bytes, such as 49152 or 48K" in capsys.readouterr().err


def test_what_the_folder_holds(tmp_path, run, fails):
    (tmp_path / "m.tflite").write_bytes(small_classifier())
    (tmp_path / "names.txt").write_text("cat\nK\u00e4fer\ndog\nfish\n\n", encoding="utf-8")
    np.savez(tmp_path / "test.npz", inputs=np.full((2, 5, 6, 1), 0.5, np.float32))
    command = ["export", tmp_path / "m.tflite", "--out", tmp_path / "out", "--layout", "arduino"]
    run(*command, "--class-names", tmp_path / "names.txt", "--sample", tmp_path / "test.npz")
    assert r'"K\303\244fer"' in (tmp_path / "out/src/model.c").read_text()
    sketch = (tmp_path / "out/examples/classify/classify.ino").read_text()
    assert len(set(re.findall(r"-?\d+", sketch.split("sample[30] = {")[1].split("}")[0]))) == 1
    for option in ("--class-names", "--sample"):
        assert str(tmp_path / "m.tflite") in fails(*command, option, tmp_path / "m.tflite")


@pytest.mark.parametrize("option", [("--layout", "plain"), ("--name", "net"), ("--sample", "x.npy")])
def test_an_estimate_takes_no_option_of_what_is_written(option, tmp_path, fails):
    (tmp_path / "m.tflite").write_bytes(small_classifier())
    told = fails("export", tmp_path / "m.tflite", "--estimate", *option)
    assert f"{option[0]} says what --out holds, and --estimate writes nothing" in told


def test_arrays_of_labels_are_no_option_where_nothing_reads_them(folder, capsys):
    for command in ("export", "wrap"):
        with pytest.raises(SystemExit):
            main([command, str(folder / "model.keras"), "--out", "x", "--labels-array", "y"])
        assert "--labels-array" in capsys.readouterr().err


def test_the_example_of_a_design_has_the_data_that_a_default_exploration_needs(capsys):
    with pytest.raises(SystemExit):
        main(["export", "--help"])
    lines = [line for line in capsys.readouterr().out.splitlines() if "--front front.json" in line]
    assert lines
    assert all("--data" in line for line in lines)
