"""The sensitivity of layers: each by itself, and other networks stay in the record."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.elimination import sensitivity
from benchmarks.shared.records import read_json, write_json
from tests.benchmarks import tiny


def test_one_network_is_measured_and_others_stay(
    images: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sensitivity, "pretrained", tiny.network)
    monkeypatch.setattr(sensitivity, "SHARES", {"lenet": {"conv1": (1.0, 0.5, 0.25)}})
    monkeypatch.setattr(sensitivity, "CHOICES", {"lenet": {"conv1": "pair"}})
    output = tmp_path / "sensitivity.json"
    other = {"data": "CIFAR-10 from small.npz", "validation_images": 32, "layers": {}}
    write_json(output, {"resnet8": other})
    arguments = ["lenet", "--data", images, "--work", str(tmp_path / "work"), "--output", str(output)]
    assert sensitivity.main(arguments) == 0
    record = read_json(output)
    assert record["resnet8"] == other
    found = record["lenet"]
    assert found["validation_images"] == 32
    points = found["layers"]["conv1"]["pair"]
    assert {point["share"] for point in points} == {0.5, 0.25}
    assert all(point["cycles_saved"] > 0 and point["distortion"] > 0 for point in points)

    with pytest.raises(SystemExit, match=r"resnet8 in .* validation_images 32 and not 9"):
        sensitivity.main([*arguments, "--validation", "9"])
    assert read_json(output) == record
