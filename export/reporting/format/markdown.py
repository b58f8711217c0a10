"""A report as Markdown, with its pictures in files beside it."""

from __future__ import annotations

import re

from export.reporting.format.document import Block, Document, Paragraph, Table
from export.reporting.format.text import clean

_PUNCTUATION = re.compile(r"([!-/:-@\[-`{-~])")
_PLAIN = re.compile(r"\\([.,:;%()?'/=-])")  # means nothing to Markdown within a line
_LIST = re.compile(r"^(\s*)([-+]|\d+[.)])(?=\s)")


def write_markdown(document: Document) -> str:
    """The file's text; pictures are referred to as <name>.png."""
    parts = [f"# {escape(document.title)}", *map(_block, document.summary)]
    for section in document.sections:
        parts += [f"## {escape(section.title)}", *map(_block, section.blocks)]
    return "\n\n".join(parts) + "\n"


def escape(text: str) -> str:
    """Plain text as Markdown that shows it: no markup, no HTML, no line breaks."""
    line = clean(" ".join(text.split()))
    escaped = _PLAIN.sub(r"\1", _PUNCTUATION.sub(r"\\\1", line))
    # Bare addresses become links in some readers.
    escaped = re.sub(
        r"(?i)(https?|ftp)(:)|(www)(\.)", lambda m: (m[1] or m[3]) + "\\" + (m[2] or m[4]), escaped
    )
    return _LIST.sub(lambda m: f"{m[1]}{m[2][:-1]}\\{m[2][-1]}", escaped)


def _block(block: Block) -> str:
    if isinstance(block, Paragraph):
        return escape(block.text)
    if isinstance(block, Table):
        rule = ["---"] * block.left + ["---:"] * (len(block.head) - block.left)
        rows = [[escape(cell) for cell in row] for row in (block.head, *block.rows)]
        lines = [f"| {' | '.join(row)} |" for row in (rows[0], rule, *rows[1:])]
        return "\n".join([*([escape(block.caption), ""] if block.caption else []), *lines])
    return f"![{escape(block.shows)}]({block.name}.png)\n\n{escape(block.caption)}"
