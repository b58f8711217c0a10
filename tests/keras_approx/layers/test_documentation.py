"""docs/layers.md is the table of layers."""

from __future__ import annotations

from pathlib import Path

from keras_approx.layers.documentation import page


def test_the_page_is_up_to_date() -> None:
    path = Path(__file__).parents[3] / "docs/layers.md"
    assert path.read_text(encoding="utf-8") == page(), "run python -m keras_approx.layers.documentation"
