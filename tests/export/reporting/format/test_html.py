"""Text of a document in HTML is text."""

from __future__ import annotations

from export.reporting.format.document import Document, Paragraph, Picture, Section, Table
from export.reporting.format.html import write_html
from export.reporting.format.style import drawing, new_figure
from tests.export.reporting.pages import HOSTILE, check_page


def test_markup_in_any_text_of_a_document_is_text():
    with drawing():
        figure, ((axis,),) = new_figure(1)
        axis.set_title(HOSTILE[0])
        axis.set_xlabel(HOSTILE[2])
        nasty = HOSTILE[1]
        first, second = (
            [Paragraph(nasty), Table([nasty], [[nasty]], caption=nasty), Picture(name, figure, nasty, nasty)]
            for name in "ab"
        )
        page = check_page(write_html(Document(nasty, first, [Section(nasty, second)])))
    # Title twice, heading and its link, and in each place a paragraph, a caption, a head, a cell, a figure caption.
    assert page.text.count(nasty) == 2 + 2 + 2 * 5
    assert page.text.count(HOSTILE[0]) == 2
    assert [value for name, value in page.attributes if name == "aria-label"] == [nasty] * 2


def test_names_of_boards_stay_on_one_line():
    page = write_html(
        Document("t", [Table(("board", "x"), [("nucleo-u575zi-q", "1"), ("a few words", "2")], left=1)], [])
    )
    assert "<td class=name>nucleo-u575zi-q</td><td class=number>1</td>" in page
    assert "<td>a few words</td>" in page
