"""The tutorials run, with little data; the saved ones were executed in whole."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import nbformat
import pytest

from scripts import notebooks

ROOT = Path(__file__).parents[2]
TUTORIALS = sorted((ROOT / "docs/tutorials").glob("*.ipynb"))


def _code(path: Path) -> list[Any]:
    return [cell for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == "code"]


@pytest.mark.slow
@pytest.mark.parametrize("path", TUTORIALS, ids=lambda path: path.stem)
def test_it_runs(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TUTORIAL_SHORT", "")
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    executed = notebooks.execute(path, short=True)
    assert len(executed.cells) > 5
    assert path.parent == notebooks.TUTORIALS


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
