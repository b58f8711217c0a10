"""`simulate` on an export written by hand."""

from __future__ import annotations

import json
from argparse import Namespace

import numpy as np
import pytest

from export.artifact.manifest import read_manifest
from export.commands import main
from export.commands.inputs.network_inputs import read_inputs
from export.simulation import simulate
from tests.export import handmade


@pytest.fixture(scope="module")
def out_dir(tmp_path_factory):
    return handmade.write(tmp_path_factory.mktemp("simulate") / "out")


def test_prints_and_saves_the_measurement(out_dir, tmp_path, capsys):
    np.save(tmp_path / "x.npy", handmade.inputs(3))
    arguments = [
        "simulate",
        str(out_dir),
        "--inputs",
        str(tmp_path / "x.npy"),
        "--json",
        str(tmp_path / "r.json"),
    ]
    assert main([*arguments, "--outputs", str(tmp_path / "y.npy")]) == 0
    assert "cycles an inference" in capsys.readouterr().out
    np.testing.assert_array_equal(np.load(tmp_path / "y.npy"), handmade.reference(handmade.inputs(3)))
    record = json.loads((tmp_path / "r.json").read_text())
    expected = simulate(out_dir, handmade.inputs(3)).to_dict()
    assert {name: record[name] for name in expected} == json.loads(json.dumps(expected))
    assert main([*arguments, "--images", "2", "--core", "cortex-m4"]) == 0
    record = json.loads((tmp_path / "r.json").read_text())
    assert (record["inputs"], record["core"]) == (2, "cortex-m4")


def test_floats_are_quantized_and_answers_counted(out_dir, tmp_path, run):
    info = json.loads((out_dir / "manifest.json").read_text())["inputs"][0]
    wanted = handmade.inputs(5)
    reals = (wanted.astype(np.float64) - info["zero_point"]) * info["scale"]
    answers = handmade.reference(wanted).reshape(5, -1).argmax(axis=1)
    np.savez(tmp_path / "x.npz", a=reals, b=np.where(np.arange(5) < 3, answers, answers + 1))
    record = run(
        *("simulate", out_dir, "--inputs", tmp_path / "x.npz", "--inputs-array", "a", "--labels-array", "b"),
        *("--outputs", tmp_path / "y.npy"),
    )
    assert record["accuracy"] == 3 / 5
    np.testing.assert_array_equal(np.load(tmp_path / "y.npy"), handmade.reference(wanted))


def test_says_what_is_wrong(out_dir, tmp_path, fails):
    (tmp_path / "x.npy").write_bytes(b"no array")
    assert "to be a .npy file" in fails("simulate", out_dir, "--inputs", tmp_path / "x.npy")
    assert ".npz" in fails("simulate", out_dir, "--inputs", tmp_path / "x.npy", "--labels-array", "y")
    assert "manifest" in fails("simulate", tmp_path, "--inputs", tmp_path / "x.npy")
    np.save(tmp_path / "x.npy", handmade.inputs(3))
    assert "unknown core" in fails("simulate", out_dir, "--inputs", tmp_path / "x.npy", "--core", "z80")
    unwritable = tmp_path / "no" / "y.npy"
    assert "--outputs" in fails("simulate", out_dir, "--inputs", tmp_path / "x.npy", "--outputs", unwritable)


def test_labels_are_used_if_they_are_there(out_dir, tmp_path, run, fails):
    wanted = handmade.inputs(4)
    reals = (wanted.astype(np.float64) - 3) * 0.5
    answers = handmade.reference(wanted).reshape(4, -1).argmax(axis=1)
    np.savez(tmp_path / "x.npz", inputs=reals, labels=answers)
    record = run("simulate", out_dir, "--inputs", tmp_path / "x.npz")
    assert record["accuracy"] == 1
    assert record["accuracy_interval"] == pytest.approx([0.5101, 1], abs=1e-4)
    np.savez(tmp_path / "plain.npz", inputs=reals)
    assert "accuracy" not in run("simulate", out_dir, "--inputs", tmp_path / "plain.npz")
    missing = ("simulate", out_dir, "--inputs", tmp_path / "plain.npz", "--labels-array", "labels")
    assert "expected the array 'labels'" in fails(*missing)
    np.savez(tmp_path / "high.npz", inputs=reals, labels=answers + 4)
    assert "expected labels of 0 .. 3" in fails("simulate", out_dir, "--inputs", tmp_path / "high.npz")


def test_labels_beside_several_outputs_are_left_alone(out_dir, tmp_path, run, fails):
    output = {"shape": [4], "dtype": "int8", "scale": 1.0, "zero_point": 0}
    two = handmade.write(tmp_path / "two", outputs=[{**output, "name": "a"}, {**output, "name": "b"}])
    np.savez(tmp_path / "x.npz", inputs=handmade.inputs(3), labels=[0, 1, 2])
    read = read_inputs(
        Namespace(inputs=str(tmp_path / "x.npz"), inputs_array="inputs", labels_array=None),
        read_manifest(two),
        print,
    )
    assert read[1] is None
    arguments = ("--inputs", tmp_path / "x.npz")
    assert "one output" in fails("simulate", two, *arguments, "--labels-array", "labels")
    assert "simulate --outputs saves what each gives" in fails("evaluate", two, *arguments)


@pytest.mark.parametrize("command", ["simulate", "evaluate"])
def test_no_inputs_are_refused(out_dir, tmp_path, fails, command):
    np.savez(tmp_path / "x.npz", inputs=np.zeros((0, 8), np.float32), labels=np.zeros(0, int))
    assert "expected inputs in the array 'inputs'" in fails(command, out_dir, "--inputs", tmp_path / "x.npz")
