"""The paper's search: every combination, each as the network with these weights classifies."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from benchmarks.elimination import paper
from benchmarks.pages import plot
from benchmarks.shared.records import read_json, write_json
from export.analysis.interpreter import run
from export.frontend import read_tflite
from export.frontend.stored_layers import stored_layers
from export.ir.ops import Conv2D
from tests.export.elimination.networks import images, network


def test_every_combination_is_the_network_with_these_weights(monkeypatch: pytest.MonkeyPatch) -> None:
    tflite, samples = network(), images(40)
    graph = read_tflite(tflite)
    labels = run(graph, samples).reshape(40, -1).argmax(axis=1)
    second = stored_layers(tflite, graph)[1]
    monkeypatch.setattr(paper, "to_int8", lambda given: given)
    data: Any = type("Data", (), {"train": type("Part", (), {"images": samples})})
    designs = paper._paper_designs(tflite, data, samples, labels)
    assert [design["kept_pairs"][second.name] for design in designs] == list(paper.SHARES["lenet"])
    assert designs[0]["search_accuracy"] == 1.0
    cycles = [design["cycles"] for design in designs]
    assert cycles[0] == max(cycles)
    for design in designs[::3]:
        made = read_tflite(design["make"]())
        found = run(made, samples).reshape(40, -1).argmax(axis=1)
        assert design["search_accuracy"] == pytest.approx((found == labels).mean())
        op = made.ops[second.index]
        assert isinstance(op, Conv2D)
        kept = (made.constant(op.weights) != 0).mean()
        assert kept == pytest.approx(design["kept_pairs"][second.name], abs=0.05)


def test_one_network_is_measured_and_others_stay(
    images: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def measured(name: str, tflite: bytes, data: Any, search: int) -> dict[str, Any]:
        return {"data": data.source, "search_images": search, "test_images": len(data.test)}

    monkeypatch.setattr(paper, "measured", measured)
    monkeypatch.setattr(paper, "table", lambda network: "")
    output = tmp_path / "paper.json"
    other = {"data": "CIFAR-10 from small.npz", "search_images": 9, "test_images": 40, "exact": {}}
    write_json(output, {"reported": "before", "networks": {"toolkit": other}})
    arguments = ["lenet", "--data", images, "--output", str(output)]
    assert paper.main([*arguments, "--search", "9"]) == 0
    record = read_json(output)
    assert list(record["networks"]) == ["toolkit", "lenet"]
    assert record["networks"]["toolkit"] == other
    with pytest.raises(SystemExit, match=r"toolkit in .* search_images 9 and not 1000"):
        paper.main(arguments)
    assert read_json(output) == record


def test_direct_kernels_are_found_where_winograd_s_are_faster() -> None:
    graph = read_tflite((paper.DESIGNS / "lenet_exact.tflite").read_bytes())
    stages = paper._direct(graph).stages
    variants = [stage.candidate.variant for stage in stages if stage.kind == "conv2d" and stage.candidate]
    assert len(variants) == 3
    assert all(variant in ("loop", "unpacked") for variant in variants)


def test_fronts_tables_and_pictures(tmp_path: Any) -> None:
    designs = [
        {"cycles": cycles, "search_accuracy": right} for cycles, right in ((9, 0.8), (5, 0.7), (7, 0.6))
    ]
    front = paper._front(designs)
    assert front == [(5.0, 0.7), (9.0, 0.8)]
    best = {"cycles": 2_000_000, "search_accuracy": 0.79, "test_accuracy": 0.78}
    figures: dict[str, Any] = {
        "cmsis_nn_cycles": 10_000_000,
        "exact": {
            "cycles": 4_000_000,
            "unpacked_cycles": 5_000_000,
            "test_accuracy": 0.8,
            "search_accuracy": 0.8,
        },
        "paper": {str(loss): None for loss in paper.LOSSES},
        "elimination": {str(loss): best for loss in paper.LOSSES},
        "paper_front": front,
        "elimination_front": front,
    }
    told = paper.table(figures)
    assert "2.00 M (5.0x -2.00)" in told
    assert "CMSIS-NN 10.00 M; unpacked, exact 5.00 M; exact 4.00 M, 80.00%" in told
    plot.draw_paper({"networks": {"lenet": figures}}, {"networks": {}}, tmp_path / "paper.png")
    assert (tmp_path / "paper.png").read_bytes().startswith(b"\x89PNG")
