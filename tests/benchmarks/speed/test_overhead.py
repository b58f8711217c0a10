"""The overhead of training: a record of another network or of other steps is not replaced by accident."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.shared.records import read_json, write_json
from benchmarks.speed import overhead


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["lenet", "--steps", "50"], "network alexnet and not lenet, steps 20 and not 50"),
        (["alexnet", "--steps", "30"], "steps 20 and not 30"),
    ],
)
def test_other_settings_are_refused(arguments: list[str], message: str, tmp_path: Path) -> None:
    output = tmp_path / "overhead.json"
    before = {"network": "alexnet", "batch_size": 128, "steps": 20, "wrapped_over_tfmot": 1.1}
    write_json(output, before)
    with pytest.raises(SystemExit, match=message):
        overhead.main([*arguments, "--output", str(output)])
    assert read_json(output) == before


def test_the_record_is_of_the_default_settings() -> None:
    record = read_json(overhead.RESULTS)
    assert (record["network"], record["batch_size"], record["steps"]) == (
        "alexnet",
        overhead.BATCH,
        overhead.STEPS,
    )


def test_networks_without_weights_are_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        overhead.main(["dscnn"])
    assert "invalid choice: 'dscnn'" in capsys.readouterr().err
