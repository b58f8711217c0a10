"""Nests of loops as C: see `kernels.elementwise.nest`."""

from __future__ import annotations

from dataclasses import dataclass

from export.csource.text import indent, table
from export.kernels.elementwise.nest import Nest, step


@dataclass(frozen=True)
class Written:
    """A nest as C.

    Attributes:
        tables: definitions of the offsets that are no steps.
        places: the index of each operand's element within the loops.
        loops: variables and extents, the outermost first.
    """

    tables: str
    places: tuple[str, ...]
    loops: tuple[tuple[str, int], ...]


def write_nest(loops: Nest, symbol: str, prefix: str = "i") -> Written:
    """Names the loops of a nest and writes the operands' indices.

    Args:
        loops: the nest.
        symbol: prefix of the tables' names.
        prefix: of the loop variables.
    """
    names = [f"{prefix}{axis}" for axis in range(len(loops.extents))]
    tables, places, known = "", [], dict[bytes, str]()
    for walk in loops.walks:
        terms = [str(walk.start)] if walk.start else []
        for name, offsets in zip(names, walk.offsets, strict=True):
            distance = step(offsets)
            if distance is None:
                values = offsets.tolist()
                if offsets.tobytes() not in known:
                    known[offsets.tobytes()] = f"{symbol}_{prefix}{len(known)}"
                    tables += table("int32_t", known[offsets.tobytes()], values)
                terms.append(f"{known[offsets.tobytes()]}[{name}]")
            elif distance:
                terms.append(name if distance == 1 else f"{name} * {distance}")
        places.append(" + ".join(terms) or "0")
    return Written(tables, tuple(places), tuple(zip(names, loops.extents, strict=True)))


def loops_around(written: Written, body: str) -> str:
    """The loops of a nest around statements."""
    text = body
    for name, extent in reversed(written.loops):
        text = f"for (int {name} = 0; {name} < {extent}; {name}++) {{\n{indent(text)}}}\n"
    return text
