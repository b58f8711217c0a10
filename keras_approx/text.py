"""Numbers with their nouns, and tables, as plain text."""

from __future__ import annotations

from collections.abc import Collection, Sequence


def plural(number: int, noun: str) -> str:
    """A number and a noun that goes with it: 1 batch, 1,200 images."""
    if number == 1:
        return f"{number} {noun}"
    return f"{number:,} {noun}{'es' if noun.endswith(('ch', 's', 'x')) else 's'}"


def printable(text: str, limit: int | None = None, instead: str = "?") -> str:
    """A text of one line without what could steer a terminal or turn its direction, and of at most so many letters."""
    shown = "".join(letter if letter.isprintable() else instead for letter in text)
    return shown if limit is None or len(shown) <= limit else shown[: limit - 3] + "..."


def text_table(head: Sequence[str], rows: Sequence[Sequence[str]], text: Collection[int] = (0,)) -> str:
    """A table, a line for each row.

    Args:
        head: Of the columns.
        rows: As many cells each.
        text: Numbers of the columns of text, negative ones from the end; the others are of numbers, flush right.
    """
    lines = [tuple(map(printable, line)) for line in (head, *rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    left = {column % len(widths) for column in text}
    return "\n".join(
        "  ".join(
            cell.ljust(width) if column in left else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in lines
    )
