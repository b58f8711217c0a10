"""The benchmark command."""

from __future__ import annotations

import json
from argparse import Namespace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks.cycles import kernels
from benchmarks.shared.options import REFERENCE


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["vgg16"], "unknown network 'vgg16'"),
        (["--kept", "1.5"], "from 0 to 1"),
        (["--images", "0"], "at least 1"),
        (["--cores", "cortex-m7"], "invalid choice"),
    ],
)
def test_bad_requests(arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        kernels.main(arguments)
    assert message in capsys.readouterr().err


def test_one_network_is_measured_and_others_stay(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def network(name: str, images: Any, options: Namespace, start: float) -> dict[str, Any]:
        figures = [{"core": core, "images": options.images} for core in options.cores]
        designs = [{"mask": "pairs", "kept": kept, "cores": figures} for kept in options.kept]
        return {"designs": designs, "limits": [{"kib": kib} for kib in options.ram]}

    monkeypatch.setattr(kernels, "_network", network)
    monkeypatch.setattr(kernels, "read_archive", lambda *given: {"test": (np.zeros((2, 3), np.uint8), None)})
    output = tmp_path / "kernels.json"
    arguments = ["--quick", "--output", str(output)]
    assert kernels.main(["resnet8", *arguments]) == 0
    assert kernels.main(["lenet", *arguments]) == 0
    record = json.loads(output.read_text())
    assert list(record["networks"]) == ["resnet8", "lenet"]
    for other, message in (
        (["--kept", "1"], r"masks .* and not \[\['pairs', 1.0\]\]"),
        (["--cores", "cortex-m4"], "cores .* and not"),
        (["--images", "1"], "images 2 and not 1"),
        (["--ram", "32"], "ram .* and not"),
        (["--activations", "int8"], "activations auto and not int8"),
    ):
        with pytest.raises(SystemExit, match=f"resnet8 in .* {message}"):
            kernels.main(["lenet", *arguments, *other])
    assert json.loads(output.read_text()) == record


def test_the_record_is_of_the_default_settings() -> None:
    assert {*kernels._recorded(kernels._parse([]))} == {*REFERENCE}


@pytest.mark.slow
def test_figures_of_a_network_are_measured_and_saved(tmp_path: Path) -> None:
    output = tmp_path / "figures.json"
    assert kernels.main(["--quick", "--kept", "0.25", "--images", "1", "--output", str(output)]) == 0
    network = json.loads(output.read_text())["networks"]["lenet"]
    (design,) = network["designs"]
    (figures,) = design["cores"]
    assert network["baseline"][0]["cycles"] > 4 * figures["cycles"]
    assert figures["cycles"] <= figures["board_cycles"][0] <= figures["board_cycles"][1]
    assert sum(layer["limit"] or 0 for layer in figures["layers"]) < figures["cycles"]
    assert figures["images"] == 1
