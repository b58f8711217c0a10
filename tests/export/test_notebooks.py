"""What notebooks and consoles show of results."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import export
from export.frontend import read_tflite
from tests.export.comparison import inputs_of
from tests.export.models.networks import small_classifier
from tests.export.reporting import fronts
from tests.keras_approx.test_notebooks import Cells


def test_results_are_tables_in_notebooks_and_short_in_consoles(tmp_path: Path) -> None:
    model = small_classifier()
    exported = export.to_c(model, tmp_path / "out", name="net", target="stm32f405")
    measured = export.simulate(exported.path, inputs_of(read_tflite(model), 2))
    front = fronts.front()
    shown: dict[str, tuple[Any, list[str]]] = {
        "Estimate": (exported.estimate, [layer.kind for layer in exported.estimate.layers]),
        "Export": (exported, [layer.kind for layer in exported.estimate.layers]),
        "Measurement": (measured, [layer.kind for layer in measured.per_layer]),
        "ParetoFront": (front, [front.exact.id]),
    }
    for name, (result, wanted) in shown.items():
        head, *rows = Cells(result._repr_html_()).rows
        assert {len(row) for row in rows} == {len(head)}
        assert [row[1] for row in rows][: len(wanted)] == wanted
        assert repr(result).startswith(f"<{name} ")
        assert len(repr(result)) < 400
    assert f"{exported.estimate.cycles:,} cycles" in repr(exported)
    assert f"{measured.cycles:,} cycles" in repr(measured)
    assert "stm32f405" in exported._repr_html_()
