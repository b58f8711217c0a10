"""The content of a report, apart from its format. All text is plain: the writers escape it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Paragraph:
    """Sentences."""

    text: str


@dataclass(frozen=True)
class Table:
    """Rows under a head; the first `left` columns are text, the others numbers."""

    head: Sequence[str]
    rows: Sequence[Sequence[str]]
    left: int = 1
    caption: str = ""


@dataclass(frozen=True)
class Picture:
    """A picture that is explained.

    Attributes:
        name: Of its file, without the ending.
        figure: A matplotlib Figure.
        shows: What is to be seen, for those who cannot see it.
        caption: Axes, units, data, and what to look for.
    """

    name: str
    figure: Any
    shows: str
    caption: str


Block = Paragraph | Table | Picture


@dataclass(frozen=True)
class Section:
    """A heading and what comes under it."""

    title: str
    blocks: Sequence[Block]


@dataclass(frozen=True)
class Document:
    """A whole report; `summary` stands before the sections."""

    title: str
    summary: Sequence[Block]
    sections: Sequence[Section]

    @property
    def pictures(self) -> list[Picture]:
        """All pictures, in order."""
        blocks = [*self.summary, *(block for section in self.sections for block in section.blocks)]
        return [block for block in blocks if isinstance(block, Picture)]
