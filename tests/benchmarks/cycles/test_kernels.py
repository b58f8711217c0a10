"""The benchmark command."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks.cycles import kernels


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
