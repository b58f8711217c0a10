"""Results as HTML tables, which notebooks show."""

from __future__ import annotations

import html
from collections.abc import Sequence

from keras_approx.text import printable

_NUMBER, _TEXT = "text-align: right; white-space: nowrap", "text-align: left"


def html_table(
    head: Sequence[str], rows: Sequence[Sequence[str]], *, left: int = 1, title: str = "", note: str = ""
) -> str:
    """A table as HTML; all text is escaped, and letters that could turn or hide others are replaced.

    Args:
        head: Of the columns.
        rows: As many cells each.
        left: How many columns, from the first, are text; the others are numbers.
        title: A line above.
        note: A line below.
    """

    def row(tag: str, cells: Sequence[str]) -> str:
        shown = "".join(
            f'<{tag} style="{_TEXT if column < left else _NUMBER}">{_escape(cell)}</{tag}>'
            for column, cell in enumerate(cells)
        )
        return f"<tr>{shown}</tr>"

    parts = [f"<p><b>{_escape(title)}</b></p>" if title else ""]
    parts.append(f"<table><thead>{row('th', head)}</thead><tbody>")
    parts += [*(row("td", cells) for cells in rows), "</tbody></table>"]
    parts.append(f"<p>{_escape(note)}</p>" if note else "")
    return f'<div style="overflow-x: auto">{"".join(parts)}</div>'


def _escape(text: str) -> str:
    return html.escape(printable(text, instead="\ufffd"))
