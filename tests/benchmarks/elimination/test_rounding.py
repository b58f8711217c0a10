"""What rounding costs: figures of one network join those of others."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from benchmarks.elimination import rounding
from benchmarks.shared.records import read_json, write_json
from tests.benchmarks import tiny


def test_one_network_is_measured_and_others_stay(
    images: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rounding, "pretrained", tiny.network)
    output = tmp_path / "rounding.json"
    other = {"data": "CIFAR-10 from small.npz", "validation_images": 32, "accuracy": {"float": 0.5}}
    write_json(output, {"alexnet": other})
    arguments = ["lenet", "--data", images, "--output", str(output)]
    assert rounding.main(arguments) == 0
    record = read_json(output)
    assert record["alexnet"] == other
    moved = record["lenet"]["distortion"]
    assert moved["float"] == 0 < moved["weights"] < moved["int8"]
    assert set(record["lenet"]["accuracy"]) == {"float", "weights", "int8"}

    write_json(output, {**record, "alexnet": {**other, "validation_images": 5000}})
    with pytest.raises(SystemExit, match=r"alexnet in .* validation_images 5000 and not 32"):
        rounding.main(arguments)
    assert rounding.main([*arguments, "--replace"]) == 0
    assert read_json(output) == {"lenet": record["lenet"]}


def test_weights_are_rounded_to_what_int8_can_have() -> None:
    model = tiny.network("lenet")
    before = model.get_layer("conv1").kernel.numpy()
    rounding.round_weights(model)
    after = model.get_layer("conv1").kernel.numpy()
    steps = np.abs(before).max(axis=(0, 1, 2)) / 127
    np.testing.assert_allclose(after / steps, np.round(after / steps), atol=1e-3)
    assert (np.abs(after - before) <= 0.501 * steps).all()
