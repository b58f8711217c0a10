"""Nests of loops as C: see `kernels.elementwise.nest`."""

from __future__ import annotations

from dataclasses import dataclass

from export.csource.text import indent, table
from export.kernels.elementwise.nest import Nest, stride


@dataclass(frozen=True)
class WrittenNest:
    """A nest as C.

    Attributes:
        tables: definitions of the offsets that do not grow by a stride.
        indices: the index of each operand's element within the loops.
        loops: variables and extents, the outermost first.
    """

    tables: str
    indices: tuple[str, ...]
    loops: tuple[tuple[str, int], ...]


def write_nest(loops: Nest, symbol: str, prefix: str = "i") -> WrittenNest:
    """Names the loops of a nest and writes the operands' indices.

    Args:
        loops: the nest.
        symbol: prefix of the tables' names.
        prefix: of the loop variables.
    """
    names = [f"{prefix}{axis}" for axis in range(len(loops.extents))]
    tables, indices, known = "", [], dict[bytes, str]()
    for access in loops.accesses:
        terms = [str(access.start)] if access.start else []
        for name, offsets in zip(names, access.offsets, strict=True):
            distance = stride(offsets)
            if distance is None:
                values = offsets.tolist()
                if offsets.tobytes() not in known:
                    known[offsets.tobytes()] = f"{symbol}_{prefix}{len(known)}"
                    tables += table("int32_t", known[offsets.tobytes()], values)
                terms.append(f"{known[offsets.tobytes()]}[{name}]")
            elif distance:
                terms.append(name if distance == 1 else f"{name} * {distance}")
        indices.append(" + ".join(terms) or "0")
    return WrittenNest(tables, tuple(indices), tuple(zip(names, loops.extents, strict=True)))


def loops_around(written: WrittenNest, body: str) -> str:
    """The loops of a nest around statements."""
    text = body
    for name, extent in reversed(written.loops):
        text = f"for (int {name} = 0; {name} < {extent}; {name}++) {{\n{indent(text)}}}\n"
    return text
