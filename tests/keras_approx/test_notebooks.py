"""Tables for notebooks: whole, aligned, and safe whatever names say."""

from __future__ import annotations

from html.parser import HTMLParser

from keras_approx.measure.summaries import LayerRow, Summary
from keras_approx.notebooks import html_table


class Cells(HTMLParser):
    """The text of each cell, and whether every tag was closed."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.rows: list[list[str]] = []
        self.open: list[str] = []
        self.feed(text)
        self.close()
        assert not self.open

    def handle_starttag(self, tag, attrs):
        assert tag in ("div", "p", "b", "table", "thead", "tbody", "tr", "th", "td")
        self.open.append(tag)
        if tag == "tr":
            self.rows.append([])
        if tag in ("th", "td"):
            self.rows[-1].append("")

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open[-1] in ("th", "td"):
            self.rows[-1][-1] += data


def test_text_is_text() -> None:
    hostile = "<script>alert(1)</script>\u202e\x00\"'&"
    rows = Cells(html_table(("a", hostile), [(hostile, "1")], title=hostile, note=hostile)).rows
    shown = hostile.replace("\u202e", "\ufffd").replace("\x00", "\ufffd")
    assert rows == [["a", shown], [shown, "1"]]


def test_a_summary() -> None:
    rows = (
        LayerRow("conv", "Conv2D", 1000, 250, 500, 125, 10, 5, (1,)),
        LayerRow("dense", "Dense", 20, 20, None, None, None, None),
    )
    summary = Summary(rows)
    assert repr(summary) == "<Summary of 2 layers: 270 of 1,020 products kept>"
    cells = Cells(summary._repr_html_()).rows
    assert [row[0] for row in cells] == ["layer", "conv", "dense", "can be skipped", "total"]
    assert cells[-2][2:5] == ["1,000", "250", "25.0"]
    assert cells[-1][2:5] == ["1,020", "270", "26.5"]
    assert summary.phrase() == "keeps 25.0% of the products that can be skipped (26.5% of all)"
    assert Summary(rows[:1]).phrase() == "keeps 25.0% of the products that can be skipped"
