"""Fitting in sequence: what was measured is not measured again, and other networks stay."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.elimination import sequence
from benchmarks.shared.records import read_json, write_json
from tests.benchmarks import tiny


def test_one_network_is_measured_and_others_stay(
    images: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sequence, "pretrained", tiny.network)
    monkeypatch.setattr(sequence, "MASKS", {"pair": (0.5,)})
    output = tmp_path / "sequence.json"
    settings = {"images": 64, "validation": 32, "data": "CIFAR-10 from small.npz"}
    other = {"settings": settings, "exact": 0.5, "pair 0.5": {"keras": 0.4}}
    write_json(output, {"alexnet": other})
    arguments = ["lenet", "--data", images, "--images", "64", "--output", str(output)]
    assert sequence.main(arguments) == 0
    record = read_json(output)
    assert record["alexnet"] == other
    assert list(record["lenet"]) == ["settings", "exact", "pair 0.5", "pair 0.5 in sequence"]
    assert record["lenet"]["settings"] == settings

    with pytest.raises(SystemExit, match=r"alexnet in .* images 64 and not 32"):
        sequence.main(["lenet", "--data", images, "--images", "32", "--output", str(output)])
    assert sequence.main(arguments) == 0
    assert read_json(output) == record


def test_the_record_is_of_the_default_settings() -> None:
    options = sequence._parse([])
    for entry in read_json(options.output).values():
        assert entry["settings"]["images"] == options.images
        assert entry["settings"]["validation"] == options.validation
