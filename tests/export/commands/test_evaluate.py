"""`evaluate` on an export written by hand."""

from __future__ import annotations

import numpy as np
import pytest

from export.commands import main
from tests.export import handmade


@pytest.fixture(scope="module")
def out_dir(tmp_path_factory):
    return handmade.write(tmp_path_factory.mktemp("evaluate") / "out")


def _save(path, inputs, **others):
    np.savez(path, inputs=inputs, labels=handmade.reference(handmade.inputs(6)).argmax(axis=1), **others)
    return path


def test_int8_and_real_inputs_give_the_same(out_dir, tmp_path, run):
    wanted = handmade.inputs(6)
    whole = _save(tmp_path / "whole.npz", wanted)
    reals = _save(tmp_path / "reals.npz", (wanted.astype(np.float64) - 3) * 0.5)
    for path in (whole, reals):
        record = run("evaluate", out_dir, "--inputs", path, "--outputs", tmp_path / "y.npy")
        assert (record["right"], record["count"]) == (6, 6)
        np.testing.assert_array_equal(np.load(tmp_path / "y.npy"), handmade.reference(wanted))
    assert run("evaluate", out_dir, "--inputs", whole, "--images", "2", "--workers", "1")["count"] == 2


def test_inputs_that_were_not_scaled_are_told(out_dir, tmp_path, capsys):
    path = _save(tmp_path / "x.npz", np.full((6, 8), 255, np.uint8))
    assert main(["evaluate", str(out_dir), "--inputs", str(path)]) == 0
    assert "warning: 100% of the values lie outside -65.5 .. 62" in capsys.readouterr().err


def test_labels_must_be_there(out_dir, tmp_path, fails):
    np.savez(tmp_path / "x.npz", inputs=handmade.inputs(3))
    assert "save them as `labels`" in fails("evaluate", out_dir, "--inputs", tmp_path / "x.npz")
    np.save(tmp_path / "x.npy", handmade.inputs(3))
    assert "expected class numbers" in fails("evaluate", out_dir, "--inputs", tmp_path / "x.npy")
