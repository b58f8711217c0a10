"""The exactness campaign on files of any shape: a table, a record, and an exit status."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from benchmarks import exactness
from tests.export.model_builder import ModelBuilder
from tests.export.operators.recipes import all_at_once


def unsupported() -> bytes:
    builder = ModelBuilder()
    x = builder.tensor((1, 4), 0.1)
    return builder.finish(x, builder.elementwise("FLOOR", x, 0.1, 0))


def test_files_of_any_shape(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    names = ("lstm", "variable", "arg max", "mul sequence")
    (tmp_path / "several.tflite").write_bytes(all_at_once(names))
    (tmp_path / "refused.tflite").write_bytes(unsupported())
    files = [str(tmp_path / name) for name in ("several.tflite", "refused.tflite", "missing.tflite")]
    options = ["--images", "4", "--arm-images", "2", "--out", str(tmp_path / "record.json")]
    assert exactness.main([*files, *options]) == 0
    printed = capsys.readouterr().out
    assert "1 of 3 exported, 0 of them with wrong bytes" in printed
    assert "operator 0 (FLOOR) is not supported" in printed
    several, refused, missing = json.loads((tmp_path / "record.json").read_text())["results"]
    assert several["wrong_bytes"] == dict.fromkeys(("interpreter", "host", *exactness.CORES), 0)
    assert several["bytes_compared"] == 4 * (7 * 5 + 16 + 1 + 7 * 6)
    assert refused["blockers"] and missing["blockers"] and not refused["wrong_bytes"]


def test_wrong_bytes_are_counted(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "model.tflite").write_bytes(all_at_once(("tanh",)))
    real = exactness.run_reference
    monkeypatch.setattr(exactness, "run_reference", lambda *given: real(*given) ^ np.int8(1))
    options = ["--images", "2", "--arm-images", "1", "--out", str(tmp_path / "record.json")]
    assert exactness.main([str(tmp_path / "model.tflite"), *options]) == 1
    (found,) = json.loads((tmp_path / "record.json").read_text())["results"]
    assert found["wrong_bytes"]["host"] == 2 * 6 * 5 * 4
