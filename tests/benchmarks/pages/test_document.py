"""Tables and figures in the pages."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.pages import document
from benchmarks.pages.document import fill


def test_tables_go_between_their_markers() -> None:
    found = {"first": "| a |\n", "second": "| b |\n"}
    places = [f"<!-- table: {name} -->\nold\n<!-- end -->" for name in found]
    text = "# Title\n" + "\ntext\n".join(places)
    filled = fill(text, found)
    assert filled == (
        "# Title\n<!-- table: first -->\n| a |\n<!-- end -->\ntext\n<!-- table: second -->\n| b |\n<!-- end -->"
    )
    assert fill(filled, found) == filled
    with pytest.raises(ValueError, match="no place for the tables second"):
        fill(places[0], found)
    with pytest.raises(ValueError, match="no table 'other'"):
        fill(text + "<!-- table: other -->\n<!-- end -->", found)


def test_sentences_show_the_saved_figures(tmp_path: Path) -> None:
    root = document.ROOT
    pages = ("README.md", "docs/howto/eliminate_or_fine_tune.md", "docs/exactness.md")
    (tmp_path / "docs/howto").mkdir(parents=True)
    for page in pages:
        (tmp_path / page).write_text((root / page).read_text())
    document.document_sentences(root / "benchmarks/results", tmp_path)
    for page in pages:
        assert (tmp_path / page).read_text() == (root / page).read_text(), (
            "run python -m benchmarks.pages.document"
        )


def test_single_figures_stay_in_their_sentence() -> None:
    text = "It is <!-- figure: gain -->1<!-- end --> times faster."
    assert fill(text, {"gain": "2 to 3"}) == "It is <!-- figure: gain -->2 to 3<!-- end --> times faster."
