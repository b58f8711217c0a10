"""The tutorials run, with little data; the saved ones were executed in whole."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import nbformat
import pytest

import export
from scripts import notebooks

ROOT = Path(__file__).parents[2]
TUTORIALS = sorted(notebooks.TUTORIALS.glob("*.ipynb"))


def _code(path: Path) -> list[Any]:
    return [cell for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == "code"]


@pytest.mark.slow
@pytest.mark.parametrize("path", TUTORIALS, ids=lambda path: path.stem)
def test_it_runs(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TUTORIAL_SHORT", "")
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    executed = notebooks.execute(path, short=True)
    assert len(executed.cells) > 5
    assert all(cell.execution_count for cell in executed.cells if cell.cell_type == "code")


@pytest.mark.parametrize("path", TUTORIALS, ids=lambda path: path.stem)
def test_it_was_saved_with_clean_outputs(path: Path) -> None:
    cells = _code(path)
    assert all(cell.execution_count for cell in cells)
    assert any(cell.outputs for cell in cells)
    for cell in cells:
        for output in cell.outputs:
            assert output.get("name") != "stderr"
            assert "\r" not in str(output)
            assert str(ROOT) not in str(output)


def test_all_are_in_the_site() -> None:
    site = (ROOT / "mkdocs.yml").read_text(encoding="utf-8")
    assert {path.name for path in TUTORIALS} == {*re.findall(r"tutorials/(\w+\.ipynb)", site)}


def test_a_tutorial_imports_what_readers_import() -> None:
    for path in TUTORIALS:
        assert not any("keras_approx.compat" in cell.source for cell in _code(path)), path


def test_printed_cycles_are_those_of_today() -> None:
    """The exact network of the tutorial about .tflite files, as `export.estimate` counts it now."""
    printed = "".join(
        output.get("text", "")
        for cell in _code(notebooks.TUTORIALS / "bare_tflite.ipynb")
        for output in cell.outputs
    )
    model = (ROOT / "benchmarks/results/designs/lenet_exact.tflite").read_bytes()
    predicted = export.estimate(model, target="nucleo-u575zi-q")
    assert str(predicted) in printed, "run python scripts/notebooks.py bare_tflite"
    assert f"test images, {predicted.cycles:,} cycles" in printed
