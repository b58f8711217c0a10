"""Pictures of the pages."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from benchmarks.pages import plot
from tests.benchmarks.pages.saved import HEADLINE


def test_headline_plot_is_a_picture(tmp_path: Path) -> None:
    plot.draw_headline(HEADLINE, tmp_path / "headline.png")
    assert (tmp_path / "headline.png").read_bytes().startswith(b"\x89PNG")


def test_plot_is_a_picture(results: dict[str, Any], tmp_path: Path) -> None:
    plot.draw(results, tmp_path / "kernels.png")
    assert (tmp_path / "kernels.png").read_bytes().startswith(b"\x89PNG")
