"""A report as one HTML file that needs nothing else: style and pictures are inside."""

from __future__ import annotations

import html
from importlib import resources

from export.reporting.format.document import Block, Document, Paragraph, Section, Table
from export.reporting.format.svg import inline_svg
from export.reporting.format.text import clean

# Nothing may be loaded or run, even if markup should get through the escaping.
_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"

_LONGEST_NAME = 24  # letters that stay on one line, however narrow the page


def write_html(document: Document) -> str:
    """The file's text."""
    style = resources.files("export").joinpath("templates/report.css").read_text(encoding="utf-8")
    contents = "".join(
        f'<li><a href="#{_anchor(number)}">{escape(section.title)}</a></li>\n'
        for number, section in enumerate(document.sections)
    )
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="color-scheme" content="light dark">\n'
        f"<title>{escape(document.title)}</title>\n<style>\n{style}</style>\n</head>\n<body>\n<main>\n"
        f"<h1>{escape(document.title)}</h1>\n{''.join(map(_block, document.summary))}"
        f"<nav>\n<ol>\n{contents}</ol>\n</nav>\n"
        + "".join(_section(number, section) for number, section in enumerate(document.sections))
        + "</main>\n</body>\n</html>\n"
    )


def escape(text: str) -> str:
    """Plain text as HTML that shows it."""
    return html.escape(clean(text))


def _anchor(number: int) -> str:
    return f"section-{number + 1}"


def _section(number: int, section: Section) -> str:
    blocks = "".join(map(_block, section.blocks))
    return f'<section id="{_anchor(number)}">\n<h2>{escape(section.title)}</h2>\n{blocks}</section>\n'


def _block(block: Block) -> str:
    if isinstance(block, Paragraph):
        return f"<p>{escape(block.text)}</p>\n"
    if isinstance(block, Table):
        return _table(block)
    return (
        f"<figure>\n{inline_svg(block.figure, block.name, block.shows)}\n"
        f"<figcaption>{escape(block.caption)}</figcaption>\n</figure>\n"
    )


def _class(cell: str, number: bool) -> str:
    """How a cell is set: numbers flush right, and names, such as those of boards, not broken at their hyphens."""
    if number:
        return " class=number"
    return " class=name" if "-" in cell and " " not in cell and len(cell) <= _LONGEST_NAME else ""


def _table(table: Table) -> str:
    def row(tag: str, cells: tuple[str, ...]) -> str:
        shown = "".join(
            f"<{tag}{_class(cell, column >= table.left)}>{escape(cell)}</{tag}>"
            for column, cell in enumerate(cells)
        )
        return f"<tr>{shown}</tr>\n"

    caption = f"<caption>{escape(table.caption)}</caption>\n" if table.caption else ""
    rows = "".join(row("td", tuple(cells)) for cells in table.rows)
    return (
        f'<div class="scroll" tabindex="0"><table>\n{caption}<thead>\n{row("th", tuple(table.head))}</thead>\n'
        f"<tbody>\n{rows}</tbody>\n</table></div>\n"
    )
