"""The headline benchmark on a small network: all its steps, and going on where it was interrupted."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path
from typing import Any

import pytest

import keras_approx
from benchmarks.training import explorations, headline, runs
from benchmarks.training.designs import HandMade
from tests.benchmarks import tiny


def test_what_has_a_record_has_its_model(
    images: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    entry: dict[str, Any] = {"settings": {}, "test_accuracy": 0.5, "test_images": 40, "kept": 1.0}
    entry["cores"] = {"cortex-m33": {"cycles": 1000}}
    monkeypatch.setattr(headline, "_network", lambda *given: [("exact", entry, b"int8")])
    output = tmp_path / "headline.json"
    (tmp_path / "designs").write_text("in the way of the folder")
    arguments = ["lenet", "--data", images, "--output", str(output)]
    with pytest.raises(OSError):
        headline.main(arguments)
    assert not output.exists()
    (tmp_path / "designs").unlink()
    assert headline.main(arguments) == 0
    assert json.loads(output.read_text())["networks"]["lenet"]["exact"] == entry
    assert [path.name for path in (tmp_path / "designs").iterdir()] == ["lenet_exact.tflite"]
    assert (tmp_path / "designs" / "lenet_exact.tflite").read_bytes() == b"int8"


@pytest.mark.slow
def test_the_whole_way_and_again(
    images: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for module in (headline, explorations, runs):
        monkeypatch.setattr(module, "pretrained", partial(tiny.network, filters=8))
    monkeypatch.setattr(headline, "DESIGNS", {"lenet": {"0.07 M": HandMade({"conv1": ("kernel", 0.5)})}})
    monkeypatch.setattr(headline, "ARM_IMAGES", 2)
    monkeypatch.setattr(headline, "HOST_IMAGES", 20)
    output = tmp_path / "headline.json"
    arguments = ["lenet", "--data", images, "--epochs", "1", "--rounds", "0"]
    arguments += [
        "--work",
        str(tmp_path / "work"),
        "--output",
        str(output),
        "--budgets",
        "0.06",
        "--explored",
        "0.065",
        "--wider",
        "0.066",
        "--kept",
        "0.5",
        "--eliminated",
        "0.6",
    ]
    assert headline.main(arguments) == 0
    record = json.loads(output.read_text())
    exact, half, design = (record["networks"]["lenet"][label] for label in ("exact", "kept 50", "0.06 M"))
    assert exact["kept"] == 1
    assert 0 < design["kept"] < 1
    assert 0.4 < half["kept"] <= 0.5
    by_hand = record["networks"]["lenet"]["designed 0.07 M"]
    assert 0.4 < by_hand["kept_by_layer"]["conv1"] <= 0.5  # whole kernels of three channels
    assert by_hand["kept_by_layer"]["logits"] == 1
    assert by_hand["settings"]["design"] == {"conv1": ["kernel", 0.5]}
    by_layer = record["networks"]["lenet"]["explored 0.065 M"]
    assert by_layer["cores"]["cortex-m33"]["cycles"] <= 65_000
    wider = record["networks"]["lenet"]["wider 0.066 M"]
    assert wider["settings"]["network"] == "lenet_wide"
    assert wider["cores"]["cortex-m33"]["cycles"] <= 66_000
    untrained = record["networks"]["lenet"]["eliminated 60"]
    assert 0.5 < untrained["kept"] <= 0.6
    assert untrained["settings"]["epochs"] == 0
    assert design["cores"]["cortex-m33"]["cycles"] <= 60_000 < exact["cores"]["cortex-m33"]["cycles"]
    assert exact["test_images"] == design["test_images"] == 40
    models = {path.name for path in (tmp_path / "designs").iterdir()}
    assert models == {
        *("lenet_exact.tflite", "lenet_kept50.tflite", "lenet_eliminated60.tflite", "lenet_0.06M.tflite"),
        *("lenet_designed0.07M.tflite", "lenet_explored0.065M.tflite"),
        "lenet_wider0.066M.tflite",
    }
    assert "40 test images" in capsys.readouterr().out

    # Figures that are gone, or of another run, come back from what was kept, without any training.
    del record["networks"]["lenet"]["0.06 M"]
    output.write_text(json.dumps(record).replace('"epochs": 1', '"epochs": 30'))
    with pytest.raises(SystemExit, match="epochs 30 and not 1"):
        headline.main(arguments)
    arguments.append("--replace")
    monkeypatch.setattr(keras_approx, "fine_tune", lambda *a, **k: pytest.fail("trained again"))
    monkeypatch.setattr(keras_approx, "fine_tune_designs", lambda *a, **k: pytest.fail("trained again"))
    assert headline.main(arguments) == 0
    again = json.loads(output.read_text())["networks"]["lenet"]
    assert again == {
        "exact": exact,
        "kept 50": half,
        "eliminated 60": untrained,
        "0.06 M": design,
        "designed 0.07 M": by_hand,
        "explored 0.065 M": by_layer,
        "wider 0.066 M": wider,
    }
