"""The exactness campaign on files of any shape: a table, a record, and an exit status."""

from __future__ import annotations

import json
from argparse import Namespace
from pathlib import Path

import numpy as np
import pytest

from benchmarks.exactness import networks as exactness
from benchmarks.pages import exactness_tables
from tests.export.models.model_builder import ModelBuilder
from tests.export.models.recipes import all_at_once


def unsupported() -> bytes:
    builder = ModelBuilder()
    x = builder.tensor((1, 4), 0.1)
    return builder.finish(x, builder.elementwise("FLOOR", x, 0.1, 0))


def test_files_of_any_shape(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    names = ("lstm", "variable", "arg max", "mul sequence")
    (tmp_path / "several.tflite").write_bytes(all_at_once(names))
    (tmp_path / "refused.tflite").write_bytes(unsupported())
    files = [str(tmp_path / name) for name in ("several.tflite", "refused.tflite", "missing.tflite")]
    options = ["--images", "4", "--arm-images", "2", "--output", str(tmp_path / "record.json")]
    assert exactness.main([*files, *options]) == 0
    printed = capsys.readouterr().out
    assert "1 of 3 exported, 0 of them with wrong bytes" in printed
    assert "operator 0 (FLOOR) is not supported" in printed
    several, refused, missing = json.loads((tmp_path / "record.json").read_text())["results"]
    assert several["wrong_bytes"] == dict.fromkeys(("interpreter", "host", *exactness.CORES), 0)
    assert several["bytes_compared"] == 4 * (7 * 5 + 16 + 1 + 7 * 6)
    assert refused["blockers"] and missing["blockers"] and not refused["wrong_bytes"]


def test_other_models_stay(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wrong = dict.fromkeys(("interpreter", "host", *exactness.CORES), 0)

    def judge(name: str, options: Namespace) -> exactness.Verdict:
        return exactness.Verdict(name, options.kept, (options.images, options.arm_images), 10, wrong)

    monkeypatch.setattr(exactness, "judge", judge)
    few = ["--images", "4", "--arm-images", "2", "--output", str(tmp_path / "record.json")]
    assert exactness.main(["folder/a.tflite", "b.tflite", *few]) == 0
    assert exactness.main(["c.tflite", "a.tflite", *few]) == 0
    record = json.loads((tmp_path / "record.json").read_text())
    assert [entry["model"] for entry in record["results"]] == ["a.tflite", "b.tflite", "c.tflite"]
    for other, message in (
        (["--images", "5"], r"runs \[4, 2\] and not \[5, 2\]"),
        (["--kept", "0.5"], "kept 1.0 and not 0.5"),
        (["--activations", "int8"], "activations auto and not int8"),
    ):
        with pytest.raises(SystemExit, match=f"a.tflite in .* {message}"):
            exactness.main(["c.tflite", *few, *other])
    assert json.loads((tmp_path / "record.json").read_text()) == record
    assert exactness.main(["c.tflite", *few, "--images", "5", "--replace"]) == 0
    (entry,) = json.loads((tmp_path / "record.json").read_text())["results"]
    assert entry["runs"] == [5, 2]


def test_wrong_bytes_are_counted(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "model.tflite").write_bytes(all_at_once(("tanh",)))
    real = exactness.run_reference
    monkeypatch.setattr(exactness, "run_reference", lambda *given: real(*given) ^ np.int8(1))
    options = ["--images", "2", "--arm-images", "1", "--output", str(tmp_path / "record.json")]
    assert exactness.main([str(tmp_path / "model.tflite"), *options]) == 1
    (found,) = json.loads((tmp_path / "record.json").read_text())["results"]
    assert found["wrong_bytes"]["host"] == 2 * 6 * 5 * 4


def test_tables() -> None:
    columns = ("interpreter", "host", *exactness.CORES)
    results = {
        "results": [
            {
                "model": "a.tflite",
                "runs": [100, 2],
                "bytes_compared": 1000,
                "wrong_bytes": dict.fromkeys(columns, 0) | {"host": 3},
                "blockers": "",
            },
            {"model": "b.tflite", "runs": [0, 0], "bytes_compared": 0, "wrong_bytes": {}, "blockers": "LOG"},
        ]
    }
    record = {
        "networks": 7,
        "bytes": {"host": 500, "cortex-m4": 90},
        "failed": {},
        "operators": {"ADD": 3, "MUL": 2},
    }
    text = exactness_tables.networks(results)
    assert "| a.tflite | 100 | 2 | 1,000 | 0 | 3 | 0 | 0 |" in text
    assert "| b.tflite | 0 | 0 | 0 | refused |" in text
    assert exactness_tables.exported(results) == "1 of 2"
    assert exactness_tables.differing(results, record) == "3 of 1,500"
    assert "7 networks of 2 kinds of operators, 5 operators" in exactness_tables.random_networks(record)
    assert "none of 500 bytes" in exactness_tables.random_networks(record)
    with pytest.raises(ValueError, match="networks 3 failed"):
        exactness_tables.random_networks(record | {"failed": {"3": "wrong bytes"}})
