"""The speed of explorations: a record of another grid is not replaced by accident."""

from __future__ import annotations

from pathlib import Path

import pytest

import keras_approx
from benchmarks.shared.records import read_json, write_json
from benchmarks.speed import exploration


def test_another_grid_is_refused(images: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    loaded = exploration.load(images)
    monkeypatch.setattr(exploration, "load", lambda: loaded)
    monkeypatch.setattr(exploration, "wrapped", lambda calibration: None)
    monkeypatch.setattr(keras_approx, "get_masks", lambda model: dict.fromkeys("abcde"))
    output = tmp_path / "exploration.json"
    before = {"network": "lenet", "data": loaded.source, "validation_images": 1000, "target": "cortex-m33"}
    before["values"] = {layer: [1.0, 0.25] for layer in "abcde"}
    write_json(output, before)
    with pytest.raises(SystemExit, match=r"found values .* and not"):
        exploration.main(["--levels", "3", "2", "2", "2", "2", "--output", str(output)])
    assert read_json(output) == before
