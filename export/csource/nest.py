"""Nests of loops as C: see `kernels.elementwise.nest`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from export.csource.loops import before_loop, counting_loops, loop_turns
from export.csource.text import indent, table
from export.kernels.elementwise.nest import Nest, stride


@dataclass(frozen=True)
class WrittenNest:
    """A nest as C.

    Attributes:
        tables: Definitions of the offsets that do not grow by a stride.
        indices: The index of each operand's element within the loops.
        lines: Likewise, of the first element of the innermost loop.
        steps: The distance of its elements, for each operand; None where it varies.
        loops: Variables and extents, the outermost first.
    """

    tables: str
    indices: tuple[str, ...]
    lines: tuple[str, ...]
    steps: tuple[int | None, ...]
    loops: tuple[tuple[str, int], ...]


def write_nest(loops: Nest, symbol: str, prefix: str = "i") -> WrittenNest:
    """Names the loops of a nest and writes the operands' indices.

    Args:
        loops: The nest.
        symbol: Prefix of the tables' names.
        prefix: Of the loop variables.
    """
    names = [f"{prefix}{axis}" for axis in range(len(loops.extents))]
    tables, indices, lines, known = "", [], [], dict[bytes, str]()
    steps: list[int | None] = []
    for access in loops.accesses:
        terms = [str(access.start)] if access.start else []
        line = "0"
        distance: int | None = 0
        for name, offsets in zip(names, access.offsets, strict=True):
            line, distance = " + ".join(terms) or "0", stride(offsets)
            if distance is None:
                values = offsets.tolist()
                if offsets.tobytes() not in known:
                    known[offsets.tobytes()] = f"{symbol}_{prefix}{len(known)}"
                    tables += table("int32_t", known[offsets.tobytes()], values)
                terms.append(f"{known[offsets.tobytes()]}[{name}]")
            elif distance:
                terms.append(name if distance == 1 else f"{name} * {distance}")
        indices.append(" + ".join(terms) or "0")
        lines.append(line)
        steps.append(distance)
    return WrittenNest(
        tables, tuple(indices), tuple(lines), tuple(steps), tuple(zip(names, loops.extents, strict=True))
    )


def indexed_loops(written: WrittenNest, names: Sequence[str], body: str, outside: Sequence[str] = ()) -> str:
    """The loops of a nest around statements that find elements at indices, which the innermost loop moves.

    The innermost loop adds to indices and multiplies nothing, so that its cycles do not depend on the distances: GCC
    compiles products of loop variables to code of varying length.

    Args:
        written: The nest.
        names: Of the index of each operand's element.
        body: The statements.
        outside: For each an index that is added to it.
    """
    before = [f"{index} + " for index in outside] or [""] * len(names)
    if not written.loops or None in written.steps:
        indices = zip(names, before, written.indices, strict=True)
        text = "".join(f"int {name} = {start}{index};\n" for name, start, index in indices) + body
        return counting_loops(written.loops, text, short=True) if written.loops else f"{{\n{indent(text)}}}\n"
    variable, extent = written.loops[-1]
    lines = zip(names, before, written.lines, strict=True)
    starts = "".join(f", {name} = {start}{line}" for name, start, line in lines)
    moves = "".join(f", {name} += {step}" for name, step in zip(names, written.steps, strict=True) if step)
    start = f"int {variable} = {loop_turns(extent, short=True)}{starts}"
    turns = f"for ({start}; {variable}; {variable}--{moves}) {{\n{indent(body)}}}\n"
    return counting_loops(written.loops[:-1], before_loop(extent, short=True) + turns)
