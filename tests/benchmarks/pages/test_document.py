"""Tables and figures in the pages."""

from __future__ import annotations

import re

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


def test_pages_show_the_saved_figures() -> None:
    root = document.ROOT
    for page, filled in document.pages(root / "benchmarks/results", root).items():
        assert (root / page).read_text(encoding="utf-8") == filled, (
            f"{page}: run python -m benchmarks.pages.document"
        )


def test_all_records_are_shown() -> None:
    source = (document.ROOT / "benchmarks/pages/document.py").read_text(encoding="utf-8")
    read = set(re.findall(r'results / "([\w.]+)"', source))
    models = {"designs"}  # the models behind a record
    assert {path.name for path in (document.ROOT / "benchmarks/results").iterdir()} - models == read


def test_single_figures_stay_in_their_sentence() -> None:
    text = "It is <!-- figure: gain -->1<!-- end --> times faster."
    assert fill(text, {"gain": "2 to 3"}) == "It is <!-- figure: gain -->2 to 3<!-- end --> times faster."
    quoted = "It loses <!-- figure: loss of lenet, 1 M -->0<!-- end --> points."
    filled = fill(quoted, {}, {"loss of lenet, 1 M": "0.5"}.__getitem__)
    assert filled == "It loses <!-- figure: loss of lenet, 1 M -->0.5<!-- end --> points."
    with pytest.raises(ValueError, match="no figure 'loss of lenet, 1 M'"):
        fill(quoted, {}, {}.__getitem__)
